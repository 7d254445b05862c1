"""The networks inside rapidocr's wheel, run by OpenVINO for several threads at once."""

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import rapidocr

from model.openvino_for_threads import openvino

Array = np.ndarray[Any, np.dtype[Any]]

FOLDER = Path(rapidocr.__file__).parent / "models"
# More streams than these need more memory and answer hardly more questions.
MOST_STREAMS = 8


def streams_of(threads: int) -> int:
    """Return how many calls are worked on at a time by this number of threads; 0 is one thread on each core."""
    return min(threads or os.cpu_count() or 1, MOST_STREAMS)


def opened(name: str) -> openvino.Model:
    """Return the network in this file of rapidocr's wheel. Raises FileNotFoundError with advice if there is none."""
    path = FOLDER / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: install the rapidocr that requirements/running.txt names")
    return openvino.Core().read_model(path)


def precision() -> openvino.Type:
    """Return bfloat16 where OpenVINO computes in it because the processor can, otherwise float32."""
    kind: openvino.Type = openvino.Core().get_property("CPU", "INFERENCE_PRECISION_HINT")
    return kind if kind == openvino.Type.bf16 else openvino.Type.f32


class Network:
    """A compiled network. Each thread that calls it has a request of its own.

    ``threads`` is the number of CPU threads, 0 for one on each core; ``streams`` is how many calls share them. One
    stream answers a single call sooner. Several streams answer more calls in a second, because within a call no thread
    waits for another.
    """

    def __init__(self, model: openvino.Model, threads: int, streams: int, *, fuses: bool = True) -> None:
        settings: dict[str, Any] = {"NUM_STREAMS": streams}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        if not fuses:
            settings["SNIPPETS_MODE"] = "DISABLE"
        self._compiled = openvino.Core().compile_model(model, "CPU", settings)
        self._own = threading.local()

    def __call__(self, given: Array) -> Array:
        """Return the network's only output, which is valid until this thread's next call."""
        request: Any = getattr(self._own, "request", None)
        if request is None:
            request = self._own.request = self._compiled.create_infer_request()
        request.infer([given])
        output: Array = request.get_output_tensor().data
        return output
