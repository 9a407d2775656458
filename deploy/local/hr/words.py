"""What people would write about themselves: goals in sentences, interests, working style."""

from collections.abc import Mapping
from random import Random
from typing import Final

from deploy.local.hr.draw import pick, several, whole

_INTERESTS: Final = (
    "Accessibility, Astronomy, Birdwatching, Board games, Career changes, Ceramics, Chess, Choir, "
    "Citizen science, Climbing, Community work, Cooking, Cycling, Dance, Documentary film, "
    "Entrepreneurship, Family and career, Fencing, First-generation graduates, Football, Gardening, "
    "Hiking, History, Industry history, Jazz, Languages, Long-distance running, Open source, Painting, "
    "Parental leave, Part-time leadership, Philosophy, Photography, Public service, Returning to work, "
    "Sailing, Science fiction, Sustainability, Swimming, Teaching, Theatre, Volunteering, Woodworking, "
    "Working abroad, Writing, Yoga"
)
INTERESTS: Final = tuple(_INTERESTS.split(", "))

WORKING_STYLES: Final = (
    "structured, with an agenda",
    "talking things through",
    "learning by doing",
    "reading first, then questions",
    "short and frequent meetings",
    "long conversations, now and then",
    "direct feedback",
    "thinking aloud together",
    "written notes between meetings",
)

_AIMS: Final = (
    "I want to get better at {first} and {second}.",
    "Within {horizon} I would like to be the person my team asks about {first}.",
    "My aim is to take on work that needs {first}, which I have only seen from outside so far.",
    "I am preparing for a role in which {first} and {second} are part of the day.",
    "{first} is what I lack most in my present work in {department}.",
    "I have started to learn {first} on my own and want to use it properly within {horizon}.",
    "I would like to move from {department} towards work with more {first}.",
    "After some time in {department} I want to find out whether {first} is a direction for me.",
    "My goal for {horizon} is a first result of my own in {first}.",
    "I want to lead a piece of work from beginning to end, and for that I need {first}.",
    "People tell me that {first} would make the rest of my work count for more.",
)
_PATHS: Final = (
    "I learn best when somebody looks at my real work and says what they would have done.",
    "A mentor who has made the same step would help me to see what I cannot see yet.",
    "I would like to hear how others decided, above all when it went wrong.",
    "What I look for is an honest view from outside my own reporting line.",
    "Two or three concrete exercises between meetings would suit me well.",
    "I hope to meet people from other places who do similar work.",
    "I have read a good deal about it; what is missing is practice.",
    "I do not need a plan from anybody, but questions that make me think.",
    "It would help to prepare difficult conversations together before I have them.",
)
_MEASURES: Final = (
    "I will know that it worked when I can teach {second} to somebody else.",
    "By the end of {horizon} I want to have presented one result in public.",
    "A good sign would be that I no longer put off tasks that involve {second}.",
    "If after {horizon} I decide against it with good reasons, that is a success too.",
    "The measure is simple: one project finished in which {second} mattered.",
    "I would like to agree on two milestones and look back at them after {horizon}.",
)
_GIVING: Final = (
    "In return I can offer what I know of {offer}.",
    "Having worked with {offer} for years, I want to pass it on.",
    "I was well mentored when I began, and would like to do the same with {offer}.",
    "As a mentor I am most useful on {offer}.",
    "I enjoy explaining {offer} to people who come from another field.",
)
_HORIZONS: Final = ("three months", "six months", "nine months", "a year", "eighteen months", "two years")


def invent_interests(random: Random) -> tuple[str, ...]:
    """One to five interests."""
    return several(random, INTERESTS, whole(random, 1, 5))


def invent_goals(
    random: Random, offered: Mapping[str, int], wanted: Mapping[str, int], department: str
) -> str:
    """Two to four sentences about the heaviest wants and the strongest offer.

    Neither mapping may be empty.
    """
    first, *others = sorted(wanted, key=lambda skill: (-wanted[skill], skill))
    words = {
        "first": _in_sentence(first),
        "second": _in_sentence(pick(random, others) if others else first),
        "offer": _in_sentence(max(offered, key=lambda skill: (offered[skill], skill))),
        "department": department,
        "horizon": pick(random, _HORIZONS),
    }
    chosen = [pick(random, _AIMS), pick(random, _PATHS)]
    if random.random() < 0.6:
        chosen.append(pick(random, _MEASURES))
    if max(offered.values()) >= 4 and random.random() < 0.7:
        chosen.append(pick(random, _GIVING))
    sentences = (template.format_map(words) for template in chosen)
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def _in_sentence(skill: str) -> str:
    """A skill as it reads in mid-sentence: "public speaking", but "SQL" and "Python"."""
    return skill if skill in _PROPER or skill[1:2].isupper() else skill[0].lower() + skill[1:]


_PROPER: Final = frozenset(
    {"Python", "Java", "TypeScript", "Kubernetes", "Linux administration", "Six Sigma"}
)
