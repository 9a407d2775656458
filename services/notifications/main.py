"""The composition root: everything that the service *notifications* is made of."""

from typing import Final

from services.notifications.api import api
from services.notifications.handlers import handlers
from services.notifications.sender import run
from services.notifications.store import KINDS, summary
from shared.runtime.service import Service, Worker

SERVICE: Final = Service(
    name="notifications",
    kinds=KINDS,
    handlers=handlers,
    api=api,
    summary=summary,
    workers=(Worker("sender", run),),
    unhurried=("person",),
    gather_seconds=0.25,  # nobody waits for the news of a mail
)
