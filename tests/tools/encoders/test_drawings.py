from pathlib import Path

import pytest
import torch

from tools.encoders import drawings
from tools.encoders.drawings import NOTHING, OBJECT, TEXT

BOXES_BE4 = torch.tensor([[[0.0, 0.0, 0.5, 1.0], [0.25, 0.25, 0.5, 0.5], [0.0, 0.0, 0.0, 0.0]]])
KINDS_BE = torch.tensor([[OBJECT, TEXT, NOTHING]])


def test_coverage_is_the_share_of_each_cell() -> None:
    cover_B2R = drawings.coverage(BOXES_BE4, KINDS_BE, 2)
    assert cover_B2R[0, OBJECT].tolist() == [1, 0, 1, 0]
    assert cover_B2R[0, TEXT].tolist() == [0.25, 0, 0, 0]


def test_edges_are_those_of_the_smallest_box_around_a_cells_middle() -> None:
    box_BR4, owner_BR = drawings.edges(BOXES_BE4, KINDS_BE, 4)
    owners = owner_BR[0].view(4, 4)
    assert owners.tolist() == [[0, 0, NOTHING, NOTHING], [0, 1, NOTHING, NOTHING], *[[0, 0, NOTHING, NOTHING]] * 2]
    assert torch.equal(box_BR4[0].view(4, 4, 4)[1, 1], BOXES_BE4[0, 1])


def test_drawings_are_drawn_once_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, names = drawings.draw(1_000_000, 3, tmp_path)
    monkeypatch.setattr(drawings, "views", lambda seed: pytest.fail("drawn again"))
    again, same_names = drawings.draw(1_000_000, 3, tmp_path)
    assert torch.equal(drawn.pixels_NSS3, again.pixels_NSS3)
    assert names == same_names
    assert int((drawn.kinds_NE != NOTHING).sum()) > 0


def test_cutting_moves_boxes_with_their_pixels() -> None:
    """A white square stays inside its box, and fills it, however the picture is cut."""
    pixels_NSS3 = torch.zeros(8, 256, 256, 3, dtype=torch.uint8)
    pixels_NSS3[:, 100:150, 90:140] = 255
    boxes_NE4 = torch.tensor([90, 100, 140, 150]).div(256).expand(8, 1, 4)
    one = drawings.Drawings(pixels_NSS3, boxes_NE4, torch.full((8, 1), OBJECT), torch.zeros(8, dtype=torch.long))
    batch = drawings.batch(one, torch.arange(8), 224, torch.Generator().manual_seed(3))
    cover_BR = drawings.coverage(batch.boxes_BE4, batch.kinds_BE, 224)[:, OBJECT]
    light_BR = batch.pixels_B3SS.mean(dim=1).flatten(1)
    inside, outside = light_BR[cover_BR > 0.99].mean(), light_BR[cover_BR < 0.01].mean()
    assert inside - outside > 0.5
