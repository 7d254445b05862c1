"""Files of vectors: rows that count never change, and what a killed writer left is written over."""

from pathlib import Path

import pytest
import torch

from model.search.vectors import VectorFile


def test_rows_are_appended_and_mapped(tmp_path: Path) -> None:
    file = VectorFile(tmp_path / "deep" / "vectors", width=8)
    assert (file.holds(), file.rows(0).shape) == (0, (0, 8))
    rows_ND = torch.randn(5, 8).half()
    file.append(0, rows_ND[:3])
    before_ND = file.rows(3)
    file.append(3, rows_ND[3:])
    assert torch.equal(file.rows(5), rows_ND)
    assert torch.equal(before_ND, rows_ND[:3])


def test_a_tail_that_does_not_count_is_written_over(tmp_path: Path) -> None:
    file = VectorFile(tmp_path / "vectors", width=8)
    rows_ND = torch.randn(4, 8).half()
    file.append(0, rows_ND[:2])
    with file.path.open("ab") as opened:
        opened.write(b"half of a r")
    assert file.holds() == 2
    file.append(2, rows_ND[2:])
    assert torch.equal(file.rows(4), rows_ND)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    file = VectorFile(tmp_path / "vectors", width=8)
    with pytest.raises(ValueError, match="fewer rows than the 1 that count"):
        file.append(1, torch.zeros(1, 8))
    with pytest.raises(ValueError, match="fewer rows"):
        file.rows(1)
    with pytest.raises(ValueError, match="file of width 8"):
        file.append(0, torch.zeros(1, 9))
