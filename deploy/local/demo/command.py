"""``mentoring demo``: starts the embedded stack, lives the story, prints the balance, stops cleanly."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.local.demo.balance import Equation, digest, equations, latencies, percentiles
from deploy.local.demo.options import DemoOptions
from deploy.local.demo.people import PATIENCE_SECONDS, People
from deploy.local.demo.quiet import Quiet
from deploy.local.demo.scenario import CYCLES, LAST_DAYS, ROUNDS, Ledger, Scenario
from deploy.local.demo.watch import Watch
from deploy.local.errors import LocalStackError
from deploy.local.hr.errors import HrError
from deploy.local.hr.extract import read_extract
from deploy.local.hr.member import Organisation
from deploy.local.hr.organisation import make_organisation
from deploy.local.hr.publisher import HrPublisher
from deploy.local.paths import default_data_dir
from deploy.local.requests import FILE, RequestLog
from deploy.local.stack import LocalStack
from shared.check import CheckError, Report, Sources, check
from shared.contracts import SERVICES
from shared.messaging.kafka import LagReader, connection
from shared.runtime.settings import KafkaSettings

TENANT = "demo"


@dataclass(frozen=True, slots=True)
class Result:
    """What a run has shown."""

    ledger: Ledger
    summaries: dict[str, dict[str, int]]
    equations: list[Equation]
    latencies: list[dict[str, Any]]
    digest: str
    seconds: float
    requests: dict[str, Any]
    report: Report
    """The proof, from databases and topics: what `mentoring check` says."""

    @property
    def balances(self) -> bool:
        return self.report.ok and all(equation.holds for equation in self.equations)


def run_demo(options: DemoOptions) -> int:
    """Exit code 0 when everything balances, 1 when something does not or could not be done."""
    console = Console(stderr=options.as_json, highlight=False)
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[{time.monotonic() - started:6.1f} s] {text}", markup=False, soft_wrap=True)

    try:
        organisation = load_organisation(options, say)
        result = asyncio.run(_demo(organisation, options, say))
    except (LocalStackError, HrError, CheckError, TimeoutError) as error:
        console.print(f"The demonstration could not be completed: {error}", markup=False, soft_wrap=True)
        return 1
    if options.as_json:
        print(json.dumps(as_json(result), indent=2, ensure_ascii=False))
    else:
        show(result, console)
    return 0 if result.balances else 1


def load_organisation(options: DemoOptions, say: Callable[[str], None]) -> Organisation:
    """The HR extract if there is one, else a synthetic organisation."""
    if options.hr is None:
        say(f"making an organisation of {options.people:,} people (seed {options.seed})")
        return make_organisation(options.people, options.seed)
    mapping = options.map or Path(__file__).parent.parent / "hr" / "mappings" / "ibm-attrition.toml"
    read = read_extract(options.hr, mapping, seed=options.seed)
    say(f"read {len(read.organisation.members):,} employees from {options.hr.name}")
    say(f"{len(read.quarantined)} rows put aside")
    for row in read.quarantined[:5]:
        say(f"  {row}")
    return read.organisation


async def _demo(organisation: Organisation, options: DemoOptions, say: Callable[[str], None]) -> Result:
    folder = options.data_dir or default_data_dir() / "demo"
    if options.data_dir is None and folder.exists():
        say("clearing away the last demonstration")
        await LocalStack(folder).destroy()
    elif folder.exists() and any(folder.iterdir()):
        raise LocalStackError(f"{folder} is not empty: a demonstration begins on an empty stack")
    stack = LocalStack(folder, detached=options.keep, progress=say)
    await stack.start()
    try:
        return await live(organisation, options.seed, stack, say)
    finally:
        if options.keep:
            say("the stack keeps running; `mentoring down` stops it")
        else:
            await stack.stop()


async def live(
    organisation: Organisation,
    seed: int,
    stack: LocalStack,
    say: Callable[[str], None],
    *,
    tenant: str = TENANT,
    step: Callable[[str], Awaitable[None]] | None = None,
    rounds: int = ROUNDS,
    cycles: int = CYCLES,
    last_days: int = LAST_DAYS,
    urls: Mapping[str, str] | None = None,
    make_hr: Callable[..., HrPublisher] = HrPublisher,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Result:
    """The story on a running stack. *step* is told each step's name before it begins.

    *rounds* and *cycles* shorten the story, *last_days* lengthens its end. *urls* (by service) is asked for
    every request, so it may be a load balancer's choice. *make_hr* may make another publisher.
    *patience_seconds* is how long people ask again when nobody answers.
    """
    began = time.monotonic()
    settings = KafkaSettings(
        kafka_bootstrap_servers=stack.kafka.bootstrap_servers,
        kafka_topic_prefix=stack.environment.topic_prefix,
        kafka_group_prefix=stack.environment.group_prefix,
    )
    urls = urls if urls is not None else {name: stack.url(name) for name in SERVICES}
    mails_before = stack.mail.distinct()
    log = RequestLog(stack.data_dir / FILE, tenant)
    async with (
        People(urls, tenant, stack.token, log, patience_seconds) as people,
        Watch(tenant, settings.kafka_topic_prefix, **connection(settings)) as watch,
        make_hr(settings.kafka_bootstrap_servers, tenant, settings.kafka_topic_prefix, ledger=log) as hr,
        LagReader(settings) as lag,
    ):
        quiet = Quiet(people, watch, settings, lag, stack.clock)
        scenario = Scenario(
            organisation=organisation,
            tenant=tenant,
            seed=seed,
            hr=hr,
            people=people,
            watch=watch,
            quiet=quiet,
            say=say,
            count=_counter(say),
            step=step,
            rounds=rounds,
            cycles=cycles,
            last_days=last_days,
        )
        ledger = await scenario.run()
        summaries = {name: await _summary(people, name) for name in SERVICES}
        balance = equations(
            summaries, ledger, watch, stack.mail.distinct() - mails_before, len(organisation.members)
        )
        log.close()
        say("checking databases and topics")
        report = await check(sources_of(stack, settings, log.path))
        milliseconds = sorted(round(s * 1000) for s in people.seconds)
        return Result(
            ledger,
            summaries,
            balance,
            latencies(watch),
            digest(watch),
            time.monotonic() - began,
            {"n": len(milliseconds), "retries": people.retries, **percentiles(milliseconds)},
            report,
        )


def sources_of(stack: LocalStack, settings: KafkaSettings, ledger: Path | None) -> Sources:
    """Everything that the check compares, as the roles that may only read."""
    return Sources(
        databases={name: stack.dsn(name, "check") for name in stack.services},
        kafka=connection(settings),
        topic_prefix=settings.kafka_topic_prefix,
        group_prefix=settings.kafka_group_prefix,
        ledger=ledger,
        mails=stack.mail.directory,
        wait=60,
    )


async def _summary(people: People, name: str) -> dict[str, int]:
    summary: dict[str, int] = await people.operator(name, "/management/summary")
    status = await people.operator(name, "/management/status")
    return summary | {"dead_letters_open": status["dead_letters_open"]}


def _counter(say: Callable[[str], None]) -> Callable[[str, int, int], None]:
    """Progress at every tenth of the way."""
    last: dict[str, int] = {}

    def count(what: str, done: int, of: int) -> None:
        tenth = done * 10 // max(1, of)
        if tenth != last.get(what) and (of >= 2000 or done == of):
            last[what] = tenth
            say(f"  {what}: {done:,} of {of:,}")
        if done == of:
            last.pop(what, None)

    return count


def as_json(result: Result) -> dict[str, Any]:
    """The result as one document."""
    return {
        "balances": result.balances,
        "seconds": round(result.seconds, 1),
        "digest": result.digest,
        "equations": [{"what": e.what, "holds": e.holds, "sides": dict(e.sides)} for e in result.equations],
        "latencies_ms": result.latencies,
        "requests_ms": result.requests,
        "services": result.summaries,
        "refusals": result.ledger.refusals,
        "check": result.report.document(),
    }


def show(result: Result, console: Console) -> None:
    """The summary for people."""
    table = Table(
        title="What happened, counted where it happened", title_justify="left", box=None, pad_edge=False
    )
    table.add_column("")
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_column("counted by")
    for equation in result.equations:
        sides = equation.sides
        value = f"{next(iter(sides.values())):,}" if equation.holds else "?"
        where = ", ".join(sides) if equation.holds else ", ".join(f"{k} {v:,}" for k, v in sides.items())
        table.add_row("[green]=[/]" if equation.holds else "[red]≠[/]", equation.what, value, where)
    console.print()
    console.print(table)
    flows = Table(
        title="\nEnd to end, milliseconds (Kafka timestamps, real clock)",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    flows.add_column("flow")
    for column in ("n", "p50", "p95", "p99", "max"):
        flows.add_column(column, justify="right")
    for row in [
        *result.latencies,
        {"flow": f"HTTP request (retried {result.requests['retries']})", **result.requests},
    ]:
        flows.add_row(row["flow"], *(f"{row[c]:,}" for c in ("n", "p50", "p95", "p99", "max")))
    console.print(flows)
    if result.ledger.refusals:
        told = ", ".join(f"{code} {count}" for code, count in sorted(result.ledger.refusals.items()))
        console.print(f"\nRefused, as the rules demand: {told}", markup=False)
    console.print("\nThe proof, from all databases and topics (docs/architecture/check.md)", style="bold")
    console.print(result.report.render(), markup=False, soft_wrap=True)
    console.print(f"\nBusiness result {result.digest[:16]}, {result.seconds:.0f} s")
    wrong = sum(not equation.holds for equation in result.equations)
    console.print(
        "[bold green]Everything balances.[/]"
        if not wrong
        else f"[bold red]{wrong} of {len(result.equations)} do not balance.[/]"
    )
    if not result.report.ok:
        console.print(f"[bold red]The check says: {result.report.verdict}.[/]")
