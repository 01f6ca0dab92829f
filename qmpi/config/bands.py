"""Levels of difficulty, and the seven bands that they fall into."""

LEVELS = 100
BANDS: tuple[tuple[str, int, int], ...] = (
    ("beginner", 1, 14),
    ("elementary", 15, 28),
    ("intermediate", 29, 42),
    ("advanced", 43, 57),
    ("expert", 58, 71),
    ("master", 72, 85),
    ("grandmaster", 86, 100),
)
"""Name, first and last level."""


def band_of(level: int) -> str:
    """Return the name of a level's band.

    Args:
        level: 1 to 100.

    Returns:
        One of seven names.
    """
    return next(name for name, _, last in BANDS if level <= last)
