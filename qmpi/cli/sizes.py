"""Counts and sizes as people write and read them: 50M, 1.5G, 2T; 256 MiB."""

import re
from decimal import Decimal

import click

_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12, "p": 10**15}
_FORM = re.compile(r"(\d{1,19}(?:\.\d{1,6})?)\s*([kmgbtp]?)", re.IGNORECASE | re.ASCII)
_SIZE = re.compile(r"(\d{1,19}(?:\.\d{1,6})?)\s*([kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
LARGEST = 10**18
_STEPS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


class _Amount(click.ParamType):
    """A whole number with an optional factor."""

    form = _FORM
    examples = "50M, 1.5G or 65536"
    least = 1

    def factor(self, letter: str) -> int:
        """Return what a letter behind the number stands for.

        Args:
            letter: small; empty for none.

        Returns:
            >= 1.
        """
        return _FACTORS[letter]

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Read an amount.

        Args:
            value: what the user wrote.
            param: the option.
            ctx: of the command.

        Returns:
            `least` to 10**18.
        """
        if isinstance(value, int):
            return value
        found = self.form.fullmatch(str(value).strip().replace("_", ""))
        if found is None:
            self.fail(f"{value!r} is no {self.name}; write one as {self.examples}", param, ctx)
        amount = int(Decimal(found[1]) * self.factor(found[2].lower()))
        if not self.least <= amount <= LARGEST:
            self.fail(f"{value} is not between {self.least} and 10**18", param, ctx)
        return amount


class Count(_Amount):
    """A positive count with an optional decimal factor."""

    name = "count"


class Size(_Amount):
    """A size in bytes with an optional factor of 1,024 (256M, 1G, 64KiB)."""

    name = "size"
    form = _SIZE
    examples = "256M, 1.5G or 65536"
    least = 0

    def factor(self, letter: str) -> int:
        """Return what a letter behind the number stands for.

        Args:
            letter: small; empty for none.

        Returns:
            A power of 1,024.
        """
        return 1024 ** " kmgtp".index(letter or " ")


class LevelSpan(click.ParamType):
    """Levels as A-B, or one level."""

    name = "levels"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Read a span of levels.

        Args:
            value: what the user wrote.
            param: the option.
            ctx: of the command.

        Returns:
            First and last level, 1 to 100.
        """
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", str(value).strip(), re.ASCII)
        span = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= span[0] <= span[1] <= 100:
            self.fail(
                f"{value!r} is no span of levels; write one as 10-40, from 1 to 100", param, ctx
            )
        return span


def short(count: float) -> str:
    """Return a count for people: 1.5G.

    Args:
        count: >= 0.

    Returns:
        Three digits or so.
    """
    for factor, unit in _STEPS:
        if count >= factor:
            return (
                f"{count / factor:.3g}{unit}"
                if count < 1000 * factor
                else f"{count // factor:,.0f}{unit}"
            )
    return f"{count:.0f}"


def duration(seconds: float | None) -> str:
    """Return a time to go for people.

    Args:
        seconds: >= 0; None if unknown.

    Returns:
        As 1:02:03; "?" if unknown.
    """
    if seconds is None:
        return "?"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def binary(size: float) -> str:
    """Return a size for people: 1.5 GiB.

    Args:
        size: bytes, >= 0.

    Returns:
        Three digits or so.
    """
    for power, unit in ((5, "PiB"), (4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**power:
            return f"{size / 1024**power:.3g} {unit}"
    return f"{size:.0f} B"
