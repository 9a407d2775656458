"""What the solver's process remembers of programmes between rounds, so that whoever comes need not wait for the next.

Never a source of truth: it names the mentors who are worth a look, and what is read of them then decides. It holds
few programmes, each for a quarter of an hour after its round; what is not there any more waits for the next round.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from services.matching.engine import Configuration, Participant, Pool
from services.matching.solver_process import Result, result_of

if TYPE_CHECKING:
    from services.matching.engine.known import Known

MOST_PROGRAMMES: Final = 2
"""One of 40,000 mentors takes 65 MB, and more where people have written down goals."""
SECONDS: Final = 900.0
"""So long after its round, or after somebody's erasure at the latest, a programme is forgotten."""
MOST_CHANGED: Final = 64
"""When more mentors than so many have come or changed since, it is forgotten: time for a round."""
CANDIDATES: Final = 32


class Key(NamedTuple):
    """A programme; what was found under another configuration does not count."""

    tenant: str
    programme_id: str
    fingerprint: str


@dataclass(slots=True)
class _Programme:
    pool: Pool
    """As the round saw it, without mentees."""
    configuration: Configuration
    taken: tuple[str, ...]
    """Mentors of whom the round has given a place."""
    changed: dict[str, None] = field(default_factory=dict)
    """Mentors who have come or changed since: everybody is compared with them."""
    known: "Known | None" = None
    """Made by :func:`prepare`, or when it is first asked for."""


_programmes: dict[tuple[str, str], _Programme] = {}
_guard = threading.Lock()


def remember(key: Key, pool: Pool, configuration: Configuration, result: Result) -> None:
    """Keep the mentors of a round; of programmes those with the latest rounds."""
    kept = _Programme(
        replace(pool, mentees=()), configuration, tuple(pair.mentor_id for pair in result.pairs)
    )
    with _guard:
        _programmes.pop(key[:2], None)
        _programmes[key[:2]] = kept
        while len(_programmes) > MOST_PROGRAMMES:
            del _programmes[next(iter(_programmes))]
    timer = threading.Timer(SECONDS, _forget, (key, kept))
    timer.daemon = True
    timer.start()


def prepare(key: Key) -> None:
    """Make now what the first who comes would have to wait for: a second or two for 40,000 mentors."""
    programme = _of(key)
    if programme is not None:
        _known(programme)


def candidates(key: Key, people: Sequence[Participant], changed: str | None) -> tuple[str, ...] | None:
    """Mentors to look at for these people: each one's best, and all who changed, of whom *changed* is the last.

    None when the programme is not remembered, or not as it is configured now.
    """
    programme = _of(key)
    if programme is None:
        return None
    if changed is not None:
        programme.changed[changed] = None
    if len(programme.changed) > MOST_CHANGED:
        _forget(key, programme)
        return None
    return tuple(sorted(_known(programme).best(people, CANDIDATES) | programme.changed.keys()))


def decide(key: Key, pool: Pool, configuration: Configuration) -> Result | None:
    """The best pairs of a few people, told as they are now."""
    programme = _of(key)
    if programme is None or programme.configuration != configuration:
        return None
    known = _known(programme)
    result = result_of(known.match(pool))
    known.has_now({mentor.person_id: mentor.room for mentor in pool.mentors})
    known.gives(pair.mentor_id for pair in result.pairs)
    return result


def _known(programme: _Programme) -> "Known":
    if programme.known is None:
        from services.matching.engine.known import Known  # brings the compiler along

        programme.known = Known(programme.pool, programme.configuration)
        programme.known.gives(programme.taken)
    return programme.known


def _of(key: Key) -> _Programme | None:
    with _guard:
        programme = _programmes.get(key[:2])
    if programme is None or programme.configuration.fingerprint() != key.fingerprint:
        return None
    return programme


def _forget(key: Key, programme: _Programme) -> None:
    with _guard:
        if _programmes.get(key[:2]) is programme:
            del _programmes[key[:2]]
