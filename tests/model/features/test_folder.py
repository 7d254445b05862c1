"""What features and descriptions have in common on disk; how they fare there is tested with each of them."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from model.features.folder import TensorFolder


def whole(tensors: dict[str, Tensor], strings: dict[str, str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    return tensors, strings


@pytest.mark.parametrize("strings", [{}, {"title": "送“礼”"}])
def test_tensors_and_strings_come_back(tmp_path: Path, strings: dict[str, str]) -> None:
    turned = torch.arange(6, dtype=torch.float32).reshape(2, 3).T
    TensorFolder(tmp_path, "numbers").put("ab12", {"turned": turned, "none": torch.zeros(0, 4)}, strings)
    found = TensorFolder(tmp_path, "numbers").get("ab12", whole)
    assert found is not None
    assert torch.equal(found[0]["turned"], turned)
    assert found[0]["none"].shape == (0, 4)
    assert found[1] == strings
    assert (tmp_path / "ab" / "ab12.safetensors").is_file()


def test_what_nothing_can_be_made_of_is_a_miss_and_goes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = TensorFolder(tmp_path, "numbers")
    folder.put("ab12", {"number": torch.zeros(1)})
    assert folder.get("ab12", lambda tensors, _: tensors["another"]) is None
    assert "numbers of ab12 cannot be read" in caplog.text
    assert not folder.has("ab12")
    assert folder.get("ab12", whole) is None


def test_bytes_that_were_changed_in_place_are_a_miss(tmp_path: Path) -> None:
    folder = TensorFolder(tmp_path, "numbers")
    folder.put("ab12", {"number": torch.ones(64)}, {"title": "a"})
    with (tmp_path / "ab" / "ab12.safetensors").open("r+b") as file:
        file.seek(-64, os.SEEK_END)
        file.write(b"\0" * 64)
    assert folder.get("ab12", whole) is None
    assert not folder.has("ab12")


def test_what_was_read_stays_when_its_file_is_cut_in_place(tmp_path: Path) -> None:
    """A mapped tensor would end the process here (SIGBUS)."""
    folder = TensorFolder(tmp_path, "numbers")
    folder.put("ab12", {"number": torch.ones(100_000)})
    found = folder.get("ab12", whole)
    assert found is not None
    os.truncate(tmp_path / "ab" / "ab12.safetensors", 100)
    assert float(found[0]["number"].sum()) == 100_000


def test_a_file_of_an_earlier_version_has_no_digest_and_is_read(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    save_file({"number": torch.ones(2)}, tmp_path / "ab" / "ab12.safetensors", {"title": "a"})
    found = TensorFolder(tmp_path, "numbers").get("ab12", whole)
    assert found is not None
    assert found[1] == {"title": "a"}
