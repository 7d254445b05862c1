from backend.pages.figures import classes_of, compared, score_of, sources_of
from store.versions import NewVersion, Version
from tests.backend.pages.office import metrics


def version(**figures: object) -> Version:
    labels = ("a", "b")
    new = NewVersion(1, "v1.0001", "v0.0000", "f", "refine", "s", labels, {**metrics(1, labels), **figures}, 1, 40, 9)
    return Version(**vars(new))


def test_too_few_items_give_no_score_but_threshold_and_counts() -> None:
    few = version(items=39)
    assert score_of(few.metrics) == ""
    (first, _) = classes_of(few, {"a": 7})
    assert (first.precision, first.recall, first.f1) == ("", "", "")
    assert (first.threshold, first.gold, first.given) == ("0.45", "12 / 40", "7")
    assert [row.name for row in compared(few.metrics)] == ["log_loss"]
    enough = version()
    assert score_of(enough.metrics) == "0.600"
    assert classes_of(enough, {})[0].f1 == "0.600"
    assert [(row.name, row.difference) for row in compared(enough.metrics)] == [
        ("macro_f1", "+0.020"),
        ("log_loss", "-0.010"),
    ]


def test_versions_of_earlier_releases_have_fewer_figures() -> None:
    old = Version(**vars(NewVersion(1, "v1.0001", "", "f", "refine", "s", ("a",), {}, 1, 40, 9)))
    assert score_of(old.metrics) == ""
    assert compared(old.metrics) == []
    assert sources_of(old) == []
    (row,) = classes_of(old, {})
    assert (row.label, row.f1, row.threshold, row.gold, row.given) == ("a", "", "", "", "")


def test_sources_of_all_labels_come_first_and_a_cue_has_its_own_label_alone() -> None:
    one = version(source_accuracy={"b: big": {"a": 0.8, "b": 0.7}, "boxes": {"a": 0.5, "b": 0.6}})
    assert sources_of(one) == [("boxes", ["0.50", "0.60"]), ("b: big", ["", "0.70"])]
