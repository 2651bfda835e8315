"""One number for each key, computed alike by PostgreSQL and by every warehouse.

It is the first 15 hexadecimal digits of the MD5 of the key's text; where a key has several columns,
the MD5s of their texts, one after the other, are hashed once more. It stands for the key: in one of
20,000 tables of 10,000,000 rows do any two keys share it.
"""

from tasks.transfer.types import INTEGERS, Kind

DIGITS = 15
BUCKETS = 4096
#: Kinds of which all sides can be made to write the same text.
COMPARABLE = {
    *INTEGERS,
    Kind.DECIMAL,
    Kind.BOOLEAN,
    Kind.TEXT,
    Kind.DATE,
    Kind.TIMESTAMP,
    Kind.TIMESTAMPTZ,
    Kind.UUID,
}
INSTANTS = {Kind.TIMESTAMP, Kind.TIMESTAMPTZ}


def key_digits(texts: list[str]) -> str:
    """The digits of a key, in SQL that all sides read, from the texts of its columns."""
    if len(texts) > 1:
        return key_digits([" || ".join(f"md5({text})" for text in texts)])
    return f"left(md5({texts[0]}), {DIGITS})"


def bucket(key_hash: str) -> str:
    """The bucket of a hash: small enough to be read again when its keys differ."""
    return f"{key_hash} % {BUCKETS}"
