"""An invented study: what is measured of what, under which treatments, and who wrote before.

Theory of operation. Data are drawn first and everything else is worked out from them. No two values
of a study are equal, so ranks are free of ties and exact tests apply. Citations form a graph: each
reference is a year old or more, has a finding, and is cited at least once where it is listed.
"""

from fractions import Fraction
from typing import Any

from qmpi.content.english.prose import Said
from qmpi.content.english.telling import Stage
from qmpi.content.page import Page
from qmpi.content.scientific.grammar import TITLES
from qmpi.content.scientific.statistics import deviation, mean, median, p_text, rank_sum_p, rounded
from qmpi.content.scientific.words import DOSES, QUANTITIES, WORDS, given, organs, studied, table_of

Row = dict[str, Any]
_TABLES = {hole: table_of(hole) for hole in WORDS}
FINDINGS = ("a fall", "no change", "a rise")
"""Of the measure under treatment: -1, 0, 1 from the middle."""
ALPHAS = (Fraction(5, 100), Fraction(1, 100), Fraction(10, 100))
_JOURNALS = ("Journal of", "Annals of", "Archives of", "Letters in", "Advances in", "Review of",
             "Proceedings on", "Studies in", "Bulletin of", "Transactions on")  # fmt: skip
_LISTS = ("References\n\n", "## References\n\n", "Literature\n\n", "Sources\n\n")


class Study(Stage):
    """The study of one page.

    Attributes:
        world: of the page.
        groups: name and values of each group; the first one is the control.
        references: of the world.
        scale: digits of the data.
        unit: of the data.
        alpha: level of significance.
    """

    def __init__(self, page: Page, genre: str) -> None:
        """Choose what is studied.

        Args:
            page: to write on; its world is filled here.
            genre: of the text.
        """
        super().__init__(page, genre, _TABLES)
        draw = self.draw
        self.world: Row = page.world
        reach = 300 + page.budget.vocabulary * 40
        self.subject, self.subjects = studied()[draw.below(min(reach, len(studied())))]
        self.organ, many = organs()[draw.below(min(reach // 4, len(organs())))]
        quantity, self.unit, self.scale = draw.choice(QUANTITIES)
        self.measure = f"{self.organ} {quantity}"
        self.given = given()[draw.below(min(reach // 2, len(given())))]
        self.alpha = draw.choice(ALPHAS) if draw.chance(40) else ALPHAS[0]
        self.groups: list[Row] = []
        self.references: list[Row] = []
        self._compared: dict[tuple[int, int], dict[str, Said]] = {}
        self.style = draw.choice(("number", "author"))
        self.world |= {
            "measure": self.measure, "unit": self.unit, "scale": self.scale,
            "alpha": [self.alpha.numerator, self.alpha.denominator], "groups": self.groups,
            "references": self.references, "style": self.style,
        }  # fmt: skip
        self.holes.update({
            "subject": Said(self.subject), "subjects": Said(self.subjects),
            "organ": Said(self.organ), "organs": Said(many),
            "measure": Said(self.measure), "given": Said(self.given),
            "alpha": Said(rounded(self.alpha, 2), "alpha"),
        })  # fmt: skip

    def add_groups(self, count: int, each: int) -> None:
        """Draw data of a control and of treated groups.

        Args:
            count: groups, >= 2.
            each: values a group at most, >= 3.
        """
        draw = self.draw
        base = draw.between(300, 3000)
        taken: set[int] = set()
        names = self._group_names(count)
        for name in names:
            middle = base if draw.chance(40) else base * draw.between(55, 160) // 100
            spread = max(12, base * draw.between(4, 25) // 100)
            values: list[int] = []
            while len(values) < each:
                value = max(1, middle + draw.below(2 * spread + 1) - spread)
                while value in taken:
                    value += 1
                taken.add(value)
                values.append(value)
            self.groups.append({"name": name, "values": values})
            each = max(3, each - draw.below(2))

    def _group_names(self, count: int) -> list[str]:
        draw = self.draw
        if draw.chance(35):
            unit = draw.choice(DOSES)
            step = draw.between(1, 40)
            doses = [f"{step * k} {unit} of {self.given}" for k in range(1, count)]
            return [draw.choice(("no treatment", f"no {self.given}")), *doses]
        names = [self.given]
        while len(names) < count:
            other = given()[draw.below(len(given()) // 2)]
            if other not in names:
                names.append(other)
        return [draw.choice(("the control", "no treatment", "plain handling")), *names[: count - 1]]

    def amount(self, value: Fraction | int, more: int = 1) -> str:
        """Return a value of the data with its unit.

        Args:
            value: in the data's smallest unit.
            more: digits beyond those of the data.

        Returns:
            As "3.42 mm".
        """
        return f"{rounded(value, self.scale + more, self.scale)} {self.unit}"

    def compare(self, first: int, second: int) -> None:
        """Speak of two groups from now on: a and b.

        Args:
            first: number of the group.
            second: number of another group.
        """
        known = self._compared.get((first, second))
        if known is None:
            known = self._compared[first, second] = self._comparison(first, second)
        self.holes.update(known)

    def _comparison(self, first: int, second: int) -> dict[str, Said]:
        values, other = self.groups[first]["values"], self.groups[second]["values"]
        ours, theirs = mean(values), mean(other)
        p, more, pair = rank_sum_p(values, other), ours - theirs, (first, second)
        percent = rounded(abs(more) * 100 / theirs, 1)
        significant = "significant" if p <= self.alpha else "not significant"
        direction = "higher" if more > 0 else "lower" if more < 0 else "no different"
        return {
            "ga": Said(self.groups[first]["name"], "group", (first,)),
            "gb": Said(self.groups[second]["name"], "group", (second,)),
            "ma": Said(self.amount(ours), "mean", (first,)),
            "mb": Said(self.amount(theirs), "mean", (second,)),
            "diff": Said(self.amount(abs(more)), "difference", pair),
            "pct": Said(f"{percent}%", "percent", pair),
            "p": Said(p_text(p), "p", pair),
            "verdict": Said(significant, "verdict", pair),
            "higher": Said(direction, "direction", pair),
            "sa": Said(self.spread_of(first), "deviation", (first,)),
            "na": Said(str(len(values)), "n", (first,)),
            "meda": Said(self.amount(median(values)), "median", (first,)),
            "mina": Said(self.amount(min(values), 0), "least", (first,)),
            "maxa": Said(self.amount(max(values), 0), "most", (first,)),
        }

    def spread_of(self, number: int) -> str:
        """Return a group's standard deviation with its unit.

        Args:
            number: of the group.

        Returns:
            As "0.31 mm".
        """
        return f"{deviation(self.groups[number]['values'], self.scale, self.scale + 1)} {self.unit}"

    def outcome(self, first: int, second: int) -> int:
        """Return what a comparison shows.

        Args:
            first: number of the group.
            second: of the one it is held against.

        Returns:
            0 if not significant, else -1 or 1.
        """
        ours, theirs = self.groups[first]["values"], self.groups[second]["values"]
        if rank_sum_p(ours, theirs) > self.alpha:
            return 0
        return 1 if mean(ours) > mean(theirs) else -1

    def add_references(self, count: int) -> None:
        """Draw what was written before.

        Args:
            count: how many, >= 1.
        """
        draw, prose = self.draw, self.prose
        known: set[tuple[str, int]] = set()
        while len(self.references) < count:
            authors = [prose.word("L") for _ in range(1 + draw.below(4))]
            year = draw.between(1931, 2029)
            if (authors[0], year) in known:
                continue
            known.add((authors[0], year))
            start = draw.between(1, 900)
            self.references.append({
                "authors": authors, "year": year, "title": prose.title(),
                "journal": f"{draw.choice(_JOURNALS)} {prose.word('n idea').capitalize()}",
                "volume": draw.between(1, 240), "pages": [start, start + draw.between(3, 40)],
                "finding": draw.below(3) - 1,
            })  # fmt: skip

    def cite(self, number: int) -> None:
        """Speak of a reference from now on.

        Args:
            number: of the reference.
        """
        row = self.references[number]
        authors = row["authors"]
        names = authors[0] if len(authors) == 1 else f"{authors[0]} and {authors[1]}"
        names = names if len(authors) < 3 else f"{authors[0]} et al."
        mark = f"[{number + 1}]" if self.style == "number" else f"({row['year']})"
        inner = mark if self.style == "number" else f"{names} {row['year']}"
        self.holes["cite"] = Said(f"{names} {mark}", "cite", (number,))
        self.holes["cite_in"] = Said(inner, "cite", (number,))
        self.holes["finding"] = Said(FINDINGS[row["finding"] + 1], "finding", (number,))

    def list_references(self) -> None:
        """Write the list of references."""
        page, draw = self.page, self.draw
        page.say(
            draw.choice(("References\n\n", "## References\n\n", "Literature\n\n", "Sources\n\n"))
        )
        for number, row in enumerate(self.references):
            people = ", ".join(row["authors"])
            label = f"[{number + 1}] " if self.style == "number" else ""
            line = (
                f"{label}{people} ({row['year']}). {row['title']}. {row['journal']}"
                f" {row['volume']}, {row['pages'][0]}-{row['pages'][1]}."
            )
            page.fact("entry", line, number)
            page.say("\n")

    def heading(self, *names: str) -> None:
        """Write a heading of a section.

        Args:
            *names: one is drawn; empty: none.
        """
        name = self.draw.choice(names)
        mark = self.draw.choice(("## ", "", ""))
        self.page.say(f"{mark}{name}\n\n" if name else "")

    def title(self) -> None:
        """Write the title of the text."""
        self.page.say(self.draw.choice(("# ", "", "", "Title: ")))
        self.tell(TITLES, "\n\n")
