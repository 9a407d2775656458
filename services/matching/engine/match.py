"""One run: from a pool to pairs with their factors, the unmatched with their reasons, and the certificate."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from services.matching.engine import flash, group, peer, single
from services.matching.engine.configuration import Configuration, Form
from services.matching.engine.embedder import Embedder
from services.matching.engine.encode import Encoded, Encoder, encode
from services.matching.engine.outcome import Outcome, result_of
from services.matching.engine.people import Pool
from services.matching.engine.result import Pair, Progress, Result, Unmatched, Why
from services.matching.engine.totals import within_totals

__all__ = ["Pair", "Progress", "Result", "Unmatched", "Why", "match"]

Solver = Callable[[Encoded, Configuration, int, Progress], Outcome]
_SOLVERS: Final[Mapping[Form, Solver]] = {
    Form.ONE_TO_ONE: single.solve,
    Form.REVERSE: single.solve,
    Form.FLASH: flash.solve,
    Form.PEER: peer.solve,
    Form.GROUP: group.solve,
}


def match(
    pool: Pool,
    configuration: Configuration,
    *,
    threads: int = 2,
    progress: Progress | None = None,
    embedders: Mapping[str, Embedder] | None = None,
    like: Encoder | None = None,
) -> Result:
    """The best pairs of a pool, in the configuration's form. *embedders* are those that its ``embedder`` may name;
    *like* is for a part of a pool: see :class:`Encoder`.

    Raises :class:`InvalidPool` and :class:`InvalidConfiguration`.
    """
    tell = progress or (lambda _what, _done: None)
    with _nothing_collected():
        tell("reading", 0.0)
        encoded = encode(pool, configuration, embedders, like=like)
        solve = _SOLVERS[configuration.form]
        outcome = within_totals(
            encoded, configuration, lambda given: solve(given, configuration, threads, tell)
        )
        tell("reasons", 0.0)
        result = result_of(encoded, pool, configuration, outcome)
        tell("done", 1.0)
    return result


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """A run makes objects by the million and no circles of them: looking for some takes a sixth of its time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
