"""The histogram of events' ages, which is told of a batch at a time."""

import time

import pytest
from prometheus_client import generate_latest

from shared.messaging.metrics import Metrics


def test_a_batch_counts_like_its_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    metrics = Metrics("toy")
    metrics.latencies("person", [999_996, 999_996, 999_000, 2_000_000, 3_000_000])
    metrics.latencies("person", [900_000])
    name, labels = "mentoring_event_age_seconds", 'service="toy",topic="person"'
    lines = generate_latest(metrics.registry).decode().splitlines()
    counts = {
        line.split('le="')[1].split('"')[0]: float(line.split()[-1])
        for line in lines
        if f"{name}_bucket" in line
    }
    assert counts["0.001"] == 2  # of the future: clocks differ
    assert counts["0.005"] == 4
    assert counts["0.5"] == 4
    assert counts["1.0"] == 5
    assert counts["60.0"] == 5
    assert counts["+Inf"] == 6
    assert f"{name}_count{{{labels}}} 6.0" in lines
    (total,) = [float(line.split()[-1]) for line in lines if line.startswith(f"{name}_sum{{{labels}}}")]
    assert total == pytest.approx(0.008 + 1 + 100)
