"""Why these two, and why not those: from the rules, the factors and the prices of a run, nothing else.

What participants read names only what both have shown each other anyway: no wishes, no choices, no avoid lists, no
earlier failures. Coordinators read everything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.matching.engine.configuration import Configuration, Form, Method
from services.matching.engine.encode import Encoded
from services.matching.engine.factors import Factor, Rule
from services.matching.engine.pairwise import broken_rule, factors_of
from services.matching.engine.words import fold, wordings

_MOST_REASONS: Final = 5
_WORD_LETTERS: Final = 120
_PRIVATE: Final = frozenset({Factor.PREFERENCES, Factor.MENTEE_CHOICE, Factor.MENTOR_CHOICE})

_RULES: Final[Mapping[Rule, str]] = {
    Rule.SAME_PERSON: "Nobody mentors themselves.",
    Rule.AVOID: "One of the two does not want to be paired with the other.",
    Rule.FAILED_BEFORE: "They were proposed or paired before, without success.",
    Rule.LEVEL: "Their levels are not as far apart as the programme asks.",
    Rule.OVERLAP: "Their working hours overlap too little.",
    Rule.LANGUAGE: "They have no language in common.",
    Rule.DEPARTMENT: "They are of one department.",
    Rule.TEAM: "They are of one team.",
    Rule.REPORTING_LINE: "One of the two reports to the other, directly or through others.",
    Rule.FULL: "The mentor has no room.",
}


class NotPaired(StrEnum):
    """Why somebody is not somebody's mentor."""

    PAIRED = "paired"
    """They are a pair."""
    RULE = "rule"
    """A rule forbids it."""
    PRICE = "price"
    """The mentor's places are worth more to others."""
    GROUP = "group"
    """No group of the mentor could take the mentee, or groups as they are give more together."""
    WORSE = "worse"
    """The mentee has somebody who suits them better."""
    STABLE = "stable"
    """Pairs are stable: one of the two ranks whom they have above the other."""
    FAIRNESS = "fairness"
    """The pair would gain, but places went to those with the lowest scores."""
    TOLERANCE = "tolerance"
    """The pair would gain so little that the run's proof leaves it open."""


@dataclass(frozen=True, slots=True)
class Share:
    """One factor of a score."""

    factor: Factor
    points: int
    share: float
    """Of the score, 0 to 1."""
    words: tuple[str, ...]
    """What both have in common there, the most valuable first."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A pair, made or possible."""

    mentee_id: str
    mentor_id: str
    score: int
    shares: tuple[Share, ...]
    """For coordinators, the largest first."""
    reasons: tuple[str, ...]
    """For the two people themselves: sentences, at most five."""
    rules: tuple[Rule, ...]
    """Rules that forbid the pair; the first decides."""


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why a pair was not made, in numbers that can be added up by hand."""

    verdict: NotPaired
    sentence: str
    score: int
    scarcity: int
    """What a place costs with either mentor, because there are too few; left out of price and gains."""
    price: int
    """What a place with this mentor costs beyond that."""
    gain: int
    """Score less price."""
    own_gain: int
    """The mentee's score less price with the mentor they got; 0 with nobody."""


def explain(encoded: Encoded, i: int, j: int, coherence: int = 0) -> Explanation:
    """Mentee number *i* and mentor number *j* of the arrays; *coherence* are the points that the group gives."""
    points = factors_of(encoded.people, i, j)
    points[Factor.COHERENCE] = coherence
    score = int(points.sum())
    words = _common_words(encoded, i, j)
    shares = [
        Share(factor, int(points[factor]), int(points[factor]) / score, words.get(factor, ()))
        for factor in Factor
        if points[factor]
    ]
    shares.sort(key=lambda share: (-share.points, share.factor))
    return Explanation(
        mentee_id=encoded.mentees[i].person_id,
        mentor_id=encoded.mentors[j].person_id,
        score=score,
        shares=tuple(shares),
        reasons=Phrases(encoded).reasons([share.factor for share in shares], words),
        rules=_rules(encoded, i, j),
    )


def rule_sentence(rule: Rule) -> str:
    """A rule in words, for coordinators."""
    return _RULES[rule]


def why_not(
    encoded: Encoded,
    configuration: Configuration,
    prices: Mapping[str, int],
    chosen: Mapping[str, str],
    i: int,
    j: int,
    coherence: int = 0,
) -> WhyNot:
    """*prices* by mentor and *chosen* mentor by mentee are those of the run; *coherence* is what the mentee's group
    gives. Stable pairs are chosen without prices: there all of them count as 0."""
    mentee_id, mentor_id = encoded.mentees[i].person_id, encoded.mentors[j].person_id
    stable = configuration.method is not Method.OPTIMAL
    score = int(factors_of(encoded.people, i, j).sum())
    own = chosen.get(mentee_id)
    if own == mentor_id:
        score += coherence
    asked = 0 if stable else prices.get(mentor_id, 0)
    own_score, own_price, scarcity = 0, 0, min(asked, int(encoded.people.bonus[i]))
    if own is not None:
        number = next(n for n, mentor in enumerate(encoded.mentors) if mentor.person_id == own)
        own_score = int(factors_of(encoded.people, i, number).sum()) + coherence
        own_price = 0 if stable else prices.get(own, 0)
        # Where mentors are scarce prices hold what it is worth to be matched at all, which the mentee is in any case.
        scarcity = min(asked, own_price) if own_score < own_price else 0
        own_price -= scarcity
    price, own_gain = asked - scarcity, own_score - own_price
    less = f" ({own_score:,} less {own_price:,} for the place)" if own_price else ""
    has = f"the {own_gain:,} that the mentee has as it is{less}"
    rules = _rules(encoded, i, j)
    if own == mentor_id:
        verdict, sentence = NotPaired.PAIRED, "They are a pair."
    elif rules:
        verdict, sentence = NotPaired.RULE, rule_sentence(rules[0])
    elif score <= own_gain:
        verdict, sentence = NotPaired.WORSE, f"{score:,} points together are no more than {has}."
    elif score - price <= own_gain + (0 if stable else _ROUNDED):
        beyond = (
            f" beyond the {scarcity:,} that any place is worth, as mentors are scarce" if scarcity else ""
        )
        rounded = "; prices are rounded to whole points" if score - price > own_gain else ""
        verdict = NotPaired.PRICE
        sentence = (
            f"Others need this mentor more: a place costs {price:,} points{beyond}. {score:,} points together leave"
            f" {score - price:,}; the mentee has {own_gain:,} as it is{less}{rounded}."
        )
    else:
        verdict = _beyond_prices(configuration)
        cost = f", less {price:,} for the place," if price else ""
        sentence = f"{score:,} points together{cost} are more than {has}, but {_BUT[verdict]}."
    return WhyNot(verdict, sentence, score, scarcity, price, score - price, own_gain)


_ROUNDED: Final = 1
"""Prices are whole points, so of two gains that are equal one may be a point higher."""
_BUT: Final[Mapping[NotPaired, str]] = {
    NotPaired.STABLE: "this run makes stable pairs: one of the two ranks whom they have above the other",
    NotPaired.GROUP: (
        "no group of this mentor has a place for them, may seat them, or gains as much as others would lose"
    ),
    NotPaired.FAIRNESS: "this run gives up points to raise the lowest scores",
    NotPaired.TOLERANCE: "by no more than what the run's proof leaves open",
}


def _beyond_prices(configuration: Configuration) -> NotPaired:
    """What keeps two people apart whom prices do not."""
    if configuration.method is not Method.OPTIMAL:
        return NotPaired.STABLE
    if configuration.form is Form.GROUP:
        return NotPaired.GROUP
    return NotPaired.FAIRNESS if configuration.fairness_loss else NotPaired.TOLERANCE


def _rules(encoded: Encoded, i: int, j: int) -> tuple[Rule, ...]:
    first = Rule(int(broken_rule(encoded.people, i, j)))
    found = [] if first is Rule.NONE else [first]
    if encoded.people.capacity[j] == 0:
        found.append(Rule.FULL)
    return tuple(found)


def _common_words(encoded: Encoded, i: int, j: int) -> dict[Factor, tuple[str, ...]]:
    """By factor, in the mentee's own wording."""
    words, mentee = encoded.people.words, encoded.mentees[i]
    wording = {fold(word): word for word in (*mentee.skills, *mentee.interests, *mentee.preferences)}
    goals = wordings(mentee.goals)
    found: dict[Factor, list[tuple[int, str]]] = {}
    for place in range(int(words.start[i]), int(words.start[i + 1])):
        word = int(words.word[place])
        first, past = int(words.users[word]), int(words.users[word + 1])
        at = first + int(words.mentor[first:past].searchsorted(j))
        if at < past and words.mentor[at] == j:
            worth = int(words.points[place]) * int(words.strength[at])
            name = encoded.words[word]
            factor = Factor(int(words.factor[word]))
            written = (goals if factor is Factor.GOALS else wording).get(name, name)
            found.setdefault(factor, []).append((-worth, written))
    return {factor: tuple(word for _, word in sorted(pairs)) for factor, pairs in found.items()}


class Phrases:
    """What the factors of a run are called in reasons."""

    def __init__(self, encoded: Encoded) -> None:
        self._general = {f: text for f, text in _GENERAL.items() if f not in _PRIVATE}
        self._general |= _BY_FORM.get(encoded.form, {})
        if encoded.people.meaning.mentors.shape[1]:
            self._general[Factor.GOALS] = "Their goals are alike"
        peers = encoded.form is Form.PEER
        self._offer = "One knows {}, which the other wants to learn" if peers else _OFFER

    def reasons(self, factors: Iterable[Factor], words: Mapping[Factor, Sequence[str]]) -> tuple[str, ...]:
        """General sentences; nothing that one of the two keeps to themselves. *factors* give points, the strongest
        first; *words* are what both have in common, the most valuable first."""
        reasons: list[str] = []
        for factor in factors:
            if factor is Factor.SKILLS:
                reasons += [self._offer.format(_short(word)) for word in dict.fromkeys(words[factor][:3])]
            elif factor is Factor.INTERESTS:
                reasons += [f"Both care about {_short(word)}" for word in words[factor][:2]]
            elif factor in self._general:
                reasons.append(self._general[factor])
        return tuple(reasons[:_MOST_REASONS]) or ("They meet what the programme asks of a pair",)


_OFFER: Final = "Offers {}, which the mentee wants to learn"
_GENERAL: Final[dict[Factor, str]] = {
    Factor.GOALS: "Their goals have words in common",
    Factor.WORKING_STYLE: "Both like to work in the same way",
    Factor.EXPERIENCE: "The mentor is ahead by a step that can be followed",
    Factor.OFFICE: "They work at the same place",
    Factor.WORKING_HOURS: "Their working hours overlap",
    Factor.HISTORY: "The mentor has led others to their goals",
    Factor.COHERENCE: "The others of the group want something alike",
}
_BY_FORM: Final[Mapping[Form, dict[Factor, str]]] = {
    Form.REVERSE: {Factor.EXPERIENCE: "The mentor sees the organisation from another step"},
    Form.PEER: {Factor.EXPERIENCE: "They stand at about the same step"},
}


def _short(word: str) -> str:
    return word[:_WORD_LETTERS]
