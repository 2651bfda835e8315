"""The hashes by which rows of the source and of a copy are told apart, in SQL of each side.

Each value has a text that both sides write alike, and each text one number. A number is XORed with
its row's, so that values which two rows have exchanged show too; where rows have no key, the
number of the whole row shows that. Sums of them, of 64 bits, stand for the rows of a part.
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
#: Stands before the value of a part; that of no value, and of a whole table, is empty.
VALUE = "="
LN_2 = 0.6931471805599453


@dataclass(frozen=True)
class Hashing:
    """How one side computes the hashes of its rows.

    Args:
        text: The canonical text of an expression of a kind.
        hash: The number of texts; a single one may be NULL, and several may not.
        key_hash: The hash of a key that rows are read again by (tasks/transfer/key_hash.py).
        xor: The function's name.
        quote: A column's identifier.
        addend: The form of what is summed up, which has to be exact.
        start: The first instant, of a kind, of the unit that an expression is in.
    """

    text: Callable[[str, Kind], str]
    hash: Callable[[list[str]], str]
    key_hash: Callable[[list[Field]], str]
    xor: str
    quote: Callable[[str], str]
    start: Callable[[str, Kind, str], str]
    addend: str = "{}"


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
    """What is compared of a table: its `fields`, by `key` where it has one.

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
        """The columns that a digest has a sum of each."""
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
        """SELECTs each part, its number of rows, and sums over these and over each column."""
        summed = f"sum({side.addend})"
        form = f"cast({summed} % {MODULUS} as ubigint)" if modulus else f"cast({summed} as varchar)"
        sums = [form.format(each) for each in ("k", *self._values(side))]
        sums = [f"{each} as s{n}" for n, each in enumerate(sums)]
        selected = f"select part, count(*) as n, {', '.join(sums)}"
        return f"{selected} from ({self._hashed(side, relation)}) r group by part"

    def rows(self, side: Hashing, relation: str, parts: list[str]) -> str:
        """SELECTs what `schema` says of every row of these parts."""
        texts = [_text(side, field) for field in self.key]
        values = {
            "k": self._identity(side),
            "found": side.key_hash(self.key) if self.is_sought else "null",
            **{f"t{n}": text for n, text in enumerate(texts)},
            **{f"h{n}": side.hash([_text(side, field)]) for n, field in enumerate(self.fields)},
        }
        selected = ", ".join(f"{value} as {name}" for name, value in values.items())
        among = f"{_number(values['k'])} in ({', '.join(parts)})"
        return f"select {selected} from {relation} c where {among}"

    def _hashed(self, side: Hashing, relation: str) -> str:
        values = [f"{self._identity(side)} as k", f"{self._part(side)} as p"]
        for n, field in enumerate(self.fields):
            values.append(f"{side.hash([_text(side, field)])} as h{n}")
        part = _number("k") if self.key else "p"
        hashed = f"select {', '.join(values)} from {relation} c"
        return f"select {part} as part, h.* from ({hashed}) h"

    def _identity(self, side: Hashing) -> str:
        """The number of a row, by its key or else by all that is compared of it; never NULL."""
        texts = [_text(side, field) for field in self.key or self.fields]
        return side.hash([f"coalesce({text}, '')" for text in texts] or ["''"])

    def _values(self, side: Hashing) -> list[str]:
        columns = [f"h{n}" for n, _ in enumerate(self.fields)]
        return [f"{side.xor}({each}, k)" for each in columns] if self.key else columns

    def _part(self, side: Hashing) -> str:
        if self.key or self.part is None:
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


def _text(side: Hashing, field: Field) -> str:
    return side.text(f"c.{side.quote(field.name)}", field.kind)


def _number(k: str) -> str:
    """The bucket of keys that a row is in."""
    return f"{k} % {BUCKETS}"
