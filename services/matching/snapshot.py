"""The people that a run saw, as bytes: in parts by a hash of their ids, so that one of them can be taken out again.

Side ``mentee`` and ``mentor`` hold people, ``line`` holds who reports to whom. Nothing here knows a clock or a
table, and what is slow runs in a thread or in the solver's process.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Final

import msgspec

from services.matching.engine import Participant, Pool

SIDES: Final = ("mentee", "mentor", "line")
_PEOPLE_IN_A_PART: Final = 250

Parts = Mapping[tuple[str, int], bytes]
"""Content by side and number."""


class Part(msgspec.Struct):
    """One part of one side."""

    people: list[Participant] = []
    failed: list[tuple[str, str]] = []
    """(mentee, mentor), with the mentee's part."""
    managers: dict[str, str] = {}
    """Person to direct manager, with the person's part of the side ``line``."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A pool as it is stored."""

    parts: Parts
    number: int
    """How many parts each side has."""
    input_hash: str


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Part)


def part_of(person_id: str, number: int) -> int:
    """In which of *number* parts somebody is."""
    return int.from_bytes(sha256(person_id.encode()).digest()[:4]) % number


def take(pool: Pool) -> Snapshot:
    """The pool as bytes. Takes a second for 100,000 people."""
    number = max(1, -(-max(len(pool.mentees), len(pool.mentors)) // _PEOPLE_IN_A_PART))
    parts = {(side, n): Part([], [], {}) for side in SIDES for n in range(number)}
    for side, people in (("mentee", pool.mentees), ("mentor", pool.mentors)):
        for person in people:
            parts[side, part_of(person.person_id, number)].people.append(person)
    for mentee_id, mentor_id in pool.failed:
        parts["mentee", part_of(mentee_id, number)].failed.append((mentee_id, mentor_id))
    for person_id, manager_id in pool.managers.items():
        parts["line", part_of(person_id, number)].managers[person_id] = manager_id
    content = {place: _packed(part) for place, part in parts.items()}
    return Snapshot(content, number, hash_of(pool))


def read(parts: Parts, as_of: date) -> Pool:
    """The pool that was taken, without those who have been taken out since."""
    read = {place: _unpacked(content) for place, content in parts.items()}
    managers: dict[str, str] = {}
    for (_, _), part in read.items():
        managers |= part.managers
    return Pool(
        as_of=as_of,
        mentees=_side(read, "mentee"),
        mentors=_side(read, "mentor"),
        managers=managers,
        failed=frozenset(pair for part in read.values() for pair in part.failed),
    )


def hash_of(pool: Pool) -> str:
    """SHA-256 over the day and everybody, in no order."""
    digests = [
        sha256(kind + _encoder.encode(one)).digest() for kind, things in _things(pool) for one in things
    ]
    content = sha256(pool.as_of.isoformat().encode())
    for digest in sorted(digests):
        content.update(digest)
    return content.hexdigest()


def _things(pool: Pool) -> Iterable[tuple[bytes, Iterable[object]]]:
    yield b"mentee", pool.mentees
    yield b"mentor", pool.mentors
    yield b"line", pool.managers.items()
    yield b"failed", pool.failed


def without(content: bytes, person_id: str) -> bytes | None:
    """A part without somebody; None when they were not in it."""
    part = _unpacked(content)
    people = [person for person in part.people if person.person_id != person_id]
    failed = [pair for pair in part.failed if pair[0] != person_id]
    managers = {one: manager for one, manager in part.managers.items() if one != person_id}
    if (len(people), len(failed), len(managers)) == (len(part.people), len(part.failed), len(part.managers)):
        return None
    return _packed(Part(people, failed, managers))


def about(content: bytes, person_id: str) -> list[Participant]:
    """What a part holds of somebody."""
    return [person for person in _unpacked(content).people if person.person_id == person_id]


def _side(read: Mapping[tuple[str, int], Part], side: str) -> tuple[Participant, ...]:
    return tuple(person for (name, _), part in sorted(read.items()) if name == side for person in part.people)


def _packed(part: Part) -> bytes:
    return _encoder.encode(part)


def _unpacked(content: bytes) -> Part:
    return _decoder.decode(content)
