"""``python -m tests.bench [figure ...]``: measures and writes ``docs/bench.md``."""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import uvloop
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from shared.runtime.collector import spare_collections
from shared.runtime.logging import configure_logging
from tests.bench.report import Results, write
from tests.bench.suite import FIGURES, Options, run

_DOCUMENT = Path(__file__).parents[2] / "docs" / "bench.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "figures", nargs="*", metavar="figure", help=f"of {', '.join(FIGURES)} (default: all)"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: for trying it out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--out", type=Path, help="default: docs/bench.md for a whole run, else only the screen"
    )
    given = parser.parse_args()
    unknown = set(given.figures) - set(FIGURES)
    if unknown:
        parser.error(f"there is no figure {', '.join(sorted(unknown))}")
    figures = tuple(name for name in FIGURES if not given.figures or name in given.figures)
    console = Console(highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="mentoring-bench-"))
    configure_logging("bench", "0", "ERROR")
    spare_collections()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("starting")

            def say(text: str) -> None:
                progress.update(task, description=text)
                progress.log(text)

            started = time.monotonic()
            options = Options(figures, given.quick, given.seed, folder)
            results: Results = uvloop.run(run(options, say))
            results.minutes = (time.monotonic() - started) / 60
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    whole = len(figures) == len(FIGURES) and not given.quick
    text = write(results, given.out or (_DOCUMENT if whole else None))
    console.print(text, markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
