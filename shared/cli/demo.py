"""``mentoring demo``: a made-up organisation lives through a programme, on a stack of its own."""

from pathlib import Path
from typing import Annotated

import typer

from shared.cli import local
from shared.cli.options import DataDir
from shared.cli.output import AsJson


def demo(
    people: Annotated[int, typer.Option(min=1, help="How many people the organisation has.")] = 1500,
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same organisation and the same story.")
    ] = 1,
    hr: Annotated[
        Path | None,
        typer.Option(
            "--hr", exists=True, dir_okay=False, help="Your own HR extract instead.", show_default=False
        ),
    ] = None,
    map_: Annotated[
        Path | None,
        typer.Option(
            "--map", exists=True, dir_okay=False, help="Which of its columns means what.", show_default=False
        ),
    ] = None,
    data_dir: DataDir = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running at the end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a made-up organisation live through a mentoring programme, and check the counts at the end."""
    code = local.run_demo(
        people=people, seed=seed, hr=hr, map=map_, data_dir=data_dir, keep=keep, as_json=as_json
    )
    raise typer.Exit(code)
