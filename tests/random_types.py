"""Random types with random values of them, as PostgreSQL reads them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import NamedTuple

from hypothesis import strategies as st

INTEGERS = {"smallint": 15, "integer": 31, "bigint": 63}
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


class Value(NamedTuple):
    """A literal; whether a copy of just its type holds it, and whether its arrays count from 1."""

    text: str
    fits: bool = True
    is_even: bool = True


@dataclass(frozen=True)
class Type:
    """A type of a column, the statements that make it, and its values."""

    name: str
    values: st.SearchStrategy[Value]
    made_by: tuple[str, ...] = ()


def always(name: str, texts: st.SearchStrategy[str]) -> Type:
    return Type(name, texts.map(Value))


def _numeric(precision: int, scale: int) -> Type:
    most = 10**precision - 1
    digits = st.integers(-most, most).map(lambda number: Value(f"{number}e-{scale}"))
    return Type(f"numeric({precision},{scale})", digits | st.just(Value("NaN", fits=False)))


def _instants(name: str, spell: Callable[[datetime], str]) -> Type:
    inside = st.datetimes().map(lambda moment: Value(spell(moment)))
    outside = st.sampled_from(["infinity", "-infinity", "0044-03-15 BC", "12345-06-07"])
    return Type(name, inside | outside.map(lambda text: Value(text, fits=False)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | st.floats(allow_nan=False, width=32),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
).map(json.dumps)
SCALARS = [
    *(
        always(name, st.integers(-(2**bits), 2**bits - 1).map(str))
        for name, bits in INTEGERS.items()
    ),
    *(_numeric(*digits) for digits in ((1, 0), (5, 2), (19, 19), (38, 0), (38, 37))),
    always("numeric", st.decimals(-(10**40), 10**40).map(str) | st.just("NaN")),
    always("real", st.floats(width=32).map(repr)),
    always("float8", st.floats().map(repr)),
    always("boolean", st.sampled_from(["true", "false"])),
    always("text", TEXTS),
    always("char(12)", TEXTS),
    always("citext", TEXTS),
    always("bytea", st.binary(max_size=12).map(lambda raw: rf"\x{raw.hex()}")),
    _instants("date", lambda moment: str(moment.date())),
    _instants("timestamp", str),
    _instants("timestamptz", lambda moment: f"{moment}+00"),
    Type(
        "time",
        st.times().map(lambda clock: Value(str(clock))) | st.just(Value("24:00:00", fits=False)),
    ),
    always("interval", st.timedeltas().map(lambda span: f"{span.days}d {span.seconds}s")),
    always("uuid", st.uuids().map(str)),
    always("json", JSON),
    always("jsonb", JSON),
    always("inet", st.ip_addresses().map(str)),
    always("varbit", st.text("01", max_size=9)),
    always("int4range", st.integers(-9, 9).map(lambda low: f"[{low},10]")),
]
_numbers = count()


def _quoted(value: Value | None) -> str:
    if value is None:
        return "NULL"
    return '"' + value.text.replace("\\", r"\\").replace('"', r"\"") + '"'


def _array(element: Type) -> Type:
    def literal(parts: tuple[list[Value | None], int]) -> Value:
        values, first = parts
        bounds = f"[{first}:{first + len(values) - 1}]=" if values and first != 1 else ""
        even = not bounds and all(value is None or value.is_even for value in values)
        return Value(f"{bounds}{{{','.join(map(_quoted, values))}}}", even, even)

    elements = st.lists(st.none() | element.values, max_size=3)
    first = st.sampled_from([1, 1, 1, 1, 0, -5])
    return Type(f"{element.name}[]", st.tuples(elements, first).map(literal), element.made_by)


def _composite(parts: list[Type]) -> Type:
    name = f"made_{next(_numbers)}"
    attributes = ", ".join(f'"a {number}" {part.name}' for number, part in enumerate(parts))

    def literal(values: tuple[Value | None, ...]) -> Value:
        even = all(value is None or value.is_even for value in values)
        texts = ("" if value is None else _quoted(value) for value in values)
        return Value(f"({','.join(texts)})", even, even)

    made_by = [statement for part in parts for statement in part.made_by]
    values = st.tuples(*(st.none() | part.values for part in parts)).map(literal)
    return Type(name, values, (*made_by, f"create type {name} as ({attributes})"))


def _domain(base: Type) -> Type:
    name = f"made_{next(_numbers)}"
    return Type(name, base.values, (*base.made_by, f"create domain {name} as {base.name}"))


TYPES = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.one_of(
        inner.filter(lambda type_: not type_.name.endswith("]")).map(_array),
        st.lists(inner, min_size=1, max_size=3).map(_composite),
        inner.map(_domain),
    ),
    max_leaves=4,
)
COLUMNS = st.lists(TYPES, min_size=1, max_size=6)
