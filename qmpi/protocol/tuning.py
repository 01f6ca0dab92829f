"""DIR/tuning.jsonl: what a tuning of the curriculum's constants has tried, and what came of it."""

from msgspec import Struct


class Constants(Struct, frozen=True, kw_only=True):
    """What of [curriculum] is tuned; fields as there.

    Attributes:
        kind: "static": nothing follows the losses, and the others have no effect.
    """

    kind: str
    every_steps: int
    placebo_share: float
    most: float
    fast: float
    slow: float
    least_progress: float


class Candidate(Struct, frozen=True):
    """Constants that are tried.

    Attributes:
        name: "job": as the job has them; "static"; or "draw-N".
        constants: as the job file would say them.
    """

    name: str
    constants: Constants


class TuningOpened(Struct, frozen=True, tag="tuning_opened"):
    """A tuning began.

    Attributes:
        time: seconds since the epoch, UTC.
        job: TOML of the job, with its arms.
        kind: of the job's curriculum as it stands.
        width: of the proxies' models.
        seeds: held-out seeds.
        candidates: all of them, those of the job first.
        tokens: most that all proxies together take.
        told: in words.
    """

    time: float
    job: str
    kind: str
    width: int
    seeds: int
    candidates: tuple[Candidate, ...]
    tokens: int
    told: str


class ProxyEnded(Struct, frozen=True, tag="proxy_ended"):
    """A proxy was trained and measured.

    Attributes:
        name: of its directory.
        candidate: name of what it tried.
        seed: of its job.
        steps: that it has.
        tokens: trained on and measured on.
        score: held-out loss, mean over types, nats a token; None: not finite.
        by_type: the same by type.
        digest: of its weights.
        told: in words.
    """

    time: float
    name: str
    candidate: str
    seed: int
    steps: int
    tokens: int
    score: float | None
    by_type: dict[str, float | None]
    digest: str
    told: str


class RungDecided(Struct, frozen=True, tag="rung_decided"):
    """All candidates of a rung were measured.

    Attributes:
        rung: from 1.
        kept: names of those that go on, best first.
        told: in words.
    """

    time: float
    rung: int
    kept: tuple[str, ...]
    told: str


class TuningJudged(Struct, frozen=True, tag="tuning_judged"):
    """The best candidate was held against what the job has, on fresh seeds.

    Attributes:
        accepted: it is better by more than the standard error.
        best: its name.
        told: in words.
    """

    time: float
    accepted: bool
    best: str
    told: str


TuningRecord = TuningOpened | ProxyEnded | RungDecided | TuningJudged
