import os
from pathlib import Path

import pytest

from tagloom_base.files import made, replaced


def test_a_file_appears_whole_and_its_folder_with_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.json"
    with replaced(path) as beside:
        beside.write_text("first")
        assert not path.exists()
    assert path.read_text() == "first"
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask(), "others may read it as far as they may read new files"
    assert [entry.name for entry in path.parent.iterdir()] == ["state.json"]


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("before")
    with pytest.raises(OSError, match="No space"):
        fill_a_disk(path)
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def fill_a_disk(path: Path) -> None:
    with replaced(path) as beside:
        beside.write_text("half")
        raise OSError("No space left on device")


def test_two_may_write_at_once_and_the_last_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    with replaced(path) as first, replaced(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_appears_with_its_files_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    folder = tmp_path / "versions" / "v1"
    with made(folder) as beside:
        (beside / "a").write_text("a")
        (beside / "b").write_text("b")
        assert not folder.exists()
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]
    assert folder.stat().st_mode & 0o777 == 0o755
    assert len(synced) == 4, "two files, their names, the folder's name"
    with pytest.raises(FileExistsError, match="v1"), made(folder):
        pytest.fail("an existing folder is not filled")
    with pytest.raises(IsADirectoryError), made(tmp_path / "versions" / "v2") as beside:
        beside.write_text("a folder takes no text")
    assert [path.name for path in (tmp_path / "versions").iterdir()] == ["v1"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
