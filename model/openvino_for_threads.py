"""OpenVINO, imported so that several threads may call it at once, also the first time.

With its first array OpenVINO's Python binding sets itself up. Where two threads give it their first arrays at the same
moment, one waits for the interpreter's lock and the other, which holds that lock, for the first: neither ever goes on.
So the first array is given here, at import, which happens in one thread.

    from model.openvino_for_threads import openvino
"""

import numpy as np
import openvino

__all__ = ["openvino"]

_FIRST = openvino.Tensor(np.zeros(1, dtype=np.float32)).data
