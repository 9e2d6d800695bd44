"""A true Slurm of two nodes on this machine, which tests start once and stop at the end."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from launching import ROOT
from seaweed import free_ports

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")
CORES = 16
"""Cores that each node claims to have, so that jobs never wait for one another."""
# Jobs are numbered from a free port, so that those of two clusters on one machine meet at ports of their own.
CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_min_interval=0,batch_sched_delay=0
SlurmdTimeout=30
InactiveLimit=0
KillWait=5
ReturnToService=2
JobRequeue=1
FirstJobId={ports[0]}
PropagateResourceLimits=NONE
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs={cores} State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs={cores} State=UNKNOWN
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
"""


class CannotStartError(Exception):
    """There is no Slurm here, or it does not come up."""


class Cluster:
    """Two nodes, n1 and n2; everything of theirs lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        missing = [program for program in PROGRAMS if not shutil.which(program, path=_path())]
        if missing:
            raise CannotStartError(f"no {', '.join(missing)} here: apt-get install slurm-wlm munge")
        if os.geteuid() != 0:
            raise CannotStartError("Slurm's daemons start for root alone")
        self.folder = folder
        for name in ("munge", "state", "spool.n1", "spool.n2"):
            (folder / name).mkdir(parents=True, mode=0o755)
        self._start_munge()
        text = CONFIG.format(host=socket.gethostname().split(".")[0], ports=free_ports(3), folder=folder, cores=CORES)
        (folder / "slurm.conf").write_text(text)
        site = folder / "site.sh"
        site.write_text("SHARDS_JOB=(--nodes=2 --ntasks=2)\nTRAIN_JOB=(--nodes=2)\nEVALUATE_JOB=(--nodes=2)\n")
        given = {"SLURM_CONF": str(folder / "slurm.conf"), "SITE": str(site), "PYTHON": sys.executable}
        self.environment = {**os.environ, **given, "PATH": _path(), "DIST_VAD_ROOT": str(ROOT)}
        self.run("slurmctld", "-c")
        for node in ("n1", "n2"):
            self.run("slurmd", "-N", node)
        _wait_for(lambda: self.run("sinfo", "-hNt", "idle", "-o%N").split() == ["n1", "n2"], 30, self._logs)

    def stop(self) -> None:
        """Cancel what runs, and end the daemons."""
        self.run("scancel", "--user=root", "--signal=KILL", "--full", check=False)
        self.run("scancel", "--user=root", check=False)
        for path in [*self.folder.glob("slurmd.n?.pid"), self.folder / "slurmctld.pid", self.folder / "munge/pid"]:
            if path.is_file():
                daemon = int(path.read_text())
                os.kill(daemon, signal.SIGKILL)  # what they would save is of no use
                _wait_for(lambda daemon=daemon: not psutil.pid_exists(daemon), 30, self._logs)

    def run(self, *command: str, check: bool = True) -> str:
        """Run a program with this cluster's settings, from the root of the repository; returns what it printed."""
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, env=self.environment, timeout=120, check=False
        )
        assert not check or done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def submit(self, script: str, *arguments: str, options: tuple[str, ...] = ("--nodes=2",)) -> int:
        """sbatch one of the repository's scripts; returns the number of the job."""
        log = self.folder / "%x-%j.log"
        return int(self.run("sbatch", "--parsable", f"--output={log}", *options, f"slurm/{script}", *arguments))

    def state(self, job: int) -> str:
        """Such as PENDING, RUNNING, COMPLETED, FAILED, CANCELLED."""
        return self.facts(job)["JobState"]

    def facts(self, job: int) -> dict[str, str]:
        """What `scontrol show job` says."""
        words = self.run("scontrol", "show", "job", str(job)).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def log(self, job: int) -> str:
        """What the job has printed; nothing where it never started."""
        path = Path(self.facts(job)["StdOut"])
        return path.read_text() if path.is_file() else ""

    def wait(self, job: int, until: Callable[[], object] | None = None, seconds: float = 240) -> str:
        """Wait until the job has ended, or until something holds while it is there; returns its state.

        A requeued job would wait two minutes before it starts again: it is told to wait for less.
        """
        hastened = set()

        def reached() -> bool:
            facts = self.facts(job)
            waits = facts["JobState"] == "PENDING" and facts["Reason"] == "BeginTime"
            if waits and facts["Restarts"] not in hastened:
                # Not at once: a node takes a start within the second of the kill for the job that was killed.
                self.run("scontrol", "update", f"JobId={job}", "StartTime=now+3", check=False)
                hastened.add(facts["Restarts"])
            ended = facts["JobState"] not in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "REQUEUED")
            if until and not until():
                assert not ended, f"job {job} ended first, {facts['JobState']}:\n{self.log(job)}"
                return False
            return until is not None or ended

        _wait_for(reached, seconds, lambda: f"job {job} is {self.facts(job)}:\n{self.log(job)}")
        return self.state(job)

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        key = folder / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        places = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={folder / name}" for option, name in places.items()]
        # Forced, since it refuses folders that others than root may write to, such as /tmp.
        subprocess.run(["munged", *options, "--force"], check=True, capture_output=True, env={"PATH": _path()})

    def _logs(self) -> str:
        return "\n".join(path.read_text()[-1500:] for path in sorted(self.folder.glob("*.log")))


def _path() -> str:
    """PATH with the folders of the daemons, which that of an ordinary user lacks."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _wait_for(condition: Callable[[], object], seconds: float, explain: Callable[[], str]) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise CannotStartError(f"waited {seconds:.0f} s in vain; {explain()}")
        time.sleep(0.2)
