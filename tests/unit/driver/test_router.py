"""The router: who is told what, and which messages are refused."""

import pytest
from unit.driver.scripted import HERALD, HERE, SPARE, THERE, TRAINER, ScriptedRole, header

from qmpi.driver.router import Perform, Post, Router, Schedule, Tell
from qmpi.errors import InvariantError
from qmpi.ports.base import Announce, BecomeRole, Event, RoleStarted, Started
from qmpi.ports.clock import SetTimer
from qmpi.ports.copies import ForgetCopies
from qmpi.ports.transport import Received, Send
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import GroupBroken, Leave, Regroup
from qmpi.protocol.messages import GENERATION_BOUND
from qmpi.protocol.progress import Grant
from qmpi.units import Generation, Rank, Seconds

NOW = Seconds(5.0)
LEAVE = Leave(0, "over")
REGROUP = Regroup(Generation(3), "a death")


class News(Event, frozen=True):
    """Something that one role tells the others."""

    number: int


def router_of(*roles):
    by_name = {role.name: role for role in roles}
    router = Router(HERE, lambda name, _describe: by_name[name])
    for role in roles:
        router.start(role.name)
    return router


def answering(name, *effects, generation=0):
    return ScriptedRole(name, lambda _event, _now: effects, generation)


def test_a_new_role_is_told_first_and_then_the_others_by_name():
    router = router_of(ScriptedRole(TRAINER), ScriptedRole(HERALD))
    router._build = lambda name, _describe: ScriptedRole(name)
    assert router.start(SPARE, "why") == [
        Tell(SPARE, Started(), "why"),
        Tell(HERALD, RoleStarted(SPARE), "why"),
        Tell(TRAINER, RoleStarted(SPARE), "why"),
    ]


def test_a_role_that_is_there_already_is_kept():
    first = ScriptedRole(TRAINER)
    router = router_of(first)
    router._build = lambda _name, _describe: pytest.fail("built a second time")
    assert router.start(TRAINER) == []
    assert router.roles[TRAINER] is first


@pytest.mark.parametrize(("said", "known", "heard"), [(2, 2, True), (3, 2, True), (1, 2, False)])
def test_a_message_bound_to_an_older_generation_is_refused(said, known, heard):
    role = ScriptedRole(TRAINER, generation=known)
    router_of(role).receive(header(TRAINER, said), REGROUP, (), NOW)
    assert bool(role.events) == heard


def test_a_fact_of_an_older_generation_is_heard():
    role = ScriptedRole(TRAINER, generation=9)
    router_of(role).receive(header(TRAINER, 1), LEAVE, (b"frame",), NOW)
    assert role.events == [Received(header(TRAINER, 1), LEAVE, (b"frame",))]


def test_every_bound_message_is_refused():
    assert {Regroup, Grant, GroupBroken} < set(GENERATION_BOUND)
    role = ScriptedRole(TRAINER, generation=9)
    router = router_of(role)
    for kind in GENERATION_BOUND:
        fields = dict.fromkeys(kind.__struct_fields__)
        assert router.receive(header(TRAINER, 8), kind(**fields), (), NOW) == []
    assert role.events == []


def test_a_message_for_an_absent_role_is_dropped():
    router = router_of(ScriptedRole(TRAINER))
    assert router.receive(header(SPARE), LEAVE, (), NOW) == []
    assert router.handle(SPARE, Started(), NOW, "") == []


def test_effects_are_translated_in_order():
    to = Address(THERE, RoleName.MEMORY)
    wanted = [
        Send(to, LEAVE, (b"x",)), SetTimer("beat", Seconds(9.0)), ForgetCopies(), Send(to, REGROUP)
    ]  # fmt: skip
    router = router_of(answering(TRAINER, *wanted, generation=7))
    post, timer, perform, last = router.handle(TRAINER, Started(), NOW, "because")
    assert isinstance(post, Post)
    assert (post.message, post.frames) == (LEAVE, (b"x",))
    assert post.header.source == Address(HERE, TRAINER)
    assert (post.header.target, post.header.cause, post.header.generation) == (to, "because", 7)
    assert timer == Schedule(TRAINER, "beat", Seconds(9.0))
    assert perform == Perform(TRAINER, ForgetCopies(), "because")
    assert isinstance(last, Post)
    assert [post.header.sequence, last.header.sequence] == [1, 2]


def test_the_cause_of_an_answer_names_the_message():
    router = router_of(answering(TRAINER, ForgetCopies()))
    (perform,) = router.receive(header(TRAINER, sequence=44), LEAVE, (), NOW)
    assert perform == Perform(TRAINER, ForgetCopies(), f"{THERE}:44")


def test_an_announcement_reaches_all_but_its_teller():
    router = router_of(
        answering(TRAINER, Announce(News(1))), ScriptedRole(SPARE), ScriptedRole(HERALD)
    )
    told = router.handle(TRAINER, Started(), NOW, "c")
    assert told == [Tell(HERALD, News(1), "c"), Tell(SPARE, News(1), "c")]


def test_a_role_becomes_another():
    became = BecomeRole(TRAINER, SPARE, "promoted")
    spare, trainer = answering(SPARE, became), ScriptedRole(TRAINER)
    router = router_of(spare, ScriptedRole(HERALD))
    router._build = lambda _name, _describe: trainer
    told = router.handle(SPARE, Started(), NOW, "c")
    assert told == [Tell(TRAINER, Started(), "c"), Tell(HERALD, RoleStarted(TRAINER), "c")]
    assert set(router.roles) == {TRAINER, HERALD}


def test_a_role_may_come_beside_another():
    router = router_of(answering(HERALD, BecomeRole(RoleName.MEMORY, "", "understudy")))
    router._build = lambda name, _describe: ScriptedRole(name)
    router.handle(HERALD, Started(), NOW, "c")
    assert set(router.roles) == {HERALD, RoleName.MEMORY}


def test_roles_can_ask_what_all_here_are_doing():
    asked = []
    router = Router(HERE, lambda name, describe: asked.append(describe) or ScriptedRole(name))
    for name in (TRAINER, HERALD):
        router.start(name)
    assert [state.role for state in asked[0]()] == [HERALD, TRAINER]


def test_all_are_told():
    router = router_of(ScriptedRole(TRAINER), ScriptedRole(HERALD))
    assert router.tell_all(News(2), "n") == [
        Tell(HERALD, News(2), "n"), Tell(TRAINER, News(2), "n")
    ]  # fmt: skip


def test_an_unknown_role_cannot_be_built():
    def build(name, _describe):
        raise InvariantError(f"no {name}")

    with pytest.raises(InvariantError):
        Router(Rank(0), build).start(TRAINER)
