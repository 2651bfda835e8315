"""Locks between processes and threads."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.locks import ALONE, AT_ONCE, SHARED, locked


def test_one_after_the_other_is_let_in_alone(tmp_path: Path) -> None:
    inside: list[int] = []
    crowds: list[int] = []

    def enter(number: int) -> None:
        with locked(tmp_path, ALONE):
            inside.append(number)
            time.sleep(0.01)
            crowds.append(len(inside))
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(enter, range(8)))
    assert crowds == [1] * 8


def test_nobody_is_alone_where_others_share(tmp_path: Path) -> None:
    entered = locked(tmp_path, ALONE | AT_ONCE)
    with locked(tmp_path, SHARED), locked(tmp_path, SHARED), pytest.raises(BlockingIOError):
        entered.__enter__()
    with locked(tmp_path, ALONE | AT_ONCE):
        pass
