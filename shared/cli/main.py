"""The ``mentoring`` command. Exit codes: 0 done, 1 refused or findings, 2 wrong usage or settings,
3 (``check`` alone) not at rest.

What is slow to import (Kafka's clients, the embedded stack) is imported inside the commands that use it:
`mentoring --help` shall not wait for it.
"""

import logging

import typer

from shared.cli.check import check
from shared.cli.demo import demo
from shared.cli.dlq import dlq_app
from shared.cli.events import events_app
from shared.cli.init import init
from shared.cli.match import match_app
from shared.cli.person import person_app
from shared.cli.stack import down, token, up
from shared.cli.status import status
from shared.cli.topics import topics_app

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",  # re-wraps the paragraphs of docstrings
    help="Run and look after the Mentoring Platform.\n\nWhere it is comes from the environment"
    " (MENTORING_KAFKA_*, MENTORING_PROFILES_URL and so on, MENTORING_TOKEN or MENTORING_TOKEN_FILE) or, without any"
    " of these, from the stack that `mentoring up` started.",
)
for _command in (up, down, init, status, check, demo, token):
    app.command()(_command)
app.add_typer(events_app, name="events")
app.add_typer(dlq_app, name="dlq")
app.add_typer(topics_app, name="topics")
app.add_typer(person_app, name="person")
app.add_typer(match_app, name="match")


def run() -> None:
    """Console script."""
    # What the clients log is said by the commands themselves, in sentences.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    app()


if __name__ == "__main__":
    run()
