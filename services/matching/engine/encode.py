"""From people to arrays. The order in which people come leaves no trace: they are taken by a seeded draw."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.matching.engine.arrays import I64, Population, Side
from services.matching.engine.configuration import TERMS, Configuration, Form, Objective
from services.matching.engine.embedder import Embedder, Meanings
from services.matching.engine.offered import Offered
from services.matching.engine.people import Participant, Pool, check
from services.matching.engine.sides import Numbers, Zones, kinds_of, side_of
from services.matching.engine.specials import Specials
from services.matching.engine.tables import tables_of
from services.matching.engine.tree import places_of, tree_of
from services.matching.engine.words import draw


@dataclass(frozen=True, slots=True)
class Encoded:
    """Arrays and what gives them back their names."""

    people: Population
    mentees: tuple[Participant, ...]
    mentors: tuple[Participant, ...]
    words: tuple[str, ...]
    """Each word, folded, by number."""
    circles: tuple[tuple[str, ...], ...]
    """People who, by HR's data, report to each other in a circle."""
    highest: int
    """No pair can score more."""
    form: Form


class Encoder:
    """Mentors as arrays, and what is needed to put mentees beside them, now or later."""

    def __init__(
        self,
        pool: Pool,
        configuration: Configuration,
        embedders: Mapping[str, Embedder] | None = None,
        *,
        like: "Encoder | None" = None,
    ) -> None:
        """*like*: an encoder of all mentors, when *pool* has but a few of them; a pair is then worth as much here as
        there. Raises :class:`InvalidPool` and :class:`InvalidConfiguration`."""
        configuration.check()
        check(pool)
        if configuration.form is Form.PEER:
            pool = both_ways(pool)
        self.pool, self.configuration = pool, configuration
        weights = configuration.weights
        self._zones = Zones(pool)
        self.mentors, draws = self._beside(*_in_order(pool.mentors, configuration.seed))
        self.tree = tree_of(pool.managers, (p.person_id for p in (*pool.mentees, *pool.mentors)))
        self.highest = _highest(configuration)
        self._numbers = Numbers()
        constants = [min(weights.history_most, weights.history * m.completed) for m in self.mentors]
        self._side = self._side_of(self.mentors, draws, constants)
        peers = configuration.form is Form.PEER
        self._giving = {person.person_id: person for person in self.mentors} if peers else None
        wants = {person.person_id: person for person in pool.mentees} if peers else {}
        self._offered: Offered = Offered(
            self.mentors,
            weights,
            terms=configuration.embedder == TERMS,
            wanting=[wants[person.person_id] for person in self.mentors] if peers else (),
            like=None if like is None else like._offered,
        )
        self._meanings = Meanings(configuration, embedders)
        self._vectors = self._meanings.of([person.goals for person in self.mentors])
        self._tables = tables_of(configuration.rules, weights, self._zones.offsets, configuration.form)
        self._special = Specials(self.mentors, pool.failed, weights)
        self._capacity = np.array([person.room for person in self.mentors], np.int64)

    def encode(self, people: Iterable[Participant]) -> Encoded:
        """These people as the mentees of the pool's mentors."""
        mentees, draws = _in_order(people, self.configuration.seed)
        width = self._side.languages.shape[1]
        side = self._side_of(mentees, draws, [0] * len(mentees), width)
        kind = kinds_of(side)
        dimensions = self._vectors.shape[1] if self.mentors else None
        vectors = self._meanings.of([person.goals for person in mentees], dimensions)
        population = Population(
            mentees=side,
            mentors=self._side,
            words=self._offered.wanted_by(mentees, self._giving),
            meaning=self._meanings.between(vectors, self._vectors),
            special=self._special.of(mentees),
            tables=self._tables,
            capacity=self._capacity,
            bonus=_bonus(mentees, self.configuration.objective, self.highest),
            order=np.lexsort((draws, kind)).astype(np.int64),
            kind=kind,
        )
        return Encoded(
            population,
            mentees,
            self.mentors,
            self._offered.names,
            self.tree.circles,
            self.highest,
            self.configuration.form,
        )

    def _beside(self, mentors: tuple[Participant, ...], draws: I64) -> tuple[tuple[Participant, ...], I64]:
        """Mentors of one level and zone beside each other, so that rules pass over many at once."""
        order = sorted(
            range(len(mentors)),
            key=lambda n: (mentors[n].level or 0, self._zones.of(mentors[n].time_zone), n),
        )
        return tuple(mentors[n] for n in order), draws[order]

    def _side_of(
        self, people: Sequence[Participant], draws: I64, constants: Sequence[int], width: int | None = None
    ) -> Side:
        places = places_of(self.tree, [person.person_id for person in people], self.pool.managers)
        return side_of(people, draws, self._numbers, self._zones, places, constants, width)


def encode(
    pool: Pool,
    configuration: Configuration,
    embedders: Mapping[str, Embedder] | None = None,
    *,
    like: Encoder | None = None,
) -> Encoded:
    """The whole pool; see :class:`Encoder`."""
    encoder = Encoder(pool, configuration, embedders, like=like)
    return encoder.encode(person for person in encoder.pool.mentees if has_place(person, configuration.form))


def has_place(mentee: Participant, form: Form) -> bool:
    """Whether somebody takes a relationship more, themselves."""
    return mentee.free > 0 if form is Form.PEER else mentee.total != 0


def both_ways(pool: Pool) -> Pool:
    """The pool of peers: everybody is among the mentees with what they want and among the mentors with what they give,
    and is otherwise one person. Whoever takes nobody more (``free`` 0) stays a mentor without room only."""
    wants = {person.person_id: person for person in pool.mentees}
    gives = {person.person_id: person for person in pool.mentors}
    mentees, mentors = [], []
    for person_id in sorted(wants.keys() | gives.keys()):
        want, give = wants.get(person_id), gives.get(person_id)
        one = want or give
        assert one is not None
        both = replace(
            one,
            choices=tuple(dict.fromkeys((*(want.choices if want else ()), *(give.choices if give else ())))),
            avoid=(want.avoid if want else frozenset()) | (give.avoid if give else frozenset()),
            free=int(one.total != 0) if give is None else min(1, give.room),
            completed=0,
        )
        nothing = Participant(person_id)
        asked, shown = want or nothing, give or nothing
        mentees.append(replace(both, skills=asked.skills, preferences=asked.preferences))
        mentors.append(replace(both, skills=shown.skills, preferences=shown.preferences))
    failed = pool.failed | {(other, one) for one, other in pool.failed}
    return replace(pool, mentees=tuple(mentees), mentors=tuple(mentors), failed=failed)


def _in_order(people: Iterable[Participant], seed: str) -> tuple[tuple[Participant, ...], I64]:
    drawn = sorted((draw(seed, person.person_id), person.person_id, person) for person in people)
    return tuple(entry[2] for entry in drawn), np.array([entry[0] for entry in drawn], np.int64)


def _highest(configuration: Configuration) -> int:
    weights = configuration.weights
    return (
        (weights.coherence_most if configuration.form is Form.GROUP else 0)
        + weights.skills_most
        + weights.goals_most
        + weights.interests_most
        + weights.preferences_most
        + weights.working_style
        + weights.experience
        + weights.same_office
        + weights.overlap
        + weights.history_most
        + 2 * weights.first_choice
    )


def _bonus(mentees: Sequence[Participant], objective: Objective, highest: int) -> I64:
    """What being matched is worth beside the score: somebody with priority is worth more than any score."""
    each = highest + 1
    base = each if objective is Objective.PEOPLE else 0
    return np.array([base + each * person.priority for person in mentees], np.int64)
