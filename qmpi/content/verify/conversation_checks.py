"""Does the state that a conversation ends in follow from its turns?

Theory of operation. The acts of the certificate are replayed here: who may confirm what, what "it"
stands for, what is settled at the end. Speakers, labels, values, votes and tool calls in the text
must be those that the replay gives.
"""

import json
from typing import Any

from qmpi.content.document import Document, Fact

_SETS = ("propose", "correct", "correct_it")


class _State:
    def __init__(self, world: dict[str, Any]) -> None:
        self.world = world
        self.now: dict[int, int] = {}
        self.faults: list[str] = []
        before: list[Any] | None = None
        ever: dict[int, set[int]] = {}
        for number, act in enumerate(world["acts"]):
            fault = self._fault(act, before, ever)
            if fault:
                self.faults.append(f"act {number} {act}: {fault}")
            self._do(act, ever)
            before = act

    def _do(self, act: list[Any], ever: dict[int, set[int]]) -> None:
        kind, _, item, value = act
        if kind in _SETS:
            self.now[item] = value
            ever.setdefault(item, set()).add(value)
        if kind == "drop":
            self.now.pop(item, None)

    def _fault(
        self, act: list[Any], before: list[Any] | None, ever: dict[int, set[int]]
    ) -> str | None:
        kind, _, item, value = act
        if kind in ("correct_it", "remind") and (before is None or before[2] != item):
            return "'it' does not stand for what was spoken of before"
        if kind in ("confirm", "remind") and self.now.get(item) != value:
            return "what is confirmed is not what was settled"
        if kind in ("correct", "correct_it", "drop") and item not in self.now:
            return "what is changed was not settled"
        if kind == "mistake" and (value not in ever.get(item, ()) or self.now.get(item) == value):
            return "what is misremembered was never said, or holds"
        return None


def check_conversation(document: Document) -> list[str]:
    """Check a document of type conversation.

    Args:
        document: with its certificate.

    Returns:
        Faults in words.
    """
    try:
        state = _State(document.world)
        faults = list(state.faults)
        for fact in document.facts:
            said = document.text[fact.start : fact.end]
            expected = _expected(state, fact, said)
            if expected is not None and said != expected:
                faults.append(f"{fact.kind} {list(fact.args)}: says {said!r}, not {expected!r}")
        return faults + _order_faults(document, state)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return [f"the certificate cannot be read: {error!r}"]


def _expected(state: _State, fact: Fact, said: str) -> str | None:
    world, args = state.world, list(fact.args)
    number: Any = args[0]
    match fact.kind:
        case "speaker":
            name = world["speakers"][number]
            return name if said == name else name.split(" ")[0]
        case "label":
            return _same_case(world["labels"][number], said)
        case "value":
            second: Any = args[1]
            return _same_case(world["values"][number][second], said)
        case "answer":
            return world["values"][number][state.now[number]]
        case "act" | "agreed":
            return _mentions(state, fact.kind, number, said)
        case "vote":
            voter: Any = args[1]
            return ("no", "yes")[world["votes"][number][voter]]
        case "count":
            return str(sum(world["votes"][number]))
        case "result":
            votes = world["votes"][number]
            return "carried" if sum(votes) > len(votes) - sum(votes) else "lost"
        case "call":
            return _call(state, number, said)
        case _:
            raise ValueError(f"no fact is called {fact.kind}")


def _same_case(expected: str, said: str) -> str:
    # At the start of a sentence the first letter is a capital.
    return said if said[:1].lower() + said[1:] == expected else expected


def _mentions(state: _State, kind: str, number: int, said: str) -> str | None:
    world = state.world
    if kind == "agreed":
        needed = [world["labels"][number], world["values"][number][state.now[number]]]
    else:
        act, _, item, value = world["acts"][number]
        needed = [] if act in ("correct_it", "remind") else [world["labels"][item]]
        needed += [world["values"][item][value]] if value >= 0 else []
    lowered = said.lower()
    missing = [words for words in needed if words.lower() not in lowered]
    return f"a sentence with {missing[0]!r}" if missing else None


def _call(state: _State, item: int, said: str) -> str | None:
    world = state.world
    wanted = {
        "tool": world["tool"],
        world["labels"][item]: world["values"][item][state.now[item]],
    }
    try:
        return None if json.loads(said) == wanted else json.dumps(wanted)
    except ValueError:
        return json.dumps(wanted)


def _order_faults(document: Document, state: _State) -> list[str]:
    faults: list[str] = []
    told = [fact.args[0] for fact in document.facts if fact.kind == "act"]
    if told != list(range(len(state.world["acts"]))):
        faults.append("the acts are not spoken each once, in order")
    speaker: Any = None
    for fact in document.facts:
        if fact.kind == "speaker":
            speaker = fact.args[0]
        if fact.kind == "act":
            number: Any = fact.args[0]
            if state.world["acts"][number][1] != speaker:
                faults.append(f"act {number} is spoken by another")
    if not any(fact.kind == "answer" for fact in document.facts):
        faults.append("there is no answer")
    return faults
