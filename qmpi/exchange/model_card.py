"""The README.md beside exported weights: what they are, and of what."""

from collections.abc import Iterator

from msgspec import Struct

from qmpi import __version__
from qmpi.config.data import ContentSource, CorpusSource
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.exchange.hugging_face import family_name
from qmpi.model.shape import active_count, parameter_count
from qmpi.units import Digest, Step

GENERATED_LICENCE = "the vocabulary that generated text is made of is under CC BY-SA 4.0"


class Origin(Struct, frozen=True):
    """Where exported weights come from.

    Attributes:
        run_id: identity of the run.
        step: weights are those before this step.
        weights: digest of the weights, as the run's journal has it.
        state: digest of the snapshot that they were taken from.
        dtype: type of the exported numbers.
        dropped_bias: largest spread of biases of experts that were left away; 0: none were.
    """

    run_id: str
    step: Step
    weights: Digest
    state: Digest
    dtype: str
    dropped_bias: float = 0.0


def bias_text(spread: float) -> str:
    """Say what follows where biases of experts are left away.

    Args:
        spread: largest difference of two of them in a layer, > 0.

    Returns:
        A clause. A bias decides the order of scores alone, so no choice turns where they lie
        further apart.
    """
    return (
        f"they lie up to {spread:.3g} apart in a layer; where the scores of two experts lie less "
        "far apart than that, a token may go to another one than in the run"
    )


def model_card(settings: Settings, origin: Origin) -> str:
    """Write the card.

    Args:
        settings: the job of the run.
        origin: of the weights.

    Returns:
        Markdown.
    """
    model, train = settings.model, settings.train
    tokens = origin.step * train.lanes * train.microbatches * train.sequences
    tokens *= train.sequence_tokens
    is_fixed = settings.batch.is_fixed and "batch" not in settings.curriculum.sets
    most = "" if is_fixed else "at most "
    facts = [
        ("run", f"{_plain(settings.job.name)}, {origin.run_id}"),
        ("step", f"{origin.step} of {train.steps}, {most}{tokens:,} tokens"),
        ("digest of the weights", f"`{origin.weights}`"),
        ("digest of the checkpoint", f"`{origin.state}`"),
        ("parameters", f"{parameter_count(model):,}, as {origin.dtype}"),
        *_met_by_a_token(model),
        *_left_away(origin),
        ("trained on sequences of", f"{train.sequence_tokens} tokens"),
        ("seed", str(settings.job.seed)),
        ("initial weights", f"`{settings.initial.digest}`" if settings.initial.digest else "seed"),
        ("written by", f"qmpi {__version__}"),
    ]
    table = "".join(f"| {name} | {value} |\n" for name, value in facts)
    head = "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags: [qmpi]\n---\n"
    return (
        f"{head}# {_plain(settings.job.name)}\n\n"
        f"A decoder-only transformer, pretrained by qmpi. It loads in `transformers` as a "
        f"{family_name(model)}, "
        "by `AutoModelForCausalLM` and `AutoTokenizer`, without code of its own.\n\n"
        f"| | |\n|---|---|\n{table}\n"
        f"## Data\n\n| source | share | what |\n|---|---|---|\n{''.join(_sources(settings))}\n"
        "Documents end with the end token, and none begins with another: put the end token before "
        "a text that shall begin a document.\n\n"
        f"## Licence\n\n{_licence(settings)}\n"
    )


def _met_by_a_token(model: ModelSettings) -> Iterator[tuple[str, str]]:
    if model.experts:
        yield "met by a token", f"{active_count(model):,}"


def _left_away(origin: Origin) -> Iterator[tuple[str, str]]:
    if origin.dropped_bias:
        yield "biases of experts", f"left away: {bias_text(origin.dropped_bias)}"


def _sources(settings: Settings) -> Iterator[str]:
    sources = settings.data.sources
    total = sum(source.weight for source in sources)
    for source in sources:
        match source:
            case CorpusSource():
                what = f"corpus `{_plain(source.path)}`"
            case ContentSource():
                levels = f"levels {source.min_level} to {source.max_level}"
                what = f"generated text, {source.type}, {levels}"
        yield f"| {source.name} | {source.weight / total:.1%} | {what} |\n"


def _licence(settings: Settings) -> str:
    said = [
        "None is named here. Whoever passes these weights on names one, and heeds what the "
        "licences of the data above ask for"
    ]
    if any(isinstance(source, ContentSource) for source in settings.data.sources):
        said.append(GENERATED_LICENCE)
    if settings.initial.digest:
        said.append("the weights that the run began with have a licence of their own")
    return "; ".join(said) + "."


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() and c not in "`|<>[]" else " " for c in text)
