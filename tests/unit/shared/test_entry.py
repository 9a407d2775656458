"""A service process that cannot start for want of a setting says so in one line, with exit code 2."""

import os
import subprocess
import sys

import pytest

_REACHABLE = {"MENTORING_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "MENTORING_DATABASE_HOST": "db"}


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (["mend"], _REACHABLE, "usage: python -m services.profiles"),
        ([], {"MENTORING_DATABASE_HOST": "db"}, "MENTORING_KAFKA_BOOTSTRAP_SERVERS: "),
        ([], _REACHABLE, "MENTORING_AUTH_ISSUER"),
        ([], {**_REACHABLE, "MENTORING_AUTH_ISSUER": "us"}, "MENTORING_AUTH_JWKS_FILE"),
        (["migrate"], _REACHABLE, "MENTORING_DATABASE_OWNER_PASSWORD"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], settings: dict[str, str], said: str) -> None:
    others = {name: value for name, value in os.environ.items() if not name.startswith("MENTORING_")}
    ended = subprocess.run(
        [sys.executable, "-m", "services.profiles", *arguments],
        env={**others, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr.strip()
    assert len(ended.stderr.splitlines()) == 1
