"""Long pictures are cut into nearly square screens where nothing is cut through."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from model.features.screens import LONGEST, MOST, SHORTEST, WHOLE, home_of, inside, screens_of
from model.items import Box, TextBlock
from testing.features import block, features

WIDTH = 60


def _page(tops: list[int], rows: int, side: int = 50) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A page of this many rows, with a chequered object of ``side`` rows at each of these rows."""
    page = np.full((rows, WIDTH, 3), 250, dtype=np.uint8)
    for top in tops:
        page[top : top + side, 5 : 5 + side] = 40 + 120 * (np.indices((side, side)).sum(0) % 2)[:, :, None]
    return page


@pytest.mark.parametrize("size", [(600, 600), (800, 1200), (1000, 400), (0, 0)])
def test_a_picture_of_ordinary_shape_is_one_screen(size: tuple[int, int]) -> None:
    assert screens_of(size, np.zeros((64, 64, 3), dtype=np.uint8), ()) == [WHOLE]


def test_objects_are_not_cut() -> None:
    tops = [4, 66, 150, 222]
    for pixels, is_tall in ((_page(tops, 300), True), (_page(tops, 300).transpose(1, 0, 2), False)):
        size = (600, 3000) if is_tall else (3000, 600)
        screens = screens_of(size, pixels, ())
        spans = [(one.top, one.bottom) if is_tall else (one.left, one.right) for one in screens]
        assert (spans[0][0], spans[-1][1]) == (0.0, 1.0)
        assert all(one[1] == following[0] for one, following in pairwise(spans))
        rows = [round(300 * end) for _, end in spans[:-1]]
        assert not any(top < row < top + 50 for row in rows for top in tops)
        assert all(SHORTEST * WIDTH - 1 <= 300 * (end - start) <= LONGEST * WIDTH + 1 for start, end in spans)


def test_lines_are_not_cut() -> None:
    lines = tuple(TextBlock(Box(0.1, top, 0.9, top + 0.08), "包邮", 0.9) for top in np.arange(0.0, 0.9, 0.1).tolist())
    cuts = [one.bottom for one in screens_of((600, 3000), _page([], 300), lines)[:-1]]
    assert not any(line.box.top < cut - 0.004 and cut + 0.004 < line.box.bottom for line in lines for cut in cuts)


@pytest.mark.parametrize("shape", [(990, 1, 3), (1, 20_000, 3), (128, 3, 3)])
def test_strips_have_screens_too(shape: tuple[int, ...]) -> None:
    screens = screens_of((shape[1] * 10, shape[0] * 10), np.zeros(shape, dtype=np.uint8), ())
    assert sum(one.area for one in screens) == pytest.approx(1.0)
    assert len(screens) <= 2 * MOST


def test_places_on_a_screen() -> None:
    screens = [Box(0.0, 0.0, 1.0, 0.25), Box(0.0, 0.25, 1.0, 1.0)]
    box = Box(0.2, 0.4, 0.6, 0.55)
    assert home_of(box, screens) == 1
    assert home_of(Box(0.0, 0.99, 1.0, 1.0), screens) == 1
    assert vars(inside(box, screens[1])) == pytest.approx(vars(Box(0.2, 0.2, 0.6, 0.4)))
    assert inside(Box(0.0, 0.2, 1.0, 0.5), screens[1]).top == 0.0


def test_an_item_on_its_screens_has_each_block_and_pixel_once() -> None:
    lines = [block(f"第{number}行", top=0.02 + number / 10, height=0.02) for number in range(10)]
    page = torch.from_numpy(_page([4, 66, 150, 222], 300))
    item = features(*lines, grid_RC=torch.rand(9, 8), size=(600, 3000), thumbnail_HW3=page)
    parts = item.on_screens()
    assert len(parts) == len(item.screens) > 2
    assert [b.text for part in parts for b in part.blocks] == [b.text for b in item.blocks]
    assert [b for part in parts for b in part.blocks] == list(item.blocks_on_screens)
    assert torch.equal(torch.cat([part.thumbnail_HW3 for part in parts]), page)
    assert all(max(part.size) <= LONGEST * min(part.size) + 60 for part in parts)
    # A line of a fiftieth of the page is a fifth to a sixteenth of a screen.
    assert all(1 / 16 < one.box.height < 1 / 4 for one in item.blocks_on_screens)
    assert all(not len(part.grid_RC) and part.screens == (WHOLE,) for part in parts)


def test_an_ordinary_item_has_its_own_blocks() -> None:
    item = features(block("包邮"), grid_RC=torch.rand(9, 8))
    assert item.blocks_on_screens is item.blocks
