from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

import model.weak_supervision.propagation
import worker.training.index
from model.items import Gold
from model.problem import Problem
from model.tagger import Tagger
from model.tensor_files import read
from model.training.supervision import supervise
from model.weak_supervision.best import Best, GoldVectors, best_among
from model.weak_supervision.boxes import LearnedBoxes
from model.weak_supervision.propagation import Embedding, Index, Neighbours
from testing.shop import LABELS, Shop
from worker.corpus.corpus import Corpus
from worker.training.index import kept_index, nearest_gold

SPACE = "5" * 16
TASKS = 16

Step = tuple[set[int], set[int], set[int]]


def corpus_of(tasks: set[int], gold: set[int], changed: set[int]) -> Corpus:
    """Tasks by id, some with gold, some with another picture than before."""
    ids = sorted(tasks)
    made = [Shop(first_seed=1_000_003 * (task in changed)).item(task) for task in ids]
    features = [replace(features, title=f"商品{task}") for task, (features, _) in zip(ids, made, strict=True)]
    said: dict[int, Gold] = {row: made[row][1] for row, task in enumerate(ids) if task in gold}
    return Corpus(tuple(ids), tuple(map(str, ids)), Problem(features, said, [str(task) for task in ids]))


def weak(corpus: Corpus, index: Index) -> Tensor:
    cold = Tagger.cold_start(LABELS, space=SPACE, seed=1, with_boxes=False)
    silent = LearnedBoxes.silent(len(corpus.problem.pool), len(LABELS))
    return supervise(cold, replace(corpus.problem, index=index, boxes=silent)).weak.probability_NK


def check(found: Index, corpus: Corpus) -> None:
    vectors_ND = found.embedding.vectors(corpus.problem.pool)
    kept, fresh = found.neighbours, Neighbours.empty(vectors_ND).with_gold(corpus.problem.trainable)
    assert kept.gold == fresh.gold
    assert torch.allclose(kept.similarity_NM, fresh.similarity_NM, atol=1e-4)
    assert torch.equal(kept.gold_NM >= 0, fresh.gold_NM >= 0)
    again_NM = (kept.vectors_ND[:, None] * kept.vectors_ND[kept.gold_NM.clamp(min=0)]).sum(-1)
    known_NM = kept.gold_NM >= 0
    assert torch.allclose(again_NM[known_NM], kept.similarity_NM[known_NM], atol=1e-4)
    assert torch.allclose(weak(corpus, found), weak(corpus, Index(found.embedding, fresh)), atol=1e-4)


numbers = st.sets(st.integers(1, TASKS), max_size=TASKS)


histories = st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=6)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pool counts as a large one."""
    monkeypatch.setattr(worker.training.index, "SMALL_POOL", 0)


def played(history: list[Step]) -> tuple[Index, Corpus]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "nearest.safetensors"
        for tasks, gold, changed in history:
            corpus = corpus_of(tasks | {1, 2, 3}, gold | {2}, changed)
            found = kept_index(file, SPACE, corpus)
    return found, corpus


def from_scratch(corpus: Corpus) -> Index:
    return Index.of(corpus.problem.pool).with_gold(corpus.problem.trainable)


@settings(max_examples=15, deadline=None)
@given(histories)
def test_after_any_history_the_index_of_a_small_pool_is_a_fresh_one(history: list[Step]) -> None:
    found, corpus = played(history)
    check(found, corpus)
    assert torch.allclose(weak(corpus, found), weak(corpus, from_scratch(corpus)), atol=1e-4)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories)
@pytest.mark.usefixtures("large")
def test_after_any_history_a_large_pool_has_its_nearest_gold(history: list[Step]) -> None:
    check(*played(history))


def test_items_that_could_not_be_read_once_leave_no_trace(tmp_path: Path) -> None:
    file, gold = tmp_path / "nearest.safetensors", set(range(1, 20))
    kept_index(file, SPACE, corpus_of(set(range(1, 46)), gold, set()))
    corpus = corpus_of(set(range(1, 51)), gold, set())
    found = kept_index(file, SPACE, corpus)
    assert torch.allclose(weak(corpus, found), weak(corpus, from_scratch(corpus)), atol=1e-4)
    gone = corpus_of(set(range(1, 48)), gold, set())
    assert torch.allclose(weak(gone, kept_index(file, SPACE, gone)), weak(gone, from_scratch(gone)), atol=1e-4)


def products(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Inner products of each search from now on."""
    counted: list[int] = []

    def counting(gold: GoldVectors, rows: Tensor, vectors_ND: Tensor, known: Best) -> Best:
        counted.append(len(rows) * len(gold.rows_G))
        return best_among(gold, rows, vectors_ND, known)

    monkeypatch.setattr(model.weak_supervision.propagation, "best_among", counting)
    return counted


@pytest.mark.usefixtures("large")
def test_new_gold_costs_no_more_than_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, all_tasks = tmp_path / "nearest.safetensors", set(range(1, 61))
    kept_index(file, SPACE, corpus_of(all_tasks, set(range(1, 41)), set()))
    counted = products(monkeypatch)
    kept_index(file, SPACE, corpus_of(all_tasks, set(range(1, 43)), set()))
    assert sum(counted) == 60 * 2
    counted.clear()
    kept_index(file, SPACE, corpus_of(all_tasks | {61}, set(range(1, 43)), set()))
    assert sum(counted) == 42
    counted.clear()
    corpus = corpus_of(all_tasks | {61}, set(range(2, 43)), set())
    found = kept_index(file, SPACE, corpus)
    assert 0 < sum(counted) < 61 * 41
    check(found, corpus)


def same(one: Embedding, other: Embedding) -> bool:
    return all(torch.equal(one.means[part], other.means[part]) for part in one.means)


@pytest.mark.usefixtures("large")
def test_the_embedding_stays_until_the_pool_has_become_another(tmp_path: Path) -> None:
    file = tmp_path / "nearest.safetensors"
    first = kept_index(file, SPACE, corpus_of(set(range(1, 11)), {1}, set()))
    grown = kept_index(file, SPACE, corpus_of(set(range(1, 16)), {1}, set()))
    assert same(grown.embedding, first.embedding)
    other = kept_index(file, SPACE, corpus_of(set(range(1, 25)), {1}, set()))
    assert not same(other.embedding, first.embedding)
    _, about = read(file)
    assert (about["made_of"], about["come"]) == ("24", "0")


@pytest.mark.parametrize("spoil", ["cut", "flipped", "encoders", "nothing"])
def test_what_cannot_be_used_is_searched_anew(tmp_path: Path, spoil: str) -> None:
    file, corpus = tmp_path / "nearest.safetensors", corpus_of(set(range(1, 20)), {1, 5, 9}, set())
    kept_index(file, SPACE, corpus_of(set(range(1, 19)), {1, 5}, set()))
    content = bytearray(file.read_bytes())
    if spoil == "cut":
        file.write_bytes(content[:-40])
    if spoil == "flipped":
        content[-9] ^= 0xFF
        file.write_bytes(content)
    if spoil == "nothing":
        file.write_bytes(b"")
    found = kept_index(file, "other" if spoil == "encoders" else SPACE, corpus)
    assert read(file)[1]["made_of"] == "19"
    check(found, corpus)
    assert not list(tmp_path.glob("*.part"))


def test_where_nothing_can_be_written_it_works_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    corpus = corpus_of({1, 2, 3}, {1}, set())
    check(kept_index(tmp_path / "file" / "below" / "nearest.safetensors", SPACE, corpus), corpus)
    assert "not kept" in caplog.text


def test_the_file_tells_the_nearest_gold_of_any_item(tmp_path: Path) -> None:
    file, gold = tmp_path / "index.safetensors", {2, 5, 9}
    corpus = corpus_of(set(range(1, TASKS)), gold, set())
    pool = dict(zip(corpus.task_ids, corpus.problem.pool, strict=True))
    assert nearest_gold(file, SPACE, pool[1], 3) == []
    neighbours = kept_index(file, SPACE, corpus).neighbours
    row = corpus.task_ids.index(1)
    expected = [corpus.task_ids[other] for other in neighbours.gold_NM[row].tolist()[:2]]
    found = nearest_gold(file, SPACE, pool[1], 2)
    assert [task for task, _ in found] == expected
    assert [similarity for _, similarity in found] == pytest.approx(
        neighbours.similarity_NM[row, :2].tolist(), abs=1e-3
    )
    assert {task for task, _ in nearest_gold(file, SPACE, pool[2], 9)} == gold
    (unseen,) = corpus_of({TASKS + 1}, set(), set()).problem.pool
    assert len(nearest_gold(file, SPACE, unseen, 2)) == 2, "also of an item that no training used"
    assert nearest_gold(file, "6" * 16, pool[1], 3) == []
