"""Composition root of *profiles*."""

from services.profiles.api import api
from services.profiles.handlers import handlers
from services.profiles.store import KINDS, summary
from shared.runtime.service import Service

SERVICE = Service(name="profiles", kinds=KINDS, handlers=handlers, api=api, summary=summary)
