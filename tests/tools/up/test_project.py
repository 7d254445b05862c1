"""Making the sample project; the answers are shaped like Label Studio 1.23.2's, the real one is in tests/e2e."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from labelstudio.config import LabelConfig
from tagloom.datasets.dataset import Sample
from tagloom_base.errors import UserError
from tools.project import label_config
from tools.up.project import TITLE, LabelStudio, ensure_project

LABELS = ("主体", 'A "quoted" & odd <label>')


class RecordedLabelStudio(LabelStudio):
    """Answers from a table and keeps what was asked; a real Label Studio takes half a minute to start."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__("http://label-studio", "t")
        self.answers = answers
        self.asked: list[tuple[str, str, bytes]] = []
        self._client = httpx.Client(base_url=self.url, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path}"
        self.asked.append((request.method, request.url.path, request.content))
        if call not in self.answers:
            return httpx.Response(404, text=f"no {call}")
        return httpx.Response(200, json=self.answers[call])


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    picture = tmp_path / "a1.webp"
    picture.write_bytes(b"picture")
    return Sample("a1", picture, "标题", "美妆", "面膜", "p1", ("主体",), ())


def test_label_config_is_valid_and_holds_every_label() -> None:
    config = LabelConfig.parse(label_config(LABELS))
    assert config.labels == LABELS
    assert config.choices
    assert config.rectangles
    assert (config.image_key, config.title_key) == ("image", "title")


def test_a_new_project_gets_pictures_config_and_tasks(sample: Sample) -> None:
    api = RecordedLabelStudio(
        {
            "GET /api/projects/": {"results": []},
            "POST /api/projects/": {"id": 3},
            "POST /api/projects/3/import": {},
            "GET /api/projects/3/file-uploads": [{"file": "upload/3/0a1b2c3d-a1.webp"}],
            "PATCH /api/projects/3/": {},
        }
    )
    assert ensure_project(api, [sample], LABELS) == 3
    (task,) = json.loads(api.asked[-1][2])
    assert task["data"]["image"] == "/data/upload/3/0a1b2c3d-a1.webp"
    assert task["data"]["title"] == "标题"


def test_a_whole_project_is_used_again(sample: Sample) -> None:
    api = RecordedLabelStudio({"GET /api/projects/": {"results": [{"id": 5, "title": TITLE, "task_number": 1}]}})
    assert ensure_project(api, [sample], LABELS) == 5
    assert len(api.asked) == 1


def test_a_refusal_is_told_in_label_studios_words() -> None:
    with pytest.raises(UserError, match=r"refused GET /api/ml/ \(404\): no GET"):
        RecordedLabelStudio({}).call("GET", "/api/ml/")
