"""Groups of look-alikes: each item joins the most similar leader, and groups never change."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.look_alikes import ALIKE, LookAlikes


def turned(degrees: list[float]) -> Tensor:
    """Unit vectors in a plane; the cosine of two is that of the angle between them."""
    angle_N = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angle_N.cos(), angle_N.sin()], dim=1)


def test_an_item_joins_the_most_similar_leader_or_leads() -> None:
    found, groups = LookAlikes.empty(2).join(turned([0, 10, 80, 60, 44, 200]))
    # 44° is nearer to the leader at 80° (36°) than to the one at 0° (44°); 60° follows 80° and leads nothing.
    assert groups == [0, 0, 1, 1, 1, 2]
    assert len(found) == 3


def test_adding_changes_no_group_and_gives_the_same_as_all_at_once() -> None:
    generator = torch.Generator().manual_seed(7)
    vectors_ND = normalize(torch.randn(300, 4, generator=generator), dim=1).half().float()
    whole, groups = LookAlikes.empty(4).join(vectors_ND)
    parts, found = LookAlikes.empty(4), []
    for start in range(0, 300, 64):
        parts, more = parts.join(vectors_ND[start : start + 64])
        found += more
    assert found == groups
    assert torch.equal(parts.leaders_LD, whole.leaders_LD)
    leaders_ND = whole.leaders_LD[groups].float()
    assert ((vectors_ND * leaders_ND).sum(1) >= ALIKE - 1e-3).all()
    apart_LL = whole.leaders_LD.float() @ whole.leaders_LD.float().T - 2 * torch.eye(len(whole))
    assert apart_LL.max() < ALIKE


def test_items_of_which_nothing_is_known_are_no_look_alikes() -> None:
    assert LookAlikes.empty(2).join(torch.zeros(3, 2))[1] == [0, 1, 2]
