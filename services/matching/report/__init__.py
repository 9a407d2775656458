"""A matching run as one page of HTML: complete in itself, without scripts, for screens, phones, paper and readers.

``render(report)`` needs a :class:`Report` and nothing else: no clock, no database, no network.
"""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from services.matching.report.model import Comparison, LeftOver, Report
from services.matching.report.page import page_of

__all__ = ["Comparison", "LeftOver", "Report", "render"]


@cache
def _template() -> Template:
    return Environment(
        loader=PackageLoader("services.matching.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("report.html")


def render(report: Report) -> str:
    """The page. Everything that came from outside is escaped."""
    return _template().render(page=page_of(report))
