"""Effect to adapter call: the one seam that the simulator does not run. One `match`, no decision.

Work runs on three threads: `engine` computes (in order: a snapshot is taken before the next step),
`data` reads and generates, `copies` moves snapshots. Journal, status and end marker are written
here at once, in the order the coordinator gave.
"""

from collections.abc import Callable
from pathlib import Path

from qmpi.errors import InvariantError
from qmpi.ports.base import Event
from qmpi.ports.books import AppendJournal, WriteEnd, WriteStatus
from qmpi.ports.copies import ReadSnapshotPart, StoreSnapshot
from qmpi.ports.data import BuildBlock, MakeRows, OpenSources
from qmpi.ports.engine import AbortEngine, JoinGroup, PrepareEngine, RunStep, TakeSnapshot
from qmpi.ports.processes import FenceProcess, LeaveJob
from qmpi.protocol.envelope import RoleName
from qmpi.roles.host import Perform
from qmpi.runtime.copy_service import CopyService
from qmpi.runtime.data_service import DataService
from qmpi.runtime.engine_service import EngineService
from qmpi.runtime.processes import fence_process
from qmpi.runtime.workers import Inbox, Job, Worker
from qmpi.storage.journal import JournalWriter
from qmpi.storage.status_file import write_end, write_status


class EffectPerformer:
    """Adapters of one rank.

    Attributes:
        exit_code: what the process returns, once `leaving`.
        reason: why it leaves.
    """

    def __init__(
        self,
        run: Path,
        journal: JournalWriter | None,
        data: DataService,
        engine: EngineService,
        copies: CopyService,
        inbox: Inbox,
    ) -> None:
        """Join the adapters.

        Args:
            run: directory of the run.
            journal: open on the coordinator's rank only.
            data: sources of this process.
            engine: torch of this process.
            copies: snapshot files.
            inbox: where results of work go.
        """
        self._run = run
        self._journal = journal
        self._data = data
        self._engine = engine
        self._copies = copies
        self._inbox = inbox
        self._workers: dict[str, Worker] = {}
        self.leaving = False
        self.exit_code = 0
        self.reason = ""

    def perform(self, perform: Perform) -> Event | None:
        """Carry out an effect.

        Args:
            perform: effect, its role and its cause.

        Returns:
            None: results of work arrive in the inbox.

        Raises:
            InvariantError: an effect of another floor, or a journal on a rank that has none.
        """
        match perform.effect:
            case OpenSources():
                self._submit("data", perform, self._data.open)
            case BuildBlock() as work:
                self._submit("data", perform, lambda: self._data.build(work))
            case MakeRows() as work:
                self._submit("data", perform, lambda: self._data.make(work))
            case PrepareEngine():
                self._submit("engine", perform, lambda: self._engine.prepare(self._copies.find))
            case JoinGroup() as work:
                ticket = self._engine.ticket()
                self._submit("engine", perform, lambda: self._engine.join(work, ticket))
            case RunStep() as work:
                ticket = self._engine.ticket()
                self._submit("engine", perform, lambda: self._engine.run(work, ticket))
            case TakeSnapshot(step):
                self._submit("engine", perform, lambda: self._engine.copy(step, self._copies.take))
            case StoreSnapshot() as work:
                self._submit("copies", perform, lambda: self._copies.store(work))
            case ReadSnapshotPart() as work:
                self._submit("copies", perform, lambda: self._copies.read(work))
            case _:
                self._perform_now(perform)
        return None

    def _perform_now(self, perform: Perform) -> None:
        match perform.effect:
            case AbortEngine(reason):
                self._engine.abort(reason)
            case AppendJournal(records) if self._journal is not None:
                self._journal.append(records)
            case WriteStatus(report):
                write_status(self._run, report)
            case WriteEnd(marker):
                write_end(self._run, marker)
                if marker.state == "finished":
                    self._copies.forget()
            case FenceProcess(pid, reason):
                fence_process(pid, reason)
            case LeaveJob(exit_code, reason):
                self.leaving, self.exit_code, self.reason = True, exit_code, reason
            case _:
                raise InvariantError(
                    f"{perform.owner} wants {perform.effect!r}, which nobody performs"
                )

    def _submit(self, worker: str, perform: Perform, run: Callable[[], Event]) -> None:
        if worker not in self._workers:
            self._workers[worker] = Worker(worker, self._inbox)
        self._workers[worker].submit(Job(RoleName(perform.owner), perform.cause, run))
