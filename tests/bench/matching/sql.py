"""The five best mentors of one person by one SQL statement, as exact as the engine: the same rules, factors and limits.

Mentors are rows with the columns that rules and factors read; what they have in words is a second table, clustered by
word. A prepared statement gets the person's row and words as parameters. The base points of levels and time zones are
small tables in memory, as for the engine.
"""

import time
from typing import Any, Final

import asyncpg
import numpy as np

from services.matching.engine.encode import Encoded
from services.matching.engine.kernel import best_mentors

_BEST: Final = 5
_SCHEMA: Final = """
    CREATE TABLE mentor (id int PRIMARY KEY, level int, zone int, office int, style int, department int, team int,
        languages bigint, first int, last int, constant int) WITH (fillfactor = 100);
    CREATE TABLE word (word int, mentor int, strength int, factor smallint);
"""
_AFTER: Final = """
    CREATE INDEX ON word (word) INCLUDE (mentor, strength, factor);
    CLUSTER word USING word_word_mentor_strength_factor_idx;
    CREATE TABLE level (mine int, theirs int, points int, PRIMARY KEY (mine, theirs));
    CREATE TABLE zone (mine int, theirs int, points int, PRIMARY KEY (mine, theirs));
"""
_QUERY: Final = """
    WITH shared AS (
        SELECT mentor, sum(points) AS points FROM (
            SELECT w.mentor, least(sum(wanted.points * w.strength), (ARRAY[{most}])[w.factor + 1]) AS points
            FROM unnest($1::int[], $2::int[]) AS wanted (word, points) JOIN word w ON w.word = wanted.word
            GROUP BY w.mentor, w.factor
        ) AS factor GROUP BY mentor
    )
    SELECT m.id, l.points + z.points + m.constant + coalesce(s.points, 0)
        + CASE WHEN m.office = $5 AND $5 >= 0 THEN {office} ELSE 0 END
        + CASE WHEN m.style = $6 AND $6 >= 0 THEN {style} ELSE 0 END AS score
    FROM mentor m
    JOIN level l ON l.mine = $3 AND l.theirs = m.level
    JOIN zone z ON z.mine = $4 AND z.theirs = m.zone
    LEFT JOIN shared s ON s.mentor = m.id
    WHERE m.languages & $7::bigint <> 0 AND m.department <> $8
        AND NOT (m.first <= $9 AND $9 < m.last) AND NOT ($9 <= m.first AND m.first < $10)
    ORDER BY score DESC LIMIT {best}
"""


async def measure(dsn: str, encoded: Encoded) -> tuple[list[float], bool]:
    """Milliseconds for each of the encoded mentees, and whether the scores are the engine's."""
    connection = await asyncpg.connect(dsn)
    try:
        await _fill(connection, encoded)
        return await _ask(connection, encoded)
    finally:
        await connection.close()


async def _fill(connection: Any, encoded: Encoded) -> None:
    people = encoded.people
    side, words = people.mentors, people.words
    await connection.execute("DROP TABLE IF EXISTS mentor, word, level, zone")
    await connection.execute(_SCHEMA)
    columns = (side.level, side.zone, side.office, side.style, side.department, side.team)
    languages = side.languages[:, 0].astype(np.int64)
    rows = zip(
        range(len(side.level)),
        *(column.tolist() for column in columns),
        *(column.tolist() for column in (languages, side.first, side.last, side.constant)),
        strict=True,
    )
    await connection.copy_records_to_table("mentor", records=rows)
    word = np.repeat(np.arange(len(words.factor)), np.diff(words.users))
    parts = (word, words.mentor, words.strength, words.factor[word])
    await connection.copy_records_to_table(
        "word", records=zip(*(part.tolist() for part in parts), strict=True)
    )
    await connection.execute(_AFTER)
    for name, table, offset in (("level", people.tables.levels, 1), ("zone", people.tables.zones, 0)):
        mine, theirs = np.nonzero(table >= 0)
        points = table[mine, theirs]
        records = zip((mine - offset).tolist(), (theirs - offset).tolist(), points.tolist(), strict=True)
        await connection.copy_records_to_table(name, records=records)
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("SET jit = off")


async def _ask(connection: Any, encoded: Encoded) -> tuple[list[float], bool]:
    people = encoded.people
    side, words, tables = people.mentees, people.words, people.tables
    query = _QUERY.format(
        most=", ".join(map(str, words.most.tolist())),
        office=tables.same_office,
        style=tables.working_style,
        best=_BEST,
    )
    prepared = await connection.prepare(query)
    times, same = [], True
    for i in range(len(side.level)):
        row = slice(int(words.start[i]), int(words.start[i + 1]))
        given = (
            *(part[row].tolist() for part in (words.word, words.points)),
            *(int(column[i]) for column in (side.level, side.zone, side.office, side.style)),
            int(side.languages[i, 0].astype(np.int64)),
            *(int(column[i]) for column in (side.department, side.first, side.last)),
        )
        start = time.perf_counter()
        found = await prepared.fetch(*given)
        times.append((time.perf_counter() - start) * 1000)
        same &= [record["score"] for record in found] == _engine(encoded, i)
    return times, same


def _engine(encoded: Encoded, i: int) -> list[int]:
    people = encoded.people
    n = len(people.bonus)
    mentor, score = np.zeros((n, _BEST), np.int32), np.zeros((n, _BEST), np.int32)
    found, floor = np.zeros(n, np.int32), np.asarray(-people.bonus - 1, np.int32)
    alone = people._replace(order=np.array([i]))
    best_mentors(alone, 0, 1, np.zeros(len(people.capacity), np.int32), floor, _BEST, mentor, score, found)
    return sorted(score[i, : found[i]].tolist(), reverse=True)
