"""Objects that stand out from the picture's background, found without training.

Three values on a square raster are combined into maps: the colour distance to the picture's rim along the cheapest path
(geodesic saliency, Wei et al., ECCV 2012), the strength of the encoder's activations (SCDA, Wei et al., TIP 2017), and
the difference of the encoder's features from those at the rim. Read text counts as background. For each map the
rectangle is found that holds the most excess over the map's mean.

Shape suffixes: N rows and columns of the raster, R grid cells, P planes; H, W pixels; 3 colours.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from torch.nn import functional

from model.boxes.pixels import Pixels, cells
from model.features.item import ItemFeatures
from model.items import Box

RASTER = 24
# A rectangle collects what exceeds the mean times the level: higher levels give smaller rectangles.
LEVELS = (0.6, 0.8, 1.0, 1.2, 1.4)
# Changes of colour up to this distance are noise and cost nothing.
NOISE = 6.0
# Cost of a step on or off read text, whose colours say nothing about an object.
TEXT_STEP = 1.0

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Steps = npt.NDArray[np.intp]

# A bell around the centre of the picture, where most products are.
BELL = np.exp(-(np.linspace(-0.5, 0.5, RASTER, dtype=np.float32) ** 2) / (2 * 0.35**2))
CENTRE: Map = np.outer(BELL, BELL)


def maps(item: ItemFeatures, pixels_HW3: Pixels, text_NN: Mask) -> tuple[Map, ...]:
    """Return saliency maps in [0, 1], in which read text is not masked yet; none for an item without a picture.

    The first map uses colours alone. The others add the preference for the centre and, where the item has a grid, the
    encoder's features.
    """
    if not pixels_HW3.size:
        return ()
    rim = _stretched(background_distance(pixels_HW3, text_NN))
    if not len(item.grid_RC):
        return rim, _stretched(rim + CENTRE)
    grid = item.grid_RC.float()
    normal = functional.normalize(grid, dim=1)
    inner = torch.zeros(*item.grid_shape, dtype=torch.bool)
    inner[1:-1, 1:-1] = True
    edge = normal[~inner.flatten()]
    alike = (normal @ edge.T).topk(min(3, len(edge)), dim=1).values.mean(1)
    active, unlike = (
        _stretched(
            functional.interpolate(
                values.reshape(1, 1, *item.grid_shape), size=(RASTER, RASTER), mode="bilinear", align_corners=False
            )[0, 0].numpy()
        )
        for values in (grid.sum(1), 1 - alike)
    )
    return rim, _stretched(rim * active), _stretched(rim + active + CENTRE), _stretched(rim + active + unlike + CENTRE)


def rectangles(saliency: Sequence[Map], taken_NN: Mask, *, levels: Sequence[float] = LEVELS) -> list[Box]:
    """Return the best rectangle of each map and level, if its sum is positive; cells in ``taken_NN`` count as 0."""
    excess = [np.where(taken_NN, 0.0, values - values.mean() * level) for values in saliency for level in levels]
    found = best_rectangles(np.stack(excess)) if excess else []
    return [box for box in found if box is not None]


def best_rectangles(excess_PNN: npt.NDArray[np.floating]) -> list[Box | None]:
    """Return the rectangle with the largest sum in each of P planes; None where no sum is positive.

    For each pair of rows, the best columns are found by Kadane's algorithm on the sums between the rows.
    """
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
    """Return the cells of the raster that any of the boxes touches."""
    mask = np.zeros((RASTER, RASTER), dtype=bool)
    for box in boxes:
        mask[cells(box, RASTER, RASTER)] = True
    return mask


def background_distance(pixels_HW3: Pixels, text_NN: Mask) -> Map:
    """Return the cost of the cheapest path from each cell to the rim, each step costing its change of colour."""
    planes = torch.from_numpy(pixels_HW3).permute(2, 0, 1)[None].float()
    red, green, blue = functional.interpolate(planes, size=text_NN.shape, mode="area")[0]
    opponents = torch.stack([(red + green + blue) / 3, 0.7 * (red - green), 0.7 * ((red + green) / 2 - blue)], dim=-1)
    colours = opponents.reshape(-1, 3).numpy()
    start, stop, rim = _neighbours()
    # Each step costs at least 0.5, so that distance counts on even ground too.
    steps = np.maximum(np.linalg.norm(colours[start] - colours[stop], axis=1) - NOISE, 0.0) + 0.5
    text = text_NN.ravel()
    steps[text[start] | text[stop]] = TEXT_STEP
    # One more node beside the cells stands for the ground outside; all cells of the rim are next to it.
    count = text.size
    weights = np.concatenate([steps, np.full(len(rim), 1e-3)])
    ends = (np.concatenate([start, rim]), np.concatenate([stop, np.full(len(rim), count)]))
    graph = csr_matrix((weights, ends), shape=(count + 1, count + 1))
    distances: Map = dijkstra(graph, directed=False, indices=count)[:count].reshape(text_NN.shape).astype(np.float32)
    return distances


def _stretched(values_NN: Map) -> Map:
    """Return the values scaled to [0, 1], the lowest and highest 2 % cut off."""
    low, high = np.percentile(values_NN, [2, 98])
    stretched: Map = np.clip((values_NN - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    return stretched


@cache
def _neighbours() -> tuple[Steps, Steps, Steps]:
    """Return the start and stop cells of all steps right, down and along both diagonals, and the cells of the rim."""
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
