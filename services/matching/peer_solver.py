"""What the solver's process answers about two people of a run of peers.

Prices do not tell there why two are no pair: a pool without sides has none that prove it. What tells is whom both have.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.matching import snapshot
from services.matching.engine import Configuration
from services.matching.run_solver import Job, NotInRun, openly, rule_sentence

if TYPE_CHECKING:
    from services.matching.engine.explain import NotPaired


@dataclass(frozen=True, slots=True)
class PeerQuestion:
    """Why two people are, or are not, a pair of a run of peers."""

    job: Job
    """Everybody: what two give each other depends on what both want."""
    one_id: str
    other_id: str
    ones_peer_id: str | None
    """Whom each of the two got."""
    others_peer_id: str | None


def explain_peers(question: PeerQuestion) -> dict[str, Any]:
    """The pair's score, and the rule or the present pairs that decide. Raises :class:`NotInRun`.

    ``price`` is what the other one has as it is, and ``own_gain`` what the first has: parting both pairs pays only when
    the score is more than the two together.
    """
    from services.matching.engine.encode import encode
    from services.matching.engine.explain import NotPaired, explain
    from services.matching.engine.pairwise import factors_of

    pool = snapshot.read(question.job.parts, question.job.as_of)
    encoded = encode(pool, Configuration.read(question.job.configuration))
    row = {person.person_id: number for number, person in enumerate(encoded.mentees)}
    column = {person.person_id: number for number, person in enumerate(encoded.mentors)}
    if question.one_id not in row:
        raise NotInRun("mentee")
    if question.other_id not in column:
        raise NotInRun("mentor")

    def points(person_id: str, peer_id: str | None) -> int:
        if peer_id is None or peer_id not in column:
            return 0
        return int(factors_of(encoded.people, row[person_id], column[peer_id]).sum())

    pair = explain(encoded, row[question.one_id], column[question.other_id])
    own = points(question.one_id, question.ones_peer_id)
    theirs = points(question.other_id, question.others_peer_id)
    if question.ones_peer_id == question.other_id:
        verdict, sentence, theirs = NotPaired.PAIRED, "They are a pair.", 0
    elif pair.rules:
        verdict, sentence = NotPaired.RULE, _sentence(pair.rules[0])
    else:
        verdict, sentence = _compared(pair.score, own, theirs)
    return {
        "verdict": verdict.value,
        "sentence": sentence,
        **openly(pair, _sentence),
        "scarcity": 0,
        "price": theirs,
        "gain": pair.score - theirs,
        "own_mentor_id": question.ones_peer_id if question.ones_peer_id in column else None,
        "own_gain": own,
        "peers": True,
    }


def _sentence(rule: Any) -> str:
    """A rule as a sentence, where it means something else than with mentors."""
    from services.matching.engine.factors import Rule

    own = {
        Rule.SAME_PERSON: "Nobody is their own peer.",
        Rule.LEVEL: "Their levels are further apart than the programme lets peers be.",
    }
    return own.get(rule) or rule_sentence(rule)


def _compared(score: int, own: int, theirs: int) -> "tuple[NotPaired, str]":
    from services.matching.engine.explain import NotPaired

    if score <= max(own, theirs):
        whose = "first" if score <= own else "other"
        return NotPaired.WORSE, (
            f"{score:,} points together are no more than the {max(own, theirs):,} that the {whose} has as it is."
        )
    if score <= own + theirs:
        return NotPaired.PRICE, (
            f"{score:,} points together are no more than the {own + theirs:,} of the two pairs that they are in."
        )
    return NotPaired.PRICE, (
        f"{score:,} points together are more than the {own + theirs:,} that they have as it is, but others would lose"
        " as much, or somebody would be left over."
    )
