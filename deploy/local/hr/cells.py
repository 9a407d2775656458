"""From what a cell says to what the contract's field holds."""

from datetime import datetime
from typing import Any, Final

from deploy.local.hr.mapping import CsvOptions

_NUMBERS: Final = frozenset({"job_level", "mentor_capacity"})
_LISTS: Final = frozenset({"languages", "interests"})
_SKILLS: Final = frozenset({"skills_offered", "skills_wanted"})
_DEFAULT_STRENGTH: Final = 3


def convert(field: str, cell: str, options: CsvOptions) -> Any:
    """The value of *field* that *cell* (not empty) stands for.

    Raises ``ValueError`` with a sentence's end ("must be a whole number") when it stands for none.
    """
    if field in _NUMBERS:
        return _number(cell)
    if field == "hired_on":
        try:
            return datetime.strptime(cell, options.date_format).date()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            raise ValueError(f"must be a date like {options.date_format}") from None
    if field in _LISTS:
        return tuple(_split(cell, options))
    if field in _SKILLS:
        return dict(_skill(each) for each in _split(cell, options))
    return cell


def _split(cell: str, options: CsvOptions) -> list[str]:
    return [each.strip() for each in cell.split(options.list_separator) if each.strip()]


def _skill(text: str) -> tuple[str, int]:
    """``SQL:4`` or, of middling strength, ``SQL``."""
    name, colon, strength = text.rpartition(":")
    return (name.strip(), _number(strength.strip())) if colon else (text, _DEFAULT_STRENGTH)


def _number(cell: str) -> int:
    if not (cell.isascii() and cell.isdigit() and len(cell) <= 9):
        raise ValueError("must be a whole number")
    return int(cell)
