"""How arguments are put into words.

Theory of operation. A formula is spelled with its claims: "if X, then Y", "not both", "it is false
that". Each premise and conclusion is one fact that names its formula, so a checker parses the words
back. Around them stand drawn phrases of assertion, doubt and elaboration.
"""

from qmpi.content.english.frames import FramePool
from qmpi.content.english.grammar import grammar
from qmpi.content.english.prose import Prose, Said
from qmpi.content.page import Page
from qmpi.content.philosophy.argument_world import FORMS, Argument, ArgumentWorld

_NOT = "it is false that "

MUSING = FramePool(
    grammar(
        musing=(
            "<idea> is [a]", "<present>", "what is <idea>?", "<people> [v C] that <clause>",
            "to [v T] <idea> is to [v T] <ideas>", "suppose <clause>",
            "imagine <person> who [v3 I]",
            "is <idea> not <idea>?", "we [v T] <ideas> as <things>", "<clause>; hence <ideas>",
            "<idea>, not <idea>, [v3 t] <thing>", "[vg T] <idea>, <people> [v T] <idea>",
            "take <thing>: <clause>", "by [n idea] I mean <idea>", "[L] [v3 C] that <clause>",
            "some [v T] <idea>, others <ideas>", "nothing in <thing> [v3 t] <idea>", "<present>",
            "between <idea> and <idea> <clause>", "if <clause>, what of <ideas>?",
        )
    ),
    "musing",
)  # fmt: skip
_PREMISE = FramePool(
    grammar(
        premise=(
            "{what}", "grant that {what}", "<people> [v C] that {what}", "surely {what}",
            "{what}, as <things> [v i]", "[r], {what}", "it is [a] that {what}", "{what}",
            "since <clause>, {what}", "I [v C] that {what}", "for <ideas>, {what}",
            "no [n person] [v3 T] it: {what}", "as [L] [vd C], {what}", "we know that {what}",
        )
    ),
    "premise",
)  # fmt: skip
_CONCLUSION = FramePool(
    grammar(
        conclusion=(
            "therefore {what}", "so {what}", "hence, [r], {what}", "it follows that {what}",
            "then {what}", "we must [v C] that {what}", "thus {what}", "consequently {what}",
            "and so, <clause> or not, {what}", "which is to say: {what}", "this [v3 C] that {what}",
        )
    ),
    "conclusion",
)  # fmt: skip
_VALID = FramePool(
    grammar(
        valid=(
            "this is {form}, and {verdict}", "the form is {form}: {verdict}", "{form}: {verdict}",
            "we see {form} here, which is {verdict}", "call it {form}; it is {verdict}",
            "[r], {form}, {verdict}", "by form it is {form}, hence {verdict}",
        )
    ),
    "valid",
)  # fmt: skip
_ATTACK = FramePool(
    grammar(
        attack=(
            "{voice} [v3 T] what {other} said", "against {other}, {voice} [v3 I]",
            "{voice} objects to {other}", "but {voice} [v3 T] the [n idea] of {other}",
            "{other} is [vn T] by {voice}", "{voice} cannot [v T] {other}",
            "here {voice} turns on {other}", "{voice}, [a], denies {other} the [n idea]",
        )
    ),
    "attack",
)  # fmt: skip
_SPEAKS = FramePool(
    grammar(
        speaks=(
            "{voice} [v3 I]", "{voice} argues", "now {voice} [v3 I] [r]", "{voice} [v3 T] <idea>",
            "listen to {voice}", "for {voice} <clause>", "{voice}, [an person], begins",
        )
    ),
    "speaks",
)  # fmt: skip


def spelled(formula: str, claims: list[str]) -> str:
    """Spell a formula in words.

    Args:
        formula: over numbers of claims.
        claims: their sentences.

    Returns:
        Words without capital and stop.
    """
    if formula.isdigit():
        return claims[int(formula)]
    if formula[0] == "~":
        inner = formula[1:]
        if inner[0] == "(":
            left, _, right = parts_of(inner)
            return f"not both: {spelled(left, claims)}, and {spelled(right, claims)}"
        return f"{_NOT}{claims[int(inner)]}"
    left, sign, right = parts_of(formula)
    first, second = spelled(left, claims), spelled(right, claims)
    return {
        ">": f"if {first}, then {second}",
        "&": f"both {first}, and {second}",
        "|": f"either {first}, or {second}",
    }[sign]


def parts_of(formula: str) -> tuple[str, str, str]:
    """Split a formula in brackets at its main sign.

    Args:
        formula: as "((0&1)>2)".

    Returns:
        Left side, sign, right side.
    """
    depth = 0
    for place, sign in enumerate(formula):
        depth += (sign == "(") - (sign == ")")
        if depth == 1 and sign in ">&|":
            return formula[1:place], sign, formula[place + 1 : -1]
    return formula, "", ""


class Arguer:
    """Writes the arguments of a world on a page."""

    def __init__(self, page: Page, prose: Prose, world: ArgumentWorld) -> None:
        """Prepare.

        Args:
            page: written on.
            prose: its sentences.
            world: what is argued.
        """
        self._page = page
        self._prose = prose
        self._world = world

    def voice(self, number: int) -> Said:
        """Name a voice.

        Args:
            number: of the voice.

        Returns:
            Its name, often the surname alone.
        """
        name = self._world.voices[number]
        return Said(name if self._page.draw.chance(40) else name.split(" ")[1], "voice", (number,))

    def introduce(self, number: int) -> None:
        """Say who argues, and against whom.

        Args:
            number: of the argument.
        """
        argument = self._world.arguments[number]
        hit = [h for by, h in self._world.attacks if by == number]
        if hit:
            other = self._world.arguments[hit[0]].voice
            start = self._page.length
            holes = {"voice": self.voice(argument.voice), "other": self.voice(other)}
            self._prose.tell(_ATTACK, holes, end="")
            self._page.mark("attack", start, self._page.length, number, hit[0])
            self._page.say(" ")
        else:
            self._prose.tell(_SPEAKS, {"voice": self.voice(argument.voice)})

    def argue(self, number: int, between: int) -> None:
        """Write premises and conclusion.

        Args:
            number: of the argument.
            between: most sentences of elaboration between two of its parts.
        """
        argument, draw = self._world.arguments[number], self._page.draw
        form = FORMS[argument.form]
        order = list(range(len(form.premises)))
        draw.shuffle(order)
        last = draw.chance(80)
        if not last:
            self._conclude(number, argument)
        for premise in order:
            formula = self._world.formula(argument, form.premises[premise])
            said = Said(spelled(formula, self._world.claims), "premise", (number, premise))
            self._prose.tell(_PREMISE, {"what": said})
            for _ in range(draw.below(between + 1)):
                self._page.say(f"{self._prose.sentence(MUSING)} ")
        if last:
            self._conclude(number, argument)

    def _conclude(self, number: int, argument: Argument) -> None:
        formula = self._world.formula(argument, FORMS[argument.form].conclusion)
        said = Said(spelled(formula, self._world.claims), "conclusion", (number,))
        self._prose.tell(_CONCLUSION, {"what": said})

    def judge(self, number: int) -> None:
        """Name the form of an argument and say whether it is valid.

        Args:
            number: of the argument.
        """
        form = FORMS[self._world.arguments[number].form]
        verdict = "valid" if form.valid else "a fallacy"
        self._prose.tell(
            _VALID,
            {
                "form": Said(form.name, "form", (number,)),
                "verdict": Said(verdict, "verdict", (number,)),
            },
        )
