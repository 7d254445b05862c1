"""`make` lists every target that one may call."""

import re
import subprocess

from tests.architecture import ROOT


def test_make_lists_all_targets() -> None:
    said = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    assert {line.split()[0] for line in said.splitlines()} == set(targets[1].split())
