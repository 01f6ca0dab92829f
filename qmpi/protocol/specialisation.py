"""A reference: what balanced runs lose by type of text; and how a run stands beside it."""

from typing import Literal

from msgspec import Struct

from qmpi.protocol.membership import SourceFact

REFERENCE_VERSION = 1


class Spread(Struct, frozen=True):
    """A figure of several runs.

    Attributes:
        mean: over the runs.
        deviation: of one run from another, the standard deviation of a sample.
    """

    mean: float
    deviation: float


class TypeReference(Struct, frozen=True, kw_only=True):
    """What runs lose on one type of text, nats a token.

    Attributes:
        loss: of each cell of the grid; None: not all runs tell.
        answers: likewise, of the answers of generated problems alone.
        end: of the last quarter of the tokens.
        relative: likewise, the loss less the mean over all types.
        end_answers: of the answers in the last quarter; None: too few in one of the runs.
    """

    loss: tuple[Spread | None, ...]
    answers: tuple[Spread | None, ...]
    end: Spread
    relative: Spread
    end_answers: Spread | None = None


class Reference(Struct, frozen=True, kw_only=True):
    """REF.json: what finished runs of one job lose, that differ in their seed alone.

    Attributes:
        version: of the form of the file.
        seeds: of the runs.
        job: job file of the first of them.
        sources: facts of its data sources.
        tokens: of all sources together, at the end of each cell of the grid, ascending.
        types: by type of text; of a corpus "corpus NAME".
    """

    version: int
    seeds: tuple[int, ...]
    job: str
    sources: tuple[SourceFact, ...]
    tokens: tuple[int, ...]
    types: dict[str, TypeReference]


class TypeExcess(Struct, frozen=True, kw_only=True):
    """How a run stands on one type of text beside a reference.

    Attributes:
        type: of text; of a corpus "corpus NAME".
        loss: of the run, nats a token.
        reference: mean of the runs of the reference.
        excess: loss less that; below 0: the run is better.
        z: excess by the deviation that one more run of the reference has.
        relative: excess less the mean excess of all types.
        bound: of a run like those of the reference, `relative` lies within plus and minus this;
            None: not judged.
        relative_z: `relative` by its deviation; None: not judged.
        probability: that a run like those of the reference lies as far off or further; None: not
            judged.
        verdict: "": the type does not stand out.
        answer_excess: as `excess`, of the answers alone; None: too few were seen.
        answer_z: as `z`, of the answers alone; likewise.
    """

    type: str
    loss: float
    reference: float
    excess: float
    z: float
    relative: float
    bound: float | None = None
    relative_z: float | None = None
    probability: float | None = None
    verdict: Literal["", "specialised", "weak"] = ""
    answer_excess: float | None = None
    answer_z: float | None = None


class Specialisation(Struct, frozen=True, kw_only=True):
    """How a run stands beside a reference; also RUN/specialisation.json.

    Attributes:
        reference: file of the reference.
        runs: that it was made of.
        step: steps of the run that stand.
        tokens: that they trained on.
        end_tokens: that the runs of the reference were trained on.
        is_judged: the run is at its end; what is told before is no verdict.
        confidence: of the bounds, all types together.
        specialised: types that are better than beside the others they should be.
        weak: types that are worse.
        types: all types, the best first.
    """

    reference: str
    runs: int
    step: int
    tokens: int
    end_tokens: int
    is_judged: bool
    confidence: float
    specialised: tuple[str, ...]
    weak: tuple[str, ...]
    types: tuple[TypeExcess, ...]
