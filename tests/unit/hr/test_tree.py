"""Managers inferred from department and level."""

from hypothesis import given
from hypothesis import strategies as st

from deploy.local.hr.tree import Ranked, circular, infer_managers

people = st.lists(
    st.builds(Ranked, st.uuids().map(str), st.sampled_from(["a", "b", "c"]), st.integers(1, 5)),
    unique_by=lambda each: each.employee_id,
    min_size=1,
    max_size=120,
)


@given(everybody=people, seed=st.integers(0, 1_000), span=st.integers(1, 12))
def test_one_head_no_circle_bounded_span_never_a_lower_manager(
    everybody: list[Ranked], seed: int, span: int
) -> None:
    managers = infer_managers(everybody, seed, span)
    assert managers.keys() == {each.employee_id for each in everybody}
    assert list(managers.values()).count(None) == 1
    assert not circular(managers)
    by_id = {each.employee_id: each for each in everybody}
    for employee, manager in managers.items():
        if manager is not None:
            assert list(managers.values()).count(manager) <= span
            if by_id[manager].department == by_id[employee].department:
                assert by_id[manager].level >= by_id[employee].level


def test_the_manager_is_of_the_nearest_higher_level() -> None:
    managers = infer_managers([Ranked("top", "a", 5), Ranked("mid", "a", 3), Ranked("low", "a", 1)], seed=1)
    assert managers == {"top": None, "mid": "top", "low": "mid"}


def test_a_full_manager_passes_reports_to_the_next_level_up() -> None:
    lows = [Ranked(f"low{number}", "a", 1) for number in range(2)]
    managers = infer_managers([Ranked("top", "a", 5), Ranked("mid", "a", 3), *lows], seed=1, span=2)
    assert sorted(managers[low.employee_id] or "" for low in lows) == ["mid", "mid"]
    managers = infer_managers(
        [Ranked("top", "a", 5), Ranked("mid", "a", 3), Ranked("low9", "a", 1), *lows], seed=1, span=2
    )
    assert sorted(managers[each] or "" for each in ("low0", "low1", "low9")) == ["mid", "mid", "top"]


def test_the_answer_does_not_depend_on_the_order_of_the_extract() -> None:
    everybody = [Ranked(f"E{number}", "a", number % 4 + 1) for number in range(50)]
    assert infer_managers(everybody, 3) == infer_managers(everybody[::-1], 3)


def test_circles_are_found_and_what_hangs_on_them_is_not() -> None:
    assert circular({"a": "b", "b": "c", "c": "b", "d": None, "e": "nobody", "f": "f"}) == {"b", "c", "f"}
