import itertools

import duckdb
import pytest

from orchestration.release.content_hash import summarise
from orchestration.release.tables import Table

TABLE = Table("core", "t")


def content_hash(*statements: str) -> str:
    with duckdb.connect() as connection:
        connection.execute("create schema core")
        for statement in statements:
            connection.execute(statement)
        return summarise(connection, TABLE).content_hash


def rows(values: str, columns: str = "(a varchar, b varchar)") -> str:
    return content_hash(f"create table core.t {columns}", f"insert into core.t values {values}")


def test_order_of_rows_does_not_show() -> None:
    assert rows("('x', '1'), ('y', '2')") == rows("('y', '2'), ('x', '1')")


def test_threads_and_history_of_the_table_do_not_show() -> None:
    numbers = "create table core.t as select i, i / 7 as seventh from range({}) as t (i)"
    assert content_hash("set threads = 4", numbers.format(300_000)) == content_hash(
        "set threads = 1",
        numbers.format(300_001),
        "delete from core.t where i = 300_000",
        "update core.t set seventh = i / 7 where i % 2 = 0",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    list(
        itertools.combinations(
            [
                "(null, '')",
                "('', null)",
                "('', '')",
                "('NULL', '')",
                "(null, null)",
                "('a', 'b')",
                "('b', 'a')",
                "('a\", \"b', '')",
                "('a', 'b'), ('a', 'b')",
                "('a', 'b'), ('a', 'b'), ('a', 'b')",
            ],
            2,
        )
    ),
)
def test_different_rows_differ(one: str, other: str) -> None:
    assert rows(one) != rows(other)


def test_names_types_and_order_of_columns_count() -> None:
    hashes = {
        rows("(1, 2)", columns)
        for columns in (
            "(a int, b int)",
            "(b int, a int)",
            "(a bigint, b int)",
            "(a varchar, b varchar)",
            "(a decimal(9, 0), b int)",
        )
    }
    assert len(hashes) == 5


def test_exact_decimals_are_not_rounded() -> None:
    columns = "(a decimal(38, 10))"
    assert rows("(1234567890123456789012345678.0000000001)", columns) != rows(
        "(1234567890123456789012345678.0000000002)", columns
    )


def test_the_zone_of_the_session_does_not_show() -> None:
    moment = "create table core.t as select timestamptz '2026-01-01 12:00:00+00' as a"
    assert content_hash("set TimeZone = 'Asia/Hong_Kong'", moment) == content_hash(moment)


def test_an_empty_table_has_a_hash_and_no_rows() -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema core; create table core.t (a int)")
        summary = summarise(connection, TABLE)
    assert summary.rows == 0
    assert summary.columns == {"a": "INTEGER"}
    assert len(summary.content_hash) == 64
