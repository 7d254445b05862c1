"""Lets `import torchvision` work beside a CPU-only torch.

The general wheel of torchvision is compiled against CUDA: beside a CPU-only torch its operators cannot be loaded, and
its Python side then fails at import, because it registers fake kernels for `nms` and `qnms`, whose schemas only those
operators would have declared. Transformers imports torchvision and fails with it. Declaring the two schemas is enough:
models and transforms work; only the operators themselves stay out of reach.

The declaration waits for the first import of torchvision, so that `import model` costs no import of torch.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
OPERATORS = ("torchvision::nms", "torchvision::qnms")


class _TorchvisionWatch(MetaPathFinder):
    """Finds nothing itself; declares the schemas just before torchvision is imported, then leaves."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            spec = PathFinder.find_spec(fullname, path)
            if spec is not None and not _operators_load(spec):
                _declare()
        return None


def watch_import() -> None:
    """Have the schemas declared before torchvision is imported, unless it is already there or being watched."""
    watched = any(isinstance(finder, _TorchvisionWatch) for finder in sys.meta_path)
    if "torchvision" not in sys.modules and not watched:
        sys.meta_path.insert(0, _TorchvisionWatch())


def _operators_load(spec: ModuleSpec) -> bool:
    """Whether torchvision's own operators load here; they then declare all schemas, and must be the only ones to."""
    import torch

    libraries = [file for folder in spec.submodule_search_locations or () for file in Path(folder).glob("_C.*")]
    try:
        for library in libraries:
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]
    except OSError:
        return False
    return bool(libraries)


def _declare() -> None:
    import torch

    for operator in OPERATORS:
        torch.library.define(operator, SCHEMA)
