"""Who is told of events: standard output, a web server, a broker, a program. A slow one holds up nobody."""

import json
import queue
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from typing import Any

from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.base.text.redact import protect, protect_address, redacted
from dist_vad.base.text.secrets import from_environment
from dist_vad.settings.watch import MqttSettings, SinkSettings, WebhookSettings

MOST_WAITING = 1000
"""Lines that wait for one sink; the oldest are dropped beyond them, and counted."""
TRIES, PATIENCE = 4, 10.0


class Sink(ABC):
    """Delivers lines in order, in a thread of its own."""

    name = ""

    def __init__(self) -> None:
        self.delivered = self.failed = self.dropped = 0
        self._queue: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"sink {self.name}", daemon=True)
        self._thread.start()

    @abstractmethod
    def deliver(self, text: str) -> None:
        """Deliver one line; raises OSError where that fails."""

    def offer(self, text: str) -> None:
        """Take a line to deliver."""
        while True:
            try:
                return self._queue.put_nowait(text)
            except queue.Full:
                self.dropped += 1
                try:
                    self._queue.get_nowait()
                except queue.Empty:
                    continue

    def stop(self) -> None:
        """Deliver what waits, for as long as PATIENCE allows."""
        self._ending.set()
        self.offer("")
        self._thread.join(timeout=PATIENCE)
        self.close()

    def close(self) -> None:  # noqa: B027
        """Let go of what it holds; most hold nothing."""

    def _work(self) -> None:
        while text := self._queue.get():
            for attempt in range(TRIES):
                try:
                    self.deliver(text)
                    self.delivered += 1
                    break
                except (OSError, subprocess.SubprocessError) as error:
                    if attempt == TRIES - 1 or self._ending.is_set():
                        self.failed += 1
                        log.warning("%s did not take a line: %s", self.name, redacted(error))
                        break
                    time.sleep(2.0**attempt / 2)


class StdoutSink(Sink):
    """Prints every line, at once."""

    name = "stdout"

    def deliver(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


class WebhookSink(Sink):
    """POSTs every line."""

    name = "webhook"

    def __init__(self, settings: WebhookSettings) -> None:
        self._url = from_environment(settings.url, "sinks.webhook.url")
        if not self._url.startswith(("http://", "https://")):
            raise InputError(f"sinks.webhook.url is {redacted(self._url)!r}; allowed: http:// or https://")
        protect_address(self._url)
        given = {
            key: from_environment(value, f"sinks.webhook.headers.{key}") for key, value in settings.headers.items()
        }
        for key in ("Authorization", "X-Api-Key"):
            if key in given:
                protect(given[key].split()[-1])
        self._headers = {"Content-Type": "application/json", "User-Agent": "dist-vad", **given}
        super().__init__()

    def deliver(self, text: str) -> None:
        request = urllib.request.Request(self._url, text.encode(), self._headers, method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            answer.read(1024)


class MqttSink(Sink):
    """Publishes every line, at least once; the broker may come and go."""

    name = "mqtt"

    def __init__(self, settings: MqttSettings) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self._topic = settings.topic.rstrip("/")
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._connected = threading.Event()
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: self._connected.clear()
        self._client.reconnect_delay_set(1, 60)
        if settings.user:
            password = from_environment(settings.password or "", "sinks.mqtt.password")
            protect(password)
            self._client.username_pw_set(from_environment(settings.user, "sinks.mqtt.user"), password)
        if settings.tls:
            self._client.tls_set()
        self._client.connect_async(settings.host, settings.port)
        self._client.loop_start()
        super().__init__()

    def deliver(self, text: str) -> None:
        # What is published without a connection waits in the client too, and would be sent once more for every try.
        while not self._connected.wait(1):
            if self._ending.is_set():
                raise OSError("the broker is not connected")
        sent = self._client.publish(f"{self._topic}/{json.loads(text)['camera']}", text, qos=1)
        try:
            sent.wait_for_publish(PATIENCE)
        except (RuntimeError, ValueError) as error:
            raise OSError(str(error)) from error
        if not sent.is_published():
            raise OSError("the broker did not confirm it in time")

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            log.warning("the broker refuses the connection: %s; lines wait until it is accepted", reason)
        else:
            self._connected.set()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class ExecSink(Sink):
    """Starts a program for every line, which finds it on its standard input."""

    name = "exec"

    def __init__(self, command: list[str]) -> None:
        self._command = command
        super().__init__()

    def deliver(self, text: str) -> None:
        subprocess.run(
            self._command, input=text.encode(), timeout=60, check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def make_sinks(settings: SinkSettings) -> list[Sink]:
    """Those that are asked for. Raises InputError for an address that cannot be one, or a missing secret."""
    sinks: list[Sink] = [StdoutSink()] if settings.stdout else []
    if settings.webhook:
        sinks.append(WebhookSink(settings.webhook))
    if settings.mqtt:
        sinks.append(MqttSink(settings.mqtt))
    if settings.exec:
        sinks.append(ExecSink(settings.exec))
    return sinks


def facts(sinks: list[Sink]) -> dict[str, dict[str, Any]]:
    """By name: lines delivered, failed and dropped."""
    return {sink.name: {"delivered": sink.delivered, "failed": sink.failed, "dropped": sink.dropped} for sink in sinks}
