"""What of a GPU's and a network's peak a training run attains: a handful of constants.

They are the same for every run. `matmul` and `attention` were calibrated on the published runs of
docs/plan.md, all others are taken from where their comment says.

Why an H100 attains a smaller share of its peak than an A100, and less still in FP8, is power: it
has fewer watts for each TFLOP/s. Power grows about as the cube of the clock (voltage rises with
it), so at a fixed limit the sustained clock goes as the cube root of watts a TFLOP/s. `REFERENCE`
is the A100's, where the shares are meant.
"""

from msgspec import Struct

from qmpi.config.machine import Machine

GIGA = 1e9
TERA = 1e12
MICRO = 1e-6

REFERENCE = 400.0 / 312.0
"""Watts a TFLOP/s of an A100 SXM, where `Rates` are meant."""


class Rates(Struct, frozen=True, kw_only=True):
    """Attainable shares.

    Attributes:
        matmul: of the peak, by the products of a layer; power limits and launch gaps are in it.
        attention: of the bfloat16 peak, by fused attention, forward and backward.
        memory: of the bandwidth of the GPU's memory, by sweeps over activations and state.
        collective: of a link's bandwidth, by large collective operations.
        carriers: of the GPU, what hidden communication occupies while it lasts.
    """

    matmul: float = 0.67
    attention: float = 0.50
    memory: float = 0.85
    """A round figure of what copies reach; not measured here."""
    collective: float = 0.80
    """A round figure of nccl-tests' bus bandwidth for large messages; not measured here."""
    carriers: float = 20 / 132
    """DeepSeek-V3 (section 3.2.2) gives 20 of 132 multiprocessors to communication."""


class Links(Struct, frozen=True, kw_only=True):
    """A machine as one GPU sees it, in FLOP/s, bytes/s and seconds, attainable shares applied."""

    products: float
    fp8: float
    attention: float
    memory: float
    inside: float
    across: float
    latency: float
    gpus: int
    peak: float
    carriers: float

    def over(self, inner: int, size: int) -> float:
        """Return the bandwidth that a rank sees along an axis.

        Args:
            inner: ranks of all axes inside this one: neighbours on it are so far apart.
            size: ranks of the axis.

        Returns:
            Bytes a second. Of an axis that leaves the node, several ranks may lie on one; a ring
            through them leaves it once and has the adapters of all of them.
        """
        if inner * size <= self.gpus:
            return self.inside
        return min(self.inside, self.across * max(1, self.gpus // inner))


def links(machine: Machine, rates: Rates) -> Links:
    """Return a machine as one GPU sees it.

    Args:
        machine: with GPUs.
        rates: attainable shares.

    Returns:
        Rates; 0 where the machine file says nothing.
    """
    gpu, network, gpus = machine.gpu, machine.network, max(1, machine.node.gpus)
    half = sustained(gpu.watts, gpu.bf16_tflops)
    return Links(
        products=rates.matmul * half,
        fp8=rates.matmul * sustained(gpu.watts, gpu.fp8_tflops),
        attention=rates.attention * half,
        memory=rates.memory * gpu.memory_gbytes * GIGA,
        inside=rates.collective * network.inside_gbytes * GIGA,
        across=rates.collective * network.node_gbytes * GIGA / gpus,
        latency=network.latency_us * MICRO,
        gpus=gpus,
        peak=gpu.bf16_tflops * TERA,
        carriers=rates.carriers,
    )


def sustained(watts: float, teraflops: float) -> float:
    """Return the peak at the clock that a power limit sustains.

    Args:
        watts: limit of the GPU; 0: not known, the nominal clock is taken.
        teraflops: peak at the nominal clock.

    Returns:
        FLOP/s.
    """
    if watts <= 0 or teraflops <= 0:
        return teraflops * TERA
    return teraflops * TERA * min(1.0, watts / teraflops / REFERENCE) ** (1 / 3)
