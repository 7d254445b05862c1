import pytest
import torch

from bench.training import NOISE, repeated, told
from model.training.progressive import EpochReport
from testing.shop import SMALL


def test_samples_are_repeated_with_noise_until_there_are_enough() -> None:
    items, _, _ = SMALL.pool(3)
    many = repeated(items, 8)
    assert len(many) == 8
    assert many[:3] == items
    away = (many[3].grid_RC.float() - items[0].grid_RC.float()).norm() / items[0].grid_RC.float().norm()
    assert 0.5 * NOISE < float(away) < 1.5 * NOISE
    assert torch.equal(many[3].thumbnail_HW3, items[0].thumbnail_HW3)
    assert len(repeated(items, 2)) == 2


def test_what_comes_before_the_first_epoch_is_told_apart_from_it() -> None:
    names = ["base", "base", "base", "refine"]
    reports = [EpochReport(number, 4, name, 0.0, 0.0) for number, name in enumerate(names, start=1)]
    lines = told([0.0, 12.0, 14.0, 16.0, 21.0], reports).splitlines()
    assert lines == ["before the first epoch: 10.0 s", "base: 3 epochs in 6.0 s", "refine: 1 epochs in 5.0 s"]


@pytest.mark.parametrize("wanted", [1, 4])
def test_repeats_are_the_same_every_time(wanted: int) -> None:
    items, _, _ = SMALL.pool(2)
    first, second = repeated(items, wanted)[-1], repeated(items, wanted)[-1]
    assert torch.equal(first.image_C, second.image_C)
