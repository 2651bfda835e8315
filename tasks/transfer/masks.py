"""Values made unreadable in the chunk, before a rule sees them and before any byte is staged.

A masked column is read as text, and text is what the warehouse gets. NULL stays NULL.
"""

import hmac
from dataclasses import dataclass, field
from typing import Literal

import polars as pl
import polars_hash

Kind = Literal["hmac_sha256", "redact", "partial"]
REDACTED = "***"
#: How many characters of a partial value that is no email address stay readable, if it has twice
#: as many.
SHOWN = 4
#: First character and domain of an email address, which has no space and whose domain has a dot.
ADDRESS = r"^([^@\s])[^@\s]*(@[^@\s.]+(?:\.[^@\s.]+)+)$"


@dataclass(frozen=True)
class Mask:
    """How a column is masked; `key` is that of hmac_sha256 and never shows in a repr."""

    kind: Kind
    key: str = field(default="", repr=False)

    @property
    def fingerprint(self) -> str:
        """Changes with the kind and the key, without telling the key."""
        told = hmac.new(self.key.encode(), b"fingerprint", "sha256").hexdigest()[:8]
        return f"={self.kind}.{told}"

    def apply(self, name: str) -> pl.Expr:
        """The masked column, text like the column it is made of."""
        if self.kind == "hmac_sha256":
            return polars_hash.col(name).chash.hmac_sha256(key=self.key).alias(name)
        column = pl.col(name)
        if self.kind == "redact":
            return pl.when(column.is_not_null()).then(pl.lit(REDACTED)).alias(name)
        return _partial(column).alias(name)


def _partial(column: pl.Expr) -> pl.Expr:
    """`a***@example.com` of an email address, `************1234` of anything else."""
    address = column.str.extract(ADDRESS, 1) + REDACTED
    domain = column.str.extract(ADDRESS, 2)
    stars = column.str.replace_all(r"(?s).", "*")
    short = column.str.len_chars() < 2 * SHOWN
    number = pl.when(short).then(stars).otherwise(stars.str.head(-SHOWN) + column.str.tail(SHOWN))
    return pl.when(domain.is_not_null()).then(address + domain).otherwise(number)
