"""Augmentation: random crops, stretches and colours of pictures, for the training of picture encoders.

Labels depend on small elements near the edges (a logo in a corner, a price at the bottom) and on text. So a crop keeps
at least nine tenths of the picture, and no picture is mirrored, because mirrored text cannot be read. The hue hardly
changes, because the red of a price tag matters.
"""

from collections.abc import Sequence
from functools import cache

from PIL import Image
from torchvision.transforms import InterpolationMode, v2

LEAST_KEPT = 0.9
"""The least share of the picture's area that a crop keeps. A crop does not move the boxes of read blocks, so
that a stronger crop would make them wrong."""
STRETCH = 1.05
"""The largest factor by which the ratio of the sides changes."""
BRIGHTNESS, CONTRAST, SATURATION, HUE = 0.2, 0.2, 0.2, 0.02


def augmented(images: Sequence[Image.Image], size: int) -> list[Image.Image]:
    """Return each picture once, cropped, stretched and coloured at random, as a square of ``size`` px.

    Randomness comes from torch's global generator.
    """
    change = _augmentation(size)
    return [change(image.convert("RGB")) for image in images]


@cache
def _augmentation(size: int) -> v2.Transform:
    """Return the random transform of pictures to squares of ``size`` px."""
    bicubic = InterpolationMode.BICUBIC
    return v2.Compose(
        [
            # A square first, so that the ratios of a crop mean the same for a picture of any shape.
            v2.Resize((size, size), bicubic),
            v2.RandomResizedCrop(size, (LEAST_KEPT, 1.0), (1 / STRETCH, STRETCH), bicubic),
            v2.ColorJitter(BRIGHTNESS, CONTRAST, SATURATION, HUE),
        ]
    )
