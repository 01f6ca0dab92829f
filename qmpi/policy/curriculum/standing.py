"""At which stage a run stands: the first that is not mastered, as its losses tell.

Theory of operation. A stage is asked of the arms that have its levels. Where enough problems of an
arm were seen, the share that is solved is held against the stage's accuracy; else the loss of its
answers against the stage's loss. Of an arm with neither nothing is known, and nothing is asked; a
stage of such arms alone is not mastered. What was mastered once stays so: a run never falls back.
"""

from collections.abc import Iterator, Mapping

from qmpi.config.data import ContentSource
from qmpi.config.settings import Settings
from qmpi.config.stages import Stage, stages_of
from qmpi.errors import ConfigError
from qmpi.policy.curriculum.rule import Means


class Standing:
    """Knows which arms the stages of a job are asked of.

    Attributes:
        stages: a hundred, in order; none: no source has levels.
    """

    def __init__(self, settings: Settings) -> None:
        """Derive the stages.

        Args:
            settings: the job, with its arms.
        """
        try:
            self.stages: tuple[Stage, ...] = stages_of(settings)
        except ConfigError:
            self.stages = ()
        self._arms = [tuple(_arms(settings, stage)) for stage in self.stages]

    def stage(self, means: Mapping[int, Means], least: int = 1) -> int:
        """Return the stage at which a run stands.

        Args:
            means: what is known of the arms, by number of the source.
            least: stage that it has come to before, >= 1.

        Returns:
            The first that is not mastered, from 1; one more than there are: all are; 0: there are
            none.
        """
        if not self.stages:
            return 0
        later = range(least, len(self.stages) + 1)
        return next((n for n in later if not self._is_mastered(n, means)), later.stop)

    def _is_mastered(self, number: int, means: Mapping[int, Means]) -> bool:
        asked = self.stages[number - 1].thresholds
        known = [means[source] for source in self._arms[number - 1] if source in means]
        told: list[bool] = []
        for arm in known:
            solved, loss = arm.share_solved, arm.answer_loss
            if solved is not None:
                told.append(solved >= asked.accuracy)
            elif loss is not None:
                told.append(loss <= asked.loss)
        return bool(told) and all(told)


def _arms(settings: Settings, stage: Stage) -> Iterator[int]:
    low, high = stage.levels
    for number, source in enumerate(settings.data.sources):
        if not isinstance(source, ContentSource) or source.name not in stage.sources:
            continue
        if source.min_level <= high and source.max_level >= low:
            yield number
