"""A CSV file as rows by column name, within limits, each row with the line on which it begins."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.local.hr.errors import ExtractError
from deploy.local.hr.mapping import CsvOptions


@dataclass(frozen=True, slots=True)
class Limits:
    """What is still taken for an HR extract: the file in bytes, its rows, and a cell in characters.

    A longer cell costs its row, anything else the file; a cell beyond the CSV reader's own limit
    (131,072 characters) means an open quotation mark and costs the file too.
    """

    file_bytes: int = 512 * 1024 * 1024
    rows: int = 1_000_000
    cell: int = 10_000


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Row:
    """One row. ``problem`` says why it is none; its cells are then empty. Lines count from 1."""

    line: int
    cells: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    file: str
    columns: tuple[str, ...]
    rows: Iterator[Row]


def read_table(path: Path, options: CsvOptions, limits: Limits) -> Table:
    """Open *path*. Raises ``ExtractError`` at once for a file that is no table, later for too many rows."""
    text = _text(path, options, limits)
    # strict: a quotation mark in the middle of a cell, or one that never closes, is an error.
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=options.delimiter, quotechar=options.quote, strict=True
    )
    lines = _lines(reader, str(path))
    line, header = next(lines, (1, []))
    columns = tuple(name.strip() for name in header)
    if not any(columns):
        raise ExtractError("The extract is empty: it has no header.", str(path), 1)
    for number, name in enumerate(columns, start=1):
        if not name:
            raise ExtractError(f"Column {number} has no name.", str(path), line, str(number))
        if name in columns[: number - 1]:
            raise ExtractError(f'The column "{name}" is there twice.', str(path), line, name)
    return Table(str(path), columns, _rows(lines, columns, str(path), limits))


def _text(path: Path, options: CsvOptions, limits: Limits) -> str:
    try:
        if path.stat().st_size > limits.file_bytes:
            raise ExtractError(f"The extract is larger than {limits.file_bytes:,} bytes.", str(path))
        raw = path.read_bytes()
    except OSError as error:
        raise ExtractError(f"The extract cannot be read: {error.strerror}.", str(path)) from None
    try:
        text = raw.decode(options.encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        start = raw.rfind(b"\n", 0, error.start) + 1
        raise ExtractError(
            f"The extract is not {options.encoding.upper()}: byte {raw[error.start]:#04x} at character "
            f"{error.start - start + 1} of the line.",
            str(path),
            line,
        ) from None
    return text.removeprefix("\ufeff")


def _lines(reader: Iterator[list[str]], file: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line on which it begins (a quoted cell may run over several); blank lines left out."""
    while True:
        line = reader.line_num + 1  # type: ignore[attr-defined]  # csv's reader type is private
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ExtractError(f"The row is not CSV: {error}.", file, line) from None
        if cells:
            yield line, cells


def _rows(
    lines: Iterator[tuple[int, list[str]]], columns: tuple[str, ...], file: str, limits: Limits
) -> Iterator[Row]:
    for number, (line, cells) in enumerate(lines, start=1):
        if number > limits.rows:
            raise ExtractError(f"The extract has more than {limits.rows:,} rows.", file, line)
        if len(cells) != len(columns):
            yield Row(line, problem=f"The row has {len(cells)} cells, the header has {len(columns)}.")
        elif any(len(cell) > limits.cell for cell in cells):
            yield Row(line, problem=f"A cell is longer than {limits.cell:,} characters.")
        else:
            yield Row(line, dict(zip(columns, cells, strict=True)))
