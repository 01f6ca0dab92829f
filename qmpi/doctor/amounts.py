"""Figures as people read them."""

UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def size(number: float) -> str:
    """Write a number of bytes.

    Args:
        number: bytes, >= 0.

    Returns:
        Three figures and a unit, as "1.50 GiB".
    """
    for unit, name in UNITS:
        if number >= unit:
            return f"{figures(number / unit)} {name}"
    return f"{int(number)} B"


def duration(seconds: float) -> str:
    """Write a time.

    Args:
        seconds: >= 0.

    Returns:
        As "120 ms" or "4.1 s".
    """
    if seconds < 0.0995:
        return f"{figures(seconds * 1000)} ms"
    return f"{figures(seconds)} s"


def figures(number: float) -> str:
    """Write a number with two or three figures that count.

    Args:
        number: >= 0.

    Returns:
        As "0.04", "1.5" or "1,200".
    """
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def rate(size_bytes: float, seconds: float) -> float:
    """Return megabytes a second.

    Args:
        size_bytes: bytes moved.
        seconds: in which.

    Returns:
        MB/s; a time of nothing counts as a microsecond.
    """
    return size_bytes / 1e6 / max(seconds, 1e-6)


def plural(number: int, what: str) -> str:
    """Write a count.

    Args:
        number: how many.
        what: of what, in the singular.

    Returns:
        As "1 rank" or "1,200 ranks".
    """
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
