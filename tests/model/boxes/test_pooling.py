import pytest
import torch
from torch import Tensor
from torch.nn import functional

from model.boxes import pooling
from model.boxes.pooling import DIRECTIONS, Pooling
from model.items import Box
from tests.model.boxes.pictures import WIDTH, nothing, picture

ITEMS = [picture(seed=seed) for seed in range(8)]
EDGES_N4 = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.3, 0.3]])


def test_directions_are_those_of_the_grids_and_have_unit_spread() -> None:
    learned = Pooling.fit([nothing(), *ITEMS], seed=1)
    assert learned is not None
    cells_RC = torch.cat([functional.normalize(item.grid_RC.float(), dim=1) for item in ITEMS])
    spread_P = ((cells_RC - cells_RC.mean(0)) @ learned.basis_CP).std(0, correction=0)
    assert learned.basis_CP.shape == (WIDTH, DIRECTIONS)
    assert torch.allclose(spread_P, torch.ones(DIRECTIONS), atol=1e-3)


def test_of_many_cells_some_are_chosen_from_all_pictures_before_they_are_unfolded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unfolded: list[int] = []
    normal = pooling._normal

    def counting(grid_RC: Tensor) -> Tensor:
        unfolded.append(len(grid_RC))
        return normal(grid_RC)

    monkeypatch.setattr(pooling, "MOST_CELLS", 100)
    monkeypatch.setattr(pooling, "_normal", counting)
    learned, again = Pooling.fit(ITEMS, seed=1), Pooling.fit(ITEMS, seed=1)
    assert learned is not None
    assert again is not None
    assert torch.equal(learned.basis_CP, again.basis_CP)
    assert len(unfolded) == 2 * len(ITEMS)
    assert sum(unfolded) == 2 * 100
    assert min(unfolded) > 0


def test_a_box_is_the_mean_of_its_cells_and_0_without_a_grid() -> None:
    learned = Pooling.fit(ITEMS, seed=1)
    assert learned is not None
    whole_P = (functional.normalize(ITEMS[0].grid_RC.float(), dim=1) @ learned.basis_CP).mean(0)
    means_NP = torch.from_numpy(learned.pooled(ITEMS[0], EDGES_N4))
    assert torch.allclose(means_NP[0], whole_P, atol=1e-4)
    assert not torch.allclose(means_NP[1], whole_P, atol=0.05)
    assert not learned.pooled(nothing(), EDGES_N4).any()
    assert Pooling.fit([nothing()], seed=1) is None


def test_a_box_outside_of_the_picture_is_no_trouble() -> None:
    learned = Pooling.fit(ITEMS, seed=1)
    assert learned is not None
    edge = Box(1.0, 1.0, 1.0, 1.0)
    outside_N4 = torch.tensor([[edge.left, edge.top, edge.right, edge.bottom]])
    assert torch.from_numpy(learned.pooled(ITEMS[0], outside_N4)).isfinite().all()
