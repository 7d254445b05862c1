"""What boxes of each kind look like, learned from drawn pictures: it counts as much as the cues before any gold.

The forest answers descriptors of candidates (`model.boxes.describe`), which name no word, shop or encoder. So what it
learned from drawings helps on photographs too: on real shop pictures without gold, the mean with the cues' scores finds
more than either alone (docs/results.md). `python -m tools.boxes.train` makes it.
"""

from functools import cache
from pathlib import Path

from safetensors.torch import load_file

from model.boxes.forest import Forest

FILE = Path(__file__).parent / "prior.safetensors"


@cache
def drawn_forest() -> Forest:
    """Return the forest that comes with the product, with one output for each of `model.boxes.describe.KINDS`."""
    return Forest.from_state(load_file(FILE))
