"""The column mapping: a TOML file that says what an HR extract's columns mean.

    name = "..."                       # for people
    reference_date = 2026-01-01        # the day on which the extract was true
    top_level = 10                     # the highest job level that the extract knows
    send_unmapped = true               # send every other column too, as a careless HR system does
    ignore = ["Column"]                # but not these

    [csv]                              # all optional
    delimiter = ","
    quote = '"'
    encoding = "utf-8"
    list_separator = ";"               # between languages, interests and skills ("SQL:4;Java:2")
    date_format = "%Y-%m-%d"

    [key]                              # the employee id: a column, and a prefix put before it
    column = "EmployeeNumber"
    prefix = "E"

    [columns]                          # contract field = column
    [constants]                        # contract field = the same value for everybody
    [values.FIELD]                     # what a cell says = what the contract's field shall say
    [derived.FIELD]                    # rule = "..." and its options; the rules are in ``rules``
    [families]                         # what a cell says = families of skills (rule "seeded-skills")

A field comes from one place only. Anything that this file does not know is an error that names the
line, because a misspelt mapping would otherwise silently lose a column.
"""

import codecs
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from deploy.local.hr.contract import FIELDS, REQUIRED, problem_with
from deploy.local.hr.errors import MappingError
from deploy.local.hr.skills import FAMILIES

_TABLES: Final = ("csv", "key", "columns", "constants", "values", "derived", "families")
_PLAIN: Final = {
    "name": str,
    "reference_date": date,
    "top_level": int,
    "send_unmapped": bool,
    "ignore": list,
}
BUNDLED: Final = Path(__file__).parent / "mappings"
"""Mappings that come with the project."""


@dataclass(frozen=True, slots=True)
class CsvOptions:
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    list_separator: str = ";"
    date_format: str = "%Y-%m-%d"


@dataclass(frozen=True, slots=True)
class Derivation:
    """A field that the extract lacks: the rule that makes it up, and the rule's options."""

    rule: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """A mapping file, checked as far as it can be without the extract and the rules."""

    file: str
    text: str
    key_column: str
    key_prefix: str
    csv: CsvOptions
    columns: Mapping[str, str]
    constants: Mapping[str, Any]
    values: Mapping[str, Mapping[str, str]]
    derived: Mapping[str, Derivation]
    families: Mapping[str, tuple[str, ...]]
    name: str = ""
    reference_date: date | None = None
    top_level: int = 10
    send_unmapped: bool = False
    ignore: tuple[str, ...] = ()

    def error(self, sentence: str, key: str) -> MappingError:
        """An error about the dotted *key* of this file."""
        return MappingError(sentence, self.file, line_of(self.text, key), key)


def read_mapping(path: Path | str) -> ColumnMapping:
    """Read a mapping file, or the bundled mapping of that name (``ibm-attrition``).

    Raises ``MappingError`` with file, line and key.
    """
    found = _find(Path(path))
    try:
        text = found.read_bytes().decode()
        document = tomllib.loads(text)
    except OSError as error:
        raise MappingError(f"The mapping cannot be read: {error.strerror}.", str(found)) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise MappingError("The mapping is not UTF-8.", str(found), line) from None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+), column (\d+)", str(error))
        raise MappingError(
            f"The mapping is not TOML: {error}.",
            str(found),
            int(place[1]) if place else None,
            place and place[2],
        ) from None
    return _Reader(str(found), text, document).mapping()


def line_of(text: str, key: str) -> int | None:
    """The line where the dotted *key* (or, failing that, its table) stands in a TOML *text*."""
    places = dict(reversed(list(_places(text))))
    parts = key.split(".")
    candidates = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((places[each] for each in candidates if each in places), None)


def _places(text: str) -> Iterator[tuple[str, int]]:
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            table = re.sub(r"[\"']", "", header[1])
            yield table, number
        elif pair := re.match(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_.-]+))\s*=""", line):
            key = next(group for group in pair.groups() if group is not None)
            yield f"{table}.{key}" if table else key, number


def _find(path: Path) -> Path:
    if path.exists() or path.suffix:
        return path
    bundled = BUNDLED / f"{path.name}.toml"
    return bundled if bundled.exists() else path


class _Reader:
    """Turns a parsed document into a mapping; every complaint names its line."""

    def __init__(self, file: str, text: str, document: dict[str, Any]) -> None:
        self.file, self.text, self.document = file, text, document

    def mapping(self) -> ColumnMapping:
        for name, value in self.document.items():
            if name not in _TABLES and name not in _PLAIN:
                raise self.error(f'A mapping has no "{name}".', name)
            wanted = _PLAIN.get(name, dict)
            # A TOML date-time is a date and a TOML boolean an integer to isinstance, hence the exact type.
            if type(value) is not wanted:
                raise self.error(f'"{name}" must be a {_WORDS[wanted]}.', name)
        key = self.strings("key", ("column", "prefix"))
        if "column" not in key:
            raise self.error("The mapping does not say which column holds the employee id.", "key.column")
        mapping = ColumnMapping(
            file=self.file,
            text=self.text,
            key_column=key["column"],
            key_prefix=key.get("prefix", ""),
            csv=self.csv(),
            columns=self.fields("columns", self.strings("columns")),
            constants=self.constants(),
            values=self.values(),
            derived=self.derived(),
            families=self.families(),
            name=self.document.get("name", ""),
            reference_date=self.document.get("reference_date"),
            top_level=self.document.get("top_level", 10),
            send_unmapped=self.document.get("send_unmapped", False),
            ignore=tuple(self.document.get("ignore", ())),
        )
        self.check(mapping)
        return mapping

    def error(self, sentence: str, key: str) -> MappingError:
        return MappingError(sentence, self.file, line_of(self.text, key), key)

    def table(self, name: str) -> dict[str, Any]:
        table: dict[str, Any] = self.document.get(name, {})
        return table

    def strings(self, name: str, allowed: tuple[str, ...] | None = None) -> dict[str, str]:
        for key, value in self.table(name).items():
            if allowed is not None and key not in allowed:
                raise self.error(f'[{name}] has no "{key}".', f"{name}.{key}")
            if not isinstance(value, str):
                raise self.error(f'"{key}" must be a text.', f"{name}.{key}")
        return self.table(name)

    def fields(self, table: str, found: dict[str, Any]) -> dict[str, Any]:
        for name in found:
            if name == "employee_id":
                raise self.error("The employee id is mapped under [key].", f"{table}.{name}")
            if name not in FIELDS:
                raise self.error(f'"{name}" is not a field of the contract.', f"{table}.{name}")
        return found

    def csv(self) -> CsvOptions:
        found = self.strings("csv", CsvOptions.__slots__)
        for name in ("delimiter", "quote", "list_separator"):
            if len(found.get(name, "x")) != 1 or found.get(name) in ("\n", "\r"):
                raise self.error(f'"{name}" must be one character, and no line break.', f"csv.{name}")
        try:
            codecs.lookup(found.get("encoding", "utf-8"))
        except LookupError:
            raise self.error(f'"{found["encoding"]}" is no known encoding.', "csv.encoding") from None
        return CsvOptions(**found)

    def constants(self) -> dict[str, Any]:
        found = self.fields("constants", self.table("constants"))
        for name, value in found.items():
            if problem := problem_with(name, value):
                raise self.error(f'The constant for "{name}" is a bad value: {problem}.', f"constants.{name}")
        return found

    def values(self) -> dict[str, dict[str, str]]:
        found = self.fields("values", self.table("values"))
        for name, replaced in found.items():
            if not isinstance(replaced, dict):
                raise self.error(f"[values.{name}] must be a table.", f"values.{name}")
            if name not in self.table("columns"):
                raise self.error(
                    f'[values.{name}] has no column: "{name}" is not in [columns].', f"values.{name}"
                )
            for said, value in replaced.items():
                if isinstance(value, bool) or not isinstance(value, str | int):
                    raise self.error(f'"{said}" must stand for a text or a number.', f"values.{name}.{said}")
        return {
            name: {said: str(value) for said, value in replaced.items()} for name, replaced in found.items()
        }

    def derived(self) -> dict[str, Derivation]:
        found: dict[str, Derivation] = {}
        for name, options in self.fields("derived", self.table("derived")).items():
            if not isinstance(options, dict) or not isinstance(options.get("rule"), str):
                raise self.error(f"[derived.{name}] must name a rule.", f"derived.{name}")
            found[name] = Derivation(options["rule"], {k: v for k, v in options.items() if k != "rule"})
        return found

    def families(self) -> dict[str, tuple[str, ...]]:
        found = self.table("families")
        for said, families in found.items():
            if not isinstance(families, list):
                raise self.error(f'"{said}" must stand for a list of families.', f"families.{said}")
            for family in families:
                if family not in FAMILIES:
                    raise self.error(
                        f'"{family}" is no family of skills; there are {", ".join(FAMILIES)}.',
                        f"families.{said}",
                    )
        return {said: tuple(families) for said, families in found.items()}

    def check(self, mapping: ColumnMapping) -> None:
        """Each field has one source at most, and what HR must say has one."""
        if not all(isinstance(column, str) for column in mapping.ignore):
            raise self.error('"ignore" must be a list of columns.', "ignore")
        seen: dict[str, str] = {}
        tables: dict[str, Mapping[str, Any]] = {
            "columns": mapping.columns,
            "constants": mapping.constants,
            "derived": mapping.derived,
        }
        for table, fields in tables.items():
            for name in fields:
                if name in seen:
                    raise self.error(f'"{name}" is in [{seen[name]}] already.', f"{table}.{name}")
                seen[name] = table
        for name in REQUIRED:
            if name not in seen:
                raise self.error(f'The mapping does not say where "{name}" comes from.', "columns")
        if not 1 <= mapping.top_level <= 20:
            raise self.error('"top_level" must be from 1 to 20.', "top_level")


_WORDS: Final = {
    str: "text",
    date: "date",
    int: "whole number",
    bool: "true or false",
    list: "list",
    dict: "table",
}
