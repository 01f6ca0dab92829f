"""A machine of a test's own making: files below a folder, programs that only play."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.doctor.examine import examine
from qmpi.doctor.finding import Finding
from qmpi.doctor.probes import Probes
from qmpi.doctor.programs.lines import (
    MARK,
    Code,
    Death,
    Imported,
    Job,
    Library,
    Line,
    Moved,
    Named,
    RankStart,
    Small,
    Space,
    Torch,
    Tried,
)
from qmpi.doctor.running import Answer
from qmpi.doctor.surroundings import Launcher, Surroundings

VERSION = "mpirun (Open MPI) 5.0.11\n\nReport bugs to https://www.open-mpi.org/community/help/\n"
BUILD = """
          Thread support: posix (MPI_THREAD_MULTIPLE: yes, OPAL support: yes)
 Fault Tolerance support: yes
          FT MPI support: yes
"""
LIMITS = """Limit                     Soft Limit           Hard Limit           Units
Max stack size            8388608              unlimited            bytes
Max processes             96365                96365                processes
Max open files            20000                20000                files
Max locked memory         8388608              8388608              bytes
Max address space         unlimited            unlimited            bytes
"""
MOUNTS = """27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
25 24 0:23 / {root}/dev/shm rw - tmpfs tmpfs rw
"""
TORCH = Torch("2.13.0", 1, "AVX512", True, (), "", "", True)
CODE = Code("3.11.7", 280, 0, (), "/venv/lib/python3.11/site-packages")
IMPORTS: tuple[Line, ...] = (
    Imported("numpy", 0.1, 100, 20),
    Imported("mpi4py", 0.1, 20, 20),
    Imported("qmpi", 0.3, 200, 4),
    CODE,
    Imported("torch", 2.0, 1000, 30),
    Library("Open MPI v5.0.11, package: Open MPI", "/venv/lib/libmpi.so.40"),
    TORCH,
)
TRIAL: tuple[Line, ...] = (
    *(RankStart(rank, "a", 0.3, 0.4, 0.2, 0.01, 20000) for rank in range(4)),
    Job(4, "multiple", True, "Open MPI v5.0.11"),
    Death(3, 3, 3, 0.04),
)


def said(*lines: Line) -> str:
    return "".join(f"{MARK}{msgspec.json.encode(line).decode()}\n" for line in lines)


RUN, HOME, CACHE, TEMPORARY = (f"folder {number}" for number in range(4))


class Machine:
    """Sound as it stands; a test breaks what it is about."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.answers: dict[str, Answer] = {}
        self.asked: list[Sequence[str]] = []
        self.changes: dict[str, Any] = {}
        for path, text in {
            "proc/self/limits": LIMITS,
            "proc/self/mountinfo": MOUNTS.format(root=root),
            "proc/self/status": "Name:\tpython\nCpus_allowed_list:\t0-7\n",
            "proc/meminfo": "MemTotal:       32000000 kB\nMemAvailable:   30000000 kB\n",
            "proc/self/cgroup": "0::/\n",
        }.items():
            self.write(path, text)
        for folder in ("dev/shm", "sys/class/net/lo", "sys/class/net/eth0", "home/u", "bin", "run"):
            (root / folder).mkdir(parents=True)
        for program in ("mpirun", "ompi_info"):
            (root / "bin" / program).touch()
        self.play("--version", VERSION)
        self.play("ompi_info", BUILD)
        self.play("-c", "")
        self.play("programs.imports", said(*IMPORTS))
        self.play("programs.names", said(Named("a", ("10.0.0.1",), "10.0.0.1", True)))
        self.play("programs.ranks", said(*TRIAL))
        self.play_files()

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def play(self, what: str, out: str = "", **changes: Any) -> None:
        self.answers[what] = replace(Answer(0, out, "", 0.1), **changes)

    def play_files(self, *instead: Line) -> None:
        usual: list[Line] = [Tried(f"folder {number}") for number in range(4)]
        usual += [self.room(100 << 30, 200 << 30), Tried("rename"), Tried("flock")]
        usual += [Tried("fcntl"), Small(0.002, 0.02)]
        usual += [Moved("write", 48 << 20, 0.2), Moved("read", 48 << 20, 0.05)]
        self.play("programs.files", said(*instead, *usual))

    def room(self, free: int, total: int, files: int = -1) -> Space:
        return Space(free, total, files, str(self.root / "run"))

    def run(self, command: Sequence[str], environ: Mapping[str, str], limit: float) -> Answer:
        assert limit > 0
        assert environ
        self.asked.append(command)
        for what, answer in self.answers.items():
            if any(part.endswith(what) for part in command):
                return answer
        raise AssertionError(f"nobody plays {command}")

    def surroundings(self) -> Surroundings:
        environ = {"TMPDIR": str(self.root / "tmp"), "PATH": "/bin"}
        return replace(
            Surroundings(
                environ=environ,
                rank_environ=environ,
                run=self.run,
                python=Path("/venv/bin/python"),
                launcher=Launcher(self.root / "bin/mpirun", "", ("--with-ft", "ulfm")),
                job=Settings(),
                ranks=5,
                folder=self.root / "run",
                cache=self.root / "home/u/.cache/qmpi",
                home=self.root / "home/u",
                host="a",
                find=lambda _name: None,
                root=self.root,
                trial_ranks=4,
            ),
            **self.changes,
        )

    def found(self, *names: str) -> dict[str, Finding]:
        probes = Probes(self.surroundings())
        made = examine(probes, names) if names else examine(probes)
        return {finding.check: finding for finding in made}

    def one(self, name: str) -> Finding:
        return self.found(name)[name]

    def expect(self, name: str, state: str, *words: str) -> None:
        finding = self.one(name)
        assert finding.state == state, finding
        assert bool(finding.advice) == (state != "ok"), finding
        for word in words:
            assert word in f"{finding.found} {finding.advice}", (word, finding)
