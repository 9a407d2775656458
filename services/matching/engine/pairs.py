"""The pairs of a run with their factors and reasons: what :func:`explain` says, of many at once."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from services.matching.engine.arrays import I32, I64
from services.matching.engine.encode import Encoded
from services.matching.engine.explain import Phrases
from services.matching.engine.factors import Factor
from services.matching.engine.people import Participant
from services.matching.engine.result import Pair
from services.matching.engine.together import Common, common_words, factors_of_all
from services.matching.engine.words import fold

_BLOCK: Final = 5_000
_FACTORS: Final = tuple(Factor)
_NAMED: Final = (Factor.SKILLS, Factor.INTERESTS)
"""Whose words reasons name."""


def pairs_of(encoded: Encoded, mentee: I32, mentor: I32, coherence: I64) -> list[Pair]:
    """In the order of ids. *coherence* [pairs] are the points that a group gives."""
    phrases = Phrases(encoded)
    pairs: list[Pair] = []
    for begin in range(0, len(mentee), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        pairs += _block(encoded, phrases, mentee[block], mentor[block], coherence[block])
    pairs.sort(key=lambda pair: (pair.mentee_id, pair.mentor_id))
    return pairs


def _block(encoded: Encoded, phrases: Phrases, mentee: I32, mentor: I32, coherence: I64) -> Iterator[Pair]:
    points = factors_of_all(encoded.people, mentee, mentor)
    points[:, Factor.COHERENCE] = coherence
    common = common_words(encoded.people, mentee, mentor)
    factor_of = encoded.people.words.factor[common.word]
    kept = np.flatnonzero(np.isin(factor_of, _NAMED))
    named = Common(
        np.searchsorted(kept, common.start).astype(np.int64), common.word[kept], common.worth[kept]
    )
    words, worths, kinds = named.word.tolist(), named.worth.tolist(), factor_of[kept].tolist()
    order = np.argsort(-points, axis=1, kind="stable").tolist()
    starts, rows = named.start.tolist(), points.tolist()
    people = zip(mentee.tolist(), mentor.tolist(), strict=True)
    for n, ((i, j), row, places) in enumerate(zip(people, rows, order, strict=True)):
        parts = {_FACTORS[place]: row[place] for place in places if row[place]}
        person = encoded.mentees[i]
        found: dict[int, list[tuple[int, str]]] = {}
        for at in range(starts[n], starts[n + 1]):
            name = encoded.words[words[at]]
            found.setdefault(kinds[at], []).append((-worths[at], _worded(person, kinds[at], name)))
        said = {factor: [word for _, word in sorted(found.get(factor, ()))] for factor in _NAMED}
        yield Pair(
            person.person_id,
            encoded.mentors[j].person_id,
            sum(row),
            parts,
            phrases.reasons(parts, said),
        )


def _worded(mentee: Participant, factor: int, name: str) -> str:
    """A folded word as the mentee writes it."""
    own = (*mentee.skills, *mentee.interests, *mentee.preferences)
    if name in own:
        return name
    return {fold(word): word for word in own}.get(name, name)
