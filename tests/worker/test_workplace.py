from dataclasses import replace

import pytest
import torch

import worker.workplace
from model.encoders.machine import Machine
from tagloom_base.settings import Settings
from worker.workplace import ENOUGH_MEMORY, open_workplace, threads_aside

LARGE = Machine("a processor", (), 4, 2 * ENOUGH_MEMORY)


@pytest.mark.parametrize(("wanted", "own", "aside"), [(1, 1, 0), (2, 1, 1), (3, 2, 1), (8, 4, 4)])
def test_half_of_a_trainings_threads_judge_aside(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, wanted: int, own: int, aside: int
) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(worker.workplace, "this_machine", lambda: LARGE)
    mine = Settings(home=settings.paths.home, training_threads=wanted)
    try:
        with open_workplace(mine):
            assert (torch.get_num_threads(), threads_aside(mine)) == (own, aside)
        monkeypatch.setattr(worker.workplace, "this_machine", lambda: replace(LARGE, memory=ENOUGH_MEMORY - 1))
        assert threads_aside(mine) == 0, "memory is short"
    finally:
        torch.set_num_threads(before)
