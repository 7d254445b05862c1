from typing import Any

import pytest

from labelstudio.events import Action, BadEventError, parse
from tests import captured

WEBHOOKS = [name for name in captured.NAMES if "webhook" in name]


@pytest.mark.parametrize("name", WEBHOOKS)
def test_every_captured_webhook_is_known(name: str) -> None:
    event = parse(captured.body(name))
    assert event.action is not None
    assert str(event.project) == captured.PROJECT


def test_what_changes_gold() -> None:
    changing = {action for action in Action if action.changes_gold}
    assert changing == {
        Action.ANNOTATION_CREATED,
        Action.ANNOTATION_UPDATED,
        Action.ANNOTATIONS_CREATED,
        Action.ANNOTATIONS_DELETED,
        Action.TASKS_DELETED,
    }


def test_unknown_actions_are_passed_over() -> None:
    assert parse({**captured.body("10"), "action": "REVIEW_CREATED"}).action is None


@pytest.mark.parametrize("body", [None, [], {}, {"action": 5}, {"action": "X"}, {"action": "X", "project": {"id": 1}}])
def test_what_is_no_webhook_says_what_is_missing(body: Any) -> None:
    with pytest.raises(BadEventError, match="needs"):
        parse(body)
