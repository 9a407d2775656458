"""The composition root of *feedback*."""

from services.feedback.api import api
from services.feedback.handlers import handlers
from services.feedback.store import KINDS, summary
from shared.runtime.service import Service

SERVICE = Service(
    name="feedback",
    kinds=KINDS,
    handlers=handlers,
    api=api,
    summary=summary,
    unhurried=("person", "relationship", "proposal"),
)
