"""Named crash points. ``MENTORING_FAILPOINT=name[:n]`` kills the process (SIGKILL) the n-th time it gets there.

``name:n:freeze`` stops it instead (SIGSTOP), until somebody sends SIGCONT: a zombie.

Inert unless ``MENTORING_FAILPOINTS_ALLOWED=1`` is set as well, which no deployment file does.
"""

import os
import signal
from typing import Final

POINTS: Final = frozenset(
    {
        "before_transaction",
        "after_write_before_commit",
        "after_commit",
        "outbox_read_before_produce",
        "produced_before_outbox_delete",
        "received_before_transaction",
        "committed_before_offset_commit",
        "timer_claimed_before_firing",
        "command_before_transaction",
        "command_written_before_commit",
        "command_committed_before_reply",
        "side_effect_before_mark",
        "in_graceful_stop",
        "in_migration",
        "run_leased",
        "run_inputs_stored",
        "run_progress_told",
        "run_result_before_commit",
        "run_result_committed",
        "run_publish_halfway",
        "run_publish_before_commit",
        "run_published",
    }
)


def _armed() -> tuple[str, int, signal.Signals]:
    if os.environ.get("MENTORING_FAILPOINTS_ALLOWED") != "1":
        return "", 0, signal.SIGKILL
    name, _, rest = os.environ.get("MENTORING_FAILPOINT", "").partition(":")
    count, _, manner = rest.partition(":")
    if (name and name not in POINTS) or manner not in ("", "freeze"):
        raise ValueError(f"there is no failpoint {name!r} that does {manner or 'kill'!r}")
    return name, int(count or 1), signal.SIGSTOP if manner else signal.SIGKILL


_name, _left, _signal = _armed()


def failpoint(name: str) -> None:
    """Die or freeze here if this process was told to."""
    global _left
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), _signal)
