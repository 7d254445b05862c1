"""The page for those who use `model/` without Label Studio: what it shows must run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_example_of_the_page_runs_without_anything_of_the_product_around(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "library.md").read_text(), re.DOTALL)
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    foreign = "import sys\nassert not {'redis', 'rq', 'sqlalchemy', 'store', 'worker', 'backend'} & set(sys.modules)\n"
    done = subprocess.run(
        [sys.executable, "-c", example + foreign], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 12
    assert (tmp_path / "tagger" / "manifest.json").is_file()
