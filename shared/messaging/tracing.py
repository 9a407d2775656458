"""Traces: W3C ``traceparent`` travels in the envelope and through the outbox, so one HR event is one trace.

Spans are recorded only when an exporter is configured (``otlp`` or ``file:<path>``); without one the
context is carried on unchanged and costs nothing.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.messaging.event import Event
from shared.persistence.uow import Cause

TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""What is accepted as a W3C trace context, from events and from requests."""

_propagator = TraceContextTextMapPropagator()


def _one_line(span: ReadableSpan) -> str:
    return str(span.to_json(indent=None)) + "\n"


class Tracing:
    """The tracer of one service process.

    Exceptions are not recorded: their text may hold what somebody sent (a form that does not validate).
    """

    def __init__(self, service: str, destination: str = "none") -> None:
        self.service = service
        self._provider: TracerProvider | None = None
        self._file: TextIO | None = None
        self._tracer: trace.Tracer | None = None
        exporter: SpanExporter
        if destination == "none":
            return
        if destination == "otlp":
            # Imported where it is used: it takes 0.3 s of every start.
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter()
        elif destination.startswith("file:"):
            path = Path(destination.removeprefix("file:"))
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a")
            exporter = ConsoleSpanExporter(out=self._file, formatter=_one_line)
        else:
            raise ValueError("MENTORING_TRACES must be none, otlp or file:<path>")
        self._provider = TracerProvider(resource=Resource.create({"service.name": f"mentoring-{service}"}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("mentoring")

    @property
    def recording(self) -> bool:
        """Whether spans go anywhere."""
        return self._tracer is not None

    @contextmanager
    def handling(self, event: Event[Any]) -> Iterator[Cause]:
        """A consumer span around one event's handler; yields the cause of what it says."""
        if self._tracer is None:
            yield event.cause()
            return
        with self._tracer.start_as_current_span(
            f"{self.service} {event.type}",
            context=_context(event.traceparent),
            kind=SpanKind.CONSUMER,
            record_exception=False,
            set_status_on_exception=False,
            attributes={
                "messaging.system": "kafka",
                "messaging.message.id": event.id,
                "messaging.message.conversation_id": event.correlation_id,
                "mentoring.tenant": event.tenant,
            },
        ):
            carrier: dict[str, str] = {}
            _propagator.inject(carrier)
            yield Cause(event.correlation_id, event.id, carrier.get("traceparent"))

    @contextmanager
    def working(self, name: str, cause: Cause) -> Iterator[Cause]:
        """A span around a request or a timer; yields the cause of what it says."""
        if self._tracer is None:
            yield cause
            return
        with self._tracer.start_as_current_span(
            f"{self.service} {name}",
            context=_context(cause.traceparent),
            attributes={"messaging.message.conversation_id": cause.correlation_id},
            record_exception=False,
            set_status_on_exception=False,
        ):
            carrier: dict[str, str] = {}
            _propagator.inject(carrier)
            yield Cause(cause.correlation_id, cause.causation_id, carrier.get("traceparent"))

    def close(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()
        if self._file is not None:
            self._file.close()


def _context(traceparent: str | None) -> Context:
    return _propagator.extract({"traceparent": traceparent}, context=Context()) if traceparent else Context()
