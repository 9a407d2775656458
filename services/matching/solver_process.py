"""What runs in the solver's process. Until it computes, it brings nothing along but the standard library: the
compiler, which takes a second and a hundred megabytes, is loaded in that process only."""

import multiprocessing
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.matching import engine
from services.matching.engine import Configuration, Pool, Why

MOST_THREADS: Final = 2
_NOBODY_FITS: Final = (Why.NOBODY, Why.RULES)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two who are to be proposed to each other."""

    mentee_id: str
    mentor_id: str
    score: int
    reasons: tuple[str, ...]
    """For the two themselves."""


@dataclass(frozen=True, slots=True)
class Result:
    """Pairs by mentee, and who found nobody: those whom only full mentors fit, and those whom none does."""

    pairs: tuple[Pair, ...]
    all_full: tuple[str, ...]
    no_candidate: tuple[str, ...]


def compute(pool: Pool, configuration: Configuration) -> Result:
    """The best pairs. Raises ``InvalidPool`` and ``InvalidConfiguration``."""
    from services.matching.engine.match import match  # only here and there is the compiler loaded

    return result_of(match(pool, configuration, threads=min(MOST_THREADS, len(os.sched_getaffinity(0)))))


def result_of(found: engine.Result) -> Result:
    """What the service needs of it."""
    return Result(
        pairs=tuple(Pair(pair.mentee_id, pair.mentor_id, pair.score, pair.reasons) for pair in found.pairs),
        all_full=tuple(one.mentee_id for one in found.unmatched if one.why not in _NOBODY_FITS),
        no_candidate=tuple(one.mentee_id for one in found.unmatched if one.why in _NOBODY_FITS),
    )


def begin() -> None:
    """First of all in the process."""
    end_with_parent()
    be_modest()


def be_modest() -> None:
    """Whoever serves requests and events on the same cores comes first; when memory runs out, this process goes
    and not the service."""
    os.nice(5)
    with suppress(OSError):  # not where /proc is hidden
        Path("/proc/self/oom_score_adj").write_text("500")


def end_with_parent() -> None:
    """End as soon as the parent does. One that was killed says no goodbye, and the pipe from it never
    closes, because this process itself holds its other end."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
