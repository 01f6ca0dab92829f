"""English forms that lemminflect guesses wrong, mended by rule: lobstermen, not lobstermans."""

import re

_MANS = frozenset(
    {
        "shaman", "cayman", "talisman", "brahman", "zaman", "caiman", "liman", "dolman", "saman",
        "soman", "dragoman",
    }
)  # fmt: skip
"""No men."""
_PLURALS = {
    "brainchild": "brainchildren", "woodlouse": "woodlice", "hindfoot": "hindfeet",
    "locus": "loci", "opus": "opuses", "tetanus": "tetanus", "tinnitus": "tinnitus",
    "flatfoot": "flatfeet",
}  # fmt: skip
_VERBS = {
    "joyride": ["joyrides", "joyrode", "joyridden", "joyriding"],
    "torpedo": ["torpedoes", "torpedoed", "torpedoed", "torpedoing"],
    "jell": ["jells", "jelled", "jelled", "jelling"],
    "ski": ["skis", "skied", "skied", "skiing"],
    "impanel": ["impanels", "impanelled", "impanelled", "impanelling"],
}
_ONE = frozenset({"lens", "summons"})
"""Singular, although they look like plurals."""


def verb_forms(word: str, guesses: list[str]) -> list[str]:
    """Return the forms of a verb, without the space or hyphen of some: re-done, over shot.

    Args:
        word: infinitive.
        guesses: third person, past, participle, -ing, as lemminflect says.

    Returns:
        Four forms.
    """
    return _VERBS.get(word) or [_joined(form) for form in guesses]


def _joined(form: str) -> str:
    return form.replace("-", "").replace(" ", "")


def plural_of(word: str, guess: str) -> str:
    """Return the plural of a noun; itself for what is not counted; "" for what has no singular.

    Args:
        word: singular, as the dictionary has it.
        guess: what lemminflect says.

    Returns:
        A form, or "" for shorts, regrets, badlands: they would be said in the singular.
    """
    guess = _PLURALS.get(word, _joined(guess))
    if guess == word + "s" and word.endswith("man") and word not in _MANS:
        return word[:-2] + "en"
    if guess != word + "es":
        return guess
    if word.endswith("sis") and word != "sis":
        return word[:-2] + "es"
    if word.endswith(("itis", "ics")):
        return word
    if re.search(r"[^aious]s$", word) and word not in _ONE:
        return ""
    return guess
