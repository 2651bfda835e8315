"""The mapping from a source's types to what a chunk holds."""

from dataclasses import replace

import pytest
from psycopg import sql

from tasks.source.catalog import Column
from tasks.transfer.types import Field, Kind, Reading, field_of, has_one_text, unknown_types


def column(type_: str, category: str = "U", modifier: int = -1, *parts: Column) -> Column:
    return Column("x", 1, type_, type_, modifier, category, False, False, True, parts)


def typmod(precision: int, scale: int) -> int:
    """numeric's type modifier, as PostgreSQL packs it."""
    return (precision << 16 | scale & 0x7FF) + 4


INT, TEXT, JSON = column("int4", "N"), column("text", "S"), column("json")
INTS = column("_int4", "A", -1, INT)
PRICE = column("numeric", "N", typmod(5, 2))
MOOD = column("public.mood", "E", -1, replace(column(""), name="ok"))
LEG = column("public.leg", "C", -1, replace(INTS, name='s"t'), replace(TEXT, name="{}"))
CUBE = column("cube.cube")


@pytest.mark.parametrize(
    ("type_", "category", "kind", "read_as"),
    [
        ("int2", "N", Kind.INT16, "native"),
        ("int4", "N", Kind.INT32, "native"),
        ("int8", "N", Kind.INT64, "native"),
        ("float4", "N", Kind.FLOAT32, "native"),
        ("float8", "N", Kind.FLOAT64, "native"),
        ("bool", "B", Kind.BOOLEAN, "native"),
        ("text", "S", Kind.TEXT, "native"),
        ("varchar", "S", Kind.TEXT, "native"),
        ("bytea", "U", Kind.BINARY, "native"),
        ("date", "D", Kind.DATE, "native"),
        ("timestamp", "D", Kind.TIMESTAMP, "native"),
        ("timestamptz", "D", Kind.TIMESTAMPTZ, "native"),
        ("time", "D", Kind.TIME, "text"),
        ("uuid", "U", Kind.UUID, "text"),
        ("jsonb", "U", Kind.JSON, "text"),
        ("json", "U", Kind.TEXT, "text"),
        ("hstore.hstore", "U", Kind.JSON, "json"),
        ("numeric", "N", Kind.TEXT, "text"),
        ("public.mood", "E", Kind.TEXT, "text"),
        ("int2vector", "A", Kind.TEXT, "text"),
        # Types that bear the name of another.
        ("public.int4", "E", Kind.TEXT, "text"),
        ("public.hstore", "U", Kind.TEXT, "text"),
        *[
            (name, "U", Kind.TEXT, "text")
            for name in ("timetz", "interval", "inet", "bit", "money", "oid", "xml", "bpchar")
        ],
    ],
)
def test_each_postgresql_type_has_its_kind_and_reading(
    type_: str, category: str, kind: Kind, read_as: Reading
) -> None:
    assert field_of(column(type_, category)) == Field("x", kind, read_as=read_as)


@pytest.mark.parametrize(
    ("precision", "scale"), [(1, 0), (10, 2), (5, 5), (38, 0), (38, 37), (37, 37)]
)
def test_a_numeric_that_fits_is_a_decimal_of_its_digits(precision: int, scale: int) -> None:
    field = field_of(column("numeric", "N", typmod(precision, scale)))
    assert field == Field("x", Kind.DECIMAL, precision, scale, "text")


@pytest.mark.parametrize(
    ("precision", "scale"), [(39, 0), (38, 38), (1000, 2), (5, -2), (3, 5), (1000, -1000)]
)
def test_a_numeric_that_does_not_fit_is_text(precision: int, scale: int) -> None:
    field = field_of(column("numeric", "N", typmod(precision, scale)))
    assert field == Field("x", Kind.TEXT, read_as="text")


@pytest.mark.parametrize(
    ("whole", "kind", "has_arrays"),
    [
        (INTS, Kind.JSON, True),
        (LEG, Kind.JSON, True),
        (column("public._leg", "A", -1, LEG), Kind.JSON, True),
        (column("public.pair", "C", -1, TEXT, INT), Kind.JSON, False),
        (column("_json", "A", -1, JSON), Kind.TEXT, True),
        (column("public.event", "C", -1, column("public.inner", "C", -1, JSON)), Kind.TEXT, False),
    ],
)
def test_arrays_and_composites_are_json_but_text_where_they_hold_json(
    whole: Column, kind: Kind, has_arrays: bool
) -> None:
    arrays = whole if has_arrays else None
    assert field_of(whole) == Field("x", kind, read_as="json", arrays=arrays)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (Field('a"b', Kind.TEXT), '"a""b"'),
        (Field('a"b', Kind.TEXT, read_as="text"), '"a""b"::text as "a""b"'),
        (Field('a"b', Kind.TEXT, read_as="json"), 'to_json("a""b")::text as "a""b"'),
        (Field("a", Kind.DECIMAL, 5, 2, "digits"), '"a"::text::numeric::text as "a"'),
    ],
)
def test_a_field_is_selected_under_its_own_quoted_name(field: Field, expected: str) -> None:
    assert sql.SQL("{}").format(field.select).as_string() == expected


def test_arrays_that_count_from_another_number_are_read_as_their_text() -> None:
    selected = field_of(column("public._leg", "A", -1, LEG)).select
    off = "position('[' in replace(array_dims({}), '[1:', '')) > 0"
    inner = off.format('("element 0")."s""t"')
    assert sql.SQL("{}").format(selected).as_string() == (
        f"case when {off.format(chr(34) + 'x' + chr(34))} or"
        f' exists (select from unnest("x") "element 0" where {inner})'
        """ then '=' || "x"::text else to_json("x")::text end as "x\""""
    )


@pytest.mark.parametrize(
    ("whole", "unknown"),
    [
        (INT, []),
        (column("citext.citext", "S"), []),
        (column("hstore.hstore"), []),
        (MOOD, []),
        (LEG, []),
        (CUBE, ["cube.cube"]),
        (column("public._cube", "A", -1, CUBE), ["cube.cube"]),
        (
            column("public.pair", "C", -1, column("public.box3d"), CUBE),
            ["cube.cube", "public.box3d"],
        ),
        (column("public.span", "R", -1, CUBE), ["cube.cube"]),
    ],
)
def test_types_that_nobody_knows_are_found_wherever_they_are(
    whole: Column, unknown: list[str]
) -> None:
    assert unknown_types(whole) == unknown


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        *(
            (column(name), True)
            for name in ("int8", "text", "uuid", "bytea", "timestamptz", "inet")
        ),
        *((column(name), True) for name in ("bpchar", "timetz", "bit", "ltree.ltree")),
        (PRICE, True),
        (MOOD, True),
        (INTS, True),
        (LEG, True),
        (column("int4range", "R", -1, INT), True),
        (column("numeric", "N"), False),
        *((column(name), False) for name in ("float4", "float8", "interval", "jsonb", "json")),
        *(
            (column(name), False)
            for name in ("citext.citext", "hstore.hstore", "regclass", "point")
        ),
        (CUBE, False),
        (replace(TEXT, deterministic=False), False),
        (column("_text", "A", -1, replace(TEXT, deterministic=False)), False),
        (column("_interval", "A", -1, column("interval")), False),
        (column("numrange", "R", -1, column("numeric")), False),
        (column("public.pair", "C", -1, INT, column("float8")), False),
    ],
    ids=lambda value: value.type if isinstance(value, Column) else "",
)
def test_a_value_has_one_text_or_may_have_others(whole: Column, expected: bool) -> None:
    assert has_one_text(whole) is expected
