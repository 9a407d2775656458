"""What people can teach and want to learn: 120 skills in families, drawn to fit department and level.

Departments lean on a few families each; leadership grows with seniority. So somebody junior in a
laboratory wants what somebody senior there offers, which is what makes a pool worth matching.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Final

from deploy.local.hr.draw import pick, whole

_FAMILIES: Final = {
    "leadership": "Leading teams, Delegation, Strategic planning, Change management, Decision making, "
    "Coaching others, Managing conflict, Executive presence",
    "communication": "Public speaking, Technical writing, Facilitation, Negotiation, Active listening, "
    "Storytelling, Intercultural communication, Giving feedback",
    "projects": "Project planning, Agile delivery, Risk management, Stakeholder management, Budgeting, "
    "Prioritisation, Process improvement, Vendor management",
    "software": "Python, Java, TypeScript, Software architecture, Code review, Test automation, "
    "API design, Event-driven systems",
    "infrastructure": "Kubernetes, Linux administration, Networking, Cloud cost control, Observability, "
    "Incident response, Identity management, Threat modelling",
    "data": "SQL, Statistics, Machine learning, Data visualisation, Data engineering, Forecasting, "
    "Experiment design, Data governance",
    "product": "Product discovery, User research, Interaction design, Roadmapping, Accessibility, "
    "Service design, Prototyping, Market analysis",
    "research": "Scientific writing, Literature review, Grant applications, Study design, "
    "Research ethics, Peer review, Patent filing, Systems biology",
    "laboratory": "Cell culture, Chromatography, Mass spectrometry, Sample preparation, Lab safety, "
    "Good laboratory practice, Microscopy, Assay development",
    "clinical": "Clinical trials, Patient communication, Medical writing, Pharmacovigilance, "
    "Health economics, Good clinical practice, Epidemiology, Regulatory affairs",
    "manufacturing": "Lean manufacturing, Quality control, Supply planning, Root cause analysis, "
    "Plant safety, Maintenance planning, Six Sigma, Industrial automation",
    "selling": "Account management, Prospecting, Sales forecasting, Contract negotiation, "
    "Solution selling, Territory planning, Customer retention, Key account strategy",
    "marketing": "Brand strategy, Content marketing, Campaign analytics, Event management, "
    "Search marketing, Public relations, Customer segmentation, Copywriting",
    "finance": "Financial modelling, Cost accounting, Audit, Tax, Treasury, Investor relations, "
    "Controlling, Procurement",
    "people": "Recruiting, Talent development, Compensation design, Labour law, Onboarding, "
    "Organisation design, Employee relations, Inclusion",
}

FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    family: tuple(skill.strip() for skill in skills.split(",")) for family, skills in _FAMILIES.items()
}
SKILLS: Final[tuple[str, ...]] = tuple(skill for skills in FAMILIES.values() for skill in skills)

_OWN, _ANY, _CRAFT_SENIOR, _LEAD = 12, 1, 2, 16
"""Weights: a skill of one's own families, of any other, communication and projects, leadership at the top."""

OFFERED: Final = (4, 14)
WANTED: Final = (3, 8)
"""How many skills a person offers and wants, least and most."""


@dataclass(frozen=True, slots=True)
class SkillSet:
    """Skills offered with strength and wanted with weight, 1 to 5. Nobody wants what they offer."""

    offered: dict[str, int]
    wanted: dict[str, int]


@lru_cache(maxsize=4096)
def _urn(families: tuple[str, ...], tenths: int) -> tuple[str, ...]:
    """Skills for *families* at a seniority of *tenths* tenths, each as often as it weighs."""
    urn: list[str] = []
    for family, skills in FAMILIES.items():
        weight = _OWN if family in families else _ANY
        if family == "leadership":
            weight += _LEAD * tenths // 10
        elif family in ("communication", "projects"):
            weight += _CRAFT_SENIOR
        urn.extend(skills * weight)
    return tuple(urn)


def _draw(random: Random, count: int, urn: tuple[str, ...], without: dict[str, int]) -> list[str]:
    """*count* different skills, none of them in *without*; in the order drawn."""
    found: dict[str, None] = {}
    while len(found) < count:
        skill = pick(random, urn)
        if skill not in without:
            found[skill] = None
    return list(found)


def invent_skills(random: Random, families: Sequence[str], seniority: float) -> SkillSet:
    """Skills of somebody whose work draws on *families*; *seniority* runs from 0 (new) to 1 (head)."""
    tenths = min(10, max(0, round(seniority * 10)))
    own = tuple(sorted(set(families)))
    low, high = OFFERED
    count = min(high, low + int(random.random() * (3 + 8 * seniority)))
    strength = 1.5 + 2.5 * seniority
    offered = {
        skill: min(5, max(1, round(strength - 1.5 + 3 * random.random())))
        for skill in _draw(random, count, _urn(own, tenths), {})
    }
    low, high = WANTED
    count = whole(random, low, high)
    # One wants what those further up have: the same families, two tenths further.
    wanted = {
        skill: whole(random, 1, 5) for skill in _draw(random, count, _urn(own, min(10, tenths + 2)), offered)
    }
    return SkillSet(offered, wanted)
