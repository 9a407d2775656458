"""Mappings: what is wrong with one is said with its line."""

from pathlib import Path

import pytest

from deploy.local.hr.contract import FIELDS
from deploy.local.hr.errors import MappingError
from deploy.local.hr.mapping import BUNDLED, read_mapping
from deploy.local.hr.rules import RULES, check_rules
from tests.unit.hr.support import SMALL_MAPPING, Files


@pytest.mark.parametrize("file", sorted(BUNDLED.glob("*.toml")), ids=lambda file: file.stem)
def test_bundled_mappings_are_sound(file: Path) -> None:
    check_rules(read_mapping(file))
    assert read_mapping(file.stem) == read_mapping(file)


def test_rules_fill_fields_of_the_contract() -> None:
    assert {name for rule in RULES.values() for name in (*rule.fields, *rule.needs)} <= set(FIELDS)


@pytest.mark.parametrize(
    ("more", "sentence", "line", "key"),
    [
        ("[constants2]\nx = 1", 'A mapping has no "constants2"', 16, "constants2"),
        ('[derived.salary]\nrule = "seeded-style"', '"salary" is not a field', 16, "derived.salary"),
        ('[derived.office]\nrule = "magic"', 'There is no rule "magic"', 17, "derived.office.rule"),
        ('[derived.office]\nrule = "seeded-style"', "derives working_style", 17, "derived.office.rule"),
        ('[derived.office]\nrule = "seeded-office"\ncity = "x"', 'no such "city"', 18, "derived.office.city"),
        ("[derived.office]\nspan = 3", "must name a rule", 16, "derived.office"),
        ('[derived.team]\nrule = "team-of-manager"\nspan = 3', 'no such "span"', 18, "derived.team.span"),
        ('[derived.email]\nrule = "email-of-name"', '"email" is in [columns] already', 16, "derived.email"),
        ('[derived.goals]\nrule = "goals-of-skills"', 'needs "skills_wanted"', 16, "derived.goals"),
        ('[values.job_title]\n"a" = "b"', '"job_title" is not in [columns]', 16, "values.job_title"),
        ('[values.job_level]\n"a" = [1]', "a text or a number", 17, "values.job_level.a"),
        ('[csv]\ndelimiter = "::"', "one character", 17, "csv.delimiter"),
        ('[csv]\nencoding = "klingon"', "no known encoding", 17, "csv.encoding"),
        ('[csv]\nheader = "x"', 'no "header"', 17, "csv.header"),
        ('[families]\n"Sales" = ["juggling"]', '"juggling" is no family', 17, "families.Sales"),
        ('[families]\n"Sales" = "selling"', "list of families", 17, "families.Sales"),
    ],
)
def test_what_is_wrong_in_a_table(tmp_path: Path, more: str, sentence: str, line: int, key: str) -> None:
    file = Files(tmp_path).mapping(SMALL_MAPPING + more + "\n")
    with pytest.raises(MappingError) as caught:
        check_rules(read_mapping(file))
    error = caught.value
    assert sentence in error.sentence
    assert (error.file, error.line, error.column) == (str(file), line, key)
    assert str(error).startswith(f"{file}, line {line}, column {key}: ")


@pytest.mark.parametrize(
    ("old", "new", "sentence", "line"),
    [
        ('given_name = "First"', 'nickname = "First"', '"nickname" is not a field of the contract', 5),
        ('given_name = "First"', 'employee_id = "First"', "mapped under [key]", 5),
        ('given_name = "First"', "given_name = 3", "must be a text", 5),
        ('given_name = "First"', "", 'does not say where "given_name" comes from', 4),
        ('column = "Number"', "", "which column holds the employee id", 2),
        ('column = "Number"', 'column = "Number"\nsuffix = "x"', 'no "suffix"', 4),
        ('"Europe/Berlin"', '"Europe/Atlantis"', "bad value", 15),
        ("\n[key]", "top_level = 0\n[key]", "from 1 to 20", 1),
        ("\n[key]", 'top_level = "x"\n[key]', "whole number", 1),
        ("\n[key]", "reference_date = 2026-01-01T00:00:00Z\n[key]", "date", 1),
        ("\n[key]", "ignore = [1]\n[key]", "list of columns", 1),
        ("\n[key]", "\n[key", "not TOML", 2),
    ],
)
def test_what_is_wrong_elsewhere(tmp_path: Path, old: str, new: str, sentence: str, line: int) -> None:
    file = Files(tmp_path).mapping(SMALL_MAPPING.replace(old, new, 1))
    with pytest.raises(MappingError) as caught:
        read_mapping(file)
    assert sentence in caught.value.sentence
    assert caught.value.line == line


def test_years_need_a_day_to_count_from(tmp_path: Path) -> None:
    text = SMALL_MAPPING.replace('hired_on = "Hired"\n', "")
    text += '[derived.hired_on]\nrule = "years-before-reference"\ncolumn = "Years"\n'
    with pytest.raises(MappingError, match="reference_date"):
        check_rules(read_mapping(Files(tmp_path).mapping(text)))


def test_a_missing_file_and_one_that_is_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="No such file"):
        read_mapping(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b'name = "x"\nname2 = "\xff"\n')
    with pytest.raises(MappingError, match="not UTF-8") as caught:
        read_mapping(tmp_path / "bad.toml")
    assert caught.value.line == 2
