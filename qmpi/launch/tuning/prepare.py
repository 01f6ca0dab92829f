"""What a tuning will do and what it takes, known before anything starts."""

from msgspec import Struct

from qmpi.config.batch import LEAD_STEPS
from qmpi.config.load import faults_of
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError
from qmpi.planning.wording import amount
from qmpi.policy.curriculum.draws import JOB, STATIC, candidates_of
from qmpi.policy.curriculum.halving import Halving, candidates_that_fit, halving_of
from qmpi.policy.curriculum.proxy import (
    ProxyRun,
    held_tokens,
    job_tokens,
    proxy_of,
    proxy_sequences,
    sequences_of,
)
from qmpi.protocol.tuning import Candidate

LEAST_WINDOWS = 6
"""Windows of a proxy of the first rung: in the first two nothing is known yet."""


class Asked(Struct, frozen=True):
    """What the command line says of a tuning.

    Attributes:
        candidates: how many, >= 2.
        share: of the job's tokens that all proxies together stay below.
        width: of the proxies' models.
        seeds: held-out ones.
    """

    candidates: int = 8
    share: float = 0.02
    width: int = 64
    seeds: int = 3


class Prepared(Struct, frozen=True):
    """A tuning that is ready to start.

    Attributes:
        settings: the job, with its arms, as if its curriculum adapted.
        kind: that it has.
        asked: what the command line says.
        candidates: that are tried.
        halving: how.
        step_tokens: of a step of a proxy.
        tokens: most that all proxies take.
        whole: tokens of the job.
    """

    settings: Settings
    kind: str
    asked: Asked
    candidates: tuple[Candidate, ...]
    halving: Halving
    step_tokens: int
    tokens: int
    whole: int

    @property
    def in_force(self) -> str:
        """Name of the candidate that is what the job does now."""
        return STATIC if self.kind == "static" else JOB


def prepare_tuning(settings: Settings, kind: str, asked: Asked) -> Prepared:
    """Lay a tuning out; nothing is written or started.

    Args:
        settings: the job, read as if its curriculum adapted.
        kind: that it has.
        asked: what the command line says.

    Returns:
        What will be done.

    Raises:
        ConfigError: it would take too many tokens, and what would fit; or a proxy of the job
            contradicts itself.
    """
    train, rules = settings.train, settings.curriculum
    sequences = proxy_sequences(settings)
    least = LEAD_STEPS + settings.data.prefetch_steps
    halving = halving_of(asked.candidates, LEAST_WINDOWS * rules.every_steps, asked.seeds)
    step_tokens, held = sequences * train.sequence_tokens, held_tokens(settings)
    tokens, whole = halving.tokens(step_tokens, held), job_tokens(settings)
    if tokens >= asked.share * whole:
        raise ConfigError(_too_dear(halving, (step_tokens, held), asked, whole))
    found = candidates_of(
        rules, settings.job.seed, asked.candidates, least, sequences_of(train) / sequences
    )
    prepared = Prepared(settings, kind, asked, found, halving, step_tokens, tokens, whole)
    for candidate in found:
        run = ProxyRun("proxy", candidate, 0, halving.last_steps)
        faults = faults_of(proxy_of(settings, run, asked.width, ""))
        if faults:
            raise ConfigError(f"no proxy can be made of this job: {faults[0]}")
    return prepared


def _too_dear(halving: Halving, each: tuple[int, int], asked: Asked, whole: int) -> str:
    tokens = halving.tokens(*each)
    told = (
        f"{halving.proxies} proxies take {amount(tokens)}, {tokens / whole:.3g} times what the job "
        f"has, and --share {asked.share:g} allows {asked.share:g}"
    )
    fit = candidates_that_fit(halving, *each, asked.share * whole)
    ways = [f"--candidates {fit} --seeds 3"] if fit else []
    if tokens < whole:
        ways.append(f"--share {_above(tokens / whole):g}")
    if ways:
        return f"{told}: what fits is {', or '.join(ways)}"
    return (
        f"{told}: nothing fits, not two candidates; the job is too short for its "
        "curriculum.every_steps to be tuned, so give it shorter windows, or more steps"
    )


def _above(share: float) -> float:
    """Return a number of two digits above a share."""
    for digits in (2, 3, 6):
        found = float(f"{share * (1 + 10.0**-digits):.{digits}g}")
        if share < found <= 1.0:
            return found
    return 1.0
