"""The embedded stack: real Kafka, real PostgreSQL, a mail sink and the services, as plain processes.

For a laptop, a test and a demonstration; nothing here runs in production.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.local.clock import LocalClock
    from deploy.local.errors import LocalStackError, MissingProgram, PortInUse, StartFailed
    from deploy.local.issuer import Issuer
    from deploy.local.kafka import Kafka
    from deploy.local.mail import Mail, Mailbox, MailSink
    from deploy.local.postgres import Postgres
    from deploy.local.service import ServiceProcess
    from deploy.local.stack import LocalStack

__all__ = [
    "Issuer",
    "Kafka",
    "LocalClock",
    "LocalStack",
    "LocalStackError",
    "Mail",
    "MailSink",
    "Mailbox",
    "MissingProgram",
    "PortInUse",
    "Postgres",
    "ServiceProcess",
    "StartFailed",
]

_MODULES = {
    "clock": ("LocalClock",),
    "errors": ("LocalStackError", "MissingProgram", "PortInUse", "StartFailed"),
    "issuer": ("Issuer",),
    "kafka": ("Kafka",),
    "mail": ("Mail", "MailSink", "Mailbox"),
    "postgres": ("Postgres",),
    "service": ("ServiceProcess",),
    "stack": ("LocalStack",),
}


def __getattr__(name: str) -> Any:
    """Import a part when it is first asked for: the mail sink's process, say, needs none of the others."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
