"""Which trigger keeps a column at the time of its row's last change, read from its function."""

import re
from dataclasses import dataclass

# Fires by default, before any update of a row, whichever columns it names.
TRIGGERS = """
select t.tgname, p.prosrc, t.tgargs
from pg_trigger t join pg_proc p on p.oid = t.tgfoid
where t.tgrelid = %s and not t.tgisinternal and t.tgenabled in ('O', 'A')
  and t.tgtype & 1 <> 0 and t.tgtype & 2 <> 0 and t.tgtype & 16 <> 0
  and cardinality(t.tgattr::smallint[]) = 0
order by t.tgname
"""

COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
ASSIGNED = r"""(?:^|;|\b(?:begin|then|else))\s*new\s*\.\s*(?:{0}\b|"{0}")\s*:?=([^;]*)"""
CLOCK = re.compile(
    r"\bnow\s*\(|\b(?:clock|statement|transaction)_timestamp\b|\bcurrent_(?:timestamp|date)\b"
    r"|\blocaltimestamp\b",
    re.IGNORECASE,
)
# An old value is kept, or a given one; an insert alone may be stamped.
KEPT = re.compile(r"\b(?:new|old)\s*\.", re.IGNORECASE)
BY_OPERATION = re.compile(r"\btg_op\b", re.IGNORECASE)
#: Of the extension of that name; its argument is the column.
MODDATETIME = "moddatetime"


@dataclass(frozen=True)
class Trigger:
    """A trigger before updates; `source` is its function's text, or its symbol where it is C."""

    name: str
    source: str
    arguments: bytes

    def moves(self, column: str) -> bool:
        """Whether it surely sets a column to the clock's time; a guard that names it does not."""
        if self.source == MODDATETIME:
            return column.encode() in self.arguments.split(b"\0")
        code = COMMENT.sub(" ", self.source)
        if BY_OPERATION.search(code):
            return False
        assigned = ASSIGNED.format(re.escape(column))
        values = re.findall(assigned, code, re.IGNORECASE)
        return any(CLOCK.search(value) and not KEPT.search(value) for value in values)
