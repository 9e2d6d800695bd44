"""Two hosts on this machine: network namespaces with a cable between them that can be cut."""

import os
import subprocess
from pathlib import Path

NAMES = ("host-a", "host-b")
ADDRESSES = ("10.77.0.1", "10.77.0.2")
CABLE = "cable"
"""Name of the interface on both sides."""


class CannotStartError(Exception):
    """This machine does not let us make network namespaces."""


class TwoHosts:
    """Each has its own network and host name; they share the disk, as nodes of a cluster do."""

    def __init__(self) -> None:
        self.namespaces = [f"dist-vad-{os.getpid()}-{name}" for name in NAMES]
        try:
            for namespace in self.namespaces:
                self._ip("netns", "add", namespace)
            a, b = self.namespaces
            self._ip("link", "add", CABLE, "netns", a, "type", "veth", "peer", "name", CABLE, "netns", b)
            for namespace, address in zip(self.namespaces, ADDRESSES):
                self._ip("-n", namespace, "address", "add", f"{address}/24", "dev", CABLE)
                self._ip("-n", namespace, "link", "set", "lo", "up")
            self.plug_in()
        except (OSError, subprocess.CalledProcessError) as error:
            self.remove()
            said = getattr(error, "stderr", "") or ""
            raise CannotStartError(f"{error} {said.strip()} (needs root and iproute2)") from error

    def cut(self) -> None:
        """Nothing gets through any more, and nobody is told: what was sent is simply lost."""
        self._ip("-n", self.namespaces[1], "link", "set", CABLE, "down")

    def plug_in(self) -> None:
        for namespace in self.namespaces:
            self._ip("-n", namespace, "link", "set", CABLE, "up")

    def start(self, host: int, *command: str, log: Path, **environment: str) -> subprocess.Popen:
        """Start a program on a host."""
        # A host name of its own; nobody can be asked for its address, as on many a cluster.
        named = ["unshare", "--uts", "sh", "-c", f'hostname {NAMES[host]} && exec "$@"', "sh", *command]
        given = {**os.environ, "GLOO_SOCKET_IFNAME": CABLE, **environment}
        with log.open("a") as file:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.namespaces[host], *named], stdout=file, stderr=file, env=given
            )

    def remove(self) -> None:
        for namespace in self.namespaces:
            subprocess.run(["ip", "netns", "delete", namespace], capture_output=True)

    def _ip(self, *arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
