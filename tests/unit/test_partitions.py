"""The cut of a table into ranges: every page once, however it grows."""

import re
from itertools import pairwise

import pytest
from psycopg import sql

from tasks.source.catalog import Leaf, Relation
from tasks.source.partitions import (
    RANGES_A_STREAM,
    SMALLEST_RANGE,
    range_queries,
    tid_queries,
)

COLUMNS = sql.SQL("id")
RANGE = re.compile(r"ctid >= '\((\d+),0\)'::tid(?: and ctid < '\((\d+),0\)'::tid)?")


def relation(*pages: int | None) -> Relation:
    """A table with a leaf for each number of pages; None is a leaf without a heap."""
    leaves = tuple(Leaf(n, "public", f"leaf{n}", count) for n, count in enumerate(pages))
    return Relation("1/16384", "public", "orders", 1, (), leaves, (), (), (), ())


def ranges(queries: list[str], leaf: int) -> list[tuple[int, int | None]]:
    """First and first excluded page of each query on a leaf."""
    found = [RANGE.search(query) for query in queries if f'"leaf{leaf}"' in query]
    return [(int(hit[1]), int(hit[2]) if hit[2] else None) for hit in found if hit]


@pytest.mark.parametrize("streams", [1, 2, 16])
@pytest.mark.parametrize(
    "pages",
    [
        (0,),
        (1,),
        (SMALLEST_RANGE - 1,),
        (SMALLEST_RANGE,),
        (SMALLEST_RANGE + 1,),
        (1_000_003,),
        (0, 5, 300_000),
        (10_000, 10_000, 10_000),
    ],
)
def test_the_ranges_of_a_leaf_cover_all_its_pages_exactly_once_and_the_last_is_open(
    pages: tuple[int, ...], streams: int
) -> None:
    queries = tid_queries(relation(*pages), COLUMNS, None, streams)
    cut = [ranges(queries, leaf) for leaf in range(len(pages))]
    assert sum(map(len, cut)) == len(queries)
    for count, parts in zip(pages, cut, strict=True):
        assert parts[0][0] == 0
        assert all(before[1] == after[0] for before, after in pairwise(parts))
        assert all(end is not None and start < end for start, end in parts[:-1])
        assert parts[-1][1] is None
        assert parts[-1][0] < max(count, 1)


@pytest.mark.parametrize(
    ("pages", "streams", "expected"),
    [
        (SMALLEST_RANGE, 4, 1),
        (SMALLEST_RANGE * 3, 4, 3),
        (SMALLEST_RANGE * 1000, 1, RANGES_A_STREAM),
        (SMALLEST_RANGE * 1000, 4, 4 * RANGES_A_STREAM),
    ],
)
def test_a_table_is_cut_for_its_streams_but_not_below_the_smallest_range(
    pages: int, streams: int, expected: int
) -> None:
    assert len(tid_queries(relation(pages), COLUMNS, None, streams)) == expected


@pytest.mark.parametrize(
    ("pages", "where", "expected"),
    [
        (None, None, 'select id from only "public"."leaf0"'),
        (None, "a > 1", 'select id from only "public"."leaf0" where a > 1'),
        (1, None, """select id from only "public"."leaf0" where ctid >= '(0,0)'::tid"""),
        (
            1,
            "a > 1",
            """select id from only "public"."leaf0" where ctid >= '(0,0)'::tid and a > 1""",
        ),
    ],
)
def test_a_leaf_without_a_heap_is_one_query_and_a_condition_holds_in_each(
    pages: int | None, where: str | None, expected: str
) -> None:
    condition = sql.SQL(where) if where else None
    assert tid_queries(relation(pages), COLUMNS, condition, 2) == [expected]


def test_a_read_by_range_is_one_query_of_the_whole_relation_for_each_condition() -> None:
    assert range_queries(relation(5, None), COLUMNS, [sql.SQL("a >= 1"), sql.SQL("a is null")]) == [
        'select id from "public"."orders" where a >= 1',
        'select id from "public"."orders" where a is null',
    ]
