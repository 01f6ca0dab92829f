"""[data]: sources, and how rows are made of them."""

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

DrillFamily = Literal[
    "copy",
    "reverse",
    "sort",
    "maximum",
    "sums",
    "addition",
    "brackets",
    "needle",
    "count",
    "shift",
]

DRILL_FAMILIES: tuple[str, ...] = get_args(DrillFamily)
"""Families of drills; their order is part of a source's identity."""

DRILLS = "drills"
"""The type that has families."""


class CorpusSource(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="corpus", tag_field="kind"
):
    """A corpus of shards, made by `qmpi ingest`."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,40}$", description="Name of the source.")]
    path: Annotated[
        str, Meta(min_length=1, description='Directory made by `qmpi ingest`, or "builtin:python".')
    ]
    weight: Annotated[
        float,
        Meta(
            ge=0.0,
            description="Share of the sequences, relative to the other sources; 0: none for now.",
        ),
    ] = 1.0


class ContentSource(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="content", tag_field="kind"
):
    """Generated documents of one type, checked by machine; endless."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,40}$", description="Name of the source.")]
    type: Annotated[
        Literal[
            "technical",
            "scientific",
            "code",
            "mathematics",
            "philosophy",
            "creative",
            "conversation",
            "multilingual",
            "drills",
        ],
        Meta(description="Kind of text."),
    ]
    weight: Annotated[
        float,
        Meta(
            ge=0.0,
            description="Share of the sequences, relative to the other sources; 0: none for now.",
        ),
    ] = 1.0
    min_level: Annotated[int, Meta(ge=1, le=100, description="Easiest level drawn.")] = 1
    max_level: Annotated[int, Meta(ge=1, le=100, description="Hardest level drawn.")] = 100
    languages: Annotated[
        tuple[Literal["en", "de", "fr", "es", "it", "pt", "ru", "tr", "ar", "hi", "ja", "zh"], ...],
        Meta(description='Main languages of type "multilingual"; empty: all. Others are English.'),
    ] = ()
    families: Annotated[
        tuple[DrillFamily, ...],
        Meta(description='Families of type "drills"; empty: all. Other types have none.'),
    ] = ()


Source = CorpusSource | ContentSource


class RecipeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Other weights of the sources from a step on."""

    at: Annotated[int, Meta(le=10**15, description="First step that they hold for.")]
    weights: Annotated[
        dict[str, Annotated[float, Meta(ge=0.0)]],
        Meta(min_length=1, description="Share of each source named; the others keep theirs."),
    ]


class DataSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[data]: the addressed stream. These fields and the seed fix which tokens a step sees."""

    tokenizer: Annotated[
        str,
        Meta(
            description=(
                'A tokenizer.json, a corpus directory that holds one, or "builtin:content", made '
                "of generated text. Empty: that of the first corpus; without one, "
                '"builtin:content" if the model has 32,768 rows for it, else "builtin:python".'
            )
        ),
    ] = ""
    sources: Annotated[
        tuple[Source, ...], Meta(min_length=1, description="Where sequences come from.")
    ] = (
        CorpusSource(name="python", path="builtin:python", weight=3.0),
        ContentSource(name="mathematics", type="mathematics", weight=1.0),
    )
    recipes: Annotated[
        tuple[RecipeSettings, ...],
        Meta(description="Steps from which on sources have other weights, ascending."),
    ] = ()
    prefetch_steps: Annotated[
        int, Meta(ge=1, le=64, description="Steps that a trainer asks for ahead.")
    ] = 3
    packing: Annotated[
        Literal["concatenate", "best_fit"],
        Meta(
            description=(
                'How rows are made of documents. "concatenate": laid end to end and cut. '
                '"best_fit": put together so that few but those longer than a row are cut.'
            )
        ),
    ] = "concatenate"
    document_mask: Annotated[
        bool,
        Meta(
            description=(
                "Documents of a sequence do not see one another, and positions begin anew with "
                "each; the end token of the one before is a document's first."
            )
        ),
    ] = False
