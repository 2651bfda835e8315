"""The hash of a row's key as the source computes it, and rows that are picked by it."""

from dataclasses import dataclass

from psycopg import sql

from tasks.transfer.key_hash import INSTANTS, hash_digits, key_md5
from tasks.transfer.slices import LIMITS, within
from tasks.transfer.types import Field, Kind


@dataclass(frozen=True)
class Keys:
    """Rows whose keys have one of these hashes."""

    key: tuple[Field, ...]
    hashes: tuple[int, ...]

    @property
    def at_source(self) -> sql.Composed:
        return sql.SQL("{} = any({}::bigint[])").format(
            source_hash([*self.key]), sql.Literal([*self.hashes])
        )


def source_hash(key: list[Field]) -> sql.Composed:
    """The hash of a row's key at the source; NULL where a copy can't hold it."""
    return sql.SQL("('x0' || {})::bit(64)::bigint").format(sql.SQL(hash_digits(source_md5(key))))


def source_md5(key: list[Field]) -> str:
    return key_md5([_text(field).as_string() for field in key])


def _text(field: Field) -> sql.Composed:
    form = "{name}::text"
    if field.kind is Kind.TEXT:
        form = "convert_to({name}::text, 'UTF8')"
    elif field.kind is Kind.DECIMAL:
        form = "nullif({name}, 'NaN')::text"
    elif field.kind in INSTANTS:
        form = "(extract(epoch from {name}) * 1000000)::bigint::text"
    if field.kind in LIMITS:
        form = f"case when {{held}} then {form} end"
    held = within(field, *LIMITS[field.kind]).at_source if field.kind in LIMITS else sql.SQL("")
    return sql.SQL(form).format(name=sql.Identifier(field.name), held=held)
