"""The matching engine: people and a configuration in; pairs, reasons and a certificate out. Pure: no clock, no I/O.

What is here is the standard library's only. ``match.match`` runs the engine, and brings the compiler along.
"""

from services.matching.engine.certificate import Certificate
from services.matching.engine.configuration import (
    Configuration,
    Form,
    InvalidConfiguration,
    Method,
    Objective,
    Rules,
    Weights,
)
from services.matching.engine.figures import Figures
from services.matching.engine.people import HIGHEST_PRIORITY, InvalidPool, Participant, Pool
from services.matching.engine.result import Pair, Progress, Result, Unmatched, Why

__all__ = [
    "HIGHEST_PRIORITY",
    "Certificate",
    "Configuration",
    "Figures",
    "Form",
    "InvalidConfiguration",
    "InvalidPool",
    "Method",
    "Objective",
    "Pair",
    "Participant",
    "Pool",
    "Progress",
    "Result",
    "Rules",
    "Unmatched",
    "Weights",
    "Why",
]
