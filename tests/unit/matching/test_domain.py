"""Decisions that need no rows: standing, requeue, spells, places."""

from datetime import date

import pytest

from services.matching.domain import mentees, pairs, people
from services.matching.domain.mentees import Found, Mentee, Place, Standing, standing_of
from services.matching.domain.pairs import EndReason, MentorLoad, Refused, Requeue, requeue_of
from services.matching.domain.people import Departure, Person, PersonStatus, spell_over
from shared.contracts import pairs as said
from shared.contracts import people as heard

TODAY, LATER = date(2026, 3, 2), date(2026, 4, 1)


@pytest.mark.parametrize(
    ("status", "consent", "enrolled", "standing"),
    [
        (PersonStatus.UNKNOWN, False, True, Standing.UNKNOWN),
        (PersonStatus.UNKNOWN, False, False, Standing.NOT_ENROLLED),
        (PersonStatus.ACTIVE, True, True, Standing.ELIGIBLE),
        (PersonStatus.ACTIVE, False, True, Standing.NO_CONSENT),
        (PersonStatus.ACTIVE, True, False, Standing.NOT_ENROLLED),
        (PersonStatus.LEFT, True, True, Standing.LEFT),
        (PersonStatus.LEFT, True, False, Standing.LEFT),
        (PersonStatus.ERASED, False, False, Standing.LEFT),
    ],
)
def test_standing(status: PersonStatus, consent: bool, enrolled: bool, standing: Standing) -> None:
    person = Person("a", version=1, status=status, matching_consent=consent)
    assert standing_of(person, enrolled=enrolled) is standing


@pytest.mark.parametrize(
    ("reason", "standing", "mentee_leaves", "requeue"),
    [
        (EndReason.LEFT, Standing.ELIGIBLE, False, Requeue.QUEUED),
        (EndReason.LEFT, Standing.ELIGIBLE, True, Requeue.MENTEE_LEFT),
        (EndReason.LEFT, Standing.LEFT, False, Requeue.MENTEE_LEFT),
        (EndReason.LEFT, Standing.NOT_ENROLLED, False, Requeue.MENTEE_NOT_ENROLLED),
        (EndReason.NO_FAULT, Standing.ELIGIBLE, False, Requeue.QUEUED),
        (EndReason.NO_FAULT, Standing.NO_CONSENT, False, Requeue.MENTEE_NOT_ENROLLED),
        (EndReason.COMPLETED, Standing.ELIGIBLE, False, Requeue.GOAL_REACHED),
        (EndReason.WITHDRAWN, Standing.ELIGIBLE, False, Requeue.QUEUED),
        (EndReason.WITHDRAWN, Standing.LEFT, True, Requeue.MENTEE_NOT_ENROLLED),
    ],
)
def test_what_becomes_of_the_mentee(
    reason: EndReason, standing: Standing, mentee_leaves: bool, requeue: Requeue
) -> None:
    assert requeue_of(reason, standing, mentee_leaves=mentee_leaves) is requeue


def test_a_spell_is_over_by_leaving_or_by_the_next_one() -> None:
    assert spell_over(PersonStatus.ACTIVE, 1) == 0
    assert spell_over(PersonStatus.LEFT, 1) == 1
    assert spell_over(PersonStatus.ACTIVE, 3) == 2
    assert Departure("a", 1).covers(1, 9)
    assert not Departure("a", 1).covers(2, 9)
    assert Departure("a", 0, erased_version=9).covers(2, 9)


def test_a_mentor_has_no_more_pairs_than_places() -> None:
    load = MentorLoad("m", active=1, reserved=2).start(2)
    assert load == MentorLoad("m", active=2, reserved=1)
    with pytest.raises(Refused, match="no place left"):
        load.start(2)


def test_a_mentee_waits_since_the_day_on_which_nothing_stood_in_the_way() -> None:
    mentee = Mentee("p", "a", "e").judged(Standing.ELIGIBLE, TODAY)
    assert mentee.since == TODAY
    proposed = mentee.moved(Place.PROPOSED, LATER)
    assert proposed.moved(Place.FREE, LATER).since == TODAY
    paired = proposed.moved(Place.PAIRED, LATER)
    assert paired.since is None
    assert paired.moved(Place.FREE, LATER).since == LATER
    assert mentee.judged(Standing.NO_CONSENT, LATER).since is None


def test_words_are_the_contracts() -> None:
    for ours, theirs in [
        (pairs.ProposalStatus, said.ProposalStatus),
        (pairs.RelationshipStatus, said.RelationshipStatus),
        (pairs.Requeue, said.Requeue),
        (people.Role, heard.Role),
        (people.EnrolmentStatus, heard.EnrolmentStatus),
    ]:
        assert {each.value for each in ours} == {each.value for each in theirs}
    assert {each.value for each in EndReason} == {each.value for each in said.EndReason}
    assert {each.value for each in PersonStatus} > {each.value for each in heard.PersonStatus}
    assert {each.value for each in Found} == {"not-tried-yet", "no-candidate", "all-full"}
    assert mentees.Mentee("p", "a", "e").waits is False
