"""Stands in for a service in the tests of the stack itself: it migrates, answers, and dies on demand.

Copied to `services/<name>/__main__.py` of a folder that stands in for the checkout. Variables with STUB_ tell
it what to do.
"""

import asyncio
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import FrameType

import asyncpg

CLOCK = """
    CREATE TABLE IF NOT EXISTS app_clock (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        offset_interval interval NOT NULL DEFAULT interval '0'
    );
    INSERT INTO app_clock DEFAULT VALUES ON CONFLICT DO NOTHING;
    GRANT SELECT, UPDATE ON app_clock TO {clock};
    CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT clock_timestamp() + offset_interval FROM app_clock $$;
"""


async def connect(role: str) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(
        host=os.environ["MENTORING_DATABASE_HOST"],
        port=int(os.environ["MENTORING_DATABASE_PORT"]),
        database=os.environ["MENTORING_DATABASE_NAME"],
        user=os.environ[f"MENTORING_DATABASE_{role}_USER"],
        password=os.environ[f"MENTORING_DATABASE_{role}_PASSWORD"],
    )


async def migrate() -> None:
    connection = await connect("OWNER")
    clock = os.environ["MENTORING_DATABASE_OWNER_USER"].replace("_owner", "_clock")
    await connection.execute(CLOCK.format(clock=clock))
    await connection.close()


async def check_database() -> None:
    connection = await connect("APP")
    await connection.close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()


def leave(number: int, frame: FrameType | None) -> None:
    print("leaving in good order", flush=True)
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1:] == ["migrate"]:
        asyncio.run(migrate())
        sys.exit(0)
    assert "MENTORING_DATABASE_OWNER_PASSWORD" not in os.environ
    if os.environ.get("STUB_FAILS") == os.environ["MENTORING_DATABASE_NAME"]:
        sys.exit("this stub was told to fail")
    signal.signal(signal.SIGTERM, leave)
    asyncio.run(check_database())
    address = os.environ["MENTORING_HTTP_HOST"], int(os.environ["MENTORING_HTTP_PORT"])
    HTTPServer(address, Handler).serve_forever()
