"""Which functions of triggers count as proof that a column moves with every update."""

import pytest

from tasks.source.triggers import Trigger


@pytest.mark.parametrize(
    ("body", "moves"),
    [
        ("begin new.at := now(); return new; end", True),
        ("BEGIN\n  -- the last change\n  NEW.at = CURRENT_TIMESTAMP;\n  RETURN NEW;\nEND", True),
        ('begin new."at" := clock_timestamp(); return new; end', True),
        ("begin new.n := new.n + 1; new.at := timezone('utc', now()); return new; end", True),
        ("begin if new.at <> old.at then raise 'fixed'; end if; return new; end", False),
        ("begin if new.at = now() then raise 'no'; end if; return new; end", False),
        ("begin new.at := old.at; return new; end", False),
        ("begin new.at := coalesce(new.at, now()); return new; end", False),
        ("begin if tg_op = 'INSERT' then new.at := now(); end if; return new; end", False),
        ("begin new.at_first := now(); return new; end", False),
        ("begin /* new.at */ /* ; new.at := now(); */ return new; end", False),
        ("begin insert into audit values (new.at, now()); return new; end", False),
    ],
)
def test_only_the_clock_of_every_update_moves_a_column(body: str, moves: bool) -> None:
    assert Trigger("t", body, b"").moves("at") is moves


def test_the_extension_moddatetime_moves_its_argument_and_other_functions_need_not() -> None:
    assert Trigger("t", "moddatetime", b"at\0").moves("at")
    assert not Trigger("t", "moddatetime", b"at\0").moves("a")
    assert not Trigger("t", "begin perform keep(tg_argv[0]); end", b"at\0").moves("at")


def test_a_column_of_any_name_is_looked_for() -> None:
    moved = Trigger("t", 'begin new."at (UTC" := now(); return new; end', b"")
    assert moved.moves("at (UTC")
    assert not moved.moves("at [UTC")
