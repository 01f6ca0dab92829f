"""Whether one simulated process runs, stands still, or is gone.

Theory of operation. Whatever a process and the threads beside it do, they do through its life: what
is due while the process stands still happens when it goes on, and what is due after its end never
happens.
"""

from qmpi.simulator.agenda import Action, Agenda
from qmpi.units import Seconds


class Life:
    """The life of one process.

    Invariants: nothing happens once `alive` is False, nor before `hung_until`.
    """

    def __init__(self, agenda: Agenda) -> None:
        """Begin.

        Args:
            agenda: the clock.
        """
        self.agenda = agenda
        self.alive = True
        self.hung_until = Seconds(0.0)

    @property
    def hung(self) -> bool:
        """True while the process stands still."""
        return self.agenda.now < self.hung_until

    def later(self, delay: float, action: Action) -> None:
        """Plan something on this process.

        Args:
            delay: seconds, >= 0.
            action: what happens.
        """
        agenda = self.agenda
        agenda.at(agenda.now + delay, lambda: self.run(action))

    def run(self, action: Action) -> None:
        """Do something now, or when the process goes on.

        Args:
            action: what happens.
        """
        if not self.alive:
            return
        if self.agenda.now < self.hung_until:
            self.agenda.at(self.hung_until, lambda: self.run(action))
            return
        action()

    def hang(self, seconds: Seconds) -> None:
        """Stand still.

        Args:
            seconds: how long, from now.
        """
        self.hung_until = Seconds(max(self.hung_until, self.agenda.now + seconds))

    def end(self) -> None:
        """Be gone."""
        self.alive = False
