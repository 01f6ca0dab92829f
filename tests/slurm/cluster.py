"""A real Slurm on hosts that are namespaces of this machine.

Theory of operation. The head runs munged and slurmctld and is where people log in; each node runs
slurmd. As nodes have names, networks, processes and RAM files of their own, the configuration is
that of any small cluster, and what runs in a job sees several machines. Folder, key and ports are
the cluster's own: a Slurm that the machine has is left alone.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from slurm.namespaces import Namespaces
from slurm.text import fields, nodes

HEAD = "head"

UP_SECONDS = 30.0

ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "BOOT_FAIL"})

CONFIGURATION = """\
ClusterName=proof
SlurmctldHost={head}({address})
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/run/spool-%n
TmpFS={folder}/run/tmp-%n
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
SlurmdTimeout=10
KillWait={kill_wait}
MinJobAge=3600
SlurmdParameters=config_overrides
"""


class Cluster:
    """A head and some nodes, up between entry and exit."""

    def __init__(
        self, size: int, *, cpus: int = 4, kill_wait: int = 30, memory: int | None = None
    ) -> None:
        """Start nothing yet.

        Args:
            size: number of nodes.
            cpus: of a node, as Slurm is told; the machine may have fewer.
            kill_wait: seconds from SIGTERM to SIGKILL when a job is ended.
            memory: of a node in MiB; None: its share of what the machine has.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="qmpi-slurm-"))
        self.nodes = [f"node{i}" for i in range(size)]
        self.hosts = Namespaces(self.folder, [HEAD, *self.nodes])
        self._cpus = cpus
        self._kill_wait = kill_wait
        self._memory = memory or _megabytes() // size

    def __enter__(self) -> Self:
        try:
            self._write()
            self.hosts.__enter__()
            self._start_head()
            for node in self.nodes:
                self._start_node(node)
            self.wait_for_nodes()
        except BaseException:
            self._down()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._down()

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return what a user's shell on the head has.

        Args:
            more: further variables.

        Returns:
            A whole environment, with nothing of an outer Slurm.
        """
        own = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH"))}
        return {**own, "SLURM_CONF": str(self.folder / "slurm.conf"), **(more or {})}

    def run(self, *command: str, timeout: float = 60.0) -> str:
        """Run a command on the head, as a user would.

        Args:
            command: arguments.
            timeout: seconds.

        Returns:
            What it printed.

        Raises:
            RuntimeError: it failed.
        """
        done = self.hosts.run(HEAD, command, self.environment(), timeout)
        if done.returncode:
            said = f"{done.stdout}{done.stderr}".strip()
            raise RuntimeError(f"{' '.join(command)} gave {done.returncode}: {said}")
        return done.stdout

    def states(self) -> dict[str, str]:
        """Return the state of each node, as Slurm sees it."""
        return nodes(self.run("sinfo", "-h", "-N", "-o", "%N %T"))

    def job(self, number: int) -> dict[str, str]:
        """Return what Slurm tells of a job.

        Args:
            number: of the job.

        Returns:
            Fields of `scontrol show job`.
        """
        return fields(self.run("scontrol", "--oneliner", "show", "job", str(number)))

    def wait_for_job(
        self, number: int, until: Callable[[dict[str, str]], bool], timeout: float
    ) -> dict[str, str]:
        """Wait until a job is as wanted.

        Args:
            number: of the job.
            until: whether it is, by its fields.
            timeout: seconds.

        Returns:
            Its fields then.

        Raises:
            AssertionError: it took longer, or has ended otherwise.
        """
        deadline = time.monotonic() + timeout
        while True:
            job = self.job(number)
            if until(job):
                return job
            if time.monotonic() > deadline or job["JobState"] in ENDED:
                raise AssertionError(f"job {number}: {job}\n{self.logs()}")
            time.sleep(0.2)

    def wait_for_nodes(self, timeout: float = UP_SECONDS) -> None:
        """Wait until every node that runs is idle.

        Args:
            timeout: seconds.

        Raises:
            AssertionError: it took longer.
        """
        deadline = time.monotonic() + timeout
        wanted = {node for node in self.nodes if self.hosts.is_up(node)}
        while wanted - {node for node, state in self.states().items() if state == "idle"}:
            if time.monotonic() > deadline:
                raise AssertionError(f"nodes: {self.states()}\n{self.logs()}")
            time.sleep(0.2)

    def crash_node(self, node: str, *, silently: bool = False) -> None:
        """End every process of a node at once, Slurm's own too.

        Args:
            node: its name.
            silently: as by a power cut: no packet tells of it.
        """
        self.hosts.crash(node, silently=silently)

    def boot_node(self, node: str) -> None:
        """Start a node that has crashed.

        Args:
            node: its name.
        """
        self.hosts.boot(node)
        self._start_node(node)

    def logs(self, lines: int = 10) -> str:
        """Return the ends of Slurm's logs, for messages."""
        parts = []
        for path in sorted((self.folder / "log").glob("*")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            parts.append(f"--- {path.name}\n" + "\n".join(tail))
        return "\n".join(parts)

    def _write(self) -> None:
        self.folder.chmod(0o755)  # munge looks at the folders above its key
        for name in ("state", "log", "run", "munge"):
            (self.folder / name).mkdir(mode=0o755)
        for node in self.nodes:
            for name in ("tmp", "spool"):
                (self.folder / "run" / f"{name}-{node}").mkdir()
        key = self.folder / "munge" / "key"
        key.touch(mode=0o400)
        key.write_bytes(os.urandom(1024))
        text = CONFIGURATION.format(
            head=HEAD,
            address=self.hosts.address(HEAD),
            folder=self.folder,
            kill_wait=self._kill_wait,
        )
        for node in self.nodes:
            shape = f"CPUs={self._cpus} RealMemory={self._memory} State=UNKNOWN"
            text += f"NodeName={node} NodeAddr={self.hosts.address(node)} {shape}\n"
        text += f"PartitionName=batch Nodes={','.join(self.nodes)} Default=YES State=UP\n"
        (self.folder / "slurm.conf").write_text(text)

    def _start_head(self) -> None:
        munge = self.folder / "munge"
        files = {"key": "key", "socket": "socket", "pid": "pid", "log": "log", "seed": "seed"}
        paths = [f"--{option}-file={munge / name}" for option, name in files.items()]
        paths[1] = f"--socket={munge / 'socket'}"
        self.run("munged", "--force", *paths)
        self.run("slurmctld", "-f", str(self.folder / "slurm.conf"))

    def _start_node(self, node: str) -> None:
        command = ("slurmd", "-f", str(self.folder / "slurm.conf"))
        done = self.hosts.run(node, command, self.environment())
        if done.returncode:
            raise RuntimeError(f"slurmd on {node}: {done.stdout}{done.stderr}\n{self.logs()}")

    def _down(self) -> None:
        self.hosts.down()
        shutil.rmtree(self.folder, ignore_errors=True)


def _megabytes() -> int:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return pages * size // 2**20
