"""The matching engine: people and a configuration in; pairs, reasons and a certificate out. Pure: no clock, no I/O.

What is here is the standard library's only. ``match.match`` runs the engine, and brings the compiler along.
"""

from services.matching.engine.certificate import Certificate
from services.matching.engine.configuration import (
    Configuration,
    InvalidConfiguration,
    Objective,
    Rules,
    Weights,
)
from services.matching.engine.people import HIGHEST_PRIORITY, InvalidPool, Participant, Pool

__all__ = [
    "HIGHEST_PRIORITY",
    "Certificate",
    "Configuration",
    "InvalidConfiguration",
    "InvalidPool",
    "Objective",
    "Participant",
    "Pool",
    "Rules",
    "Weights",
]
