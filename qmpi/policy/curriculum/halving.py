"""Successive halving: many candidates for a few steps, the better half for twice as many.

Theory of operation. Candidates of a rung are trained for as many steps, on one seed; the better
half goes on to the next rung, with twice the steps, until one is left. So each rung costs about as
much as another, and most of what is spent goes to what is good. Then the one that is left is held
against what the job has on fresh seeds, for as many steps as the last rung. What all of it costs is
known before anything starts.

Source: Jamieson and Talwalkar 2016; as Karnin et al. 2013, for arms that are drawn once.
"""

from collections.abc import Iterator, Mapping
from math import inf

from msgspec import Struct

LEAST_CANDIDATES = 2
"""What the job has, and static data."""

LEAST_SEEDS = 3
"""Held-out seeds from which on the spread of differences is worth something."""

MOST_FINALISTS = 3
"""The best candidate, the constants of the job, static data."""


class Rung(Struct, frozen=True):
    """A round of the halving.

    Attributes:
        number: from 1.
        candidates: how many are trained.
        steps: of each.
    """

    number: int
    candidates: int
    steps: int


class Halving(Struct, frozen=True):
    """What is trained, whatever comes of it.

    Attributes:
        rungs: in order, at least one.
        finalists: most that are trained on each held-out seed.
        seeds: held-out ones.
    """

    rungs: tuple[Rung, ...]
    finalists: int
    seeds: int

    @property
    def last_steps(self) -> int:
        """Steps of the last rung, and of each proxy on a held-out seed."""
        return self.rungs[-1].steps

    @property
    def proxies(self) -> int:
        """Proxies that are trained at most."""
        return sum(rung.candidates for rung in self.rungs) + self.finalists * self.seeds

    def tokens(self, step_tokens: int, held_tokens: int) -> int:
        """Return the most tokens that all proxies together take.

        Args:
            step_tokens: of a step of a proxy.
            held_tokens: that each is measured on.
        """
        steps = sum(rung.candidates * rung.steps for rung in self.rungs)
        steps += self.finalists * self.seeds * self.last_steps
        return steps * step_tokens + self.proxies * held_tokens


def halving_of(candidates: int, first_steps: int, seeds: int) -> Halving:
    """Lay a halving out.

    Args:
        candidates: >= `LEAST_CANDIDATES`.
        first_steps: of a proxy of the first rung, >= 1.
        seeds: held-out ones, >= `LEAST_SEEDS`.

    Returns:
        Rungs of half as many candidates and twice as many steps each.
    """
    return Halving(tuple(_rungs(candidates, first_steps)), min(MOST_FINALISTS, candidates), seeds)


def _rungs(candidates: int, steps: int) -> Iterator[Rung]:
    number = 1
    while candidates > 1:
        yield Rung(number, candidates, steps)
        number, candidates, steps = number + 1, kept_of(candidates), 2 * steps


def kept_of(candidates: int) -> int:
    """Return how many of a rung go on.

    Args:
        candidates: of the rung, > 1.
    """
    return (candidates + 1) // 2


def survivors(scores: Mapping[str, float | None], many: int) -> tuple[str, ...]:
    """Return who goes on.

    Args:
        scores: losses by name, those of the job first; None: not finite.
        many: that go on.

    Returns:
        Names, best first; of equal scores the earlier one comes first.
    """
    losses = {name: inf if score is None else score for name, score in scores.items()}
    # Sorting is stable: what the job has is never left for an equal.
    return tuple(sorted(losses, key=losses.__getitem__)[:many])


def candidates_that_fit(
    halving: Halving, step_tokens: int, held_tokens: int, most_tokens: float
) -> int:
    """Return how many candidates a budget has room for, with as many steps and `LEAST_SEEDS`.

    Args:
        halving: that is too dear.
        step_tokens: as of `Halving.tokens`.
        held_tokens: likewise.
        most_tokens: the budget.

    Returns:
        At least `LEAST_CANDIDATES`; 0: not even so many fit.
    """
    first = halving.rungs[0]
    for candidates in range(first.candidates, LEAST_CANDIDATES - 1, -1):
        found = halving_of(candidates, first.steps, LEAST_SEEDS)
        if found.tokens(step_tokens, held_tokens) < most_tokens:
            return candidates
    return 0
