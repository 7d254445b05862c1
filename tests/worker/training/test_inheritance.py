"""The parent of a training after a setting has changed."""

from model.tagger import Tagger
from tests.model.boxes.pictures import LABELS
from worker.training.inheritance import with_draw_seconds


def test_a_training_shows_boxes_for_the_seconds_of_its_setting() -> None:
    cold = Tagger.cold_start(LABELS, space="s" * 16, seed=7)
    changed = with_draw_seconds(cold, 7.0)
    assert changed.box_model is not None
    assert changed.box_model.draw_seconds == 7.0
    assert changed.named("").state().facts["draw_seconds"] == 7.0
    without = Tagger.cold_start(LABELS, space="s" * 16, seed=7, with_boxes=False)
    assert with_draw_seconds(without, 7.0) is without
