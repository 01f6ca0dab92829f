"""Figures and layouts as people read them: counts of tokens, bytes, times."""

from qmpi.config.parallel import ParallelSettings

_COUNTS = ((10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"))
_SIZES = ((2**50, "PiB"), (2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def amount(tokens: float) -> str:
    """Return a number of tokens: "2.6 T tokens"."""
    if tokens >= 10**18:
        times = tokens / 10**18
        return "10^18 tokens" if round(times, 2) == 1 else f"{times:.3g} x 10^18 tokens"
    for size, unit in _COUNTS:
        if tokens >= size:
            return f"{tokens / size:.3g} {unit} tokens"
    return f"{tokens:,.0f} tokens"


def count_text(number: float) -> str:
    """Return a plain number in three digits: "2.66 G"."""
    for size, unit in _COUNTS:
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:,.0f}"


def size_text(size: float) -> str:
    """Return a number of bytes: "1.2 GiB"."""
    for least, unit in _SIZES:
        if size >= least:
            return f"{_three_digits(size / least)} {unit}"
    return f"{size:.0f} B"


def _three_digits(number: float) -> str:
    # Below 1024 of a unit there may be four digits, which "g" would write as a power of ten.
    return f"{number:.0f}" if number >= 999.5 else f"{number:.3g}"


def seconds_text(seconds: float) -> str:
    """Return a duration in the unit that fits it: "12 ms", "3.1 s", "4.2 h"."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    for most, least, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < most:
            return f"{seconds / least:.3g} {unit}"
    days = seconds / 86_400
    return f"{days:,.3g} days" if days < 1000 else f"{days / 365.25:,.0f} years"


def layout_text(parallel: ParallelSettings) -> str:
    """Return a layout of a team: "tensor 2 x pipeline 2 (1f1b)"; "one rank" without axes."""
    axes = ("tensor", "expert", "context", "pipeline")
    sizes = [f"{axis} {size}" for axis in axes if (size := getattr(parallel, axis)) > 1]
    if parallel.pipeline > 1:
        chunks = f", {parallel.chunks} chunks" if parallel.chunks > 1 else ""
        sizes[-1] += f" ({parallel.schedule}{chunks})"
    return " x ".join(sizes) or "one rank"
