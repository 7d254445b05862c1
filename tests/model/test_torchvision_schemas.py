"""Imports in fresh interpreters: what one process has already imported would hide a failure."""

import subprocess
import sys

import pytest


def _python(code: str) -> str:
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.slow
def test_bert_and_torchvision_import_after_the_package() -> None:
    code = (
        "import model\n"
        "from transformers import BertModel\n"
        "import torchvision\n"
        "torchvision.models.squeezenet1_1()\n"
        "print(BertModel.__name__)"
    )
    assert _python(code) == "BertModel"


def test_the_package_alone_does_not_import_torch() -> None:
    assert _python("import sys, model.items; print('torch' in sys.modules)") == "False"
