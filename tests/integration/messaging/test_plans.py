"""How PostgreSQL finds rows by key: one by one through the index, also when it knows nothing of the table yet."""

from shared.persistence.driver import Statement
from shared.persistence.kinds import arrays_of
from shared.persistence.uow import Uow
from tests.support.toy import THINGS, Thing, Toy

_ROWS = 3000


async def _plan(uow: Uow, statement: Statement, values: dict[str, str]) -> str:
    explained = Statement("EXPLAIN " + statement.text)
    rows = await uow.connection.fetch(explained, {"tenant": uow.tenant, **values})
    return "\n".join(row[0] for row in rows)


async def test_rows_by_key_are_looked_up_however_large_the_table_has_grown(toy: Toy) -> None:
    async with toy.database.transaction("acme") as uow:
        names = [f"t{number}" for number in range(_ROWS)]
        things = [Thing(name, 1, "", 0) for name in names]
        await uow.connection.fetch(THINGS.insert_sql, {"tenant": "acme", **THINGS.arrays(things)})
        some = [Thing(name, 2, "new", 1) for name in names[:100]]
        pairs = [(thing.thing_id, 1) for thing in some]
        assert THINGS.update_sql is not None
        for statement, values in (
            (THINGS.update_sql, THINGS.arrays(some)),
            (THINGS.delete_sql, _keys(names[:100])),
            (
                THINGS.select_by_fields(("thing_id", "version"), lock=THINGS.lock),
                arrays_of(("thing_id", "version"), pairs),
            ),
        ):
            plan = await _plan(uow, statement, values)
            assert "Index Scan using thing_pkey" in plan, plan
            assert "thing_id = u.thing_id" in plan.split("Index Cond", 1)[1].splitlines()[0], plan
            assert "Seq Scan" not in plan and "Hash Join" not in plan, plan
        await uow.connection.fetch(THINGS.update_sql, {"tenant": "acme", **THINGS.arrays(some)})
    changed = [thing for thing in (await toy.things()).values() if thing.version == 2]
    assert sorted(changed, key=lambda thing: thing.thing_id) == sorted(some, key=lambda thing: thing.thing_id)


def _keys(names: list[str]) -> dict[str, str]:
    return THINGS.key_arrays([(name,) for name in names])
