"""Staging files: how chunks become files, who gets them, and what is left of them."""

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from tasks.errors import PermanentError
from tasks.transfer.files import StagingFile, StagingFiles

CHUNK = pl.DataFrame({"n": pl.int_range(1000, eager=True)})


def staging(folder: Path, size: int) -> tuple[StagingFiles, list[StagingFile]]:
    handed: list[StagingFile] = []
    return StagingFiles(folder / "attempt", size, "snappy", handed.append), handed


@pytest.mark.parametrize(("size", "files"), [(1, 6), (6000, 3), (10**6, 1)])
def test_a_file_is_complete_at_its_size_and_the_next_begins(
    size: int, files: int, tmp_path: Path
) -> None:
    made, handed = staging(tmp_path, size)
    with made.open():
        with made.stream("rows") as stream:
            for _ in range(6):
                stream.write(CHUNK)
        assert handed == made.rows
        assert len(handed) == files
        assert [pq.read_metadata(file.path).num_rows for file in handed] == [
            file.rows for file in handed
        ]
        assert pq.read_metadata(handed[0].path).num_row_groups == 6 // files
    assert sum(file.rows for file in handed) == 6000


def test_each_stream_has_files_of_its_own(tmp_path: Path) -> None:
    made, handed = staging(tmp_path, 10**6)
    with made.open():
        with made.stream("rows") as one, made.stream("rows") as other:
            one.write(CHUNK)
            other.write(CHUNK)
        with made.stream("letters") as letters:
            letters.write(CHUNK.head(1))
    assert len(made.rows) == 2
    assert [file.rows for file in made.letters] == [1]
    assert {file.path.parent.name for file in handed} == {"rows", "letters"}


def test_no_rows_make_no_file(tmp_path: Path) -> None:
    made, handed = staging(tmp_path, 1)
    with made.open(), made.stream("rows") as stream:
        stream.write(CHUNK.clear())
    assert handed == []


def test_a_stream_that_fails_hands_over_no_half_of_a_file_and_leaves_none(tmp_path: Path) -> None:
    made, handed = staging(tmp_path, 10**6)
    with pytest.raises(ZeroDivisionError), made.open(), made.stream("rows") as stream:
        stream.write(CHUNK)
        _ = 1 / 0
    assert handed == []
    assert [*tmp_path.iterdir()] == []


def test_times_are_written_in_microseconds(tmp_path: Path) -> None:
    made, handed = staging(tmp_path, 10**6)
    with made.open():
        with made.stream("rows") as stream:
            stream.write(pl.DataFrame({"t": pl.Series(["23:59:59.999999"]).str.to_time("%T%.f")}))
        assert str(pq.read_schema(handed[0].path).field("t").type) == "time64[us]"


def test_a_folder_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "attempt").touch()
    made, _ = staging(tmp_path, 1)
    with pytest.raises(PermanentError, match=r"attempt failed: (Not a directory|File exists)"):
        made.open().__enter__()
