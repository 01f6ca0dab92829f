"""Solvers of books, rights and packages: sums in and out, closures, every version tried."""

import re

from qmpi.content.exercise import Exercise
from qmpi.content.verify.reading import (
    Check,
    Values,
    certificate_fault,
    first_fault,
    listed,
    only,
    sorted_out,
    steps_any_order_fault,
    steps_fault,
)

_COIN = "(?:crowns|dinars|florins|marks|pesos|tokens|credits)"
_BOOKS = {
    "open": (
        "{in:w} starts with {n:d} " + _COIN,
        "At first {in:w} has {n:d} " + _COIN,
        "The account of {in:w} opens at {n:d} " + _COIN,
        "{n:d} " + _COIN + " stand in the account of {in:w} to begin with",
    ),
    "entry": (
        "{out:w} pays {in:w} {n:d} " + _COIN,
        "{in:w} receives {n:d} " + _COIN + " from {out:w}",
        "{n:d} " + _COIN + " go from {out:w} to {in:w}",
        "{out:w} owes {in:w} {n:d} " + _COIN + " and settles that",
        "A fee of {n:d} " + _COIN + " is taken from {out:w}",
        "{out:w} loses {n:d} " + _COIN + " to the tax",
        "{in:w} earns {n:d} " + _COIN + " from outside",
        "Interest of {n:d} " + _COIN + " is credited to {in:w}",
    ),
    "most": ("Who has most in the end", "Whose balance is the largest at last"),
    "asked": (
        "How much does {who:w} have in the end, in " + _COIN,
        "What is the last balance of {who:w}, in " + _COIN,
        "How many " + _COIN + " are left to {who:w}",
    ),
}


def check_ledger(exercise: Exercise, answer: str) -> str | None:
    """Check a balance.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _BOOKS)
    names = [v["in"] for v in found["open"]]
    asked = only(found["most"] + found["asked"], "what is asked").get("who", "most")
    last = {name: _balance(name, found, len(found["entry"])) for name in names}
    if asked == "most":
        best = [name for name in names if last[name] == max(last.values())]
        right = best[0] if len(best) == 1 else "?"
    else:
        right = str(last[asked])
    if right != answer:
        return f"it is {right}, not {answer}"
    expected: list[Values] = []
    for count, v in enumerate(found["entry"], 1):
        shown = [
            (name, _balance(name, found, count)) for name in (v.get("out"), v.get("in")) if name
        ]
        slots = zip("ab", shown, strict=False)
        expected.append({key + str(n): str(x) for key, pair in slots for n, x in enumerate(pair)})
    one, two = r"{a0:w}(?:: | | = ){a1:d}", r"{b0:w}(?:: | | = ){b1:d}"
    return first_fault(
        certificate_fault(exercise, asked=asked, entries=len(expected)),
        steps_fault(exercise, (f"{one}[,;] {two}", one), expected),
    )


def _balance(name: str, found: dict[str, list[Values]], count: int) -> int:
    entries = found["open"] + found["entry"][:count]
    gained = sum(int(v["n"]) for v in entries if v.get("in") == name)
    return gained - sum(int(v["n"]) for v in entries if v.get("out") == name)


_RIGHTS = {
    "asked": (
        "May {who:w} {verb:w} the {what:w}",
        "Is {who:w} allowed to {verb:w} the {what:w}",
        "Can {who:w} {verb:w} the {what:w} by right",
    ),
    "includes": (
        "Every {sub:w} is also a {sup:w}",
        "The role {sub:w} includes the role {sup:w}",
        "Whoever is {sub:w} counts as {sup:w} too",
    ),
    "grant": (
        "The role {role:w} may {verb:w} the {what:w}",
        "To {verb:w} the {what:w} is allowed to the role {role:w}",
        "The right to {verb:w} the {what:w} belongs to the role {role:w}",
    ),
    "ban": (
        "The role {role:w} must not {verb:w} the {what:w}",
        "To {verb:w} the {what:w} is forbidden to the role {role:w}",
        "For the role {role:w} there is a ban to {verb:w} the {what:w}",
    ),
    "holds": (
        "{sub:w} has the role {sup:w}",
        "The role {sup:w} was given to {sub:w}",
        "{sub:w} works under the role {sup:w}",
    ),
}
_RIGHT_STEPS = (
    r"The role {role:w} says {nothing:w} of it\.",
    r"The role {role:w} {verdict:w} it\.",
    "{role:w}: {word:w}",
    "{role:w} = {sign:w}",
)
_VERDICTS: dict[str, Values] = {
    "": {"nothing": "nothing", "word": "silent", "sign": "none"},
    "grant": {"verdict": "allows", "word": "right", "sign": "yes"},
    "ban": {"verdict": "bans", "word": "ban", "sign": "no"},
}


def check_access(exercise: Exercise, answer: str) -> str | None:
    """Check whether somebody may do something.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _RIGHTS)
    asked = only(found["asked"], "the right")
    pairs = [(v["sub"], v["sup"]) for v in found["includes"] + found["holds"]]
    roles = {asked["who"]}
    while new := {sup for sub, sup in pairs if sub in roles} - roles:
        roles |= new
    roles.remove(asked["who"])
    verdict = dict.fromkeys(sorted(roles), "")
    for kind in ("grant", "ban"):
        for v in found[kind]:
            if v["role"] in roles and (v["verb"], v["what"]) == (asked["verb"], asked["what"]):
                verdict[v["role"]] = kind
    allowed = "grant" in verdict.values() and "ban" not in verdict.values()
    if answer != ("yes" if allowed else "no"):
        return f"that is {'allowed' if allowed else 'forbidden'}"
    expected = [{"role": role, **_VERDICTS[kind]} for role, kind in verdict.items()]
    deed = f"{asked['verb']} {asked['what']}"
    return first_fault(
        certificate_fault(exercise, who=asked["who"], deed=deed),
        steps_any_order_fault(exercise, _RIGHT_STEPS, expected),
    )


_PACKAGES = {
    "install": (
        r"\w+ of {town:w} installs {what:w}",
        r"On a server in {town:w} \w+ sets up {what:w}",
        r"\w+, an? \w+ in {town:w}, wants to use {what:w}",
    ),
    "shelf": (
        r"Of {name:w} there are the versions (?P<all>[\d, and]+)",
        r"The versions (?P<all>[\d, and]+) of {name:w} have been released",
        r"{name:w} exists in the versions (?P<all>[\d, and]+)",
    ),
    "needs": (
        "Every version of {by:w} needs {name:w} from {low:d} to {high:d}",
        "Any {by:w} works only with {name:w} {low:d} to {high:d}",
        "{by:w} {version:d} needs {name:w} from {low:d} to {high:d}",
        "Version {version:d} of {by:w} works only with {name:w} {low:d} to {high:d}",
        "For {by:w} {version:d} one must have {name:w}, at least {low:d} and at most {high:d}",
    ),
    "order": (
        "For each package the newest version that all versions chosen before allow is taken, in "
        "the order {names}",
        "Packages are chosen in the order {names}, each as new as the earlier choices permit",
        "In the order {names}, each gets its highest version that the ones already taken accept",
    ),
    "asked": (
        "Which version of {name:w} is taken",
        "What version of {name:w} results",
        "Which {name:w} is installed",
    ),
}
_PACKAGE_STEPS = (
    "{name:w}: {version:w}",
    r"{name:w} is taken as {version:w}\.",
    "{name:w} = {version:w}",
)


def check_versions(exercise: Exercise, answer: str) -> str | None:
    """Check which version is chosen.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _PACKAGES)
    install = only(found["install"], "the goal")
    names = listed(only(found["order"], "the order")["names"])
    asked = only(found["asked"], "the package")["name"]
    shelf = {v["name"]: [int(n) for n in re.findall(r"\d+", v["all"])] for v in found["shelf"]}
    taken: dict[str, str] = {}
    for name in names:
        versions = sorted(shelf[name], reverse=True)
        taken[name] = next((str(n) for n in versions if _accepted(name, n, taken, found)), "none")
    if install["what"] != asked or taken[asked] != answer:
        return f"the version is {taken[asked]}, not {answer}"
    expected = [{"name": name, "version": version} for name, version in taken.items()]
    return first_fault(
        certificate_fault(
            exercise,
            packages=names,
            town=install["town"],
            released=sorted(version for row in shelf.values() for version in row),
            ranges=sorted(f"{v['low']}-{v['high']}" for v in found["needs"]),
        ),
        steps_fault(exercise, _PACKAGE_STEPS, expected),
    )


# A package of which no version was taken still binds through what all its versions need.
def _accepted(
    name: str, version: int, taken: dict[str, str], found: dict[str, list[Values]]
) -> bool:
    return all(
        int(v["low"]) <= version <= int(v["high"])
        for v in found["needs"]
        if v["name"] == name and v["by"] in taken
        if v.get("version", taken[v["by"]]) == taken[v["by"]]
    )


CHECKS: dict[str, Check] = {
    "ledger": check_ledger,
    "access": check_access,
    "versions": check_versions,
}
"""Solvers by family."""
