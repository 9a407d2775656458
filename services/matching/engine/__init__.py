"""The matching engine: people and a configuration in; pairs, reasons and a certificate out. Pure: no clock, no I/O."""

from services.matching.engine.certificate import Certificate
from services.matching.engine.configuration import (
    Configuration,
    InvalidConfiguration,
    Objective,
    Rules,
    Weights,
)
from services.matching.engine.match import Pair, Result, Unmatched, match
from services.matching.engine.people import InvalidPool, Participant, Pool

__all__ = [
    "Certificate",
    "Configuration",
    "InvalidConfiguration",
    "InvalidPool",
    "Objective",
    "Pair",
    "Participant",
    "Pool",
    "Result",
    "Rules",
    "Unmatched",
    "Weights",
    "match",
]
