"""`tagloom encoders use` while a real backend and a real worker run: both follow, and nothing is started again."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from store.store import Store
from tagloom.datasets.dataset import load
from tagloom_base.settings import Settings
from testing.label_studio.payloads import choices_region, controls_of
from testing.label_studio.simulator import SimulatedLabelStudio, Upload
from tests.captured import CONFIG
from tools.services.ports import free_port
from tools.services.stack import Stack

ROOT = Path(__file__).parents[2]


def until(done: Callable[[], object], what: str, seconds: float = 200) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"{what} not in time"
        time.sleep(0.5)


@pytest.mark.slow
@pytest.mark.timeout(590)
def test_backend_and_worker_follow_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", "TAGLOOM_IMAGE_ENCODER", "TAGLOOM_TEXT_ENCODER"):
        monkeypatch.delenv(name, raising=False)
    samples = load("samples/data").samples[:12]
    settings = Settings(home=tmp_path / "home", port=free_port())
    with SimulatedLabelStudio(CONFIG, f"http://127.0.0.1:{settings.access.port}") as studio:
        environment = {
            "LABEL_STUDIO_URL": studio.url,
            "LABEL_STUDIO_API_KEY": studio.token,
            "TAGLOOM_PROMOTION_SECONDS": "0",
            "TAGLOOM_SETTLE_SECONDS": "0",
            "TAGLOOM_TRAINING_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }
        with (
            closing(Store.open(settings.paths.database)) as store,
            Stack(settings, environment) as stack,
        ):
            store.encoders.keep({"image": "shipped", "text": "shipped"})
            stack.start_queue()
            stack.start_worker()
            stack.start_backend()

            def encoder() -> str:
                told = httpx.get(f"{stack.backend_url}/status").json()["encoders"]
                return str(told.get("image", ""))

            def trained() -> str:
                """The space of the trained version that serves; empty while a cold start does."""
                current = store.versions.current(f"default/{studio.project.key}")
                return "" if current is None or current.is_cold_start else current.space

            until(lambda: "shipped" in encoder(), "the backend's first encoders")
            ids = studio.import_tasks([Upload(sample.image, {"title": sample.title}) for sample in samples])
            assert all(answer["result"] is not None for answer in studio.predict(ids[:2]))
            choices, _ = controls_of(CONFIG)
            for number, sample in zip(ids, samples, strict=True):
                studio.annotate(number, [choices_region(choices, list(sample.labels))])
            until(trained, "the first training")
            before = trained()
            command = [sys.executable, "-m", "tagloom.cli", "encoders", "use", "efficientnet-lite0", "--yes"]
            done = subprocess.run(command, env=os.environ | stack.environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert "12 pictures are read and encoded anew" in done.stdout
            assert "1 of 1 projects go back to their cold start" in done.stdout
            until(lambda: "EfficientNet-Lite0" in encoder(), "the backend's new encoders")
            until(lambda: trained() not in ("", before), "the training on new features")
            answers = studio.predict(ids[:2])
            served = store.versions.current(f"default/{studio.project.key}")
            assert served
            until(lambda: studio.predict(ids[:1])[0]["model_version"] == served.version, "the new version's answers")
            assert all(answer["result"] is not None for answer in answers)
            stack.check()
