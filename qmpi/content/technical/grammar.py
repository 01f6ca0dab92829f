"""Sentences of technical documents, as grammars with holes for the system's own things.

Theory of operation. Holes are of two kinds: facts of the world ({key}, {flag}, {default}, {mod},
{code}...) and words of software drawn afresh ({op3}, {part}, {trait}...). A pool a purpose: what a
setting is for, which values it takes, when an error comes up, why something changed.
"""

from collections.abc import Sequence

from qmpi.content.english.frames import FramePool
from qmpi.content.english.grammar import grammar

_COMMON: dict[str, Sequence[str]] = {
    "one": (
        "the {part}", "each {item}", "the {trait} {part}", "the {part} of {mod}", "every {item}",
        "the [n thing] of the {part}", "any {trait} {item}", "what the {part} {op3}",
        "its {trait} {part}", "the {part} that {op3} {items}", "the {trait} {item}",
        "one {item} per {part}",
    ),
    "object": (
        "<one>", "<one>", "{trait} {items}", "<one>", "every {item}", "the {part} of {mod}",
        "[a] {items}", "all {trait} {parts}", "the [n thing] of the {part}", "{items} from [P]",
        "{parts} and {items}", "what the {part} {op3}", "one {item} per {part}",
        "the {part} that {op3} {items}", "any {item} the {part} has {opn}", "its {trait} {parts}",
    ),
    "actor": (
        "{mod}", "the {part}", "{mod}", "the {trait} {part}", "{sys}", "{apart}",
        "the {part} behind {mod}", "another {part}", "the [n thing] {part}",
    ),
    "event": (
        "{deed}", "{deed}", "{mod} {op3} <object>", "{deed} {how}", "the {part} is {trait}",
        "{atrait} {item} arrives", "<actor> {op3} <object>", "the {part} has become {trait}",
        "{items} pile up", "<one> has been {opn}", "<actor> cannot {op} <object>",
        "{apart} {op3} [r]", "the {part} turns {trait}", "two {parts} {op} the same {item}",
        "nothing {op3} the {part}", "<actor> {op3} <object> {how}",
    ),
    "when": (
        "when <event>", "while <event>", "once <event>", "until <event>", "unless <event>",
        "after <actor> {op3} <object>", "as soon as <event>", "before <event>", "even if <event>",
        "whenever <event>", "each time <event>", "as long as <event>",
    ),
    "why": (
        "so that {items} stay {trait}", "because <event>", "to keep the {part} {trait}",
        "since <event>", "so <actor> can {op} <object>", "for otherwise <event>",
        "to {op} <object>", "for {parts} that {op} {items}", "which keeps {items} {trait}",
        "so that <actor> need not {op} <object>", "instead of {opg} <object>",
    ),
    "plain": (
        "by default, {deed}", "note that {deed}", "for example, {deed}", "this means that <event>",
        "if the {part} does not exist, it is {opn} <when>", "in most cases, <event>",
        "this can be used to {op} <object>", "on success, {mod} returns <object>",
        "all other {items} are ignored", "this is not supported <when>",
        "if no {item} is given, <actor> {op3} <object>", "the {part} must exist before {deed}",
        "it is safe to {op} <object> <when>", "only the owner of the {part} can {op} {items}",
        "make sure that <event> before you {op} <object>", "unlike earlier versions, {deed}",
        "the caller is responsible for {opg} <object>",
        "{items} are read in the order they are {opn}", "{deed}", "{deed} <when>",
        "{deed}, and <actor> {op3} <object>", "{deed} <why>",
        "{deed}; {trait} {items} are {opn} {how}", "{deed}, but only <when>",
        "as long as {deed}, <event>", "{deed} {how}; otherwise <event>",
        "<actor> {op3} <object> <when>", "<actor> {op3} <object> <why>", "<when>, <event>",
        "<event>; {mod} then {op3} <object>", "<actor> must not {op} <object> <when>",
        "{opg} <object> is left to <actor>", "{parts} are {opn} {how}, {items} {how}",
        "to {op} <object>, {mod} {op3} the {part} {how}", "<event>, and <actor> {op3} <object>",
        "<actor> {op3} <object>, {op3} <object>, and {op3} the {part} {how}",
        "if <event>, <actor> {op3} <object>; otherwise it {op3} the {part}",
        "{items} {op} the {part} only <when>", "<actor> {op3} <object> {how} <why>",
        "<when>, <actor> may {op} <object>, <why>", "[a] {items} are {opn} by <actor> <when>",
        "rather than {op} <object>, <actor> {op3} <object>", "<actor> never {op3} <object>",
        "<one> belongs to {mod}, which {op3} it <when>", "{trait} {parts} {op} nothing <why>",
    ),
    "plain_past": (
        "{deed_past}", "{deed_past} {how}", "{deed_past} until the {part} {opd} <object>",
        "while {deed_past}, <actor> {opd} <object>", "{deed_past}, and <actor> {opd} <object>",
        "<actor> {opd} <object> {how}", "<actor> had {opn} <object>", "the {part} {opd} <object>",
        "{items} were {opn} {how}", "nobody had {opn} <object>", "<actor> {opd} <object>",
        "[F] {opd} the {part}", "{atrait} {part} had {opn} <object>", "{mod} stopped {opg} {items}",
        "while the {part} was {trait}, <actor> {opd} <object>", "<one> had never been {opn}",
        "<actor> {opd} {how}, and the {part} {opd} <object>", "[F] and [F] {opd} <object> {how}",
        "only <one> stayed {trait}", "the {part} turned {trait}, so <actor> {opd} <object>",
    ),
    # What a setting of each kind means.
    "count": (
        "how many {items} {mod} may {op}", "the number of {items} that {mod} {op3} at once",
        "how many {items} the {part} holds", "the most {trait} {items} <actor> will {op}",
        "how often <actor> tries to {op} {aitem}", "how many {parts} {op} {items} {how}",
        "the number of {parts} for {trait} {items}", "how far <actor> {op3} {items} {how}",
    ),
    "time": (
        "how long {mod} waits for {atrait} {item}", "the time {items} spend in the {part}",
        "how long <actor> {op3} <object>", "when {atrait} {item} is {opn}",
        "the pause before <actor> {op3} <object>", "how late {aitem} may be {opn}",
        "the age at which {items} count as {trait}",
    ),
    "size": (
        "how much room {items} take in the {part}", "the size of the {part} for {trait} {items}",
        "the memory <actor> may use to {op} {items}", "how large {aitem} may grow {how}",
        "the space {mod} keeps for <object>", "the length at which <actor> {op3} {aitem}",
    ),
    "share": (
        "the share of {items} that may be {trait}", "how full the {part} of {items} may get",
        "the part of all {items} that {mod} {op3}", "how many of its {items} <actor> {op3} {how}",
        "the portion of the {part} kept for {trait} {items}",
    ),
    "switch": (
        "whether {mod} {op3} {items}", "whether <actor> {op3} <object> {how}",
        "if {trait} {items} are {opn} {how}", "whether {items} are {opn} <when>",
        "whether {aitem} must be {opn} before the {part} {op3} it",
    ),
    "choice": (
        "how {mod} {op3} {items}", "which {items} <actor> {op3} first",
        "in what way <actor> {op3} <object>", "how {trait} {items} are {opn} <when>",
        "what happens to {items} <when>",
    ),
    # Values.
    "number": (
        "if not set, {default} is used", "the default value is {default}",
        "the value must be between {low} and {high} (default: {default})",
        "valid values range from {low} to {high}; the default is {default}",
        "the default is {default}", "it is {default} unless set", "without it, {default} is used",
        "the default, {default}, suits {trait} {items}",
        "{low} to {high} is allowed, {default} usual",
        "any value from {low} to {high} will do; {default} is assumed",
        "it starts at {default} and is held between {low} and {high}",
        "{mod} assumes {default} and refuses more than {high}",
        "less than {low} or more than {high} is an error; unset means {default}",
        "values: {low} to {high}. Default: {default}",
        "between {low} and {high}; initially {default}",
        "{default} is enough <when>; the ceiling is {high}, the floor {low}",
        "range {low} to {high}, {default} if absent", "most {parts} run with {default}",
        "never above {high}, never below {low}; {default} <when>",
    ),
    "word": (
        "the default is {default}", "one of {choices}; {default} if unset",
        "choose among {choices}", "{choices} are understood, and {default} is assumed",
        "it is {default} <when>", "unset, it means {default}",
        "{default} is the usual choice among {choices}", "allowed: {choices}. Default: {default}",
    ),
    "truth": (
        "it is {default} by default", "the default is {default}", "{default} unless <event>",
        "{sys} ships with it {default}", "leave it {default} <when>", "it stays {default} <when>",
        "as shipped it is {default} <why>",
    ),
    "extra": (
        "this can be given more than once", "it takes effect when {mod} is restarted",
        "this is useful when <event>", "use it with care, since <event>",
        "only available if <event>", "it cannot be changed while <event>",
        "setting {env} has the same effect", "see {key2} for a related setting",
        "the value is read once, when {mod} starts", "it is read from {env} as well",
        "{env} sets it too", "see also {key2}", "set {key2} along with it <when>",
        "it has no effect <when>", "<plain>", "it appeared in {since}",
        "new in {since}; before that, <actor> {opd} <object>", "added by [F] in {since} <why>",
        "on the command line: {flag}", "raise it only <when>",
        "{env} wins over the file, {flag} over both", "it is ignored <when>",
        "available since {since}", "together with {key2} it decides how {items} are {opn}",
        "{code} is raised <when>", "exported as {env}", "{mod} {op3} it {how}",
        "check {key2} before you change it",
    ),
    "failure": (
        "this error is returned if <event>", "the {part} is not {trait}, or <event>",
        "{mod} gives up <when>", "the {part} could not {op} {atrait} {item}",
        "<actor> found <object> {trait}", "{key} was set too low <when>", "<event>",
        "{aitem} was {opn} twice", "{mod} {opd} <object> while <event>",
        "{key} does not fit {key2}", "no {part} could {op} {items} <when>",
        "the {item} exceeds {key}", "<actor> {op3} <object> although <event>",
    ),
    "remedy": (
        "to resolve this, {op} <object>", "make sure that <event>, then restart {mod}",
        "raise {key} <when>", "restart {mod} {how}", "{op} <object> {how}",
        "set {flag} and try again", "{op} the {part}, then {op} <object>",
        "check that {key} suits {trait} {items}", "unset {env}",
        "ask the owner of {mod} to {op} <object>", "wait until <event>",
        "compare {key} with {key2}, then {op} <object>", "{op} {trait} {items} by hand <why>",
    ),
    "reason": (
        "<event>", "{items} were {opn} {how}", "<actor> could {op} <object> {how}",
        "{trait} {items} made the {part} {trait}", "[F] wanted to {op} <object>",
        "the {part} was {trait} <when>", "users of {mod} asked to {op} {items}",
        "{parts} and {items} were {opn} by the same {part}",
    ),
}  # fmt: skip

_TITLES = (
    "{opg} {items} with {sys}", "{trait} {items} and the {part} of {sys}", "{items} in {sys}",
    "{sys}: {opg} {trait} {items}", "how {sys} {op3} {items}", "[a] {items}, [a] {parts}: {sys}",
    "when {items} turn {trait}", "{op} your {items} {how}", "the {trait} {part} of {sys}",
    "{sys} and the [n thing] {part}", "{items} without {trait} {parts}", "notes on {trait} {items}",
    "{trait} {parts} in {sys}", "from {trait} {items} to {trait} {parts}",
)  # fmt: skip


def _pool(start: str, size: int, *alternatives: str) -> FramePool:
    rules = {start: alternatives} if alternatives else {}
    return FramePool(grammar(**{**_COMMON, **rules}), start, size)


PLAIN = _pool("plain", 1024)
PLAIN_PAST = _pool("plain_past", 768)
EXTRA = _pool("extra", 768)
FAILURE = _pool("failure", 512)
REMEDY = _pool("remedy", 512)
REASON = _pool("reason", 512)
TITLES = _pool("titles", 384, *_TITLES)
EVENT = _pool("event", 384)
TASK = _pool("task", 384, "{op} <object>", "{op} <object> {how}", "{op} {trait} {items} <why>")
ADDED = _pool(
    "added", 384,
    "{key} is new, at {became} <when>", "new: {flag}, {became} by default",
    "added {key} ({became})", "{mod} gained {flag} <why>; it begins at {became}",
    "{flag} appears, set to {became}", "there is now {key}, {became} unless <event>",
    "[F] added {key}, {became} for now", "introduced {env} and {flag}, both {became} until set",
    "first version with {key}: {became}",
)  # fmt: skip
CHANGED = _pool(
    "changed", 384,
    "{key} is {became} now, not {was}, because <reason>", "{flag}: {was} became {became} <why>",
    "changed the default of {key} from {was} to {became}",
    "{was} is no longer usual for {key}; {became} is",
    "{key} moved from {was} to {became} after [F] saw that <reason>",
    "{mod} assumes {became} for {flag}, where it used to assume {was}",
    "<reason>, so {key} goes from {was} to {became}", "{env} defaults to {became} (before: {was})",
)  # fmt: skip
REPAIRED = _pool(
    "repaired", 384,
    "fixed: <event>", "{mod} no longer {op3} <object> <when>", "<actor> {op3} <object> {how} now",
    "{code} is raised {how} instead of {how}", "<one> is {opn} {how} again", "<plain>",
    "repaired the {trait} {part} that {opd} {items} <when>",
    "[F] stopped <actor> from {opg} <object>", "faster {opg} of {trait} {items} <why>",
    "{parts} are {opn} before {items}, not after",
)  # fmt: skip
VALUES = {
    kind: _pool(rule, 384)
    for kind, rule in (
        *((kind, "number") for kind in ("count", "time", "size", "share")),
        ("switch", "truth"),
        ("choice", "word"),
    )
}
"""Which values a setting of a kind takes."""
MEANINGS = {
    kind: _pool(
        f"means_{kind}",
        384,
        f"{{key}} sets <{kind}>",
        f"{{key}} specifies <{kind}>",
        f"the setting {{key}} determines <{kind}>",
        f"{{flag}} is used to specify <{kind}>",
        f"{{key}} controls <{kind}>",
        f"use {{flag}} to choose <{kind}>",
        f"<{kind}> is set by {{key}}",
        f"{{flag}} decides <{kind}>",
        f"with {{key}} you tell {{mod}} <{kind}>",
        f"<{kind}>: that is {{key}}",
        f"{{mod}} reads {{key}} to learn <{kind}> <when>",
        f"<{kind}> depends on {{key}} and on whether <event>",
    )
    for kind in ("count", "time", "size", "share", "switch", "choice")
}
"""What a setting of a kind is for, with its name."""
PURPOSES = {kind: _pool(kind, 384) for kind in MEANINGS}
"""What a setting of a kind is for, without its name."""
