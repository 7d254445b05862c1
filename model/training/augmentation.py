"""Pictures as they might also have been, for training picture encoders.

Labels hang on small things at the edges (a logo in a corner, a price at the bottom) and on what is written, so that a
crop keeps at least nine tenths of the picture, and nothing is ever mirrored: mirrored text is no text, and there is
hardly a product without any. Hue stays nearly as it is, for the red of a price tag says something.
"""

from collections.abc import Sequence
from functools import cache

from PIL import Image
from torchvision.transforms import InterpolationMode, v2

LEAST_KEPT = 0.9
"""Of the picture's area; read blocks keep their places, which a stronger crop would make wrong."""
STRETCH = 1.05
BRIGHTNESS, CONTRAST, SATURATION, HUE = 0.2, 0.2, 0.2, 0.02


def augmented(images: Sequence[Image.Image], size: int) -> list[Image.Image]:
    """Each picture once, cropped, stretched and coloured at random: squares of ``size`` px.

    Draws from torch's global generator, so that a seed set there repeats it.
    """
    change = _augmentation(size)
    return [change(image.convert("RGB")) for image in images]


@cache
def _augmentation(size: int) -> v2.Transform:
    bicubic = InterpolationMode.BICUBIC
    return v2.Compose(
        [
            # To the square first: sides' ratios then mean the same for a picture of any shape.
            v2.Resize((size, size), bicubic),
            v2.RandomResizedCrop(size, (LEAST_KEPT, 1.0), (1 / STRETCH, STRETCH), bicubic),
            v2.ColorJitter(BRIGHTNESS, CONTRAST, SATURATION, HUE),
        ]
    )
