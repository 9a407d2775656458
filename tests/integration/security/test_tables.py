"""Every table of every database: whose rows a role sees, and what it may write.

Tables are taken from PostgreSQL's own catalogue, so a table that a migration adds is under these tests at
once. Two tenants have lived through the same story; nearly every table has rows of both.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import asyncpg
import pytest
import pytest_asyncio

from services.matching.store import save_result
from shared.contracts.pairs import RelationshipStarted
from shared.contracts.topics import SERVICES
from shared.persistence.bootstrap import CLOCK_ROLE, ROLES, database_name, role_name
from shared.persistence.plumbing import PLUMBING_TABLES
from tests.integration.services.story import PROGRAMME, TERMINATED, Story
from tests.support.databases import Databases, new_tenant
from tests.support.platform import Platform
from tests.support.records import hr_event

Connection: TypeAlias = "asyncpg.Connection[Any]"

SHARED_BY_TENANTS: Final = {"app_clock", "alembic_version"}
"""Tables without a tenant: everybody may read them, and nobody of a running service may write them."""

PLUMBING_READS: Final = {
    ("notifications", "notification"): {"tenant", "state", "hold_until"},
    ("matching", "matching_run"): {"tenant", "state", "requested_at", "leased_until"},
    ("profiles", "erasure"): {"status"},
}
"""What the plumbing role sees beside its own tables: columns that tell the sender whose queue is not empty, the
worker of runs who has asked for one, and how many erasures are overdue."""

PLUMBING_WRITES: Final = {
    "inbox": {"DELETE"},
    "outbox": {"DELETE", "UPDATE"},
    "outbox_ledger": {"DELETE"},
    "timer": {"UPDATE"},
    "dead_letter": {"DELETE"},
}
APP_WRITES: Final = {
    "inbox": {"INSERT", "UPDATE"},
    "outbox": {"INSERT"},
    "outbox_ledger": {"INSERT"},
    "timer": {"INSERT", "UPDATE", "DELETE"},
    "dead_letter": {"INSERT", "UPDATE"},
}
"""On the plumbing's tables; a service's own tables it may read and write in every way."""

INSERT_ONLY: Final = {"outbox", "outbox_ledger"}
"""What a service has said, it cannot read or take back."""

WRITES: Final = ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
RUNNING: Final = ("app", "plumbing", "check", CLOCK_ROLE)
"""The roles of anything that runs; the owner's password is known to migrations only."""

EACH_SERVICE: Final = pytest.mark.parametrize("service", SERVICES)


class Tenants:
    """Two tenants in the same databases."""

    def __init__(self, databases: Databases, ours: str, theirs: str) -> None:
        self.databases = databases
        self.ours, self.theirs = ours, theirs

    async def tables(self, service: str) -> list[str]:
        """All relations that hold rows, by the catalogue."""
        async with self.databases.login(service, "admin") as admin:
            rows = await admin.fetch(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')"
                " AND relnamespace = 'public'::regnamespace ORDER BY 1"
            )
        return [row["relname"] for row in rows]

    async def of_tenants(self, service: str) -> list[str]:
        """Those of them that belong to tenants."""
        return [name for name in await self.tables(service) if name not in SHARED_BY_TENANTS]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tenants(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tenants]:
    async with Platform.open(databases, tmp_path_factory.mktemp("issuer")) as platform:
        ours, theirs = Story(platform, new_tenant()), Story(platform, new_tenant())
        for story in (ours, theirs):
            await story.until_they_meet()
            await a_leaving(platform, story)
        for story in (ours, theirs):
            await nobody_for_some(platform, story)
            await news_unsent(platform, story)
        yield Tenants(databases, ours.tenant, theirs.tenant)


async def a_leaving(platform: Platform, story: Story) -> None:
    """Somebody has left and was erased, and somebody has chosen which mails to get."""
    leaver = {"employee_id": "stranger", "effective_on": "2020-01-31"}
    await platform["profiles"].handle(hr_event(story.tenant, TERMINATED, leaver))
    await platform.carry()
    path = f"/people/{story.id('stranger')}/erasure"
    await platform["profiles"].ask(story.system("privacy"), "POST", path)
    await platform.carry()
    mentee = story.who(story.pair[1])
    path = f"/people/{mentee.subject}/preferences"
    await platform["notifications"].ask(mentee, "PUT", path, json={"email_enabled": False})


async def nobody_for_some(platform: Platform, story: Story) -> None:
    """The run of a story that is so small finds a mentor for everybody, at no price."""
    async with platform["matching"].process.database.transaction(story.tenant) as uow:
        left = {"mentee": ["somebody"], "why": ["all-full"], "forbidden": ["{}"]}
        await save_result(uow, story.run, "unmatched", left)
        await save_result(uow, story.run, "prices", {"mentor": [story.id("stranger")], "price": [5]})


async def news_unsent(platform: Platform, story: Story) -> None:
    """Each service has said something that is still in its outbox; a leaving is to come."""
    mentor, mentee = story.pair
    notifications, profiles = platform["notifications"], platform["profiles"]
    in_a_month = (await profiles.now() + timedelta(days=30)).date().isoformat()
    leaving = {"employee_id": mentor, "effective_on": in_a_month}
    await profiles.handle(hr_event(story.tenant, TERMINATED, leaving))
    await story.book("s-2", timedelta(days=4))
    await profiles.ask(
        story.who(mentor), "PUT", f"/people/{story.id(mentor)}/profile", json={"goals": "rest"}
    )
    path = f"/relationships/{story.relationship}/end"
    await platform["matching"].ask(story.who(mentee), "POST", path, json={"reason": "no-fault"})
    await notifications.hear(story.tenant, a_pair_of(story))


def a_pair_of(story: Story) -> RelationshipStarted:
    return RelationshipStarted(
        relationship_id="r-2",
        programme_id=PROGRAMME,
        mentor_id=story.id("coordinator"),
        mentee_id=story.id("outsider"),
        started_at=datetime.now(UTC),
    )


@asynccontextmanager
async def attempt(connection: Connection, tenant: str | None = None) -> AsyncIterator[None]:
    """A transaction, of *tenant* if there is one, of which nothing stays."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        if tenant is not None:
            await connection.execute("SELECT set_config('app.tenant', $1, true)", tenant)
        yield
    finally:
        await transaction.rollback()


async def privileges(admin: Connection, role: str, table: str) -> set[str]:
    """Of reading and writing, what a role may do with a whole table."""
    return {
        name
        for name in ("SELECT", *WRITES)
        if await admin.fetchval("SELECT has_table_privilege($1, $2, $3)", role, f'public."{table}"', name)
    }


# the catalogue


@EACH_SERVICE
async def test_row_security_is_on_and_forced_everywhere(tenants: Tenants, service: str) -> None:
    async with tenants.databases.login(service, "admin") as admin:
        rows = await admin.fetch(
            "SELECT relname, relkind::text, relrowsecurity, relforcerowsecurity,"
            " EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant') AS tenant"
            " FROM pg_class c WHERE relkind IN ('r', 'p', 'v', 'm', 'f')"
            " AND relnamespace = 'public'::regnamespace"
        )
    # A view would show its owner's rows, a materialised one everybody's: there is none.
    assert {row["relkind"] for row in rows} == {"r"}
    assert [
        row["relname"] for row in rows if not (row["relrowsecurity"] and row["relforcerowsecurity"])
    ] == []
    assert {row["relname"] for row in rows if not row["tenant"]} == SHARED_BY_TENANTS
    assert {row["relname"] for row in rows} >= set(PLUMBING_TABLES)


@EACH_SERVICE
async def test_no_statistics_tell_tenants_apart(tenants: Tenants, service: str) -> None:
    """A tenant that is not in them would count as one row, and plans for it would read all its rows for one."""
    async with tenants.databases.login(service, "admin") as admin:
        rows = await admin.fetch(
            "SELECT c.relname, a.attstattarget FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attname = 'tenant'"
        )
    assert len(rows) > len(PLUMBING_TABLES)
    assert {row["relname"] for row in rows if row["attstattarget"] != 0} == set()


@EACH_SERVICE
async def test_a_key_begins_with_the_tenant(tenants: Tenants, service: str) -> None:
    """A unique key without the tenant would tell one tenant what another has."""
    async with tenants.databases.login(service, "admin") as admin:
        rows = await admin.fetch(
            "SELECT t.relname AS table, i.relname AS index, (SELECT attname FROM pg_attribute a"
            "   WHERE a.attrelid = t.oid AND a.attnum = x.indkey[0]) AS first"
            " FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid"
            " WHERE x.indisunique AND t.relnamespace = 'public'::regnamespace"
        )
    others = {row["index"] for row in rows if row["first"] != "tenant"}
    assert others == {"app_clock_pkey", "alembic_version_pkc", "outbox_pkey"}  # outbox: a number of its own


@EACH_SERVICE
async def test_everything_belongs_to_the_owner(tenants: Tenants, service: str) -> None:
    owner = role_name(service, "owner")
    async with tenants.databases.login(service, "admin") as admin:
        assert (
            await admin.fetchval(
                "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
            )
            == owner
        )
        relations = await admin.fetch(
            "SELECT relname, pg_get_userbyid(relowner) AS owner FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace"
        )
        functions = await admin.fetch(
            "SELECT proname, prosecdef, pg_get_userbyid(proowner) AS owner FROM pg_proc"
            " WHERE pronamespace = 'public'::regnamespace"
        )
    assert {row["owner"] for row in (*relations, *functions)} == {owner}
    # One that ran with its owner's rights would be a way around row security.
    assert [row["proname"] for row in functions if row["prosecdef"]] == []


@EACH_SERVICE
async def test_no_role_has_powers_of_its_own(tenants: Tenants, service: str) -> None:
    names = [role_name(service, role) for role in (*ROLES, CLOCK_ROLE)]
    async with tenants.databases.login(service, "admin") as admin:
        rows = await admin.fetch(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY($1)"
            " AND NOT (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)",
            names,
        )
        memberships = await admin.fetchval(
            "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member"
            " WHERE r.rolname = ANY($1)",
            names,
        )
    assert {row["rolname"] for row in rows} == set(names)
    assert memberships == 0


@EACH_SERVICE
async def test_every_role_has_the_privileges_that_are_meant_for_it(tenants: Tenants, service: str) -> None:
    async with tenants.databases.login(service, "admin") as admin:
        for table in await tenants.tables(service):
            app = {"SELECT", *APP_WRITES.get(table, {"INSERT", "UPDATE", "DELETE"})}
            if table in INSERT_ONLY:
                app = {"INSERT"}
            plumbing = {"SELECT", *PLUMBING_WRITES[table]} if table in PLUMBING_TABLES else set()
            clock = set()
            if table in SHARED_BY_TENANTS:
                app = plumbing = {"SELECT"}
                clock = {"SELECT", "UPDATE"} if table == "app_clock" else set()
            wanted = {"app": app, "plumbing": plumbing, "check": {"SELECT"}, CLOCK_ROLE: clock}
            given = {role: await privileges(admin, role_name(service, role), table) for role in RUNNING}
            assert given == wanted, table


# one tenant and another


@EACH_SERVICE
async def test_there_is_something_to_try_on_in_every_table(tenants: Tenants, service: str) -> None:
    empty = []
    async with tenants.databases.login(service, "admin") as admin:
        for table in await tenants.of_tenants(service):
            for tenant in (tenants.ours, tenants.theirs):
                if not await admin.fetchval(f"SELECT count(*) FROM {table} WHERE tenant = $1", tenant):
                    empty.append(table)
    assert empty == []


@EACH_SERVICE
async def test_a_tenant_sees_its_own_rows_only(tenants: Tenants, service: str) -> None:
    async with tenants.databases.login(service, "app") as app:
        for table in await tenants.of_tenants(service):
            if table in INSERT_ONLY:
                continue
            async with attempt(app, tenants.ours):
                seen = await app.fetch(f"SELECT DISTINCT tenant FROM {table}")
                assert [row["tenant"] for row in seen] == [tenants.ours], table
                theirs = await app.fetch(f"SELECT FROM {table} WHERE tenant = $1", tenants.theirs)
                assert theirs == [], table


@EACH_SERVICE
async def test_a_tenant_writes_no_row_of_another(tenants: Tenants, service: str) -> None:
    async with (
        tenants.databases.login(service, "app") as app,
        tenants.databases.login(service, "admin") as admin,
    ):
        for table in await tenants.of_tenants(service):
            writes = {"INSERT", "UPDATE", "DELETE"} & await privileges(
                admin, role_name(service, "app"), table
            )
            if "UPDATE" in writes:
                async with attempt(app, tenants.ours):
                    touch = f"UPDATE {table} SET tenant = tenant WHERE tenant = $1"
                    assert await app.execute(touch, tenants.theirs) == "UPDATE 0", table
                async with attempt(app, tenants.ours):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                        await app.execute(f"UPDATE {table} SET tenant = $1", tenants.theirs)
            if "DELETE" in writes:
                async with attempt(app, tenants.ours):
                    gone = await app.execute(f"DELETE FROM {table} WHERE tenant = $1", tenants.theirs)
                    assert gone == "DELETE 0", table
            if "INSERT" in writes:
                await _insert(admin, app, table, tenants)


async def _insert(admin: Connection, app: Connection, table: str, tenants: Tenants) -> None:
    """A row of theirs is not accepted; the same row as ours is, as far as row security goes."""
    columns = await admin.fetchval(
        "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute"
        " WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''",
        table,
    )
    text = await admin.fetchval(
        f"SELECT to_jsonb(t)::text FROM {table} t WHERE tenant = $1 LIMIT 1", tenants.theirs
    )
    insert = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{table}, $1)"
    async with attempt(app, tenants.ours):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await app.execute(insert, text)
    async with attempt(app, tenants.ours):
        row = json.loads(text) | {"tenant": tenants.ours}
        # It may break another constraint (profiles' organisation names its tenant twice, keys are taken).
        with suppress(asyncpg.IntegrityConstraintViolationError):
            assert await app.execute(insert, json.dumps(row)) == "INSERT 0 1", table


@EACH_SERVICE
async def test_without_a_tenant_there_is_nothing(tenants: Tenants, service: str) -> None:
    readable = [table for table in await tenants.of_tenants(service) if table not in INSERT_ONLY]
    async with (
        tenants.databases.login(service, "app") as app,
        tenants.databases.login(service, "admin") as admin,
    ):

        async def visible() -> list[str]:
            return [table for table in readable if await app.fetchval(f"SELECT count(*) FROM {table}")]

        assert await app.fetchval("SELECT current_setting('app.tenant', true)") is None
        assert await visible() == []
        async with app.transaction():
            await app.execute("SELECT set_config('app.tenant', $1, true)", tenants.ours)
            assert await visible() == readable
        # From now on the setting is not NULL any more but empty.
        assert await app.fetchval("SELECT current_setting('app.tenant', true)") == ""
        assert await visible() == []
        for table in readable:
            if "DELETE" in await privileges(admin, role_name(service, "app"), table):
                async with attempt(app):
                    assert await app.execute(f"DELETE FROM {table}") == "DELETE 0", table
        for tenant in ("", tenants.ours):
            async with attempt(app):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                    await app.execute(
                        "INSERT INTO timer (tenant, kind, key, due_at, correlation_id)"
                        " VALUES ($1, 'k', 'k', now(), 'c')",
                        tenant,
                    )


@EACH_SERVICE
async def test_the_app_role_cannot_go_around_row_security(tenants: Tenants, service: str) -> None:
    ways = [
        f"SET ROLE {role_name(service, 'owner')}",
        f"SET SESSION AUTHORIZATION {role_name(service, 'owner')}",
        "ALTER TABLE timer DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE timer NO FORCE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON timer USING (true)",
        "DROP POLICY tenant_rows ON timer",
        "TRUNCATE timer",
        "CREATE TABLE mine (a integer)",
        "CREATE TEMPORARY TABLE mine (a integer)",
        "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
        f"ALTER ROLE {role_name(service, 'app')} BYPASSRLS",
        "SET row_security = off; SELECT count(*) FROM timer",
        "SELECT pg_read_file('postmaster.pid')",
        "COPY timer TO PROGRAM 'cat'",
    ]
    async with tenants.databases.login(service, "app") as app:
        for way in ways:
            async with attempt(app, tenants.ours):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await app.execute(way)


# the other roles


@EACH_SERVICE
async def test_the_plumbing_role_sees_the_plumbing_only(tenants: Tenants, service: str) -> None:
    role = role_name(service, "plumbing")
    both = {tenants.ours, tenants.theirs}
    async with (
        tenants.databases.login(service, "plumbing") as plumbing,
        tenants.databases.login(service, "admin") as admin,
    ):
        for table in await tenants.of_tenants(service):
            columns = await admin.fetch(
                "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0"
                " AND NOT attisdropped AND has_column_privilege($2, attrelid, attnum, 'SELECT')",
                table,
                role,
            )
            readable = {row["attname"] for row in columns}
            if table in PLUMBING_TABLES:
                seen = await plumbing.fetch(f"SELECT DISTINCT tenant FROM {table}")
                assert {row["tenant"] for row in seen} >= both, table
            else:
                assert readable == PLUMBING_READS.get((service, table), set()), table
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await plumbing.fetch(f"SELECT * FROM {table}")


async def test_the_sender_learns_whose_queue_is_not_empty_and_no_more(tenants: Tenants) -> None:
    async with tenants.databases.login("notifications", "plumbing") as plumbing:
        rows = await plumbing.fetch("SELECT DISTINCT state FROM notification")
        assert {row["state"] for row in rows} <= {"queued", "sending"}
        async with attempt(plumbing):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await plumbing.execute("UPDATE notification SET state = 'sent'")


async def test_the_worker_of_runs_learns_who_waits_for_one_and_no_more(tenants: Tenants) -> None:
    async with tenants.databases.login("matching", "plumbing") as plumbing:
        rows = await plumbing.fetch("SELECT DISTINCT state FROM matching_run")
        assert {row["state"] for row in rows} <= {"requested", "running", "publishing"}
        async with attempt(plumbing):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await plumbing.execute("UPDATE matching_run SET state = 'published'")


@EACH_SERVICE
async def test_the_check_role_reads_everything_and_writes_nothing(tenants: Tenants, service: str) -> None:
    both = {tenants.ours, tenants.theirs}
    async with tenants.databases.login(service, "check") as check:
        assert await check.fetchval("SHOW default_transaction_read_only") == "on"
        for table in await tenants.of_tenants(service):
            seen = await check.fetch(f"SELECT DISTINCT tenant FROM {table}")
            assert {row["tenant"] for row in seen} >= both, table
        await check.execute("SET default_transaction_read_only = off")  # a setting is not a wall
        for table in await tenants.tables(service):
            for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}", f"LOCK TABLE {table}"):
                async with attempt(check):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await check.execute(statement)
        async with attempt(check):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await check.execute("CREATE TEMPORARY TABLE mine (a integer)")


@EACH_SERVICE
async def test_only_the_clock_role_moves_the_clock(tenants: Tenants, service: str) -> None:
    move = "UPDATE app_clock SET offset_interval = interval '1 day'"
    for role in ("app", "plumbing", "check"):
        async with tenants.databases.login(service, role) as connection:
            await connection.execute("SET default_transaction_read_only = off")
            async with attempt(connection, tenants.ours):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(move)
    async with tenants.databases.login(service, "owner") as owner, attempt(owner):
        assert await owner.execute(move) == "UPDATE 0"  # row security holds for the owner too
    async with tenants.databases.login(service, CLOCK_ROLE) as clock:
        async with attempt(clock):
            before = await clock.fetchval("SELECT app_now()")
            assert await clock.execute(move) == "UPDATE 1"
            assert await clock.fetchval("SELECT app_now()") > before
        for table in await tenants.tables(service):
            if table != "app_clock":
                async with attempt(clock):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await clock.fetch(f"SELECT FROM {table}")


@EACH_SERVICE
async def test_the_owner_sees_no_tenants_rows(tenants: Tenants, service: str) -> None:
    """A migration that read or changed rows of tenants would have to say so by a policy."""
    async with tenants.databases.login(service, "owner") as owner:
        for table in await tenants.of_tenants(service):
            assert await owner.fetchval(f"SELECT count(*) FROM {table}") == 0, table


@EACH_SERVICE
async def test_no_role_gets_into_another_services_database(tenants: Tenants, service: str) -> None:
    for other in SERVICES:
        for role in (*ROLES, CLOCK_ROLE):
            if other == service:
                async with tenants.databases.login(service, role) as connection:
                    name = await connection.fetchval("SELECT current_database()")
                    assert name == database_name(service)
            else:
                with pytest.raises(
                    asyncpg.InsufficientPrivilegeError, match="permission denied for database"
                ):
                    async with tenants.databases.login(service, role, database=other):
                        pass
