"""Whether the layers of a job are compiled, and how; without a word to torch's compiler until then.

Theory of operation. What is compiled is one function for each kind of layer, at one set of shapes,
so the cost does not grow with the depth. Compiled code computes other bits than eager code: how a
rank computes is part of the identity that ranks and the run's journal compare. So the choice rests
on what all members share and what stays when a run goes on: the job's shape and the kind of device,
never the number of steps. A job whose step is small ends before compiling has paid.

A member is prepared before it says that it is ready: the function has then run at the true shapes,
forward and backward, and no later call compiles anything. A rank that is promoted in the middle
computes what one that was there from the start does.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import ParamSpec, TypeVar, cast

import torch

from qmpi.config.compiling import is_worth_compiling
from qmpi.config.parallel import splits_backward
from qmpi.config.settings import Settings
from qmpi.errors import UserError
from qmpi.model.layer import ExpertLayer, Layer, Layers
from qmpi.model.shape import flops_per_token
from qmpi.training.checkpointing import with_checkpoints
from qmpi.training.offload.activations import with_offload
from qmpi.training.precision import machine_identity
from qmpi.training.reduction.compiled import Sweeps, compile_sweeps
from qmpi.training.reduction.trial import agree

logger = logging.getLogger(__name__)

EAGER = "eager"

Rehearse = Callable[[Layers], None]
"""Runs all layers at the true shapes, forward and backward."""

InTurn = Callable[[str, str, Callable[[], None]], None]
"""(tools, shape, work): does the work. If no process of this host has done it for this pair of
names, others that want to wait until it is done; what compilers write is kept for these tools."""


@dataclass(frozen=True)
class Prepared:
    """How layers are computed.

    Attributes:
        layers: the function of each.
        mode: what its bits depend on beside shapes, torch and the device.
        sweeps: loops of the exact sum, of which no bit depends; None: there are none.
    """

    layers: Layers
    mode: str
    sweeps: Sweeps | None = None


def at_once(tools: str, shape: str, work: Callable[[], None]) -> None:  # noqa: ARG001
    """Do the work without asking whether others do the same.

    Args:
        tools: not used.
        shape: not used.
        work: what to do.
    """
    work()


def wants_compiling(settings: Settings, device: torch.device) -> bool:
    """Return whether a job's layers shall be compiled, a compiler provided.

    Args:
        settings: the job.
        device: where it computes.
    """
    if splits_backward(settings.parallel):
        return False  # what is put off is kept by Python
    flops = flops_per_token(settings.model, settings.train.sequence_tokens)
    return is_worth_compiling(settings.train, flops, "cpu" if device.type == "cpu" else "cuda")


Given = ParamSpec("Given")
Made = TypeVar("Made")


def uncompiled(call: Callable[Given, Made]) -> Callable[Given, Made]:
    """Return a call that compiled code leaves to Python, around which it is cut in pieces.

    Args:
        call: of tensors.
    """
    return cast("Callable[Given, Made]", torch.compiler.disable(call))


class Preparer:
    """Prepares the layers of one job on one device."""

    def __init__(self, settings: Settings, device: torch.device, in_turn: InTurn) -> None:
        """Keep what the choice rests on.

        Args:
            settings: the job.
            device: where it computes.
            in_turn: lets one process of a host compile at a time.
        """
        self._settings, self._device, self._in_turn = settings, device, in_turn

    def prepare(self, eager: Layers, plain: Layers, rehearse: Rehearse) -> Prepared:
        """Choose the functions of the layers, and rehearse them.

        Args:
            eager: made of fused nodes.
            plain: the same formula as expressions for a compiler.
            rehearse: runs either at the true shapes.

        Returns:
            The functions, ready.

        Raises:
            UserError: compiling is asked for and not possible.
        """
        if wants_compiling(self._settings, self._device):
            try:
                return self._compiled(eager, plain, rehearse)
            except (RuntimeError, OSError) as error:
                self._refuse(error)
        layers = self._keeping(eager)
        rehearse(layers)
        return Prepared(layers, EAGER)

    def _compiled(self, eager: Layers, plain: Layers, rehearse: Rehearse) -> Prepared:
        tools = toolchain(self._device)
        train = self._settings.train
        options = {
            # One thread of this process compiles: a pool of them for each rank would fill a host.
            "compile_threads": 1,
            "cpp.threads": train.threads,
            "deterministic": True,
            "fx_graph_cache": True,
            "max_autotune": False,
        }

        # What ranks give each other within a layer is not for a compiler: it takes the rest.
        parallel = self._settings.parallel
        whole = parallel.tensor * parallel.context == 1

        def compiled(layer: Layer, other: Layer) -> Layer:
            if isinstance(layer, ExpertLayer) and isinstance(other, ExpertLayer):
                # Where tokens go changes the shapes: experts stay as they run eagerly.
                part = torch.compile(layer.attend, fullgraph=whole, dynamic=False, options=options)
                return ExpertLayer(part, other.mix, other.scatter)
            return torch.compile(layer, fullgraph=whole, dynamic=False, options=options)

        pairs = dict(zip(plain, eager, strict=True))
        made = {layer: compiled(layer, other) for layer, other in pairs.items()}
        # Around what is compiled, not within: the code, and so its bits, are the same.
        layers = self._keeping(tuple(made[layer] for layer in plain))
        machine = f"{machine_identity(self._device)}; {train.threads}; {train.precision}"
        shapes = f"{machine}; {self._settings.model}; {train.sequences} x {train.sequence_tokens}"
        sweeps: list[Sweeps] = []

        def work() -> None:
            rehearse(layers)
            sweeps[:] = self._sweeps()

        # Of the shapes of a layer; what else is in the job does not change the code.
        self._in_turn(short(f"torch {torch.__version__}; {tools}"), short(shapes), work)
        return Prepared(layers, f"compiled by {tools}", next(iter(sweeps), None))

    def _keeping(self, layers: Layers) -> Layers:
        """Return layers that keep for their backward pass what the job says, where it says."""
        train = self._settings.train
        return with_offload(with_checkpoints(layers, train), train, self._device)

    def _sweeps(self) -> list[Sweeps]:
        """Return the loops of the exact sum; none where they are not wanted or not to be had."""
        if self._device.type != "cpu" or self._settings.train.reduction != "exact":
            return []
        try:
            sweeps = compile_sweeps(self._settings.train.threads)
        except (RuntimeError, OSError) as error:
            logger.warning("the exact sum is not compiled, which costs time: %s", why_not(error))
            return []
        if agree(sweeps):
            return [sweeps]
        logger.warning("the exact sum is not compiled, which costs time: the compiler errs in it")
        return []

    def _refuse(self, error: Exception) -> None:
        reason = why_not(error)
        if self._settings.train.compile == "on":
            raise UserError(
                '[train] compile = "on", but the layers could not be compiled; install a C++ '
                "compiler (g++ or clang++, or name one in CXX) and Python's headers, or set "
                f'compile = "off": {reason}'
            ) from error
        logger.warning(
            "layers are not compiled, which makes a step slower (a C++ compiler and Python's "
            "headers are needed): %s",
            reason,
        )


def why_not(error: Exception) -> str:
    """Return what a failed attempt to compile says, in a line.

    Args:
        error: torch's, with the output of the C++ compiler in it if there is any.

    Returns:
        Its first line, and the compiler's first complaint.
    """
    lines = [line for line in map(str.strip, str(error).splitlines()) if line]
    complaint = next((line for line in lines[1:] if "error: " in line), "")
    return ": ".join(filter(None, (lines[0] if lines else type(error).__name__, complaint)))


def toolchain(device: torch.device) -> str:
    """Name what turns expressions into code; loads torch's compiler.

    Args:
        device: that code is made for.

    Returns:
        Name and version.

    Raises:
        RuntimeError: there is none.
    """
    if device.type == "cuda":
        try:
            return f"triton {version('triton')}"
        except PackageNotFoundError as error:
            raise RuntimeError("triton is not installed") from error
    from torch._inductor.cpp_builder import get_compiler_version_info, get_cpp_compiler

    compiler = get_cpp_compiler()
    found = get_compiler_version_info(compiler)
    # It comes as all lines of `-v` in one; the version is named in its last words.
    words = found.split()
    places = [n for n, word in enumerate(words) if word == "version"]
    if not places:
        raise RuntimeError(f"{compiler} does not tell its version")
    return " ".join(["inductor", compiler.rsplit("/", 1)[-1], *words[places[-1] + 1 :][:1]])


def short(text: str) -> str:
    """Return a name for a text, fit for a file."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
