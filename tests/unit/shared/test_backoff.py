"""Waiting after failures."""

from shared.runtime.backoff import backoff


def test_it_doubles_up_to_the_longest_and_stays_there() -> None:
    for failures, most in ((0, 0.1), (1, 0.2), (3, 0.8), (10, 5.0), (10_000, 5.0), (10**9, 5.0)):
        waits = [backoff(failures, first=0.1, longest=5) for _ in range(200)]
        assert most / 2 <= min(waits) < max(waits) <= most
