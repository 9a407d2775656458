"""The numbers that a service publishes about its messaging, in one place (Prometheus names)."""

import time
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from shared.messaging.handlers import Outcome

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class _Ages(Collector):
    """A histogram that takes a batch at once: the library's own costs a microsecond or two for each value."""

    def __init__(self, name: str, about: str, service: str) -> None:
        self._name, self._about, self._service = name, about, service
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, topic: str, ages: Sequence[tuple[float, int]]) -> None:
        """*ages*: seconds, and how many records have that age."""
        counts = self._counts.setdefault(topic, [0] * (len(_SECONDS) + 1))
        for age, number in ages:
            counts[bisect_left(_SECONDS, age)] += number
        self._sums[topic] = self._sums.get(topic, 0.0) + sum(age * number for age, number in ages)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._about, labels=["service", "topic"])
        for topic, counts in self._counts.items():
            bounds = [*(str(float(bound)) for bound in _SECONDS), "+Inf"]
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            family.add_metric([self._service, topic], buckets, self._sums[topic])
        yield family


class Metrics:
    """Counters, gauges and histograms of one service process."""

    def __init__(self, service: str, gauges: Mapping[str, str] = MappingProxyType({})) -> None:
        """*gauges*: names and meanings of the service's own numbers, beside those of the machinery."""
        self.registry = CollectorRegistry(auto_describe=True)
        self.service = service
        r = self.registry
        self._outcomes = Counter(
            "mentoring_records",
            "Records that reached an outcome",
            ["service", "topic", "outcome"],
            registry=r,
        )
        self._dead = Counter(
            "mentoring_dead_letters", "Dead letters written", ["service", "topic", "reason"], registry=r
        )
        self._retries = Counter(
            "mentoring_batch_retries", "Batches tried again", ["service", "topic"], registry=r
        )
        self._commit_failures = Counter(
            "mentoring_offset_commit_failures",
            "Offset commits that failed after the database commit",
            ["service", "topic"],
            registry=r,
        )
        self._batch_seconds = Histogram(
            "mentoring_batch_seconds",
            "Time to process one batch",
            ["service", "topic"],
            buckets=_SECONDS,
            registry=r,
        )
        self._batch_size = Histogram(
            "mentoring_batch_records",
            "Records in one batch",
            ["service", "topic"],
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
            registry=r,
        )
        self._ages = _Ages(
            "mentoring_event_age_seconds",
            "Age of an event when its effect was committed (real clock)",
            service,
        )
        r.register(self._ages)
        self._circuit = Gauge(
            "mentoring_circuit_open", "1 while the circuit is open", ["service", "topic"], registry=r
        )
        self._relayed = Counter("mentoring_outbox_sent", "Outbox rows sent", ["service"], registry=r)
        self._relay_failures = Counter(
            "mentoring_outbox_send_failures", "Outbox sends that failed", ["service"], registry=r
        )
        self._timers = Counter("mentoring_timers_fired", "Timers fired", ["service", "kind"], registry=r)
        self._timer_failures = Counter(
            "mentoring_timer_failures", "Timers whose handler failed", ["service", "kind"], registry=r
        )
        self._lateness = Histogram(
            "mentoring_timer_lateness_seconds",
            "Business time between due and fired",
            ["service", "kind"],
            buckets=_SECONDS,
            registry=r,
        )
        self.gauges = {
            name: Gauge(f"mentoring_{name}", about, ["service"], registry=r)
            for name, about in (
                ("outbox_pending", "Outbox rows not sent yet"),
                ("outbox_oldest_seconds", "Age of the oldest unsent outbox row"),
                ("timers_due", "Timers due and not fired"),
                ("timers_oldest_seconds", "Business time since the oldest of them was due"),
                ("dead_letters_open", "Dead letters that nobody has settled"),
                *gauges.items(),
            )
        }
        self._requests = Histogram(
            "mentoring_http_seconds",
            "Time to answer a request",
            ["service", "method", "route", "status"],
            buckets=_SECONDS,
            registry=r,
        )

    def batch(self, topic: str, records: int, seconds: float) -> None:
        self._batch_seconds.labels(self.service, topic).observe(seconds)
        self._batch_size.labels(self.service, topic).observe(records)

    def outcomes(self, topic: str, counts: Mapping[Outcome, int]) -> None:
        """So many records of one batch reached each outcome."""
        for outcome, count in counts.items():
            self._outcomes.labels(self.service, topic, outcome).inc(count)

    def duplicates(self, topic: str, count: int) -> None:
        self._outcomes.labels(self.service, topic, "duplicate").inc(count)

    def dead(self, topic: str, reason: str) -> None:
        self._dead.labels(self.service, topic, reason).inc()

    def retry(self, topic: str) -> None:
        self._retries.labels(self.service, topic).inc()

    def circuit(self, topic: str, *, opened: bool) -> None:
        self._circuit.labels(self.service, topic).set(opened)

    def commit_failed(self, topic: str) -> None:
        self._commit_failures.labels(self.service, topic).inc()

    def latencies(self, topic: str, produced_ms: Iterable[int]) -> None:
        """*produced_ms*: the Kafka timestamps of a batch's records, milliseconds of the real clock."""
        now = time.time()
        self._ages.observe(
            topic, [(max(0.0, now - moment / 1000), number) for moment, number in Tally(produced_ms).items()]
        )

    def relayed(self, count: int) -> None:
        self._relayed.labels(self.service).inc(count)

    def relay_failed(self) -> None:
        self._relay_failures.labels(self.service).inc()

    def timer_fired(self, kind: str, late_seconds: float) -> None:
        self._timers.labels(self.service, kind).inc()
        self._lateness.labels(self.service, kind).observe(max(0.0, late_seconds))

    def timer_failed(self, kind: str) -> None:
        self._timer_failures.labels(self.service, kind).inc()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(self.service, method, route, str(status)).observe(seconds)
