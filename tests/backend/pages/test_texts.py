import re
from pathlib import Path
from string import Formatter

import pytest

from backend.pages.review_screens import Part
from backend.pages.texts import LANGUAGES, Texts, all_texts, language_of
from store.gallery import Order, Verdict
from store.versions import State
from worker.queue import Kind

FOLDER = Path("backend/pages")
# Names that code and templates put together → what they end in.
COMPOSED = {
    "job_": [str(kind) for kind in Kind],
    "state_": [str(state) for state in State],
    "decision_": [str(state) for state in State],
    "figure_": ["macro_f1", "macro_f1_by_hand", "log_loss"],
    "review_": [str(part) for part in Part],
    "review_nothing_": [str(part) for part in Part],
    "fate_": ["exception", "labelled", "in_work", "gone", "refused", "changed"],
    "problem_": ["token", "forbidden", "away", "failed"],
    "point_": ["served", "refused", "chosen"],
    "gate_": ["out_of_fold", "held_out", "few", "nothing"],
    "why_": ["expired", "refused"],
    "fold_": ["copies", "products", "nothing"],
    "labelled_": ["yes", "no"],
    "verdict_": [str(verdict) for verdict in Verdict],
    "order_": [order.name.lower() for order in Order],
    "tag_": ["right", "wrong", "missed"],
    "dismiss": ["_of"],
    "undo": ["_of"],
    "part_": ["studio", "queue", "database", "disk", "encoders"],
    "wrong_": ["gone", "training", "version", "note", "pictures", "config", "left_out", "settings", "source"],
}
OPTIONAL = ("advice_", "stage_", "encoder_")


def asked() -> set[str]:
    """Names of texts that templates and code ask for in full."""
    found: set[str] = set()
    for path in FOLDER.iterdir():
        if path.suffix in (".py", ".jinja"):
            source = path.read_text("utf-8")
            found |= set(re.findall(r"""\bt\(["'](\w+)["'][,)]""", source))
            found |= set(re.findall(r"""\btext\(["'](\w+)["'][,)]""", source))
    return found


@pytest.mark.parametrize("name", all_texts())
def test_a_text_exists_in_each_language_and_names_the_same_values(name: str) -> None:
    texts = all_texts()[name]
    assert set(texts) == set(LANGUAGES)
    assert all(text.strip() for text in texts.values())
    values = [{field for _, field, _, _ in Formatter().parse(text) if field} for text in texts.values()]
    assert values[0] == values[1]
    is_name = texts["zh"] == texts["en"]
    assert is_name or re.search("[\u4e00-\u9fff]", texts["zh"]) or texts["zh"].startswith("{")


def test_what_is_asked_for_exists_and_nothing_is_left_over() -> None:
    composed = {begin + end for begin, ends in COMPOSED.items() for end in ends}
    wanted = asked() | composed
    assert {"sign_in", "overview", "promote"} <= asked()
    assert wanted - set(all_texts()) == set()
    source = "".join(path.read_text("utf-8") for path in FOLDER.iterdir() if path.suffix in (".py", ".jinja"))
    left = {name for name in set(all_texts()) - wanted if not name.startswith(OPTIONAL) and f'"{name}"' not in source}
    assert left == set()


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.1", "en"),
        ("en;q=0.1,zh-TW;q=0.7", "zh"),
        ("fr-FR,fr;q=0.9", "en"),
        ("fr,zh;q=0.2", "zh"),
        ("zh;q=0", "en"),
        ("", "en"),
        ("zh;q=x,;;;,*" + "," * 5000, "en"),
    ],
)
def test_the_browser_chooses_the_language(accepted: str, language: str) -> None:
    assert language_of(accepted) == language


def test_a_text_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        Texts("en")("no such text")
    with pytest.raises(KeyError):
        Texts("en")("left")
