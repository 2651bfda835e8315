"""The steps of a night at which the tests strike: calls of the product's functions, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from typing import Any, Literal

Patch = Callable[[object, str, object], None]
WAREHOUSE = "tasks.warehouse.duckdb:DuckDBWarehouse"


@dataclass(frozen=True)
class Step:
    """The moment before or after a call of `module:function`, of those that run a statement."""

    when: Literal["before", "after"]
    function: str
    statement: str = ""

    def matches(self, arguments: tuple[object, ...]) -> bool:
        return not self.statement or self.statement in arguments


#: Every statement of the warehouse's.
STATEMENT = Step("before", f"{WAREHOUSE}.query")
#: Of a night that publishes its tables together.
ALL_STAGED = Step("before", "flows.sync:publish_together")
#: In the order of a night.
STEPS = {
    "before the plan": Step("before", "flows.sync:plan"),
    "warehouse prepared": Step("after", f"{WAREHOUSE}.prepare"),
    "before the floor": Step("before", "tasks.source.snapshot:note_floor"),
    "floor noted": Step("after", "tasks.source.snapshot:note_floor"),
    "snapshot taken": Step("before", "tasks.plan:report_snapshot"),
    "before the lock": Step("before", "tasks.transfer.extract:guarded"),
    "before the first read": Step("before", "tasks.transfer.extract:read"),
    "chunk read": Step("before", "tasks.transfer.extract:screen"),
    "all read": Step("after", "tasks.transfer.extract:extract"),
    "staged": Step("after", f"{WAREHOUSE}.stage"),
    "before the audit": Step("before", "flows.extract_load:audit"),
    "audited": Step("before", "flows.extract_load:publish"),
    "publish begun": Step("after", f"{WAREHOUSE}.query", "begin"),
    "before commit": Step("before", f"{WAREHOUSE}.query", "commit"),
    "committed": Step("after", f"{WAREHOUSE}.query", "commit"),
    "staging dropped": Step("after", f"{WAREHOUSE}.discard"),
    "before the models": Step("before", "flows.daily:transform"),
    "before the judgement": Step("before", "flows.daily:quality"),
    "before the report": Step("before", "flows.daily:report"),
}


def strike(step: Step, action: Callable[[], object], patch: Patch = setattr) -> None:
    """Has every pass of a step do the action, and go on if that returns."""
    owner, attribute = _place(step.function)
    function = getattr(owner, attribute)

    @wraps(function)
    def struck(*arguments: Any, **options: Any) -> Any:
        if step.when == "before" and step.matches(arguments):
            action()
        result = function(*arguments, **options)
        if step.when == "after" and step.matches(arguments):
            action()
        return result

    patch(owner, attribute, struck)


def once(action: Callable[[], object]) -> Callable[[], None]:
    """The action for its first call, and nothing for later ones, of whatever thread."""
    left = [action]

    def first() -> None:
        try:
            taken = left.pop()
        except IndexError:
            return
        taken()

    return first


def many_chunks(patch: Patch = setattr) -> None:
    """Has small tables read in many ranges and many chunks, as large ones are."""
    patch(import_module("tasks.source.partitions"), "SMALLEST_RANGE", 1)
    patch(import_module("tasks.source.read"), "CHUNK_BYTES", 1)


def _place(function: str) -> tuple[object, str]:
    module, _, path = function.partition(":")
    *owners, attribute = path.split(".")
    owner: object = import_module(module)
    for name in owners:
        owner = getattr(owner, name)
    return owner, attribute
