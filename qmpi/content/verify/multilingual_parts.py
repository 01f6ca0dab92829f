"""Parts of a clause on their own: answers, quoted phrases, glosses."""

from typing import Any

from qmpi.content.verify.multilingual_clauses import Reader
from qmpi.content.verify.multilingual_lexicon import tongue
from qmpi.content.verify.multilingual_sentences import bodies, reduced

_PLACES = {"S": 2, "O": 3, "R": 4, "P": 5, "T": 6}
_COUNTS = ("SG.DEF", "SG.INDF", "PL.DEF")


def part_texts(code: str, event: Any, role: str, text: str) -> list[str]:
    """Return the text if it can be that part of the event.

    Args:
        code: language.
        event: of the world.
        role: S, O, R, P or T.
        text: shown.

    Returns:
        The text alone, or nothing.
    """
    rows = tongue(code).rows
    wanted = reduced(code, ("e", event, None), rows["n"], rows["v"])[1][_PLACES[role]]
    reader = Reader(code, text)
    for end, value in reader.part(role, 0, sub=False):
        if end != len(text):
            continue
        if role in "PT":
            same = value == wanted or (
                role == "T" and _adverb(code, value) == _adverb(code, wanted)
            )
        else:
            phrase = _plain(code, value[:3])
            same = _spelled(code, phrase) == _spelled(code, wanted)
            if code == "hi" and role == "S":
                same = same and (len(value) > 3) == (event[1] == 0)
        if same:
            return [text]
    return []


def _adverb(code: str, time: int) -> str:
    return tongue(code).rows["t"][time][1]


def _plain(code: str, phrase: Any) -> Any:
    noun, count, quality = phrase
    if noun >= 0 and code in {"ru", "ja"} and count == 1:
        count = 0
    return noun, count, quality


def _spelled(code: str, phrase: Any) -> Any:
    rows = tongue(code).rows
    noun, count, quality = phrase
    if noun < 0:
        names = [row[1] for row in rows["p"] if row[0] == ("f" if noun == -1 else "m")]
        return noun, names[count], rows["q"][quality][0]
    return rows["n"][noun][2:], count, rows["a"][quality][1] if quality >= 0 else ""


def glosses(code: str, sentence: str, event: Any) -> list[str]:
    """Return the lines of glosses that a sentence may have under it.

    Args:
        code: of the glossed language.
        sentence: shown above.
        event: of the world.

    Returns:
        A line for each order in which the sentence can be read.
    """
    made = _marks(event)
    lines = []
    for body in bodies(code, sentence):
        known = [roles for roles in Reader(code, body).roles() if set(roles) <= made.keys()]
        lines += [" ".join(made[role] for role in roles) for roles in known]
    return lines


def _marks(event: Any) -> dict[str, str]:
    rows = tongue("en").rows
    verb, tense, agent, item, receiver, place, time = event
    made = {"V": f"{rows['v'][verb][3]}-{('PST', 'PRS', 'FUT')[tense]}"}
    for role, phrase, case in (("S", agent, "NOM"), ("O", item, "ACC"), ("R", receiver, "DAT")):
        if phrase is not None:
            noun, count, quality = phrase
            word = rows["n"][noun][2].replace(" ", ".")
            head = f"{rows['a'][quality][1]}." if quality >= 0 else ""
            mark = _COUNTS[count] if count < 3 else f"COUNT.{count}"
            made[role] = f"{head}{word}-{mark}.{case}"
    if place is not None:
        where = rows["y"][-1 - place][0] if place < 0 else rows["n"][place][2].replace(" ", ".")
        made["P"] = f"{where}-LOC"
    if time is not None:
        made["T"] = rows["t"][time][1].replace(" ", ".")
    return made
