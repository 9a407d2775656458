"""The tree of causes and effects."""

from datetime import UTC, datetime, timedelta

from shared.cli.records import Death, Seen
from shared.cli.trace import grow, lines
from shared.contracts import TOPIC

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def seen(
    identity: str, cause: str = "", *, after: float = 0, service: str = "profiles", dead: str = ""
) -> Seen:
    death = Death(dead, "feedback", "refused", "", "programme", "0", "1") if dead else None
    return Seen(
        topic=TOPIC["programme"],
        partition=0,
        offset=int(after * 1000),
        at=START + timedelta(seconds=after),
        id=identity,
        source=f"urn:mentoring:{service}",
        type=f"t.{identity}",
        subject=f"s-{identity}",
        sequence="1",
        tenant="acme",
        correlation="c",
        causation=cause,
        death=death,
    )


def test_effects_hang_under_their_causes_in_the_order_of_time() -> None:
    events = [
        seen("d", "b", after=4, service="feedback"),
        seen("c", "a", after=3, service="matching"),
        seen("b", "a", after=2, service="matching"),
        seen("a", after=1),
    ]
    assert list(lines(grow(events))) == [
        "2026-03-02T09:00:01.000Z  profiles: t.a  s-a #1",
        "├─ 2026-03-02T09:00:02.000Z  matching: t.b  s-b #1",
        "│  └─ 2026-03-02T09:00:04.000Z  feedback: t.d  s-d #1",
        "└─ 2026-03-02T09:00:03.000Z  matching: t.c  s-c #1",
    ]


def test_an_effect_whose_cause_is_gone_stands_at_the_top() -> None:
    roots = grow([seen("b", "gone"), seen("a", after=1)])
    assert [root.event.id for root in roots] == ["b", "a"]


def test_an_event_sent_twice_is_one_node() -> None:
    [root] = grow([seen("a"), seen("b", "a", after=1), seen("b", "a", after=2)])
    [effect] = root.effects
    assert effect.records == 2
    assert list(lines([root]))[1].endswith("(2 records)")


def test_a_dead_letter_hangs_under_the_event_that_died() -> None:
    [root] = grow([seen("a"), seen("a", after=1, dead="d1"), seen("b", "a", after=2)])
    assert [node.event.death is not None for node in root.effects] == [True, False]
    assert "feedback: dead letter d1 (refused)" in list(lines([root]))[1]


def test_forged_loops_are_cut() -> None:
    roots = grow([seen("a", "b"), seen("b", "a", after=1), seen("c", "c", after=2), seen("d", "a", after=3)])
    assert sorted(root.event.id for root in roots) == ["a", "b", "c"]
    assert len(list(lines(roots))) == 4


def test_the_document_is_nested() -> None:
    [root] = grow([seen("a"), seen("b", "a", after=1)])
    document = root.document()
    assert (document["service"], document["records"]) == ("profiles", 1)
    assert [effect["id"] for effect in document["effects"]] == ["b"]
