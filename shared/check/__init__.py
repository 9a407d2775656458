"""The proof: an independent reader of all databases and topics. ``report = await check(sources)``.

It imports nothing of ours but the contracts, logs in as the roles that may only read, and derives what must
be there from what the topics hold. What each invariant claims, and what it cannot see, is in
``docs/architecture/check.md``.

- ``sources``    where to read, and reading
- ``events``     from a Kafka record to what it says, written a second time
- ``rest``       whether anything is under way
- ``log``        one topic, record by record, in few bytes each
- ``rules``      the tables of what must follow from what
- ``inbox``, ``outbox``, ``effects``, ``timers``, ``capacity``, ``mails``, ``requests``   the invariants
- ``run``        puts it together
- ``report``     counts, violations, verdict
"""

from shared.check.report import Finding, Report, Violation
from shared.check.run import check
from shared.check.sources import CheckError, Sources

__all__ = ["CheckError", "Finding", "Report", "Sources", "Violation", "check"]
