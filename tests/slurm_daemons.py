"""A whole Slurm of one node, real daemons, in a folder of its own: on loopback only, gone when the tests are."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
GPUS = 8
CONF = """
ClusterName=tests
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={d_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket,cred_expire=5
CryptoType=crypto/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1,defer_batch
ReturnToService=2
SlurmdTimeout=60
SlurmctldTimeout=10
InactiveLimit=0
KillWait=2
MinJobAge=60
MaxArraySize=1001
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 Gres=gpu:{gpus}
PartitionName=tests Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Return why no Slurm can be started here, or None."""
    if absent := [name for name in DAEMONS if shutil.which(name, path=search_path()) is None]:
        return f"Slurm is not installed ({', '.join(absent)} not found; apt-get install slurm-wlm munge)"
    return None if os.geteuid() == 0 else "the daemons need root"


class NotUp(RuntimeError):
    """Say why a daemon did not come up."""


def search_path() -> str:
    """Return PATH with the folders of daemons."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def processes_of(root: Path) -> Iterator[int]:
    """Return the processes of a cluster: slurm.conf's name is in their environment, or its folder's files are open.

    The daemon that watches a job overwrites its environment but writes to slurmd's log.
    """
    entry = f"SLURM_CONF={root}/slurm.conf".encode()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            mine = entry in (path / "environ").read_bytes().split(b"\0") or any(
                os.readlink(fd).startswith(f"{root}/") for fd in (path / "fd").iterdir()
            )
            if mine and int(path.name) != os.getpid():
                yield int(path.name)


def kill_all(root: Path) -> None:
    """Kill the daemons and jobs of a cluster, also those that appear meanwhile."""
    deadline = time.monotonic() + 15
    while (found := list(processes_of(root))) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


#: Waits until the pipe from the tests closes, however they end, then kills every process of this cluster.
WATCHDOG = """
import pathlib, sys
sys.path.insert(0, sys.argv[2])
from slurm_daemons import kill_all
sys.stdin.read()
kill_all(pathlib.Path(sys.argv[1]))
"""


def _parent(pid: int) -> int:
    """Return a process's parent, 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


class Slurm:
    """Start munged, slurmctld and slurmd under `root`; `env` makes the commands talk to them."""

    def __init__(self, root: Path, cpus: int = 8) -> None:
        self.root = root
        for name in ("munge", "state", "spool", "dev"):
            (root / name).mkdir(parents=True)
        ctld_port, d_port = free_ports(2)
        text = CONF.format(root=root, ctld_port=ctld_port, d_port=d_port, cpus=cpus, gpus=GPUS)
        self.conf = root / "slurm.conf"
        self.conf.write_text(text)
        devices = [root / "dev" / f"gpu{i}" for i in range(GPUS)]
        for device in devices:
            os.mknod(device, 0o600 | 0o020000, os.makedev(1, 3))  # as /dev/null
        (root / "gres.conf").write_text("".join(f"NodeName=localhost Name=gpu File={d}\n" for d in devices))
        (root / "munge/key").write_bytes(os.urandom(128))
        (root / "munge/key").chmod(0o400)
        code = str(Path(__file__).parents[1])  # jobs run in other folders
        self.env = {**os.environ, "SLURM_CONF": str(self.conf), "PATH": search_path(), "PYTHONPATH": code}
        self.env = {k: v for k, v in self.env.items() if k == "SLURM_CONF" or not k.startswith(("SLURM_", "SBATCH_"))}
        self.started: list[subprocess.Popen] = []
        self.watchdog = subprocess.Popen(
            [sys.executable, "-c", WATCHDOG, str(root), str(Path(__file__).parent)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def start(self) -> None:
        """Start the daemons in the foreground, as children, and wait for the node."""
        munge = self.root / "munge"
        self._daemon(
            "munged", "--foreground", "--force", f"--key-file={munge}/key", f"--socket={munge}/socket",
            f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed", "--num-threads=2",
        )  # fmt: skip
        self._wait(lambda: (munge / "socket").exists(), "munged")
        self._daemon("slurmctld", "-D", "-f", str(self.conf))
        self.start_node()

    def start_node(self) -> None:
        """Start slurmd and wait until the node takes jobs."""
        self.node = self._daemon("slurmd", "-D", "-N", "localhost", "-f", str(self.conf))
        self._wait(lambda: self.run("sinfo", "-h", "-o", "%T").strip() in ("idle", "mixed", "allocated"), "slurmd")

    def lose_node(self) -> None:
        """Kill slurmd and all that runs on the node at once, as a power cut would; munged and slurmctld stay."""
        staying = {process.pid for process in self.started if process is not self.node} | {self.watchdog.pid}
        staying |= {pid for pid in processes_of(self.root) if _parent(pid) in staying}
        while found := set(processes_of(self.root)) - staying:
            for number in (signal.SIGSTOP, signal.SIGKILL):  # first all stand still: none may report another's death
                for pid in found:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
            self.node.poll()

    def run(self, *command: str, check: bool = False) -> str:
        """Return what a Slurm command prints."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=60, check=check)
        return done.stdout

    def call(self, *command: str, timeout: float = 60) -> tuple[int, str]:
        """Return a Slurm command's exit code and what it says of errors. Raises TimeoutExpired."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=timeout)
        return done.returncode, done.stderr

    def stop(self) -> None:
        """End everything: the jobs, then the daemons."""
        self.watchdog.stdin.close()
        self.watchdog.wait(timeout=30)
        for process in self.started:
            process.kill()
            process.wait()

    def _daemon(self, *command: str) -> subprocess.Popen:
        with (self.root / f"{command[0]}.out").open("ab") as out:
            process = subprocess.Popen(
                command, env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        self.started.append(process)
        return process

    def _wait(self, ready: Callable[[], bool], name: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline or any(p.poll() is not None for p in self.started[-1:]):
                logs = [p.read_text(errors="replace")[-1500:] for p in (self.root / f"{name}.out",) if p.exists()]
                raise NotUp(f"{name} did not come up: {' '.join(logs)}")
            time.sleep(0.05)
