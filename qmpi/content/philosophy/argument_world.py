"""The world of a philosophical text: claims, arguments of known form, attacks between arguments.

Theory of operation. Claims are sentences with a negation. An argument draws a conclusion from
premises by a form; valid and invalid forms are both used, the invalid ones under their names.
Attacks make a graph whose grounded extension says which arguments stand: one stands if all its
attackers are defeated by those that stand.
"""

from typing import NamedTuple

from qmpi.content.counter import Draw
from qmpi.content.document import Plain
from qmpi.content.english.frames import FramePool
from qmpi.content.english.grammar import grammar
from qmpi.content.english.prose import Prose
from qmpi.content.level import sized
from qmpi.content.page import Page

Formula = str
"""A claim by number, "~" before it, or two of these with ">", "&", "|" between, in brackets."""


class Form(NamedTuple):
    """A form of argument over the letters A, B, C.

    Attributes:
        name: what it is called.
        premises: formulas over letters.
        conclusion: formula over letters.
        valid: whether the conclusion follows.
    """

    name: str
    premises: tuple[str, ...]
    conclusion: str
    valid: bool


FORMS: tuple[Form, ...] = (
    Form("modus ponens", ("(A>B)", "A"), "B", valid=True),
    Form("modus tollens", ("(A>B)", "~B"), "~A", valid=True),
    Form("affirming the consequent", ("(A>B)", "B"), "A", valid=False),
    Form("denying the antecedent", ("(A>B)", "~A"), "~B", valid=False),
    Form("disjunctive syllogism", ("(A|B)", "~A"), "B", valid=True),
    Form("affirming a disjunct", ("(A|B)", "A"), "~B", valid=False),
    Form("hypothetical syllogism", ("(A>B)", "(B>C)"), "(A>C)", valid=True),
    Form("constructive dilemma", ("(A>C)", "(B>C)", "(A|B)"), "C", valid=True),
    Form("conjunction", ("A", "B"), "(A&B)", valid=True),
    Form("simplification", ("(A&B)",), "A", valid=True),
    Form("weakening", ("A",), "(A|B)", valid=True),
    Form("reductio", ("(A>B)", "(A>~B)"), "~A", valid=True),
    Form("converse", ("(A>B)",), "(B>A)", valid=False),
    Form("contraposition", ("(A>B)",), "(~B>~A)", valid=True),
    Form("exportation", ("((A&B)>C)",), "(A>(B>C))", valid=True),
    Form("denying a conjunct", ("~(A&B)", "~A"), "B", valid=False),
    Form("conjunctive syllogism", ("~(A&B)", "A"), "~B", valid=True),
    Form("absorption", ("(A>B)",), "(A>(A&B))", valid=True),
)
_SIMPLE = 4
"""Forms at the beginning of the list that the lowest levels use."""

_CLAIM = FramePool(
    grammar(
        claim=(
            "<idea> is [a]", "<ideas> are [a]", "<thing> [v3 t] <idea>", "<idea> [v3 t] <idea>",
            "<people> [v T] <ideas>", "<idea> is [an idea]", "there is [an idea] in <things>",
            "<person> can [v T] <idea>", "<ideas> [v t] <thing>", "all [ns idea] [v i]",
            "[n idea] is [n idea]", "<idea> rests on <ideas>", "we [v T] <idea> [r]",
            "what is [a] is [vn T]", "<people> who [v I] [v T] <idea>", "nothing [a] is [a]",
        )
    ),
    "claim",
    3000,
)  # fmt: skip


class Argument(NamedTuple):
    """An argument that someone makes.

    Attributes:
        form: number among `FORMS`.
        claims: numbers of the claims that stand for A, B, C.
        voice: who makes it.
    """

    form: int
    claims: tuple[int, int, int]
    voice: int


class ArgumentWorld:
    """Claims, voices, arguments and attacks.

    Attributes:
        claims: sentences without capital and stop.
        voices: names of those who argue.
        arguments: in the order they are made.
        attacks: (attacker, attacked) pairs.
    """

    def __init__(self, page: Page, prose: Prose) -> None:
        """Draw a world of the page's budget.

        Args:
            page: gives draws and budget.
            prose: gives claims and names.
        """
        draw, budget = page.draw, page.budget
        count = sized(draw, (budget.steps + budget.entities) // 2, 1, 8)
        self.claims = self._distinct(prose, 2 + count)
        self.voices = [prose.person() for _ in range(2 + draw.below(1 + budget.structure // 25))]
        known = _SIMPLE + (len(FORMS) - _SIMPLE) * budget.structure // 100
        self.arguments = [self._argument(draw, known) for _ in range(count)]
        self.attacks = self._attacked(draw, budget.distance)

    @staticmethod
    def _distinct(prose: Prose, count: int) -> list[str]:
        found: dict[str, None] = {}
        while len(found) < count:
            found[prose.phrase(_CLAIM)] = None
            prose.shift()
        return list(found)

    def _argument(self, draw: Draw, known: int) -> Argument:
        pool = range(len(self.claims))
        picked = draw.sample(pool, min(3, len(pool)))
        return Argument(
            draw.below(known), (picked[0], picked[1], picked[-1]), draw.below(len(self.voices))
        )

    # Far attacks at higher levels: an objection may come long after what it objects to.
    def _attacked(self, draw: Draw, distance: int) -> list[tuple[int, int]]:
        pairs: list[tuple[int, int]] = []
        for attacker in range(1, len(self.arguments)):
            reach = 1 + (attacker - 1) * distance // 100
            if draw.chance(75):
                pairs.append((attacker, attacker - 1 - draw.below(reach)))
        return pairs

    def standing(self) -> list[int]:
        """Return the arguments of the grounded extension.

        Returns:
            Their numbers, rising.
        """
        accepted: set[int] = set()
        while True:
            defeated = {hit for by, hit in self.attacks if by in accepted}
            grown = {
                number
                for number in range(len(self.arguments))
                if all(by in defeated for by, hit in self.attacks if hit == number)
            }
            if grown == accepted:
                return sorted(accepted)
            accepted = grown

    def formula(self, argument: Argument, over_letters: str) -> Formula:
        """Return a formula of an argument's form over its claims.

        Args:
            argument: whose claims stand for the letters.
            over_letters: as "(A>B)".

        Returns:
            As "(3>1)".
        """
        for letter, claim in zip("ABC", argument.claims, strict=True):
            over_letters = over_letters.replace(letter, str(claim))
        return over_letters

    def parameters(self) -> dict[str, Plain]:
        """Return what a checker needs.

        Returns:
            Plain values.
        """
        return {
            "claims": list(self.claims),
            "voices": list(self.voices),
            "arguments": [
                {
                    "form": FORMS[argument.form].name,
                    "premises": [
                        self.formula(argument, text) for text in FORMS[argument.form].premises
                    ],
                    "conclusion": self.formula(argument, FORMS[argument.form].conclusion),
                    "valid": FORMS[argument.form].valid,
                    "voice": argument.voice,
                }
                for argument in self.arguments
            ],
            "attacks": [list(pair) for pair in self.attacks],
        }
