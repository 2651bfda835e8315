"""One number for each key, computed alike by PostgreSQL and by every warehouse.

It is the first 15 hexadecimal digits of the MD5 of the key's text; where a key has several columns,
the MD5s of their texts, one after the other, are hashed once more. It stands for the key: in one of
20,000 tables of 10,000,000 rows do any two keys share it.
"""

from tasks.transfer.types import INTEGERS, Kind

DIGITS = 15
# A bucket is the last three of these digits.
BUCKETS = 16**3
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


def key_md5(texts: list[str]) -> str:
    """The MD5 of a key, in SQL that all sides read, from the texts of its columns."""
    if len(texts) > 1:
        return key_md5([" || ".join(f"md5({text})" for text in texts)])
    return f"md5({texts[0]})"


def hash_digits(md5: str) -> str:
    """The digits that a key's hash is made from."""
    return f"left({md5}, {DIGITS})"


def bucket(key_hash: str) -> str:
    """The number of a hash's bucket: few keys enough to be read again when they differ."""
    return f"{key_hash} % {BUCKETS}"


def in_buckets(md5: str, buckets: list[int]) -> str:
    """Whether a key is in one of the buckets; told from its MD5, which is cheaper than a number."""
    digits = ", ".join(f"'{number:03x}'" for number in buckets)
    return f"substr({md5}, {DIGITS - 2}, 3) in ({digits})"
