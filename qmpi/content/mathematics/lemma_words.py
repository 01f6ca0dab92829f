"""Sentences between formulas, as mathematicians write them."""

from qmpi.content.english.frames import FramePool
from qmpi.content.english.grammar import grammar

ASIDE = FramePool(
    grammar(
        aside=(
            "note that <clause>", "<present>", "as [L] [vd C], <clause>", "this is [a]: <clause>",
            "here <idea> [v3 t] <idea>", "the [n idea] is [a]", "recall <idea> of [L]",
            "we [v T] <ideas> [r]", "[r], <clause>", "a like [n idea] [v3 t] <ideas>",
            "<idea> is due to [F] [L]", "it [v3 t] to [v T] <ideas>", "call it <idea>",
            "the [n person] may [v T] <thing>", "[ns idea] of this [n idea] are [a]",
            "so <ideas> [v t] <idea>", "think of <things> in <place>", "the [a] case is [vn T]",
            "nothing else is [vn T]", "what [v3 t] <idea> is <idea>", "compare <thing>, <things>",
            "[L]'s [n idea] [v3 t] <thing>", "[F] [L] [vd T] <idea> in [P]", "in [P] <clause>",
        )
    ),
    "aside",
)  # fmt: skip
