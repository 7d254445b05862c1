"""What features and descriptions have in common on disk; how they fare there is tested with each of them."""

from pathlib import Path

import pytest
import torch
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
