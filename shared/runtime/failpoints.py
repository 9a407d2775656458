"""Named crash points. ``MENTORING_FAILPOINT=name[:n]`` kills the process (SIGKILL) the n-th time it gets there.

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
    }
)


def _armed() -> tuple[str, int]:
    if os.environ.get("MENTORING_FAILPOINTS_ALLOWED") != "1":
        return "", 0
    name, _, count = os.environ.get("MENTORING_FAILPOINT", "").partition(":")
    if name and name not in POINTS:
        raise ValueError(f"there is no failpoint {name!r}")
    return name, int(count or 1)


_name, _left = _armed()


def failpoint(name: str) -> None:
    """Die here if this process was told to."""
    global _left
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
