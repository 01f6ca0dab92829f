"""The sweeps of the exact sum as one compiled loop each, on CPUs whose layers are compiled too.

Theory of operation. Made of torch's operations, a chunk of a gradient is swept three times: for its
extremes, to be rounded, to be added. `sweeps.cpp` does it in one sweep, which takes what a float
addition takes. It gives the same bits, so whether it is there is nobody's business: it is no part
of a rank's identity, and ranks that have it train with ranks that have not. That is looked at, not
believed: what a compiler has made is used only if it agrees in a trial (see `trial`).

The source is handed to the compiler of the layers, with its flags and its directory; it includes
nothing of torch, so that it is compiled in half a second. That compiler leaves loops as they are
written, since it writes vectors itself: the flag here takes this back.
"""

import ctypes
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from qmpi.training.flat_state import CHUNK

SOURCE = Path(__file__).with_name("sweeps.cpp")
FLAGS = ("-ftree-loop-vectorize",)

_P, _N, _I, _U = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int, ctypes.c_uint32
_SIGNATURES = {
    "add_chunks": (None, (_P, _I, _N, _N, _P, _I, _U, _P, _P, _I)),
    "look_at_rows": (_N, (_P, _I, _N, _N, _P, _I)),
    "add_rows": (_N, (_P, _I, _N, _N, *[_P] * 8, _N, _I, _U, _I)),
    "take_rows": (None, (_P, _N, _N, _P, _P, _I)),
    "spread": (None, (_P, _N, _N, _P, _P, _I)),
}


class Grid(NamedTuple):
    """One of the grids that the rows of a table are added on.

    Attributes:
        scales: float32 [rows], powers of two.
        limits: what the largest element of a row must be below, float32 [rows].
        sums: int32 [rows, width].
    """

    scales: Tensor
    limits: Tensor
    sums: Tensor


class Sweeps:
    """The compiled loops. All tensors are contiguous and on the CPU."""

    def __init__(self, library: ctypes.CDLL, threads: int) -> None:
        """Find the functions.

        Args:
            library: made of `SOURCE`.
            threads: that share a sweep.
        """
        self._threads = threads
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, f"qmpi_{name}")
            function.restype, function.argtypes = result, arguments
        self._add_chunks, self._look_at_rows = library.qmpi_add_chunks, library.qmpi_look_at_rows
        self._add_rows, self._take_rows = library.qmpi_add_rows, library.qmpi_take_rows
        self._spread = library.qmpi_spread

    def add_chunks(
        self, gradient: Tensor, scales: Tensor, start: int | None, total: Tensor, largest: Tensor
    ) -> None:
        """Add a gradient whose chunks have `CHUNK` elements.

        Args:
            gradient: float32 or bfloat16 [n].
            scales: float32 [chunks], powers of two.
            start: what the sum begins with; None: it has begun.
            total: the sum, int32 [n].
            largest: magnitude of the largest element, float32 [chunks], overwritten.
        """
        self._add_chunks(
            gradient.data_ptr(), _is_half(gradient), gradient.numel(), CHUNK, scales.data_ptr(),
            start is not None, (start or 0) & 0xFFFFFFFF, total.data_ptr(), largest.data_ptr(),
            self._threads,
        )  # fmt: skip

    def look_at_rows(self, table: Tensor, largest: Tensor) -> int:
        """Find the largest element of each row.

        Args:
            table: float32 or bfloat16 [rows, width].
            largest: its magnitude, float32 [rows], overwritten.

        Returns:
            Sum of what was found, each taken for an int32.
        """
        half = _is_half(table)
        return self._look_at_rows(
            table.data_ptr(), half, *table.shape, largest.data_ptr(), self._threads
        )

    def add_rows(
        self,
        table: Tensor,
        largest: Tensor,
        coarse: Grid,
        fine: Grid,
        noise: Tensor,
        start: int | None,
    ) -> int:
        """Add each row on both grids, where it fits.

        Args:
            table: float32 or bfloat16 [rows, width].
            largest: as `look_at_rows` found it.
            coarse: the rows' own grid.
            fine: the other.
            noise: float32 [n, width]; row `r` has that of `r % n`.
            start: what sums begin with; None: they have begun.

        Returns:
            Rows that are finite and fit neither grid.
        """
        grids = [each.data_ptr() for grid in (coarse, fine) for each in grid]
        return self._add_rows(
            table.data_ptr(), _is_half(table), *table.shape, largest.data_ptr(), *grids,
            noise.data_ptr(), noise.shape[0], start is not None, (start or 0) & 0xFFFFFFFF,
            self._threads,
        )  # fmt: skip

    def take_rows(self, wanted: Tensor, source: Tensor, target: Tensor) -> None:
        """Copy rows.

        Args:
            wanted: which, bool [rows].
            source: int32 [rows, width].
            target: of the same shape.
        """
        self._take_rows(
            wanted.data_ptr(), *source.shape, source.data_ptr(), target.data_ptr(), self._threads
        )

    def spread(self, total: Tensor, units: Tensor, chunk: int, mean: Tensor) -> None:
        """Do what `integers.spread` does.

        Args:
            total: int32 [n].
            units: float32, one a chunk.
            chunk: elements of a chunk.
            mean: float32 [n], overwritten.
        """
        self._spread(
            total.data_ptr(), total.numel(), chunk, units.data_ptr(), mean.data_ptr(), self._threads
        )


def _is_half(tensor: Tensor) -> bool:
    return tensor.dtype == torch.bfloat16


def compile_sweeps(threads: int) -> Sweeps:
    """Compile the loops, or load what was compiled; loads torch's compiler.

    Args:
        threads: that share a sweep.

    Returns:
        The loops.

    Raises:
        RuntimeError: there is no compiler, or it fails.
        OSError: what it has made cannot be loaded.
    """
    from torch._inductor.codecache import CppCodeCache

    source = SOURCE.read_text(encoding="utf-8")
    return Sweeps(CppCodeCache.load(source, needs_vec_isa=False, extra_flags=FLAGS), threads)
