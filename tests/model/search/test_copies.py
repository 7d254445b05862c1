"""Copies of a picture, told by two signs."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import normalize

import model.search.copies
from model.search.copies import are_copies, grouped, picture_hash
from testing.features import features


def shown(seed: int) -> torch.Tensor:
    coarse = torch.randint(0, 255, (1, 3, 6, 6), generator=torch.Generator().manual_seed(seed)).float()
    return torch.nn.functional.interpolate(coarse, (96, 120), mode="bilinear")[0].permute(1, 2, 0).byte()


def test_a_hash_outlives_resizing_and_noise_but_not_another_picture() -> None:
    item = features(grid_RC=torch.rand(4, 24), thumbnail_HW3=shown(1))
    small = replace(item, thumbnail_HW3=item.thumbnail_HW3[::2, ::2].contiguous())
    other = replace(item, thumbnail_HW3=shown(2))

    def apart(one: int, two: int) -> int:
        return bin((one ^ two) & (2**64 - 1)).count("1")

    assert apart(picture_hash(item), picture_hash(small)) <= 4
    assert apart(picture_hash(item), picture_hash(other)) > 12
    assert picture_hash(features()) == 0


def test_either_sign_speaks_for_a_copy() -> None:
    first_P = normalize(torch.tensor([1.0, 0.0, 0.0]), dim=0)
    cut_P = normalize(torch.tensor([1.0, 0.4, 0.0]), dim=0)  # cosine .93
    laid_over_P = normalize(torch.tensor([1.0, 1.0, 0.0]), dim=0)  # .71
    other_P = torch.tensor([0.0, 0.0, 1.0])
    parts = torch.stack([cut_P, laid_over_P, laid_over_P, other_P])
    hashes = torch.tensor([-1, 0b111, -1, 0])
    assert are_copies(first_P[None], torch.tensor([0]), parts, hashes).tolist() == [[True, True, False, False]]
    # The fourth looks like the cut one, but a group is known by its first picture.
    assert grouped(torch.stack([first_P, *parts]), torch.tensor([0, *hashes])) == [0, 0, 0, 3, 4]


def test_items_without_a_picture_are_no_copies_of_each_other() -> None:
    assert grouped(torch.zeros(3, 4), torch.zeros(3, dtype=torch.int64)) == [0, 1, 2]


def test_items_are_grouped_alike_in_blocks_and_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    random = torch.Generator().manual_seed(3)
    parts = normalize(torch.randn(60, 4, generator=random), dim=1)
    hashes = torch.randint(-(2**63), 2**63 - 1, (60,), generator=random)
    copies = are_copies(parts, hashes, parts, hashes)
    wanted: list[int] = []
    for place in range(60):
        leads = [first for first in dict.fromkeys(wanted) if copies[place, first]]
        wanted.append(leads[0] if leads else place)
    assert 5 < len(set(wanted)) < 50
    sizes: list[int] = []

    def noted(parts_AP: torch.Tensor, hashes_A: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        sizes.append(len(parts_AP))
        return are_copies(parts_AP, hashes_A, *others)

    monkeypatch.setattr(model.search.copies, "are_copies", noted)
    for block in (1, 7, 60, 100):
        monkeypatch.setattr(model.search.copies, "BLOCK", block)
        sizes.clear()
        assert grouped(parts, hashes) == wanted
        assert max(sizes) <= block
