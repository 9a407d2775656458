"""Structured logs: one JSON object a line on standard output, with service, replica and ids.

Nothing personal is logged: messages are constant words, values are ids, counts and states.
"""

import logging
import sys
import time
from typing import Any

import msgspec
import structlog


def _render(logger: Any, name: str, event: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


_REPEAT_SECONDS = 30.0


class _Forward(logging.Handler):
    """Lines of libraries, reduced to logger and message; one that repeats is said every half minute."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        key, now = (record.name, str(record.msg)), time.monotonic()
        if now - self._said.get(key, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return
        self._said[key] = now
        structlog.get_logger().log(
            max(record.levelno, logging.INFO),
            record.getMessage()[:500],
            logger=record.name,
            **(
                {"error": type(record.exc_info[1]).__name__} if record.exc_info and record.exc_info[1] else {}
            ),
        )


def configure_logging(service: str, replica: str, level: str) -> None:
    """Set up logging for the whole process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, replica=replica)
    root = logging.getLogger()
    root.handlers = [_Forward()]
    root.setLevel(logging.WARNING)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
