"""I6: one mail for each message that was sent; more only where a sender took the message more than once.

A sender takes a lease before each attempt. Killed between the mail server's yes and its own commit, it leaves
a lease that another follows: so a message has at most as many mails as leases, and each crash adds one.
"""

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Final

from shared.check.report import Finding
from shared.check.sources import CheckError, Reading

_HEADER: Final = re.compile(rb"^X-Mentoring-Notification:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_HEAD_BYTES: Final = 8192
_MESSAGES: Final = "SELECT tenant, id, state, leases FROM notification"
_SAME: Final = (
    "SELECT tenant, recipient_id, template, about_id, count(*) AS rows FROM notification"
    " WHERE template NOT IN ('session-moved', 'session-reminder') GROUP BY 1, 2, 3, 4 HAVING count(*) > 1"
)


async def judge_mails(reading: Reading, finding: Finding) -> None:
    """Messages by themselves, and against what the mail server kept when that can be read."""
    if "notifications" not in reading.services:
        return
    async for row in reading.rows("notifications", _SAME):
        finding.wrong("two messages for one occasion", **dict(row))
    folder = reading.sources.mails
    kept = await asyncio.to_thread(count_mails, folder) if folder is not None else None
    if kept is None:
        finding.notes.append("no mail server's folder was given: mails themselves were not counted")
    async for row in reading.rows("notifications", _MESSAGES):
        finding.counts["messages"] += 1
        if kept is None:
            continue
        mails, leases, state = kept.pop(row["id"], 0), row["leases"], row["state"]
        finding.counts["mails"] += mails
        told = {
            "tenant": row["tenant"],
            "message": row["id"],
            "state": state,
            "mails": mails,
            "taken": leases,
        }
        if mails > leases:
            finding.wrong("more mails than a sender took the message", **told)
        elif state == "sent" and not mails:
            finding.wrong("sent, and the mail server has no mail", **told)
        elif mails > 1:
            finding.excluded["mails sent again by another sender: one for each crash, or lost answer"] += (
                mails - 1
            )
    for identity, mails in (kept or {}).items():
        finding.wrong("a mail without its message", message=identity, mails=mails)


def count_mails(folder: Path) -> Counter[str]:
    """How many mails there are of each message. Reads the heads only; raises :class:`CheckError`."""
    if not folder.is_dir():
        raise CheckError(f"There is no folder of mails at {folder}.")
    counts: Counter[str] = Counter()
    for path in folder.glob("*.eml"):
        with path.open("rb") as file:
            head = _END_OF_HEAD.split(file.read(_HEAD_BYTES), maxsplit=1)[0]
        found = _HEADER.search(head)
        counts[found.group(1).decode() if found else f"without id: {path.name[:8]}"] += 1
    return counts
