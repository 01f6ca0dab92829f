"""Names inside a run directory.

Theory of operation: every other module asks here where a file lies, so the layout is written once.
"""

from pathlib import Path

from qmpi.errors import InputError
from qmpi.storage.os_errors import explained
from qmpi.storage.run_lock import RunLock

__all__ = ["RunDirectory", "RunLock"]


class RunDirectory:
    """Where the files of one run lie."""

    def __init__(self, root: Path) -> None:
        """Name the files below `root`; touches nothing.

        Args:
            root: directory of the run.
        """
        self.root = root
        self.status = root / "status.json"
        self.end = root / "end.json"
        self.journal = root / "journal.jsonl"
        self.job = root / "job.toml"
        self.begun = root / "begun.toml"
        self.checkpoints = root / "checkpoints"
        self.replay = root / "replay.json"
        self.evaluations = root / "evaluations"
        self.specialisation = root / "specialisation.json"
        self.log_dir = root / "logs"
        self.stop_request = root / "stop"
        self.profile_request = root / "profile.json"
        self.recipe_request = root / "recipe.json"
        self.profiles = root / "profiles"
        self.lock = root / "lock"
        self.supervisor_lock = root / "supervisor.lock"
        self.ranks = root / "ranks"
        self.hosts = root / "hosts.json"

    def create(self) -> None:
        """Make the directory and its sub-directories; those that exist stay as they are.

        Raises:
            StorageError: no permission, full disk, or a file in the way.
        """
        for directory in (self.root, self.checkpoints, self.log_dir):
            with explained("make the run directory", directory):
                directory.mkdir(parents=True, exist_ok=True)

    def require_job(self) -> Path:
        """Return where the job of the run lies.

        Raises:
            InputError: it is not there, or empty, which would be a job of defaults; says whether
                this is a run at all.
        """
        with explained("look at", self.job):
            if self.job.exists() and self.job.stat().st_size:
                return self.job
            if self.begun.exists():
                raise InputError(
                    f"{self.root} has lost its {self.job.name}; {self.begun.name} is the job "
                    "that it was begun with: copy it there"
                )
            if self.job.exists():
                raise InputError(f"{self.job} is empty: bring it back from a backup")
        raise InputError(f"{self.root} is not the directory of a run: it has no {self.job.name}")

    def log_of(self, rank: int) -> Path:
        """Log file of a rank.

        Args:
            rank: rank in the MPI job, >= 0.

        Returns:
            A path in `log_dir`; names sort by rank.
        """
        return self.log_dir / f"rank-{rank:05d}.log"

    def checkpoint_names(self) -> tuple[str, ...]:
        """List the checkpoints, whole or not.

        Returns:
            Paths of the files, oldest first.

        Raises:
            StorageError: they cannot be listed.
        """
        with explained("list", self.checkpoints):
            return tuple(str(path) for path in sorted(self.checkpoints.glob("step-*.snap")))
