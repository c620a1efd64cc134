"""A true SLURM of one node on loopback: made in a folder, and gone with the ``with`` block that made it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

PACKAGES = ("slurm-wlm", "munge")  # of Debian and Ubuntu
COMMANDS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "squeue", "scancel", "scontrol")
CPUS = 2
WAIT_SECONDS = 1800  # after which what does not come is given up; the machine may be a busy one

CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job of a dead node begins again once its old credential has expired; SLURM's own choice is two minutes.
AuthInfo=socket={folder}/munge/socket,cred_expire=5
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,batch_sched_delay=0
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MailProg={nothing}
ReturnToService=2
SlurmdTimeout=3
KillWait=2
# Its tests ask for jobs that have long ended.
MinJobAge=86400
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={megabytes} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES State=UP
"""


def missing() -> str:
    """Return why SLURM cannot be started here, in a sentence that says what to do; install it where that is possible.

    An empty string means that it can be.
    """
    if sys.platform != "linux":
        return "SLURM runs on Linux only"
    if os.geteuid() != 0:
        return f"a SLURM is started as root: `sudo make test-cluster`; it takes the packages {' and '.join(PACKAGES)}"
    if Path("/etc/slurm/slurm.conf").exists():
        return "/etc/slurm/slurm.conf is there: this machine belongs to a cluster, which is left alone"
    lacking = [name for name in COMMANDS if shutil.which(name) is None]
    if not lacking:
        return ""
    if shutil.which("apt-get") is None:
        return f"{', '.join(lacking)} not found, and no apt-get: install SLURM and MUNGE"
    print(f"installing {', '.join(PACKAGES)} with apt-get", flush=True)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *PACKAGES]
    with _services_off():
        for command in (["apt-get", "update", "--quiet"], install):
            done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
            if done.returncode:
                return f"{shlex.join(command)} failed: {done.stderr.strip()[-300:]}"
    return ""


@contextlib.contextmanager
def _services_off() -> Iterator[None]:
    """Let the packages start no service of their own while they are installed: Debian asks this file."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


class OneNode:
    """The daemons of a SLURM, and what is done to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder}/bin{os.pathsep}{os.environ['PATH']}",
        }

    def call(self, *command: str) -> str:
        """Call one of SLURM's commands; return what it says."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}"
        return done.stdout

    def jobs(self, *states: str) -> list[str]:
        """Return the numbers of the jobs in some of these states, all without any, the oldest first."""
        chosen = ",".join(states) or "all"
        return sorted(self.call("squeue", "--noheader", "--format=%A", f"--states={chosen}").split(), key=int)

    def job(self, number: str) -> dict[str, str]:
        """Return what SLURM knows of a job."""
        return dict(re.findall(r"(\w+)=(\S*)", self.call("scontrol", "show", "job", number)))

    def node_state(self) -> str:
        """Return the state of the node, such as ``IDLE`` or ``DOWN``."""
        return re.search(r"State=(\S+)", self.call("scontrol", "show", "node"))[1]

    def start_node(self) -> None:
        """Start the node's daemon and wait until the node takes jobs."""
        self.call("slurmd", "-f", str(self.folder / "slurm.conf"))
        wait_for(lambda: re.match(r"IDLE|MIXED|ALLOCATED", self.node_state()), "the node takes jobs")

    def kill_node(self) -> None:
        """Kill the node's daemon and all of its jobs at once, as a power cut would; wait until SLURM has seen it."""
        daemons = [process for process in self._processes() if process.name() in ("slurmd", "slurmstepd")]
        _kill(daemons + [child for process in daemons for child in process.children(recursive=True)])
        wait_for(lambda: "DOWN" in self.node_state(), "SLURM sees that the node is down")

    def stop(self) -> None:
        """End whatever was started: daemons, jobs, and what was called beside them."""
        wait_for(lambda: not _kill(self._processes()), "all of SLURM's processes have ended", seconds=60)

    def _processes(self) -> list[psutil.Process]:
        """Return all processes of this SLURM: the daemons, and what came of our environment."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        """Ask for the environment and for the folder: slurmstepd writes its title over the former."""
        with contextlib.suppress(psutil.Error):
            if process.environ().get("SLURM_CONF") == self.environment["SLURM_CONF"]:
                return True
        with contextlib.suppress(psutil.Error):
            return process.cwd().startswith(str(self.folder))
        return False


def _kill(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Kill processes, wait for their end, and return them."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)
    return processes


@contextlib.contextmanager
def one_node(folder: Path) -> Iterator[OneNode]:
    """Yield a SLURM of one node with two processors, its files in a new folder; all of it ends with the block."""
    _write(folder)
    slurm = OneNode(folder)
    try:
        munge = folder / "munge"
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        slurm.call("munged", "--force", *(f"--{option}={munge / name}" for option, name in files.items()))
        slurm.call("slurmctld", "-f", str(folder / "slurm.conf"))
        wait_for(lambda: _answers(slurm), "slurmctld answers")
        slurm.start_node()
        yield slurm
    finally:
        slurm.stop()


def _write(folder: Path) -> None:
    """Write the key, the configuration and the folders of a SLURM."""
    for name in ("munge", "state", "spool", "bin"):
        (folder / name).mkdir(parents=True, mode=0o700)
    (folder / "munge" / "key").touch(mode=0o600)
    (folder / "munge" / "key").write_bytes(secrets.token_bytes(1024))
    text = CONFIGURATION.format(
        host=socket.gethostname().partition(".")[0],
        folder=folder,
        ports=_free_ports(2),
        cpus=CPUS,
        megabytes=psutil.virtual_memory().total // 2**20 * 9 // 10,
        nothing=shutil.which("true"),
    )
    (folder / "slurm.conf").write_text(text, encoding="utf-8")
    # Snakemake's plugin calls srun without the variables of SLURM. Ours needs the one that says where it is.
    srun = folder / "bin" / "srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n', encoding="utf-8")
    srun.chmod(0o755)


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _answers(slurm: OneNode) -> bool:
    ping = subprocess.run(["scontrol", "ping"], env=slurm.environment, capture_output=True, text=True, check=False)
    return " UP" in ping.stdout


def wait_for(condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> object:
    """Wait until a condition is true, and return its value; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {seconds:.0f} s in vain until {what}"
        time.sleep(0.5)
    return value


def kill_group(process: subprocess.Popen) -> None:
    """Kill a process that began a session, and all that is in it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
