"""Objects that stand out from the picture's background, found without training.

Three maps on a square raster: colour distance to the picture's rim along the cheapest path (geodesic saliency, Wei et
al., ECCV 2012), strength of the encoder's activations (SCDA, Wei et al., TIP 2017), and how unlike the rim's features
a place is. Read text is background. A map suggests the rectangle that holds most of what exceeds its mean.

Shape suffixes: N rows and columns of the raster; R grid cells; 3 colours.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from torch import Tensor
from torch.nn import functional

from model.boxes.pixels import Pixels, cells
from model.features.item import ItemFeatures
from model.items import Box

RASTER = 24
LEVELS = (0.6, 0.8, 1.0, 1.2, 1.4)
NOISE = 6.0  # colour steps this small cost next to nothing
TEXT_STEP = 1.0

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Steps = npt.NDArray[np.intp]


def maps(item: ItemFeatures, pixels_HW3: Pixels, text_NN: Mask) -> tuple[Map, ...]:
    """Saliency maps in [0, 1], read text not yet taken out; none for an item without picture."""
    if not pixels_HW3.size:
        return ()
    rim = _stretched(background_distance(pixels_HW3, text_NN))
    centre = _centre()
    if not len(item.grid_RC):
        return rim, _stretched(rim + centre)
    active, unlike = (_stretched(_raster(values, item)) for values in _grid_maps(item))
    return rim, _stretched(rim * active), _stretched(rim + active + centre), _stretched(rim + active + unlike + centre)


def rectangles(saliency: Sequence[Map], taken_NN: Mask, *, levels: Sequence[float] = LEVELS) -> list[Box]:
    """One rectangle per map and level, outside of what is ``taken``."""
    excess = [np.where(taken_NN, 0.0, values - values.mean() * level) for values in saliency for level in levels]
    found = best_rectangles(np.stack(excess)) if excess else []
    return [box for box in found if box is not None]


def best_rectangles(excess_PNN: npt.NDArray[np.floating]) -> list[Box | None]:
    """The rectangle with the largest sum in each of P planes, by Kadane for each pair of rows; None without gain."""
    planes, rows, columns = excess_PNN.shape
    total = np.zeros((planes, rows + 1, columns + 1), dtype=np.float32)
    total[:, 1:, 1:] = excess_PNN.cumsum(1).cumsum(2)
    upper, lower = np.triu_indices(rows + 1, 1)
    strips = total[:, lower] - total[:, upper]
    gains = strips[:, :, 1:] - np.minimum.accumulate(strips, axis=2)[:, :, :-1]
    best = gains.reshape(planes, -1).argmax(1)
    strip, end = np.unravel_index(best, gains.shape[1:])
    found: list[Box | None] = []
    for plane in range(planes):
        row, stop = int(strip[plane]), int(end[plane]) + 1
        start = int(strips[plane, row, :stop].argmin())
        box = Box(start / columns, int(upper[row]) / rows, stop / columns, int(lower[row]) / rows)
        found.append(box if gains[plane, row, stop - 1] > 0 else None)
    return found


def raster_mask(boxes: Sequence[Box]) -> Mask:
    """Cells of the raster that any of the boxes touches."""
    mask = np.zeros((RASTER, RASTER), dtype=bool)
    for box in boxes:
        mask[cells(box, RASTER, RASTER)] = True
    return mask


def background_distance(pixels_HW3: Pixels, text_NN: Mask) -> Map:
    """Cost of the cheapest path to the rim, each step costing its change of colour."""
    planes = torch.from_numpy(pixels_HW3).permute(2, 0, 1)[None].float()
    red, green, blue = functional.interpolate(planes, size=text_NN.shape, mode="area")[0]
    opponents = torch.stack([(red + green + blue) / 3, 0.7 * (red - green), 0.7 * ((red + green) / 2 - blue)], dim=-1)
    colours = opponents.reshape(-1, 3).numpy()
    start, stop, rim = _neighbours()
    steps = np.maximum(np.linalg.norm(colours[start] - colours[stop], axis=1) - NOISE, 0.0) + 0.5
    text = text_NN.ravel()
    steps[text[start] | text[stop]] = TEXT_STEP
    count = text.size
    weights = np.concatenate([steps, np.full(len(rim), 1e-3)])
    ends = (np.concatenate([start, rim]), np.concatenate([stop, np.full(len(rim), count)]))
    graph = csr_matrix((weights, ends), shape=(count + 1, count + 1))
    distances: Map = dijkstra(graph, directed=False, indices=count)[:count].reshape(text_NN.shape).astype(np.float32)
    return distances


def _grid_maps(item: ItemFeatures) -> tuple[Tensor, Tensor]:
    rows, columns = item.grid_shape
    grid = item.grid_RC.float()
    normal = functional.normalize(grid, dim=1)
    inner = torch.zeros(rows, columns, dtype=torch.bool)
    inner[1:-1, 1:-1] = True
    rim = normal[~inner.flatten()]
    alike = (normal @ rim.T).topk(min(3, len(rim)), dim=1).values.mean(1)
    return grid.sum(1), 1 - alike


def _raster(values_R: Tensor, item: ItemFeatures) -> Map:
    plane = values_R.reshape(1, 1, *item.grid_shape)
    wide = functional.interpolate(plane, size=(RASTER, RASTER), mode="bilinear", align_corners=False)
    raster: Map = wide[0, 0].numpy()
    return raster


def _stretched(values_NN: Map) -> Map:
    low, high = np.percentile(values_NN, [2, 98])
    stretched: Map = np.clip((values_NN - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    return stretched


@cache
def _centre() -> Map:
    offsets = np.linspace(-0.5, 0.5, RASTER, dtype=np.float32)
    bell = np.exp(-(offsets**2) / (2 * 0.35**2))
    centre: Map = np.outer(bell, bell)
    return centre


@cache
def _neighbours() -> tuple[Steps, Steps, Steps]:
    """Start and stop cells of each step right, down and along both diagonals, and the cells of the rim."""
    cells = np.arange(RASTER * RASTER).reshape(RASTER, RASTER)
    pairs = (
        (cells[:, :-1], cells[:, 1:]),
        (cells[:-1], cells[1:]),
        (cells[:-1, :-1], cells[1:, 1:]),
        (cells[:-1, 1:], cells[1:, :-1]),
    )
    start = np.concatenate([first.ravel() for first, _ in pairs])
    stop = np.concatenate([second.ravel() for _, second in pairs])
    rim = np.unique(np.concatenate([cells[0], cells[-1], cells[:, 0], cells[:, -1]]))
    return start, stop, rim
