"""Gold that was read in part, through whole trainings: what was not understood is never learned as absent."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import worker.training.run
from labelstudio.changes import change_of
from labelstudio.config import LabelConfig
from labelstudio.proposals import NO_TAG, region_id, region_seed
from model import checkpoint
from model.tagger import Tagger
from model.training.progressive import fit
from model.weak_supervision.credence import Credence
from store.store import Store
from store.versions import State
from tagloom.operate import version_lines
from tagloom_base.settings import Settings
from testing.shop import LABELS, SHOP
from tests.store import webhooks
from tests.store.upgrades import turn_old
from tests.worker import shop
from worker import jobs
from worker.corpus.gold import project_gold

KEY = str(shop.KEY)
CONFIG = LabelConfig.parse(shop.CONFIG)
TASKS = 60
PRICES = [number for number in range(1, TASKS + 1) if "价格" in SHOP.item(number)[1].labels]

Odd = Callable[[int], list[dict[str, Any]]]


def drawn(number: int, label: str, **fields: Any) -> dict[str, Any]:
    value = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0, "rectanglelabels": [label]}
    return {
        "id": f"{label}{number}",
        "from_name": "boxes",
        "to_name": "image",
        "type": "rectanglelabels",
        "value": value,
        **fields,
    }


def turned(number: int) -> list[dict[str, Any]]:
    """Boxes of all true labels on a picture that the annotator has turned; no tags."""
    return [drawn(number, label, image_rotation=90) for label in sorted(SHOP.item(number)[1].labels)]


def unlabelled(number: int) -> list[dict[str, Any]]:
    """A rectangle without a label, and nothing else."""
    region = drawn(number, "价格")
    del region["value"]["rectanglelabels"]
    return [region]


def nested(number: int) -> list[dict[str, Any]]:
    """True labels as paths of nested choices."""
    paths = [["组", label] for label in sorted(SHOP.item(number)[1].labels)]
    return [{"id": "c", "from_name": "elements", "to_name": "image", "type": "choices", "value": {"choices": paths}}]


def polygons(number: int) -> list[dict[str, Any]]:
    """Shapes of a control that the config does not have."""
    return [{"id": "p", "from_name": "poly", "type": "polygonlabels", "value": {"polygonlabels": ["价格"]}}]


def submit(store: Store, number: int, result: list[dict[str, Any]]) -> None:
    entry = webhooks.annotation(number, number, 1, ()) | {"result": result}
    body = {"action": "ANNOTATION_CREATED", "annotation": entry, "task": shop.payload(number), "project": {}}
    store.journal.record(change_of(KEY, body), timeout=10)


def shown_prices(store: Store, settings: Settings) -> int:
    """How many of all tasks are shown with a price by the version that serves."""
    current = store.versions.current(KEY)
    assert current is not None
    served: Tagger = checkpoint.load(settings.paths.checkpoints / current.folder)
    found = served.predict([SHOP.item(number)[0] for number in range(1, TASKS + 1)], boxes=False)
    return sum("价格" in prediction.labels for prediction in found)


@pytest.mark.parametrize(
    "odd", [pytest.param(odd, marks=pytest.mark.slow) for odd in (turned, unlabelled, nested, polygons)]
)
@pytest.mark.usefixtures("here")
def test_twenty_four_odd_annotations_take_no_price_away(store: Store, settings: Settings, odd: Odd) -> None:
    shop.open_shop(store, settings, tasks=TASKS)
    shop.annotate(store, range(1, 13))
    jobs.train(KEY)
    before = shown_prices(store, settings)
    assert before >= 10
    for number in range(13, 37):
        submit(store, number, odd(number))
    jobs.train(KEY)
    assert shown_prices(store, settings) >= before * 2 / 3


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_what_was_not_understood_is_told(store: Store, settings: Settings) -> None:
    shop.open_shop(store, settings, tasks=TASKS)
    shop.annotate(store, range(1, 13))
    for number in range(13, 17):
        submit(store, number, unlabelled(number))
    jobs.train(KEY)
    project = store.projects.get(KEY)
    assert project is not None
    assert project.gold_notes == {"a region without a label": 4, "nothing of the annotation was understood": 4}
    assert "in 4 tasks with gold: a region without a label" in version_lines(store, project)


def without_prices(*given: Any, **options: Any) -> Tagger:
    """A training after which no item gets a price any more."""
    tagger = fit(*given, **options)
    assert tagger.regression is not None
    bias_K = tagger.regression.bias_K.clone()
    bias_K[LABELS.index("价格")] -= 50
    return replace(
        tagger,
        network=None,
        regression=replace(tagger.regression, bias_K=bias_K),
        credence=Credence((1.0,) * len(tagger.labels)),
    )


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_collapse_that_gold_does_not_show_is_refused(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No gold item has a price, so that F1 cannot tell; a person may promote the version all the same."""
    shop.open_shop(store, settings, tasks=TASKS)
    shop.annotate(store, [number for number in range(1, TASKS + 1) if number not in PRICES][:20])
    monkeypatch.setattr(worker.training.run, "fit", without_prices)
    jobs.train(KEY)
    refused = store.versions.list(KEY)[0]
    assert refused.state is State.REFUSED
    assert refused.reason.startswith(f"价格 would be given to 0 of {TASKS} items after ")
    assert store.versions.override(KEY, refused.version).version == refused.version


@pytest.mark.usefixtures("here")
def test_an_accepted_proposal_names_its_version(store: Store, settings: Settings) -> None:
    shop.open_shop(store, settings, tasks=20)
    shop.annotate(store, range(1, 13))
    version = shop.cold_start(settings, store).version
    identity = region_id(region_seed(KEY, 15, version), 0, 1, NO_TAG)
    tags = {"from_name": "elements", "to_name": "image", "type": "choices", "value": {"choices": ["LOGO"]}}
    submit(store, 15, [{**tags, "id": identity, "origin": "prediction"}])
    project = store.projects.get(KEY)
    assert project is not None
    gold = project_gold(store, project, CONFIG, range(1, 21)).by_task
    assert gold[15].accepted == version
    assert {one.accepted for number, one in gold.items() if number != 15} == {None}


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_home_that_learned_from_misread_gold_heals(store: Store, settings: Settings) -> None:
    """As the first release left it: its versions have learned that turned pictures show nothing."""
    shop.open_shop(store, settings, tasks=TASKS)
    shop.annotate(store, range(1, 13))
    for number in range(13, 37):
        submit(store, number, turned(number))
    jobs.train(KEY)
    trained = store.versions.list(KEY)[0]
    store.close()
    turn_old(settings.paths.database, "0005")
    upgraded = Store.open(settings.paths.database)
    try:
        assert upgraded.projects.waiting_for_training() == [KEY]
        jobs.train(KEY)
        versions = {version.number: version for version in upgraded.versions.list(KEY)}
        assert versions[trained.number].note == "learned from 24 annotations that were misread then"
        assert versions[0].note == "", "a cold start has learned from nobody"
        assert max(versions) > trained.number
        assert versions[max(versions)].note == ""
        assert not upgraded.projects.waiting_for_training()
    finally:
        upgraded.close()
