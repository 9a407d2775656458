"""The synthetic organisation: always the same, a tree, and fit for the contract."""

import os
import subprocess
import sys
import time
from collections import Counter
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.local.hr.contract import PROFILE_FIELDS, problem_with
from deploy.local.hr.member import Organisation
from deploy.local.hr.organisation import REFERENCE_DATE, make_organisation
from deploy.local.hr.places import OFFICES
from deploy.local.hr.skills import FAMILIES, SKILLS
from shared.contracts.people import PersonChanged


@pytest.fixture(scope="module")
def organisation() -> Organisation:
    return make_organisation(3_000, seed=11)


def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    program = "from deploy.local.hr.organisation import make_organisation as m; print(m(300, 5).digest())"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert digests == {make_organisation(300, 5).digest()}


def test_another_seed_gives_another_organisation() -> None:
    assert make_organisation(300, 5).digest() != make_organisation(300, 6).digest()


def test_ids_and_addresses_are_unique_and_addresses_are_ascii(organisation: Organisation) -> None:
    addresses = [member.email for member in organisation]
    assert len({member.employee_id for member in organisation}) == len(organisation) == 3_000
    assert len({address.lower() for address in addresses}) == len(organisation)
    assert all(address.isascii() and address.endswith(".example.org") for address in addresses)
    assert not any(".." in address or address.startswith(".") for address in addresses)


def test_names_come_in_many_scripts(organisation: Organisation) -> None:
    names = {member.given_name for member in organisation} | {member.family_name for member in organisation}
    assert len({(member.given_name, member.family_name) for member in organisation}) > 2_000
    assert {"Zoë", "Łukasz", "李"} <= names
    assert any(name.isascii() for name in names)


@given(people=st.integers(1, 400), seed=st.integers(0, 2**63))
@settings(max_examples=60, deadline=None)
def test_everybody_is_below_one_head_and_has_four_to_twelve_reports(people: int, seed: int) -> None:
    organisation = make_organisation(people, seed)
    assert len(organisation.heads) == 1
    known: set[str] = set()
    for member in organisation:  # managers come first, so there is no circle
        assert member.manager_employee_id is None or member.manager_employee_id in known
        known.add(member.employee_id)
    for manager, reports in organisation.reports.items():
        assert len(reports) <= 12
        assert len(reports) >= min(4, people - 1)
        level = organisation.by_id[manager].job_level
        assert level is not None
        assert all(report.job_level is not None and 1 <= report.job_level < level <= 10 for report in reports)


def test_every_member_fits_the_contract(organisation: Organisation) -> None:
    for member in organisation:
        record = member.recorded()
        assert record.employee_id == member.employee_id
        assert member.hr_data() == record.model_dump(mode="json")
        profile = member.profile()
        for name in (*PROFILE_FIELDS, "languages"):
            assert problem_with(name, profile[name]) is None
        PersonChanged.model_validate(record.model_dump() | profile | {"person_id": "p", "status": "active"})


def test_the_profile_form_has_exactly_the_fields_that_people_fill_in(organisation: Organisation) -> None:
    assert set(organisation.members[0].profile()) == {*PROFILE_FIELDS, "languages"}


def test_profiles_say_something(organisation: Organisation) -> None:
    for member in organisation:
        assert 4 <= len(member.skills_offered) <= 14
        assert 3 <= len(member.skills_wanted) <= 8
        assert not member.skills_offered.keys() & member.skills_wanted.keys()
        assert member.interests
        assert member.working_style
        assert 1 <= member.mentor_capacity <= 5
        assert 60 < len(member.goals) < 1_000
        assert "{" not in member.goals
    assert len({member.goals for member in organisation}) > 2_900
    assert {member.mentor_capacity for member in organisation} == {1, 2, 3, 4, 5}


def test_places_are_consistent_and_nobody_is_hired_later_than_the_reference_date(
    organisation: Organisation,
) -> None:
    for member in organisation:
        assert member.office is not None
        assert member.time_zone == OFFICES[member.office].time_zone
        assert member.hired_on is not None
        assert date(1990, 1, 1) < member.hired_on < REFERENCE_DATE
    assert len({member.time_zone for member in organisation}) > 20


def test_there_are_120_skills_in_families_without_repetition() -> None:
    assert len(SKILLS) == len(set(SKILLS)) == 120
    assert len(FAMILIES) == 15


def test_skills_fit_the_department_and_leadership_the_level(organisation: Organisation) -> None:
    selling = set(FAMILIES["selling"])
    in_sales, elsewhere = Counter[bool](), Counter[bool]()
    for member in organisation:
        counter = in_sales if member.department == "Sales" else elsewhere
        counter.update(skill in selling for skill in member.skills_offered)
    assert in_sales[True] / in_sales.total() > 3 * elsewhere[True] / elsewhere.total()

    leading = set(FAMILIES["leadership"])
    low, high = Counter[bool](), Counter[bool]()
    for member in organisation:
        (high if (member.job_level or 1) >= 6 else low).update(
            skill in leading for skill in member.skills_offered
        )
    assert high[True] / high.total() > 2 * low[True] / low.total()


@pytest.mark.parametrize("people", [0, -1, 1_000_001])
def test_an_impossible_size_is_refused(people: int) -> None:
    with pytest.raises(ValueError, match="1 to 1,000,000"):
        make_organisation(people, 1)


def test_it_is_made_quickly() -> None:
    """100,000 people take about 5 s; this is a tenth, with ten times the room for a busy machine."""
    started = time.process_time()
    make_organisation(10_000, 1)
    assert time.process_time() - started < 5.0
