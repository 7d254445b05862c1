"""The groups of a project: what joins which, between jobs, and how many can be joined."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import worker.predictions.look_alikes
from model.features.item import ItemFeatures
from testing.shop import SHOP
from worker.predictions.look_alikes import Groups


def item(number: int) -> ItemFeatures:
    """An item that is like no other."""
    chance = torch.Generator().manual_seed(number)
    plain = SHOP.item(number)[0]

    def noise(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=chance).to(like.dtype)

    return replace(
        plain,
        industry=(str(number),),
        image_C=noise(plain.image_C),
        reading_E=noise(plain.reading_E),
        title_E=noise(plain.title_E),
    )


ITEMS = {number: item(number) for number in range(1, 7)}


def joined(groups: Groups, *numbers: int, first_task: int = 0) -> list[int]:
    return groups.join([first_task + number for number in numbers], [ITEMS[number] for number in numbers])


def test_later_jobs_go_on_with_the_groups(tmp_path: Path) -> None:
    groups = Groups(tmp_path / "groups.safetensors", "space")
    assert joined(groups, 1, 2, 3) == [1, 2, 3]
    groups.save()
    again = Groups(tmp_path / "groups.safetensors", "space")
    assert joined(again, 3, 1, 4, first_task=100) == [3, 1, 104]
    other = Groups(tmp_path / "groups.safetensors", "other encoders")
    assert joined(other, 3, 4, first_task=100) == [103, 104]


def test_the_newest_groups_alone_can_be_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.predictions.look_alikes, "MOST", 3)
    groups = Groups(tmp_path / "groups.safetensors", "space")
    assert joined(groups, 1, 2) == [1, 2]
    assert joined(groups, 3, 4, 5) == [3, 4, 5]
    assert joined(groups, 5, 4, 2, first_task=100) == [5, 4, 102], "the first two are closed"
    groups.save()
    again = Groups(tmp_path / "groups.safetensors", "space")
    assert joined(again, 5, 102 - 100, first_task=200) == [5, 102]
    assert joined(again, 3, first_task=300) == [303]
