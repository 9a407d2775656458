"""Composition root of *profiles*."""

from services.profiles.api import api
from services.profiles.handlers import handlers
from services.profiles.store import KINDS, summary
from shared.runtime.service import Backlog, Service

SERVICE = Service(
    name="profiles",
    kinds=KINDS,
    handlers=handlers,
    api=api,
    summary=summary,
    backlog=(
        Backlog(
            "erasures_overdue",
            "Erasures that some service has not confirmed in time",
            "SELECT count(status) FROM erasure",
        ),
    ),
)
