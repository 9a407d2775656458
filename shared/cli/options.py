"""Options that several commands have, so that they mean the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

TenantOption = Annotated[
    str | None,
    typer.Option(
        "--tenant",
        envvar="MENTORING_TENANT",
        help="The organisation to act for; the token's own, or acme.",
        show_default=False,
    ),
]

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        file_okay=False,
        help="The folder of a local stack. Given, it is used whatever the environment says.",
        show_default=False,
    ),
]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
