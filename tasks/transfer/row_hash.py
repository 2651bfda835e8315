"""The hashes by which rows of the source and of a copy are told apart, in SQL of each side.

Each value has a text that both sides write alike, and each text one number. A row's number is that
of all its texts, so that values which two rows have exchanged show too. Sums of them, of 64 bits,
stand for the rows of a part. Which column differs is told row by row where rows have a key, and by
a sum over each column where they have none.
"""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from tasks.transfer.key_hash import BUCKETS
from tasks.transfer.types import Field, Kind

#: Sums are held against each other modulo this.
MODULUS = 2**64
# Doubles have 53 bits, of which the first is 1; exponents end here, those of subnormals included.
FRACTION, LOWEST, HIGHEST = 2**52, -1074, 1023
#: What a copy may hold any text in, the empty one too.
FREE = {Kind.TEXT, Kind.BINARY, Kind.JSON, Kind.UUID}
#: Stands before the value of a part; that of no value, and of a whole table, is empty.
VALUE = "="
LN_2 = 0.6931471805599453


@dataclass(frozen=True)
class Hashing:
    """How one side computes the hashes of its rows.

    Args:
        text: The canonical text of an expression of a kind.
        number: That of a text, or NULL.
        joined: What `number` takes for a row, whose texts, of these kinds, may be NULL.
        key_hash: The hash of a key that rows are read again by (tasks/transfer/key_hash.py).
        quote: A column's identifier.
        addend: The form of what is summed up, which has to be exact.
        start: The first instant, of a kind, of the unit that an expression is in.
    """

    text: Callable[[str, Kind], str]
    number: Callable[[str], str]
    joined: Callable[[dict[str, Kind]], str]
    key_hash: Callable[[list[Field]], str]
    quote: Callable[[str], str]
    start: Callable[[str, Kind, str], str]
    addend: str = "{}"

    def row(self, texts: dict[str, Kind]) -> str:
        """The number of a row, which is never NULL."""
        return self.number(self.joined(texts))


@dataclass(frozen=True)
class Hashes:
    """The hashes of a warehouse, `there`, and as DuckDB in this process computes the same, `here`.

    Values of the kinds `left_out` have no text that both sides can write.
    """

    there: Hashing
    here: Hashing
    left_out: frozenset[Kind] = frozenset()


@dataclass(frozen=True)
class RowHash:
    """What is compared of a table: its `fields`, by `key`, which is none of them, if it has one.

    Args:
        part: The column by whose values, or units of time, rows without a key are put together.
        unit: That unit.
        is_sought: Whether rows can be read again by the key.
    """

    fields: list[Field]
    key: list[Field]
    part: Field | None = None
    unit: str = "day"
    is_sought: bool = True

    @property
    def names(self) -> list[str]:
        """The columns that are told when they differ."""
        return [field.name for field in self.fields]

    @property
    def schema(self) -> dict[str, pl.DataType | type[pl.DataType]]:
        """Of `rows`: the row's number and its key's hash, the key's texts, each column's number."""
        return {
            "k": pl.UInt64,
            "found": pl.Int64,
            **{f"t{n}": pl.String for n, _ in enumerate(self.key)},
            **{f"h{n}": pl.UInt64 for n, _ in enumerate(self.fields)},
        }

    def digests(self, side: Hashing, relation: str, modulus: bool = False) -> str:
        """SELECTs each part, its number of rows, and sums over these and, with no key, columns."""
        summed = f"sum({side.addend})"
        form = f"cast({summed} % {MODULUS} as ubigint)" if modulus else f"cast({summed} as varchar)"
        numbers = ["w"] if self.key else ["w", *(f"h{n}" for n, _ in enumerate(self.fields))]
        sums = [f"{form.format(each)} as s{n}" for n, each in enumerate(numbers)]
        selected = f"select part, count(*) as n, {', '.join(sums)}"
        return f"{selected} from ({self._hashed(side, relation)}) r group by part"

    def rows(self, side: Hashing, relation: str, parts: list[str]) -> str:
        """SELECTs what `schema` says of every row of these parts."""
        texts = [_text(side, field) for field in self.key]
        values = {
            "k": _row(side, self.key),
            "found": side.key_hash(self.key) if self.is_sought else "null",
            **{f"t{n}": text for n, text in enumerate(texts)},
            **self._columns(side),
        }
        selected = ", ".join(f"{value} as {name}" for name, value in values.items())
        among = f"{_number(values['k'])} in ({', '.join(parts)})"
        return f"select {selected} from {relation} c where {among}"

    def _hashed(self, side: Hashing, relation: str) -> str:
        part = _number(_row(side, self.key)) if self.key else self._part(side)
        values = {"part": part, "w": _row(side, [*self.key, *self.fields])}
        if not self.key:
            values |= self._columns(side)
        selected = ", ".join(f"{value} as {name}" for name, value in values.items())
        return f"select {selected} from {relation} c"

    def _columns(self, side: Hashing) -> dict[str, str]:
        texts = enumerate(_text(side, field) for field in self.fields)
        return {f"h{n}": side.number(text) for n, text in texts}

    def _part(self, side: Hashing) -> str:
        if self.part is None:
            return "''"
        column, kind = f"c.{side.quote(self.part.name)}", self.part.kind
        start = side.text(side.start(column, kind, self.unit), kind)
        return f"coalesce('{VALUE}' || {start}, '')"


def float_text(column: str) -> str:
    """A double as whole number and exponent of 2, in SQL that all sides compute alike.

    The logarithm may be off by one near a power of 2, which is put right; all else is exact. A zero
    has no sign.
    """
    # Logarithms are of what has one, in whatever order a case is computed.
    finite = f"{column} <> 0 and abs({column}) < cast('inf' as double)"
    size = f"case when {finite} then abs({column}) end"
    guess = f"greatest({LOWEST}, least({HIGHEST}, cast(floor(ln({size}) / {LN_2}) as integer)))"
    scaled = f"({size} / pow(2, {guess}))"
    shift = f"case when {scaled} >= 2 then 1 when {scaled} < 1 then -1 else 0 end"
    whole = f"cast(cast({scaled} / pow(2, {shift}) * {FRACTION} as bigint) as varchar)"
    return (
        f"case when {column} = cast('NaN' as double) then 'NaN'"
        f" when {column} = cast('inf' as double) then 'inf'"
        f" when {column} = cast('-inf' as double) then '-inf'"
        f" when {column} = 0 then '0'"
        f" else case when {column} < 0 then '-' else '' end || {whole} || 'p'"
        f" || cast({guess} + {shift} as varchar) end"
    )


def joined(texts: dict[str, Kind]) -> str:
    """One text of a row's, and no other row's: those that may be empty, or long, by their MD5."""
    short = (f"md5({text})" if kind in FREE else text for text, kind in texts.items())
    there = ", ".join(f"coalesce({text}, '')" for text in short)
    return f"concat_ws('/', {there})"  # a chain of || would nest deeper than DuckDB goes


def _text(side: Hashing, field: Field) -> str:
    return side.text(f"c.{side.quote(field.name)}", field.kind)


def _row(side: Hashing, fields: list[Field]) -> str:
    return side.row({_text(side, field): field.kind for field in fields} or {"''": Kind.TEXT})


def _number(k: str) -> str:
    """The bucket of keys that a row is in."""
    return f"{k} % {BUCKETS}"
