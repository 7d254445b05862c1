import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from model import tagger
from model.attention.batching import Batch, collate
from model.attention.fusion import FUSIONS
from model.calibration import USUAL
from model.checkpoint import (
    CORRECTING,
    FORMAT,
    MANIFEST,
    TENSORS,
    About,
    content_sha,
    load,
    read_manifest,
    save,
    version_name,
)
from model.features.item import ItemFeatures
from model.problem import Problem
from model.tagger import Tagger, whole_task_confidence
from model.training.config import TrainConfig
from model.training.phases import PARTS, Phase
from model.training.progressive import fit
from model.weak_supervision.credence import Credence
from model.weak_supervision.sources import BOXES
from testing.features import block, features, with_industry, with_text
from testing.shop import LABELS, SMALL

ITEMS, GOLD, FAMILIES = SMALL.pool(24)
CONFIG = TrainConfig(first=(Phase("refine", 2, PARTS, 1e-2),), network={"width": 16})


@pytest.fixture(scope="module")
def cold() -> Tagger:
    return Tagger.cold_start(LABELS, space="space", seed=1)


@pytest.fixture(scope="module")
def trained(cold: Tagger) -> Tagger:
    return fit(cold, Problem(ITEMS, GOLD, FAMILIES), CONFIG)


def test_the_cold_start_is_the_cues(cold: Tagger) -> None:
    assert torch.allclose(cold.probabilities(ITEMS), cold.sources.cues.probabilities(ITEMS))
    assert cold.attention(ITEMS) is None
    assert cold.probabilities([]).shape == (0, len(LABELS))


def test_the_cold_start_is_the_same_each_time(cold: Tagger) -> None:
    again = Tagger.cold_start(LABELS, space="space", seed=1)
    assert again.seed == cold.seed == 1
    assert content_sha(again) == content_sha(cold)
    assert content_sha(Tagger.cold_start(LABELS, space="space", seed=2)) != content_sha(cold)


def test_an_answer_has_every_label_and_gives_those_over_their_threshold(cold: Tagger) -> None:
    answer = cold.predict([features(block("¥199"))])[0]
    assert set(answer.probabilities) == set(LABELS)
    assert set(answer.labels) == {label for label, p in answer.probabilities.items() if p > USUAL}
    assert "价格" in answer.labels
    assert 0 <= answer.score <= 1


def test_sure_items_score_higher_than_doubtful_ones() -> None:
    assert whole_task_confidence(torch.tensor([0.99, 0.01])) > whole_task_confidence(torch.tensor([0.6, 0.01]))


def test_answers_do_not_hang_on_the_company(trained: Tagger) -> None:
    together = trained.probabilities(ITEMS)
    alone = torch.cat([trained.probabilities([item]) for item in ITEMS])
    assert torch.allclose(together, alone, atol=1e-4)


def test_what_was_learned_moves_the_cues_as_far_as_its_credence(cold: Tagger) -> None:
    few = fit(cold, Problem(ITEMS, {row: GOLD[row] for row in range(12)}, FAMILIES), CONFIG)
    far = torch.logit(few.probabilities(ITEMS)) - torch.logit(cold.probabilities(ITEMS))
    fitted = few.label_model.log_odds(few.opinions(ITEMS)) + few.correction(ITEMS)
    learned = (fitted + few.network_logits(ITEMS)) / 2
    assert all(0 < share < 1 for share in few.credence.shares)
    assert torch.allclose(far, few.credence_K * (learned - torch.logit(cold.probabilities(ITEMS))), atol=1e-4)


def test_a_class_without_cues_has_nobody_to_overrule() -> None:
    cold = Tagger.cold_start(("主体", "没有线索"), space="space", seed=1, with_boxes=False)
    assert replace(cold, credence=Credence((0.5, 0.5))).credence_K.tolist() == [0.5, 1.0]


def test_at_the_cold_start_a_label_of_which_nothing_is_known_is_given_to_nobody() -> None:
    cold = Tagger.cold_start(("主体", "水印"), space="x", seed=1)
    (said,) = cold.predict([features()])
    assert said.labels == ("主体",)
    assert said.probabilities["水印"] == 0.5


def test_boxes_say_nothing_at_the_cold_start(cold: Tagger) -> None:
    assert cold.box_model is not None
    assert any(answer.boxes for answer in cold.predict(ITEMS[:8]))
    assert cold.box_opinions(ITEMS) is None
    opinions = cold.opinions(ITEMS)
    assert not opinions.log_odds_SNK[opinions.names.index(BOXES)].any()


def test_boxes_are_heard_once_they_have_learned(trained: Tagger) -> None:
    boxes_NK = trained.box_opinions(ITEMS)
    assert boxes_NK is not None
    opinions = trained.opinions(ITEMS)
    assert torch.equal(opinions.log_odds_SNK[opinions.names.index(BOXES)], boxes_NK)
    silent_NK = trained.probabilities(ITEMS, torch.zeros_like(boxes_NK))
    assert not torch.allclose(trained.probabilities(ITEMS), silent_NK, atol=0.01)


def test_probabilities_are_the_same_with_boxes_and_without_and_however_they_are_asked(trained: Tagger) -> None:
    asked = trained.probabilities(ITEMS)
    assert torch.equal(trained.probabilities(ITEMS, trained.box_opinions(ITEMS)), asked)
    for with_boxes in (True, False):
        answers = trained.predict(ITEMS, boxes=with_boxes)
        assert [list(answer.probabilities.values()) for answer in answers] == asked.tolist()
        assert any(answer.boxes for answer in answers) == with_boxes
    assert trained.predict([]) == trained.predict([], boxes=False) == []


def test_an_answer_is_what_its_parts_say_each_by_itself(trained: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(items: Sequence[ItemFeatures], *given: Any) -> Batch:
        made.append(len(items))
        return collate(items, *given)

    places = trained.places(ITEMS)
    assert places is not None
    assert trained.blocks is not None
    shown_NK, wanted_NK = trained.blocks.tags(places).double(), trained.probabilities(ITEMS)
    wanted = [
        whole_task_confidence(probability_K, (probability_K - shown_K).abs())
        for probability_K, shown_K in zip(wanted_NK, shown_NK, strict=True)
    ]
    assert trained.box_model is not None
    boxes = trained.box_model.predict(ITEMS, wanted_NK, trained.calibration.decide(wanted_NK))
    monkeypatch.setattr(tagger, "collate", counted)
    answers = trained.predict(ITEMS)
    assert made == [len(ITEMS)], "the network's inputs are made once"
    assert [answer.score for answer in answers] == pytest.approx(wanted, abs=1e-6)
    assert [answer.boxes for answer in answers] == boxes
    for answer, probability_K in zip(answers, wanted_NK, strict=True):
        assert list(answer.probabilities.values()) == pytest.approx(probability_K.tolist(), abs=1e-6)


def test_many_threads_get_the_same_answers(trained: Tagger) -> None:
    wanted = trained.probabilities(ITEMS)
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(lambda _: trained.probabilities(ITEMS), range(8)):
            assert torch.equal(found, wanted)


def test_attention_comes_back_on_request(trained: Tagger) -> None:
    attention = trained.attention(ITEMS[:3])
    assert attention is not None
    assert attention.regions_BKR.shape[:2] == (3, len(LABELS))


@pytest.mark.parametrize("labels", [(), ("a", "a")])
def test_labels_must_be_some_and_each_once(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="one or more"):
        Tagger.cold_start(labels, space="s", seed=1)


def test_a_checkpoint_answers_as_before(trained: Tagger, tmp_path: Path) -> None:
    version = version_name(4, trained)
    manifest = save(
        trained,
        tmp_path / version,
        version=version,
        about=About("v3.abcd", gold_count=24, metrics={"f1": 0.5}),
    )
    again = load(tmp_path / version, space="space")
    assert trained.box_source is not None
    assert again.box_source is not None
    assert torch.equal(again.box_source.centre_K, trained.box_source.centre_K)
    assert again.credence == trained.credence
    assert all(0 < share < 1 for share in trained.credence.shares)
    assert torch.equal(again.probabilities(ITEMS), trained.probabilities(ITEMS))
    assert [a.boxes for a in again.predict(ITEMS[:4])] == [a.boxes for a in trained.predict(ITEMS[:4])]
    assert read_manifest(tmp_path / version) == manifest
    assert again.version == version == f"v4.{manifest.sha256[:4]}"
    assert content_sha(again) == manifest.sha256


@pytest.mark.parametrize(
    "network",
    [{"fusion": name} for name in FUSIONS]
    + [{"use_industry": False}, {"use_text": False}, {"image_to_text": False, "text_to_image": False}],
    ids=str,
)
def test_every_form_of_network_comes_back_from_a_checkpoint(
    cold: Tagger, tmp_path: Path, network: dict[str, bool | str]
) -> None:
    items = [with_text(with_industry(item, *item.industry)) for item in ITEMS[:8]]
    short = replace(CONFIG, first=(Phase("refine", 1, PARTS, 1e-2),), network={"width": 16, **network})
    tagger = fit(cold, Problem(items, {row: GOLD[row] for row in range(8)}, FAMILIES[:8]), short)
    save(tagger, tmp_path / "v1", version="v1")
    again = load(tmp_path / "v1")
    assert again.network is not None
    assert tagger.network is not None
    assert again.network.config == tagger.network.config
    assert torch.equal(again.probabilities(items), tagger.probabilities(items))


def test_a_checkpoint_continues_where_it_stopped(trained: Tagger, tmp_path: Path) -> None:
    save(trained, tmp_path / "v1", version="v1")
    from_memory = fit(trained, Problem(ITEMS, GOLD, FAMILIES), CONFIG)
    from_disk = fit(load(tmp_path / "v1"), Problem(ITEMS, GOLD, FAMILIES), CONFIG)
    assert content_sha(from_memory) == content_sha(from_disk)


def test_a_version_never_changes(cold: Tagger, tmp_path: Path) -> None:
    save(cold, tmp_path / "v0", version="v0")
    with pytest.raises(FileExistsError, match="is there already"):
        save(cold, tmp_path / "v0", version="v0")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v0"]


def test_features_of_other_encoders_are_refused(cold: Tagger, tmp_path: Path) -> None:
    save(cold, tmp_path / "v0", version="v0", about=About(encoders={"image": "resnet50"}))
    with pytest.raises(ValueError, match=r"space space \(resnet50\).*set the encoders"):
        load(tmp_path / "v0", space="other")


def test_a_damaged_checkpoint_is_refused(cold: Tagger, tmp_path: Path) -> None:
    save(cold, tmp_path / "v0", version="v0")
    content = bytearray((tmp_path / "v0" / TENSORS).read_bytes())
    content[-1] ^= 1
    (tmp_path / "v0" / TENSORS).write_bytes(content)
    with pytest.raises(ValueError, match="sha256"):
        load(tmp_path / "v0")
    (tmp_path / "v0" / TENSORS).unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        load(tmp_path / "v0")
    (tmp_path / "v0" / MANIFEST).write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        load(tmp_path / "v0")
    with pytest.raises(ValueError, match="is no checkpoint"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("harm", ["cut", "zeros"])
def test_a_loaded_version_outlives_its_file(trained: Tagger, tmp_path: Path, harm: str) -> None:
    """A mapped tensor would end the process here (SIGBUS), or be zero."""
    save(trained, tmp_path / "v1", version="v1")
    loaded, file = load(tmp_path / "v1"), tmp_path / "v1" / TENSORS
    with file.open("r+b") as opened:
        size = file.stat().st_size
        opened.truncate(100) if harm == "cut" else opened.write(bytes(size))
    assert content_sha(loaded) == content_sha(trained)
    assert torch.equal(loaded.probabilities(ITEMS), trained.probabilities(ITEMS))
    with pytest.raises(ValueError, match="sha256"):
        load(tmp_path / "v1")


def test_a_checkpoint_is_on_disk_before_its_name_is(
    cold: Tagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both files, then the folder that holds them, then the move, then the folder that the name stands in."""
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def synced(handle: int) -> None:
        fsync(handle)
        done.append(f"fsync {Path(os.readlink(f'/proc/self/fd/{handle}')).name}")

    def renamed(path: Path, target: Path) -> Path:
        done.append(f"rename {target.name}")
        assert all((path / name).stat().st_size for name in (TENSORS, MANIFEST))
        done.append(path.name)
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    save(cold, tmp_path / "home" / "v0", version="v0")
    beside = done.pop(4)
    assert done == [f"fsync {TENSORS}", f"fsync {MANIFEST}", f"fsync {beside}", "rename v0", "fsync home"]


def test_a_checkpoint_of_an_older_format_says_what_to_do(cold: Tagger, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr("model.checkpoint.FORMAT", CORRECTING - 1)
        save(cold, tmp_path / "v0", version="v0")
    with pytest.raises(ValueError, match=f"format {CORRECTING - 1} .* reads format {FORMAT}: train a new version"):
        load(tmp_path / "v0")


def test_a_checkpoint_whose_network_corrected_answers_without_it(trained: Tagger, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr("model.checkpoint.FORMAT", CORRECTING)
        save(trained, tmp_path / "v1", version="v1")
    loaded = load(tmp_path / "v1")
    assert trained.network is not None
    assert loaded.network is None
    assert not loaded.optimizer
    without = replace(trained, network=None)
    assert torch.equal(loaded.probabilities(ITEMS), without.probabilities(ITEMS))


def test_a_foreign_manifest_is_refused(cold: Tagger, tmp_path: Path) -> None:
    save(cold, tmp_path / "v0", version="v0")
    other = replace(cold, labels=("x",))
    save(other, tmp_path / "x", version="x")
    (tmp_path / "v0" / MANIFEST).write_text(
        (tmp_path / "v0" / MANIFEST).read_text().replace('"LOGO"', '"BRAND"'), encoding="utf-8"
    )
    with pytest.raises(ValueError, match="does not belong"):
        load(tmp_path / "v0")
