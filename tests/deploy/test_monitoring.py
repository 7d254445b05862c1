"""The dashboard and the alert rules name metrics and labels that the real code exports, and headings that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.architecture import ROOT
from tests.backend.exported import exported

FOLDER = ROOT / "deploy" / "monitoring"
# The metrics that Prometheus itself makes, the labels that it adds, and those of histograms.
OF_PROMETHEUS = {"up": {"job", "instance"}}
WORDS = {
    "by", "sum", "max", "min", "count", "rate", "increase", "histogram_quantile", "changes", "vector", "or", "and",
    "label_values",
}  # fmt: skip
_STRINGS = re.compile(r'"[^"]*"')
_RANGE = re.compile(r"\[[^\]]*\]")
_NAME = re.compile(r"[A-Za-z_]\w*")
_BY = re.compile(r"by \(([^)]*)\)")
_MATCHED = re.compile(r"(\w+)\{([^}]*)\}")


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory, valkey: str) -> dict[str, set[str]]:
    """All names that a scrape may show, each with its labels."""
    return {**exported(tmp_path_factory.mktemp("home"), valkey), **OF_PROMETHEUS}


def rules() -> list[dict[str, object]]:
    (group,) = yaml.safe_load((FOLDER / "prometheus-alerts.yml").read_text("utf-8"))["groups"]
    return list(group["rules"])


def targets() -> Iterator[dict[str, str]]:
    for panel in json.loads((FOLDER / "grafana-dashboard.json").read_text("utf-8"))["panels"]:
        yield from panel["targets"]


def expressions() -> list[str]:
    variables = json.loads((FOLDER / "grafana-dashboard.json").read_text("utf-8"))["templating"]["list"]
    asked = [variable["query"]["query"] for variable in variables if variable["type"] == "query"]
    return [str(rule["expr"]) for rule in rules()] + [target["expr"] for target in targets()] + asked


def unknown(expression: str, metrics: dict[str, set[str]]) -> set[str]:
    """The names in an expression that are neither metrics nor labels of the metrics in it."""
    plain = _RANGE.sub("", _STRINGS.sub("", expression))
    for metric, matched in _MATCHED.findall(plain):
        named = {name for part in matched.split(",") for name in _NAME.findall(part)}
        if not named <= metrics.get(metric, set()):
            return named
    bare = re.sub(r"\{[^}]*\}", "", plain)
    names = set(_NAME.findall(bare)) - WORDS
    used = {name for name in names if name in metrics}
    labels = {label for name in used for label in metrics[name]}
    for by in _BY.findall(bare):
        wrong = set(_NAME.findall(by)) - labels
        if wrong:
            return wrong
    return (names - used - labels) | (set() if used else {expression})


@pytest.mark.parametrize("expression", expressions())
def test_metrics_and_labels_exist(expression: str, metrics: dict[str, set[str]]) -> None:
    assert unknown(expression, metrics) == set()


def test_a_wrong_name_or_label_is_noticed(metrics: dict[str, set[str]]) -> None:
    assert unknown("sum by (kind) (tagloom_queue_jobs)", metrics) == set()
    assert unknown("sum by (kind) (tagloom_queue_job)", metrics)
    assert unknown("sum by (route) (tagloom_queue_jobs)", metrics) == {"route"}
    assert unknown('tagloom_queue_jobs{route="x"}', metrics) == {"route"}


def test_legends_name_labels_of_their_expressions(metrics: dict[str, set[str]]) -> None:
    for target in targets():
        kept = {label for by in _BY.findall(target["expr"]) for label in _NAME.findall(by)}
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept, target


def test_each_metric_is_on_the_dashboard(metrics: dict[str, set[str]]) -> None:
    shown = " ".join(expressions())
    stems = {re.sub(r"_(bucket|count|sum)$", "", name) for name in metrics}
    assert [stem for stem in sorted(stems) if stem not in shown] == []


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_each_alert_says_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    summary = rule["annotations"]["summary"]
    assert summary.endswith(".")
    kept = {label for by in _BY.findall(str(rule["expr"])) for label in _NAME.findall(by)}
    assert set(re.findall(r"\$labels\.(\w+)", summary)) <= kept
    path, _, heading = rule["annotations"]["runbook"].partition("#")
    assert heading in anchors(ROOT / path)


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
