"""Who holds which parameter, where the ranks of an axis share out what they compute with.

Theory of operation. A parameter belongs whole to one rank of the axis: so chunks of exponents,
blocks of moments and Muon's matrices are what they are where every rank holds all, and so are the
bits. Layer by layer the largest go first, each to whoever has least of all, among those who would
then have no more of the layer than a fair share and a quarter, or its largest parameter: all hold
about as much, and a layer comes from many ranks. Experts come after all else, for ranks that have
other experts must agree about the rest. The bias of experts goes with its router, into which it may
fade.

Files of a run hold what follows from this: whoever changes it raises the version of
`qmpi.storage.snapshot_format`.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from math import prod

from qmpi.model.shape import BIAS

ROUTER = "mlp.gate.weight"
"""Ending of the names of routers' weights."""


def owners_of(
    shapes: Mapping[str, tuple[int, ...]], ranks: int, experts: Iterable[str] = ()
) -> dict[str, int]:
    """Deal parameters to the ranks of an axis, so that each has about as many elements.

    Args:
        shapes: of the whole parameters, by name.
        ranks: >= 1.
        experts: names of those that not all teams of ranks along other axes have.

    Returns:
        The rank of each, 0 <= rank < ranks; a function of the arguments alone.
    """
    sizes, late = dict[str, int](), set(experts)
    for name, shape in shapes.items():
        together = _together(name)
        sizes[together] = sizes.get(together, 0) + prod(shape)
    loads, owners = [0] * ranks, dict[str, int]()
    ordered = sorted(sizes, key=lambda n: (n in late, *_group(n), -sizes[n], n))
    for _, names in groupby(ordered, key=lambda n: (n in late, *_group(n))):
        layer, here = list(names), [0] * ranks
        most = max(
            max(sizes[name] for name in layer),
            sum(sizes[name] for name in layer) * 5 // (4 * ranks),
        )
        for name in layer:
            room = [rank for rank in range(ranks) if here[rank] + sizes[name] <= most]
            least = min(here)
            owner = min(
                room or [rank for rank in range(ranks) if here[rank] == least],
                key=lambda rank: loads[rank],
            )
            owners[name] = owner
            here[owner] += sizes[name]
            loads[owner] += sizes[name]
    return {name: owners[_together(name)] for name in shapes}


def _together(name: str) -> str:
    """Return the name of the parameter with which another one goes, or its own."""
    return name.removesuffix(BIAS) + ROUTER if name.endswith(BIAS) else name


def _group(name: str) -> tuple[int, ...]:
    """Return what is alike for parameters of a layer; what is of none comes first."""
    return (int(name.split(".")[2]),) if name.startswith("model.layers.") else (-1,)
