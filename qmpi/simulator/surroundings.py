"""What the ranks of a simulated run share, and who looks on while their ports work."""

from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.ports.books import Entry
from qmpi.simulator.agenda import Agenda, Chance
from qmpi.simulator.files import Files
from qmpi.simulator.hardware import Hardware
from qmpi.simulator.stream_model import State, source_facts
from qmpi.simulator.troubles import Troubles
from qmpi.units import Generation, Rank


class Wish(Struct, frozen=True):
    """How the user wants a run to go on.

    Attributes:
        back_to: step to go back to; -1: none.
        starts: starts that the journal knew by then; later ones have gone back already.
        replan: a schedule may be planned anew.
    """

    back_to: int = -1
    starts: int = 0
    replan: bool = False


class Onlooker:
    """Sees what ports do, besides the roles. This one lets everything pass.

    The simulation's own judges it (`invariants`) and lets faults strike at stages of the work.
    """

    def weights_changed(self, rank: Rank, generation: Generation, state: State) -> None:
        """An engine holds other weights now.

        Args:
            rank: whose engine.
            generation: of the work that changed them.
            state: what it holds.
        """

    def staged(self, rank: Rank, stage: str) -> None:
        """An engine's work has come to a stage.

        Args:
            rank: whose engine.
            stage: one of `qmpi.simulator.ports.engine.STAGES`.
        """

    def written(self, entry: Entry) -> None:
        """Something was written into the books.

        Args:
            entry: what.
        """

    def unit_written(self, units: int) -> None:
        """A unit of a farm was written.

        Args:
            units: that exist now, of all stages.
        """


class Surroundings:
    """The machine around all ranks of a run; it outlives every process.

    Attributes:
        sources: facts of the data sources.
        files: snapshots, books, and which places are full.
        troubles: work that is going to fail.
        onlooker: sees what ports do.
        begun: the job as the run was begun; `settings` is what the next start reads.
        wish: how the next start goes on.
        weighed: requests for other weights so far.
    """

    def __init__(
        self, settings: Settings, hardware: Hardware, agenda: Agenda, chance: Chance
    ) -> None:
        """Build an intact machine.

        Args:
            settings: the job.
            hardware: durations.
            agenda: the clock.
            chance: seeded.
        """
        self.settings = self.begun = settings
        self.wish = Wish()
        self.weighed = 0
        self.hardware = hardware
        self.agenda = agenda
        self.chance = chance
        self.files = Files(settings.snapshot.keep)
        self.sources = source_facts(settings, hardware.corpus_rows)
        self.troubles = Troubles()
        self.onlooker = Onlooker()
