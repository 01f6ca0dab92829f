"""Sentences of scientific texts, as grammars with holes for the study's own things.

Theory of operation. Holes are facts of the study ({ma}, {p}, {verdict}, {cite}...) or words of
laboratories drawn afresh ({opd}, {tool}, {act3}...). What is studied, measured and given are holes
as well, so every sentence speaks of the study at hand.
"""

from collections.abc import Sequence

from qmpi.content.english.frames import FramePool
from qmpi.content.english.grammar import grammar

_COMMON: dict[str, Sequence[str]] = {
    "sample": (
        "the {subjects}", "{trait} {subjects}", "each {subject}", "{subjects} from [P]",
        "{subjects} {opn} {how}", "every {trait} {subject}", "the {organ} of each {subject}",
        "[a] {subjects}", "all {subjects} that had been {opn}",
        "{subjects} kept in {trait} {tools}",
    ),
    "one": (
        "the {organ}", "the {trait} {organ}", "each {subject}", "the [n thing]", "every {tool}",
        "the {measure}", "the {tool}", "{atrait} {subject}", "the [a] {organ}",
        "one {subject} in [P]",
    ),
    "cause": (
        "{trait} {given}", "{opg} {how}", "the {given} in the {organ}", "{given} from [P]",
        "{atrait} [n nature]", "the {tool}", "{opg} the {organ}", "{trait} [n substance]",
        "what the {organ} holds", "the [n idea] of the {subjects}", "{given} {opn} {how}",
    ),
    "effect": (
        "{act3} {trait} {organs}", "{act3} the {organ} of {subjects}", "does not {act} {subjects}",
        "{act3} {subjects} {opn} {how}", "{act3} <one> and {act3} <one>",
        "{act3} the [n quality] of {subjects}", "may {act} <one> without {actg} {subjects}",
    ),
    "claim": (
        "{edge}", "{edge}", "{edge}", "{edge}", "{edge} in {trait} {subjects}", "<cause> <effect>",
        "{edge}, and <cause> <effect>", "the {measure} depends on <cause>",
        "{edge} when <cause> <effect>", "{trait} {subjects} differ from {trait} ones",
        "<cause> <effect> in [P]", "<cause> <effect> only when <cause> <effect>",
        "{subjects} in [P] lack {given}", "the {organ} of {trait} {subjects} holds {given}",
        "<cause> matters more than <cause>", "no {subject} {act3} its {organ} {how}",
        "<cause> <effect> through <cause>", "{trait} {subjects} bear {given} [r]",
    ),
    "done": (
        "{subjects} were {opn} {how}", "<one> was {opn}", "[F] {opd} the {organ} of each {subject}",
        "we {opd} <sample> {how}", "<sample>, {opn} {how}, went into {trait} {tools}",
    ),
    "act": (
        "{opd} <sample> {how}", "{opd} {trait} {subjects} with {atool}", "{opd} the {organ}",
        "{opd} {given} into {trait} {tools}", "{opd} each {subject}, then {opd} its {organ} {how}",
        "{opd} the {tool}", "{opd} {trait} {given} {how}",
        "{opd} <sample> before we {opd} the {tool}", "{opd} the {subjects} of [P] {how}",
        "{opd} what the {tool} had {opn}",
    ),
    "why": (
        "to {op} {trait} {subjects}", "because <claim>", "since the {tool} was {trait}",
        "so that no {subject} was {opn} twice", "as <claim>", "lest <cause> {act} the {measure}",
        "to keep {subjects} {trait}", "for <claim>",
    ),
    "methods": (
        "the {measure} was measured with {atool} {how}", "{given} was obtained from [P]",
        "{subjects} were randomly assigned to groups", "all experiments were performed in [P]",
        "samples were {opn} with {atool} and stored {how}", "data were collected {how}",
        "the experiment was repeated with {trait} {subjects}", "values are given as means",
        "we <act>", "we <act> <why>", "[F] <act>", "the {measure} was read from {atool} {how}",
        "{subjects} were {opn} {how} and {opn} {how}", "after {opg} the {tool}, we <act>",
        "the {organ} of each {subject} was {opn} with {atool}", "we <act>, and [F] <act>",
        "{trait} {given} was {opn} {how} <why>", "no {subject} was {opn} unless [F] <act>",
        "once the {tool} was {trait}, we <act>", "in [P], [F] <act> <why>",
        "{tools} were {opn} {how}; then we <act>",
        "neither {subjects} nor {tools} were {opn} {how}",
    ),
    "background": (
        "previous studies have shown that <claim>", "there is growing evidence that <claim>",
        "it has been suggested that <claim>", "however, <claim>",
        "the role of {given} in {trait} {subjects} remains unclear",
        "one of the main questions is whether <claim>",
        "{given} has attracted much attention because <claim>", "<claim>",
        "it is known that <claim>", "little is known of how <cause> <effect>",
        "<claim>, yet <claim>", "in [P], <claim>", "most {subjects} are {opn} {how}; <claim>",
        "that <claim> was long doubted", "whether <claim> is open", "<claim> because <claim>",
        "since {trait} {subjects} are rare, few have {opn} them {how}", "if <claim>, <claim>",
        "unless <claim>, <claim>", "the {measure} of {subjects} is {opn} {how} at best",
    ),
    "doubt": (
        "these results suggest that <claim>", "it remains unclear whether <claim>",
        "taken together, this suggests that <claim>", "we cannot rule out that <claim>",
        "further work is needed to {say} whether <claim>", "in conclusion, <claim>",
        "an alternative explanation is that <claim>", "future studies should {op} <sample>",
        "to our knowledge, this is the first study of {trait} {subjects} in [P]",
        "the {tool} may have been {trait}", "{trait} {subjects} were few", "<claim>, perhaps",
        "we {opd} {subjects} of [P] alone", "it may be that <claim>", "<cause> was not {opn}",
        "our {subjects} were {opn} {how}, which may {act} the {measure}",
        "one {tool} stood near {atool}", "whether <claim> we cannot tell",
        "{atrait} {organ} need not be {atrait} one",
        "had we {opn} {trait} {subjects}, the {measure} might differ",
        "[F] {opd} <sample> {how}, not {how}",
    ),
    "cited": (
        "according to {cite}, <claim>",
        "in a study of {trait} {subjects}, {cite} {sayd} that <claim>",
        "previous work by {cite} {sayd} that <claim>", "it has been shown that <claim> ({cite_in})",
        "{cite} {sayd} that <claim>", "<claim> ({cite_in})", "as {cite} {sayd}, <claim>",
        "{cite} {opd} {trait} {subjects} and {sayd} that <claim>", "<claim>, {cite} {sayd}",
        "the {tools} of {cite} were {opn} {how}", "after {cite}, <claim>",
        "{cite} could not {say} it", "unlike us, {cite} {opd} {subjects} {how}",
        "with {trait} {subjects}, {cite} {sayd} as much", "<claim>; but see {cite_in}",
        "we follow {cite} and {op} {subjects} {how}",
    ),
    "found": (
        "{cite} saw {finding} of the {measure} under {given}",
        "{cite} reported {finding} with {given}", "in {trait} {subjects}, {cite} found {finding}",
        "{cite} measured {finding} in [P]", "{given} brought {finding} in the study of {cite}",
        "{finding} was what {cite} saw", "{finding} under {given} stands in {cite_in}",
    ),
    # Facts of two groups.
    "result": (
        "there was a difference of {diff} between {ga} and {gb} ({p}), which was {verdict}",
        "we observed a mean of {ma} with {ga}, compared with {mb} with {gb} ({p}; {verdict})",
        "compared with {gb}, the {measure} under {ga} was {higher} by {pct} ({p}; {verdict})",
        "the {measure} was {ma} with {ga} and {mb} with {gb} ({p})",
        "{ga} gave {ma}, {gb} {mb}; the difference is {verdict} ({p})",
        "with {ga} the {measure} was {higher} than with {gb} by {diff} ({p}), which is {verdict}",
        "{diff} lie between {ga} and {gb}, {verdict} by rank sums ({p})",
        "{subjects} under {ga} reached {ma}, those under {gb} {mb} ({p}, {verdict})",
        "by {pct} the {measure} under {ga} was {higher} than under {gb} ({verdict}, {p})",
        "mean {measure}: {ga} {ma}, {gb} {mb}; {p}, {verdict}",
        "against {gb}, {ga} changed the {measure} by {pct} ({p}); this is {verdict}",
        "that {ga} is {higher} than {gb} ({ma} and {mb}) is {verdict} ({p})",
        "the rank-sum test of {ga} and {gb} gives {p}: {verdict}, with means of {ma} and {mb}",
    ),
    "spread": (
        "values with {ga} ran from {mina} to {maxa} (SD {sa}, n = {na})",
        "half of the {subjects} with {ga} lay under {meda}",
        "the standard deviation with {ga} was {sa}",
        "{na} {subjects} received {ga}; their median was {meda}",
        "{ga}: n = {na}, SD {sa}, median {meda}",
        "the smallest {measure} under {ga} was {mina}, the largest {maxa}",
        "among {na} {subjects} with {ga}, the {measure} spread by {sa} around {ma}",
        "{maxa} was never passed with {ga}, nor was {mina} undercut",
    ),
    "step": (
        "{op} the {organ} {how}", "{op} <sample> {how}", "{op} {trait} {given} in {atool}",
        "{op} the {tool} <why>", "{op} {subjects} with {atool}, then {op} them {how}",
        "let the {tool} stand <why>", "{op} the {organ} <why>", "{op} each {subject} {how}",
    ),
    "note": (
        "{opd} the {tool}", "<claim>?", "[F] {opd} {subjects} {how}", "{tool} {trait} again",
        "one {subject} looks {trait}", "{opd} {given} {how}", "the {organ} has turned {trait}",
        "ask [F] about the {tool}", "{subjects} {trait}, {organs} {trait}", "<done>",
        "{how}: {opd} <sample>", "rain in [P], {subjects} {trait}", "[F] says <claim>",
    ),
}  # fmt: skip

_TITLES = (
    "{given} and the {measure} of {subjects}", "{trait} {subjects} under {given}",
    "does {given} {act} {subjects}?", "how {given} {act3} {trait} {subjects}",
    "{measure} of {trait} {subjects} in [P]", "{actg} {organs} of {subjects}",
    "{given}, {subjects}, and the {trait} {organ}",
    "{subjects} of [P], their {organs}, and {given}",
    "{opg} {subjects} {how}: {measure} and {given}",
    "{trait} {given} {act3} the {measure} of {subjects}",
    "toward {trait} {subjects}: a study with {tools}", "the {trait} {organ} in {subjects} from [P]",
)  # fmt: skip


def _pool(start: str, size: int, *alternatives: str) -> FramePool:
    rules = {start: alternatives} if alternatives else {}
    return FramePool(grammar(**{**_COMMON, **rules}), start, size)


METHODS = _pool("methods", 768)
BACKGROUND = _pool("background", 768)
DOUBT = _pool("doubt", 512)
CITED = _pool("cited", 768)
FOUND = _pool("found", 256)
RESULT = _pool("result", 256)
SPREAD = _pool("spread", 256)
STEP = _pool("step", 512)
NOTE = _pool("note", 512)
CLAIM = _pool("claim", 512)
TITLES = _pool("titles", 384, *_TITLES)
HYPOTHESIS = _pool(
    "hypothesis", 384,
    "we asked whether <claim>", "our hypothesis: <claim>", "we expected that <claim>",
    "if <claim>, {given} should {act} the {measure}", "here we ask how {given} {act3} {subjects}",
    "we {opd} {subjects} to learn whether <claim>",
    "does {given} {act} the {measure}, or is it that <claim>?",
    "our question was whether {given} {act3} the {organ} of {subjects}",
)  # fmt: skip
AGREES = _pool(
    "agreeing", 256,
    "this {agrees} with {cite}", "our finding {agrees} with that of {cite}",
    "as to {given}, it {agrees} with what {cite} saw",
    "{cite} saw {finding}, which {agrees} with ours",
    "that {agrees} with {cite}, where {finding} was seen",
    "what we saw {agrees} with {finding} in {cite_in}",
)  # fmt: skip
