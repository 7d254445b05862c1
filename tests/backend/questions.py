"""A small label config, the /predict requests that ask about it, and what every answer must fulfil."""

from typing import Any

from label_studio_sdk.label_interface.interface import LabelInterface

from tests import captured
from tests.backend.parts import Backend

TAGS = (
    '<View><Image name="image" value="$image"/><Text name="title" value="$title"/>'
    '<Choices name="elements" toName="image" choice="single"><Choice value="赠品"/><Choice value="价格"/></Choices>'
    "</View>"
)


def question(count: int, title: str = "买一送一 赠品", **more: Any) -> dict[str, Any]:
    """A /predict request for tasks 1 to ``count``, each with a picture; ``more`` are further fields of the body."""
    tasks = [
        {"id": number, "data": {"image": f"/data/upload/2/{number}.png", "title": title}}
        for number in range(1, count + 1)
    ]
    return {"tasks": tasks, "project": "2.1795288797", "label_config": TAGS, **more}


def ready(backend: Backend) -> str:
    """Set the project up with the config ``TAGS``; return the version that serves."""
    return backend.setup({**captured.body("02"), "schema": TAGS})


FIELDS = {"result", "score", "model_version"}


def assert_valid(results: list[dict[str, Any]], config: str) -> None:
    """Assert that the results pass Label Studio's own validation, and that their fields, scores and ids are right."""
    interface = LabelInterface(config)
    for result in results:
        assert set(result) == FIELDS
        assert interface.validate_prediction(result, return_errors=True) == []  # type: ignore[no-untyped-call]
        assert isinstance(result["score"], float)
        assert 0 <= result["score"] <= 1
        assert isinstance(result["model_version"], str)
        ids = [region["id"] for region in result["result"]]
        assert len(set(ids)) == len(ids)
