"""``python -m deploy.local.hr``: publish an organisation to an intake topic, as an HR system would.

Every run with the same people, ``--at`` and ``--first-sequence`` publishes the same events, byte for
byte; a receiver applies them once. For a second, changed delivery raise ``--first-sequence``: the same
id with another body is a contradiction, and the receiver will say so.

Exit codes: 0 published; 1 Kafka did not confirm everything; 2 wrong usage; 3 the extract or the mapping
cannot be used; 4 no broker, or no topic; 5 published, but rows of the extract were put aside.
"""

import argparse
import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from aiokafka.helpers import create_ssl_context

from deploy.local.hr.errors import BrokerUnreachable, InputError, PublishError, TopicMissing
from deploy.local.hr.events import Mode, make_event
from deploy.local.hr.extract import Quarantined, read_extract
from deploy.local.hr.member import Organisation
from deploy.local.hr.organisation import MOST_PEOPLE, REFERENCE_DATE, make_organisation
from deploy.local.hr.producer import Security
from deploy.local.hr.publisher import HrPublisher
from shared.contracts.hr import PersonRecorded

OK, UNCONFIRMED, USAGE, BAD_INPUT, NO_KAFKA, PUT_ASIDE = range(6)

PASSWORD: Final = "HR_KAFKA_PASSWORD"  # noqa: S105 - the name of the variable that holds it
_SHOWN: Final = 20
_ABOUT: Final = "Publish an organisation to an intake topic, as an HR system would."
_SOURCE: Final = "urn:example:hris"


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code (``argparse`` itself exits with 2)."""
    options = _parser().parse_args(arguments)
    try:
        organisation, quarantined = _organisation(options)
    except InputError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    _describe(organisation, quarantined)
    if options.dry_run:
        _samples(organisation, options)
        return PUT_ASIDE if quarantined else OK
    try:
        asyncio.run(_publish(organisation, options))
    except (BrokerUnreachable, TopicMissing) as error:
        print(error, file=sys.stderr)
        return NO_KAFKA
    except PublishError as error:
        print(f"{error} {len(error.published):,} events are in Kafka.", file=sys.stderr)
        return UNCONFIRMED
    return PUT_ASIDE if quarantined else OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.hr", description=_ABOUT)
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--people", type=_people, help="make a synthetic organisation of so many people")
    who.add_argument("--csv", help="read an HR extract; needs --map")
    parser.add_argument(
        "--map", help="the extract's column mapping, a file or a bundled name (ibm-attrition)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of everything that is made up (0)")
    parser.add_argument("--bootstrap", default="localhost:9092", help="Kafka's servers (localhost:9092)")
    parser.add_argument("--tenant", default="demo", help="whose people these are (demo)")
    parser.add_argument("--prefix", default="", help="what stands before the names of topics (nothing)")
    parser.add_argument("--source", default=_SOURCE, help=f"who says so ({_SOURCE})")
    parser.add_argument(
        "--at",
        type=_instant,
        default=_instant(f"{REFERENCE_DATE}T00:00:00Z"),
        help=f"the events' time, with its offset ({REFERENCE_DATE}T00:00:00Z)",
    )
    parser.add_argument("--first-sequence", type=int, default=1, help="the number of each person's event (1)")
    parser.add_argument("--mode", type=Mode, choices=list(Mode), default=Mode.STRUCTURED)
    parser.add_argument(
        "--security-protocol", choices=("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"), default="PLAINTEXT"
    )
    parser.add_argument("--sasl-mechanism", default="SCRAM-SHA-256")
    parser.add_argument("--sasl-user", default="", help=f"the password is read from {PASSWORD}")
    parser.add_argument("--ca-file", help="the certificates that Kafka's own is signed with (the system's)")
    parser.add_argument("--dry-run", action="store_true", help="publish nothing; print counts and samples")
    parser.add_argument("--samples", type=int, default=3, help="how many events --dry-run prints (3)")
    parser.set_defaults(error=parser.error)
    return parser


def _people(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST_PEOPLE:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MOST_PEOPLE:,}")
    return number


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError("needs an offset, for instance Z or +02:00")
    return at.astimezone(UTC)


def _organisation(options: argparse.Namespace) -> tuple[Organisation, Sequence[Quarantined]]:
    if (options.csv is None) != (options.map is None):
        options.error("--csv and --map go together")
    if options.csv is None:
        return make_organisation(options.people, options.seed), ()
    extract = read_extract(options.csv, options.map, seed=options.seed)
    return extract.organisation, extract.quarantined


def _describe(organisation: Organisation, quarantined: Sequence[Quarantined]) -> None:
    counts: dict[str, object] = {
        "people": len(organisation),
        "managers": len(organisation.reports),
        "departments": dict(Counter(member.department for member in organisation).most_common()),
        "levels": dict(sorted(Counter(member.job_level or 0 for member in organisation).items())),
        "offices": len({member.office for member in organisation}),
        "fields beyond the contract": sum(len(member.unmapped) for member in organisation),
        "rows put aside": len(quarantined),
    }
    print(json.dumps(counts, indent=2, ensure_ascii=False))
    for row in quarantined[:_SHOWN]:
        print(row, file=sys.stderr)
    if len(quarantined) > _SHOWN:
        print(f"... and {len(quarantined) - _SHOWN:,} more", file=sys.stderr)


def _samples(organisation: Organisation, options: argparse.Namespace) -> None:
    for member in organisation.members[: options.samples]:
        event = make_event(
            source=options.source,
            tenant=options.tenant,
            type=PersonRecorded.TYPE,
            subject=member.employee_id,
            sequence=options.first_sequence,
            at=options.at,
            data=member.hr_data(),
        )
        print((event.encode().value or b"").decode())


async def _publish(organisation: Organisation, options: argparse.Namespace) -> None:
    publisher = HrPublisher(
        options.bootstrap,
        options.tenant,
        options.prefix,
        source=options.source,
        security=_security(options),
        mode=options.mode,
    )
    before = options.first_sequence - 1
    publisher.sequences = {member.employee_id: before for member in organisation}
    async with publisher:
        await publisher.record(organisation.members, at=options.at, progress=_progress(len(organisation)))


def _security(options: argparse.Namespace) -> Security:
    security = Security(security_protocol=options.security_protocol)
    if options.security_protocol.endswith("SSL"):
        security["ssl_context"] = create_ssl_context(cafile=options.ca_file)
    if options.security_protocol.startswith("SASL"):
        security["sasl_mechanism"] = options.sasl_mechanism
        security["sasl_plain_username"] = options.sasl_user
        security["sasl_plain_password"] = os.environ.get(PASSWORD, "")
    return security


def _progress(total: int) -> Callable[[int], None]:
    """Rewrites one line on a terminal; elsewhere a line for each tenth."""
    live = sys.stderr.isatty()

    def tell(done: int) -> None:
        if live:
            print(f"\r{done:,} of {total:,}", end="\n" if done == total else "", file=sys.stderr, flush=True)
        elif done == total or done // 1_000 % max(1, total // 10_000) == 0:
            print(f"{done:,} of {total:,}", file=sys.stderr, flush=True)

    return tell
