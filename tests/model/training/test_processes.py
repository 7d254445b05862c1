from pathlib import Path

import pytest
import torch

from model.training.processes import Processes
from tests.model.training.process_group import train_in_processes, trained


def test_alone_one_process_has_every_row_and_nothing_to_add() -> None:
    alone, rows = Processes.current(), torch.arange(7)
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.full((2,), 3.0)
    alone.add_gradients([parameter])
    assert (alone.count, alone.share(rows).tolist()) == (1, rows.tolist())
    assert parameter.grad.tolist() == alone.total(parameter.grad).tolist() == [3.0, 3.0]


def test_shares_are_all_rows_once() -> None:
    rows = torch.randperm(11, generator=torch.Generator().manual_seed(1))
    shares = [Processes(rank, 3).share(rows) for rank in range(3)]
    assert sorted(torch.cat(shares).tolist()) == list(range(11))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_processes_that_go_on_after_different_epochs_do_not_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda epochs: epochs.add_(3))  # another one's
    Processes(0, 2).check_same(3)
    with pytest.raises(RuntimeError, match="goes on after epoch 0"):
        Processes(0, 2).check_same(0)
    Processes().check_same(2)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_end_in_the_tagger_that_one_makes(tmp_path: Path) -> None:
    first, second = train_in_processes(tmp_path, "cpu", "gloo")
    for name, alone in trained("cpu").items():
        assert torch.equal(first[name], second[name])
        assert torch.allclose(first[name], alone, atol=2e-3), name
