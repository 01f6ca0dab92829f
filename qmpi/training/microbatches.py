"""The size of microbatches, which may be halved while a run goes on, and layers ready for it.

Theory of operation. Layers are prepared at one set of shapes (`compiler`). After a halving the
lanes have the same rows in smaller microbatches: other shapes, prepared when a step first asks for
them. A sum over rows depends on how they are cut, so the size is part of what a step is trained
with; it is never chosen here.
"""

from collections.abc import Callable

import torch
from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.errors import OutOfMemory
from qmpi.model.layer import Kernels, Layers, make_layers
from qmpi.protocol.hyperparameters import can_halve, halved
from qmpi.training.compiler import InTurn, Prepared, Preparer
from qmpi.training.lanes import Runner
from qmpi.training.precision import choose_parts


class Microbatches:
    """The lanes' runner and its layers, at the size that holds."""

    def __init__(
        self,
        settings: Settings,
        device: torch.device,
        runner: Runner,
        kernels: Kernels,
        in_turn: InTurn,
        apart: Callable[[Callable[[], None]], None],
    ) -> None:
        """Prepare nothing yet.

        Args:
            settings: the job.
            device: where it computes.
            runner: computes lanes.
            kernels: parts of its layers.
            in_turn: lets one process of a host compile at a time.
            apart: does work without the other ranks of a team.
        """
        self._apart = apart
        self._settings, self._device, self._in_turn = settings, device, in_turn
        self._runner, self._kernels = runner, kernels
        self._halvings = 0
        self._prepared: Prepared | None = None

    def cut(self, halvings: int) -> None:
        """Take microbatches of a size from now on.

        Args:
            halvings: how often the job's were halved.
        """
        if halvings != self._halvings:
            self._halvings, self._prepared = halvings, None
            self._runner.resize(halved(self._settings.train, halvings))

    def ready(self) -> Prepared:
        """Return the layers, prepared for the size that holds.

        Raises:
            OutOfMemory: it is too large.
        """
        if self._prepared is None:
            train = halved(self._settings.train, self._halvings)
            settings = replace(self._settings, train=train)
            own = self._kernels
            plain = choose_parts(train, self._device, compiled=True)
            plain = plain._replace(gather=own.gather, scatter=own.scatter)
            self._prepared = Preparer(settings, self._device, self._in_turn).prepare(
                eager=self._layers(train, self._kernels),
                plain=self._layers(train, plain),
                rehearse=lambda layers: self._apart(lambda: self._runner.rehearse(layers)),
            )
        return self._prepared

    def _layers(self, train: TrainSettings, kernels: Kernels) -> Layers:
        return make_layers(self._settings.model, train.sequences, kernels, train.microbatches)

    def warm_up(self) -> Prepared:
        """Prepare the layers ahead of the first step.

        Where microbatches may be halved, those that fit are: the first step then tells that the
        job's do not, and all members halve them alike.

        Returns:
            The layers.

        Raises:
            OutOfMemory: no size fits, or none other is allowed.
        """
        while True:
            try:
                return self.ready()
            except OutOfMemory:
                batch, train = self._settings.batch, self._settings.train
                if not (batch.halve_microbatches and can_halve(train, self._halvings)):
                    raise
            self.cut(self._halvings + 1)
