"""The ``mentoring`` command. Exit codes: 0 done, 1 refused or findings, 2 wrong usage or settings."""

import typer

from shared.cli.topics import topics_app

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Run and look after the Mentoring Platform."
)
app.add_typer(topics_app, name="topics")


def run() -> None:
    """Console script."""
    app()


if __name__ == "__main__":
    run()
