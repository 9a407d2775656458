"""Any HR system's CSV extract, and a column mapping, made into an organisation.

What the extract lacks is made up by the rules of ``rules``, from the seed and the employee id. A row
that cannot be used is put aside with the reason, and the others are read; only what makes every row
doubtful (no such file, not the mapping's columns, wrong encoding, quotation marks that do not close)
raises ``ExtractError``.

A manager whom the extract names but does not contain stays named, as HR systems do; whoever is their
own manager at some remove is put aside.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deploy.local.hr.cells import convert
from deploy.local.hr.contract import RECORD_FIELDS, REQUIRED, problem_with
from deploy.local.hr.errors import ExtractError
from deploy.local.hr.mapping import ColumnMapping, read_mapping
from deploy.local.hr.member import Member, Organisation
from deploy.local.hr.rules import Case, RuleError, check_rules, columns_of_rules, derive_alone
from deploy.local.hr.table import DEFAULT_LIMITS, Limits, Row, Table, read_table
from deploy.local.hr.tree import SPAN, Ranked, circular, infer_managers


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that was put aside: its line, its employee id as far as it could be read, and the reason."""

    line: int
    employee_id: str | None
    reason: ExtractError

    def __str__(self) -> str:
        return str(self.reason)


@dataclass(frozen=True, slots=True)
class Extract:
    """What was read: the organisation in the order of the file, and the rows put aside, by line."""

    organisation: Organisation
    quarantined: tuple[Quarantined, ...]
    unmapped_columns: tuple[str, ...]
    """Columns that are sent beside the record, which the receiver has to drop."""


def read_extract(
    file: Path | str, mapping: ColumnMapping | Path | str, *, seed: int = 0, limits: Limits = DEFAULT_LIMITS
) -> Extract:
    """Read *file* as *mapping* says: a mapping, its file, or the name of one that comes with us.

    Raises ``MappingError``, and ``ExtractError`` where no row can be used.
    """
    if not isinstance(mapping, ColumnMapping):
        mapping = read_mapping(mapping)
    check_rules(mapping)
    table = read_table(Path(file), mapping.csv, limits)
    return _Reading(table, mapping, seed).extract()


class _Reading:
    """One extract being read: people known so far by id, and what was put aside."""

    def __init__(self, table: Table, mapping: ColumnMapping, seed: int) -> None:
        self.table, self.mapping, self.seed = table, mapping, seed
        self.unmapped = _check_columns(table, mapping)
        self.members: dict[str, Member] = {}
        self.lines: dict[str, int] = {}
        self.addresses: dict[str, str] = {}
        self.quarantined: list[Quarantined] = []

    def extract(self) -> Extract:
        for row in self.table.rows:
            self.read(row)
        self.put_circular_aside()
        self.quarantined.sort(key=lambda each: each.line)
        if not self.members:
            self.refuse_all()
        members = _with_teams(self.with_managers(), self.mapping)
        organisation = Organisation(self.seed, tuple(members))
        return Extract(organisation, tuple(self.quarantined), self.unmapped)

    def read(self, row: Row) -> None:
        employee_id: str | None = None
        try:
            if row.problem:
                raise self.bad(row, row.problem, None)
            employee_id = self.key(row)
            member = self.member(row, employee_id)
            self.unique(row, member)
        except ExtractError as error:
            self.quarantined.append(Quarantined(row.line, employee_id, error))
            return
        self.members[employee_id] = member
        self.lines[employee_id] = row.line
        self.addresses[member.email.lower()] = employee_id

    def key(self, row: Row) -> str:
        column = self.mapping.key_column
        cell = row.cells[column].strip()
        if not cell:
            raise self.bad(row, "The employee id is empty.", column)
        if problem := problem_with("employee_id", self.mapping.key_prefix + cell):
            raise self.bad(row, f"{_shown(cell)} is no employee id: {problem}.", column)
        return self.mapping.key_prefix + cell

    def unique(self, row: Row, member: Member) -> None:
        if (line := self.lines.get(member.employee_id)) is not None:
            raise self.bad(
                row,
                f"The employee id {member.employee_id} is on line {line} already.",
                self.mapping.key_column,
            )
        if (holder := self.addresses.get(member.email.lower())) is not None:
            raise self.bad(
                row, f"The e-mail address is that of {holder} already.", self.mapping.columns.get("email")
            )

    def member(self, row: Row, employee_id: str) -> Member:
        mapping = self.mapping
        fields = {name: self.value(row, name, column) for name, column in mapping.columns.items()}
        fields = {name: value for name, value in fields.items() if value is not None} | dict(
            mapping.constants
        )
        case = Case(self.seed, employee_id, row.cells, fields, mapping)
        try:
            derive_alone(case)
        except RuleError as error:
            cell = row.cells.get(error.column, str(fields.get(error.column, "")))
            raise self.bad(row, f"{_shown(cell)} {error}.", error.column) from None
        for name, value in case.fields.items():
            if problem := problem_with(name, list(value) if isinstance(value, tuple) else value):
                raise self.bad(
                    row, f"{_shown(value)} does not fit {name}: {problem}.", mapping.columns.get(name)
                )
        unmapped = {column: row.cells[column] for column in self.unmapped}
        return Member(employee_id=employee_id, unmapped=unmapped, **_frozen(case.fields))

    def value(self, row: Row, name: str, column: str) -> Any:
        """What the cell means for the field *name*; None for an empty cell."""
        cell = row.cells[column].strip()
        cell = self.mapping.values.get(name, {}).get(cell, cell)
        if not cell:
            if name in REQUIRED:
                raise self.bad(row, f"The cell is empty, and {name} is required.", column)
            return None
        if name == "manager_employee_id":
            return self.mapping.key_prefix + cell
        try:
            return convert(name, cell, self.mapping.csv)
        except ValueError as error:
            raise self.bad(row, f"{_shown(cell)} {error}.", column) from None

    def with_managers(self) -> Iterable[Member]:
        how = self.mapping.derived.get("manager_employee_id")
        if how is None:
            return self.members.values()
        ranked = [Ranked(m.employee_id, m.department, m.job_level or 1) for m in self.members.values()]
        managers = infer_managers(ranked, self.seed, how.options.get("span", SPAN[1]))
        return [
            replace(member, manager_employee_id=managers[member.employee_id])
            for member in self.members.values()
        ]

    def put_circular_aside(self) -> None:
        managers = {member.employee_id: member.manager_employee_id for member in self.members.values()}
        for employee_id in circular(managers):
            reason = ExtractError(
                f"{employee_id} is their own manager at some remove.",
                self.table.file,
                self.lines[employee_id],
                self.mapping.columns.get("manager_employee_id"),
            )
            self.quarantined.append(Quarantined(self.lines[employee_id], employee_id, reason))
            del self.members[employee_id]

    def refuse_all(self) -> None:
        if not self.quarantined:
            raise ExtractError("The extract has a header and no rows.", self.table.file, 1)
        first = self.quarantined[0].reason
        count = len(self.quarantined)
        raise ExtractError(
            f"No row can be used, of {count}; the first: {first.sentence}",
            first.file,
            first.line,
            first.column,
        )

    def bad(self, row: Row, sentence: str, column: str | None) -> ExtractError:
        return ExtractError(sentence, self.table.file, row.line, column)


def _check_columns(table: Table, mapping: ColumnMapping) -> tuple[str, ...]:
    """The columns that the mapping does not use. Raises where it uses one that is not there."""
    used = {mapping.key_column: "key.column"}
    used |= {column: f"columns.{name}" for name, column in mapping.columns.items()}
    used |= columns_of_rules(mapping)
    for column, key in used.items():
        if column not in table.columns:
            raise ExtractError(
                f'The extract has no column "{column}", which the mapping uses for {key}.',
                table.file,
                1,
                column,
            )
    if not mapping.send_unmapped:
        return ()
    unmapped = tuple(each for each in table.columns if each not in used and each not in mapping.ignore)
    for column in unmapped:
        if column in RECORD_FIELDS:
            raise ExtractError(
                f'The column "{column}" has the name of a field of the contract, but the mapping neither '
                "uses nor ignores it.",
                table.file,
                1,
                column,
            )
    return unmapped


def _with_teams(members: Iterable[Member], mapping: ColumnMapping) -> Iterable[Member]:
    if "team" not in mapping.derived:
        return members
    members = list(members)
    department = {member.employee_id: member.department for member in members}
    return [
        replace(member, team=f"{department.get(manager, member.department)} / {manager}" if manager else None)
        for member in members
        for manager in [member.manager_employee_id]
    ]


def _frozen(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields for a ``Member``: lists as tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def _shown(value: object) -> str:
    text = str(value)
    return f'"{text[:40]}…"' if len(text) > 40 else f'"{text}"'
