"""Composition root of *matching*."""

from services.matching import run_worker, solver
from services.matching.api import api
from services.matching.handlers import handlers
from services.matching.store import KINDS, summary
from shared.runtime.service import Service

SERVICE = Service(
    name="matching",
    kinds=KINDS,
    handlers=handlers,
    api=api,
    summary=summary,
    workers=(solver.WORKER, run_worker.WORKER),
)
