"""A trainer's share of evaluations; part of the trainer's state machine.

Invariants: a share is measured once a generation and step.
"""

from qmpi.config.settings import Settings
from qmpi.policy.evaluation_schedule import is_evaluated
from qmpi.ports.engine import Evaluate, Evaluated
from qmpi.protocol.evaluation import EvaluationPart
from qmpi.protocol.membership import FormGroup
from qmpi.units import Generation, Step


class Measuring:
    """What this member has measured."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is measured.

        Args:
            settings: the job.
        """
        self._every = settings.evaluation.every_steps
        self._steps = settings.train.steps
        self._newest = (Generation(0), -1)

    def is_due(self, form: FormGroup | None, step: int) -> bool:
        """Return whether this member has a share to measure before a step.

        Args:
            form: its seat, if it has one.
            step: the next one.
        """
        if form is None or step <= form.evaluated:
            return False
        due = is_evaluated(step, self._every, self._steps)
        return due and self._newest != (form.generation, step)

    def work(self, form: FormGroup, step: Step) -> Evaluate:
        """Return the work for the engine.

        Args:
            form: the seat.
            step: the next one.
        """
        return Evaluate(form.generation, step, form.team, form.teams)

    def done(self, event: Evaluated) -> EvaluationPart:
        """Note that the share is measured.

        Args:
            event: what came of the work.

        Returns:
            What the coordinator is told.
        """
        self._newest = (event.generation, event.step)
        return EvaluationPart(
            generation=event.generation,
            step=event.step,
            part=event.part,
            parts=event.parts,
            marks=event.marks,
            left_out=event.left_out,
            seconds=event.seconds,
            fault=event.fault,
        )
