"""Rules that make up what an extract lacks, each from the seed and the employee id alone.

The same seed and id give the same answer whatever else is in the extract, so that tomorrow's extract
does not rename yesterday's people. Only the manager depends on who else is there.

====================== ============================= ==================================================
rule                   fields                        what it does
====================== ============================= ==================================================
invented-name          given_name, family_name       a name of a culture of the office, or of any
email-of-name          email                         ``given.family.id@domain`` in ASCII (option
                                                     ``domain``)
seeded-office          office                        an office of ``places``, the large ones more often
zone-of-office         time_zone                     the office's IANA time zone
languages-of-office    languages                     the office's language, mostly English too
higher-level-colleague manager_employee_id           of the same department and the nearest higher level
                                                     with room (option ``span``, 12 reports): see
                                                     ``tree.infer_managers``
team-of-manager        team                          one team for all who have the same manager
years-before-reference hired_on                      ``reference_date`` minus the whole years in
                                                     ``column``, minus up to ``spread_days`` more, by seed
seeded-skills          skills_offered, skills_wanted drawn from the families of skills of the cells in
                                                     ``columns``; without any, two families by department
goals-of-skills        goals                         sentences about the skills wanted and offered
seeded-interests       interests                     one to five
seeded-style           working_style                 any
capacity-of-level      mentor_capacity               1 to 5, growing with the job level
====================== ============================= ==================================================
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any, Final

from deploy.local.hr.draw import pick, several, whole
from deploy.local.hr.mapping import ColumnMapping
from deploy.local.hr.names import EMAIL_DOMAIN, Name, ascii_of, email_of, invent_name
from deploy.local.hr.organisation import capacity_of
from deploy.local.hr.places import OFFICES, Office, choose_office, invent_culture, invent_languages
from deploy.local.hr.skills import FAMILIES, SkillSet, invent_skills
from deploy.local.hr.words import WORKING_STYLES, invent_goals, invent_interests


@dataclass(slots=True)
class Case:
    """One row on its way to a member: its cells, and the contract's fields known so far."""

    seed: int
    employee_id: str
    cells: Mapping[str, str]
    fields: dict[str, Any]
    mapping: ColumnMapping

    def random(self, aspect: str) -> Random:
        """A stream of numbers of its own for each aspect: mapping one field changes no other."""
        return Random(f"{self.seed}|{self.employee_id}|{aspect}")

    @property
    def office(self) -> Office | None:
        return OFFICES.get(self.fields.get("office") or "")

    @property
    def seniority(self) -> float:
        top = max(2, self.mapping.top_level)
        return min(1.0, ((self.fields.get("job_level") or 1) - 1) / (top - 1))

    def name(self) -> Name:
        random = self.random("name")
        return invent_name(random, invent_culture(random, self.office))

    def skills(self, columns: list[str]) -> SkillSet:
        said = (self.mapping.families.get(self.cells[column], ()) for column in columns)
        families = [family for found in said for family in found]
        if not families:
            by_department = Random(f"{self.seed}|{self.fields['department']}")
            families = list(several(by_department, tuple(FAMILIES), 2))
        return invent_skills(self.random("skills"), families, self.seniority)


class RuleError(ValueError):
    """A rule cannot be applied to this row: the end of a sentence, and the column that is to blame."""

    def __init__(self, sentence: str, column: str) -> None:
        super().__init__(sentence)
        self.column = column


Options = Mapping[str, Any]
Derive = Callable[[Case, str, Options], Any]
"""A rule's function: what *field* is for this case, with these options."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which fields a rule can fill, which options it takes (with their types), which it cannot do without.

    ``derive`` is None where the answer depends on who else is in the extract.
    """

    fields: tuple[str, ...]
    derive: Derive | None
    options: Mapping[str, type] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Fields without which the rule has nothing to go by."""


def check_rules(mapping: ColumnMapping) -> None:
    """Raises ``MappingError`` for a rule, a field of it or an option that does not exist."""
    known = {*mapping.columns, *mapping.constants, *mapping.derived}
    for name, how in mapping.derived.items():
        key, rule = f"derived.{name}", RULES.get(how.rule)
        if rule is None:
            raise mapping.error(
                f'There is no rule "{how.rule}"; there are {", ".join(RULES)}.', f"{key}.rule"
            )
        if name not in rule.fields:
            raise mapping.error(f'The rule "{how.rule}" derives {" and ".join(rule.fields)}.', f"{key}.rule")
        for option, value in how.options.items():
            if type(value) is not rule.options.get(option):
                raise mapping.error(f'The rule "{how.rule}" takes no such "{option}".', f"{key}.{option}")
        if any(option not in how.options for option in rule.required):
            raise mapping.error(f'The rule "{how.rule}" needs {", ".join(rule.required)}.', key)
        for needed in rule.needs:
            if needed not in known:
                raise mapping.error(f'The rule "{how.rule}" needs "{needed}" from somewhere.', key)
        if how.rule == "years-before-reference" and mapping.reference_date is None:
            raise mapping.error(f'The rule "{how.rule}" needs a reference_date.', key)
        for option, (least, most) in _RANGES.items():
            if not least <= how.options.get(option, least) <= most:
                raise mapping.error(f'"{option}" must be from {least} to {most}.', f"{key}.{option}")


def columns_of_rules(mapping: ColumnMapping) -> dict[str, str]:
    """The columns that rules read, each with the key of the mapping that names it."""
    found: dict[str, str] = {}
    for name, how in mapping.derived.items():
        for option in ("column", "columns"):
            named = how.options.get(option, [])
            for column in named if isinstance(named, list) else [named]:
                found[column] = f"derived.{name}.{option}"
    return found


def derive_alone(case: Case) -> None:
    """Fill in what the row and the seed decide by themselves. Raises ``RuleError``."""
    for name, rule in RULES.items():
        for each in rule.fields:
            how = case.mapping.derived.get(each)
            if rule.derive is not None and how is not None and how.rule == name:
                case.fields[each] = rule.derive(case, each, how.options)


def _name(case: Case, field: str, options: Options) -> str:
    name = case.name()
    return name.given if field == "given_name" else name.family


def _email(case: Case, field: str, options: Options) -> str:
    name = case.name()
    given, family = case.fields["given_name"], case.fields["family_name"]
    if (given, family) == (name.given, name.family):
        local = name.local
    else:
        local = ".".join(part for part in (ascii_of(given), ascii_of(family)) if part) or "person"
    return email_of(local, case.employee_id, options.get("domain", EMAIL_DOMAIN))


def _office_of(case: Case) -> Office:
    if case.office is None:
        column = case.mapping.columns.get("office", "office")
        raise RuleError("must be an office whose time zone and language are known here", column)
    return case.office


def _hired_on(case: Case, field: str, options: Options) -> date:
    column: str = options["column"]
    cell = case.cells[column]
    if not (cell.isascii() and cell.isdigit() and len(cell) <= 2):
        raise RuleError("must be whole years, 0 to 99", column)
    day = case.mapping.reference_date
    assert day is not None, "check_rules has seen to it"
    if (day.month, day.day) == (2, 29):  # most years have none: the day before it is as good
        day -= timedelta(days=1)
    spread = whole(case.random("hired_on"), 0, options.get("spread_days", 0))
    return day.replace(year=day.year - int(cell)) - timedelta(days=spread)


def _skills(case: Case, field: str, options: Options) -> dict[str, int]:
    skills = case.skills(options.get("columns", []))
    return skills.offered if field == "skills_offered" else skills.wanted


def _goals(case: Case, field: str, options: Options) -> str:
    offered, wanted = case.fields.get("skills_offered"), case.fields.get("skills_wanted")
    if not offered or not wanted:
        return ""
    return invent_goals(case.random("goals"), offered, wanted, case.fields["department"])


RULES: Final[Mapping[str, Rule]] = {
    "seeded-office": Rule(("office",), lambda case, *_: choose_office(case.random("office")).name),
    "zone-of-office": Rule(("time_zone",), lambda case, *_: _office_of(case).time_zone, needs=("office",)),
    "languages-of-office": Rule(
        ("languages",),
        lambda case, *_: invent_languages(case.random("languages"), _office_of(case)),
        needs=("office",),
    ),
    "invented-name": Rule(("given_name", "family_name"), _name),
    "email-of-name": Rule(("email",), _email, {"domain": str}),
    "years-before-reference": Rule(
        ("hired_on",), _hired_on, {"column": str, "spread_days": int}, required=("column",)
    ),
    "seeded-skills": Rule(("skills_offered", "skills_wanted"), _skills, {"columns": list}),
    "goals-of-skills": Rule(("goals",), _goals, needs=("skills_offered", "skills_wanted")),
    "seeded-interests": Rule(("interests",), lambda case, *_: invent_interests(case.random("interests"))),
    "seeded-style": Rule(("working_style",), lambda case, *_: pick(case.random("style"), WORKING_STYLES)),
    "capacity-of-level": Rule(
        ("mentor_capacity",), lambda case, *_: capacity_of(case.random("capacity"), case.seniority)
    ),
    "higher-level-colleague": Rule(("manager_employee_id",), None, {"span": int}, needs=("job_level",)),
    "team-of-manager": Rule(("team",), None, needs=("manager_employee_id",)),
}
"""In the order in which they are applied: what builds on an office comes after it, and so on."""

_RANGES: Final = {"span": (1, 1000), "spread_days": (0, 365)}
