"""The functions of the synthetic organisation: departments, job titles, teams, and what they work with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Department:
    """A department: its cluster, its size relative to the others, the craft, its families of skills."""

    name: str
    cluster: str
    weight: int
    craft: str
    families: tuple[str, ...]
    subjects: tuple[str, ...]


def _department(name: str, cluster: str, weight: int, craft: str, families: str, subjects: str) -> Department:
    return Department(name, cluster, weight, craft, tuple(families.split()), tuple(subjects.split()))


DEPARTMENTS: Final[Mapping[str, Department]] = {
    department.name: department
    for department in (
        _department(
            "Engineering",
            "technology",
            12,
            "Software Engineer",
            "software infrastructure",
            "Payments Search Mobile Billing Sync Forms Catalogue Integrations",
        ),
        _department(
            "Information Technology",
            "technology",
            5,
            "Systems Engineer",
            "infrastructure software",
            "Workplace Networks Identity Hosting Support",
        ),
        _department(
            "Data and Analytics",
            "technology",
            4,
            "Data Analyst",
            "data software",
            "Reporting Forecasting Warehouse Experiments",
        ),
        _department(
            "Product and Design",
            "technology",
            3,
            "Product Designer",
            "product communication",
            "Onboarding Insights Platform Accessibility",
        ),
        _department(
            "Security",
            "technology",
            2,
            "Security Analyst",
            "infrastructure software",
            "Detection Response Assurance",
        ),
        _department(
            "Research and Development",
            "science",
            7,
            "Research Scientist",
            "research laboratory data",
            "Polymers Enzymes Imaging Biomarkers Formulation",
        ),
        _department(
            "Clinical Development",
            "science",
            4,
            "Clinical Specialist",
            "clinical research",
            "Oncology Cardiology Trials Safety",
        ),
        _department(
            "Manufacturing",
            "operations",
            9,
            "Process Engineer",
            "manufacturing projects",
            "Assembly Packaging Filling Maintenance Tooling",
        ),
        _department(
            "Supply Chain",
            "operations",
            5,
            "Supply Planner",
            "manufacturing finance",
            "Inbound Outbound Planning Customs",
        ),
        _department(
            "Quality",
            "operations",
            3,
            "Quality Specialist",
            "manufacturing laboratory",
            "Audit Release Complaints",
        ),
        _department(
            "Sales",
            "commercial",
            9,
            "Account Executive",
            "selling communication",
            "North South East West Partners Public",
        ),
        _department(
            "Marketing",
            "commercial",
            4,
            "Marketing Specialist",
            "marketing product",
            "Brand Campaigns Events Content",
        ),
        _department(
            "Customer Success",
            "commercial",
            5,
            "Customer Advisor",
            "communication selling",
            "Adoption Renewals Training Helpdesk",
        ),
        _department(
            "Finance",
            "corporate",
            4,
            "Financial Analyst",
            "finance data",
            "Accounting Controlling Treasury Procurement",
        ),
        _department(
            "Human Resources",
            "corporate",
            3,
            "HR Partner",
            "people communication",
            "Recruiting Learning Rewards Services",
        ),
        _department(
            "Legal", "corporate", 1, "Legal Counsel", "finance communication", "Contracts Privacy Patents"
        ),
    )
}

CLUSTERS: Final[Mapping[str, tuple[Department, ...]]] = {
    cluster: tuple(each for each in DEPARTMENTS.values() if each.cluster == cluster)
    for cluster in dict.fromkeys(each.cluster for each in DEPARTMENTS.values())
}

_CRAFT_TITLES = (
    "Junior {}",
    "{}",
    "{}",
    "Senior {}",
    "Senior {}",
    "Principal {}",
    "Distinguished {}",
    "Distinguished {}",
    "Fellow, {}",
    "Fellow, {}",
)
_LEADING_TITLES = (
    "Team Lead, {}",
    "Team Lead, {}",
    "Team Lead, {}",
    "Team Lead, {}",
    "Manager, {}",
    "Senior Manager, {}",
    "Director, {}",
    "Senior Director, {}",
    "Vice President, {}",
    "Chief Executive Officer",
)


def title_of(department: Department, level: int, leads: bool) -> str:
    """The job title at *level* (1 to 10) of somebody who leads people, or does not."""
    if leads:
        return _LEADING_TITLES[level - 1].format(department.name)
    return _CRAFT_TITLES[level - 1].format(department.craft)
