"""How many rows of a copy make way for staged ones, in SQL that both warehouses read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tasks.transfer.slices import Slice
from tasks.transfer.types import Field
from tasks.warehouse.base import Publication, Query
from tasks.warehouse.comparison import LIVE


@dataclass(frozen=True)
class Replaced:
    """Counts the rows for one publication, before it alters anything.

    Args:
        query: Runs a statement with its parameters.
        target: The quoted copy; `staging` the quoted table of staged rows.
        quote: The identifier of a copied column.
        staged: The value of a field in a staged row `s`.
        bound: Whether an expression is in one of the slices, and their values.
    """

    query: Query
    target: str
    staging: str
    quote: Callable[[str], str]
    staged: Callable[[Field], str]
    bound: Callable[[list[Slice], str], tuple[str, list[Any]]]

    def count(self, publication: Publication) -> int:
        """Live rows in the replaced slices, and those with a staged key."""
        before = {new: old for old, new in publication.evolution.renamed.items()}

        def copied(field: Field) -> str:
            return f"t.{self.quote(before.get(field.name, field.name))}"

        join, conditions = "", ["false"]
        values: list[Any] = []
        if publication.key:
            same = (f"{copied(field)} = {self.staged(field)}" for field in publication.key)
            join = f" left join {self.staging} s on {' and '.join(same)}"
            conditions.append(f"{self.staged(publication.key[0])} is not null")
        if slices := publication.replaced:
            condition, values = self.bound(slices, copied(slices[0].field))
            conditions.append(condition)
        live = f"t.{LIVE}" if publication.staged.soft else "true"
        counted = f"select count(*) from {self.target} t{join}"
        where = f"where {live} and ({' or '.join(conditions)})"
        return int(self.query(f"{counted} {where}", values)[0][0])
