"""Descriptors of candidates: place, the text in and around each, the cold start's scores, saliency, and colour.

Shape suffixes: N candidates, B read blocks, D descriptor entries, F role flags, C role counts, M rectangles, H, W
pixels.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model.boxes.candidates import Candidates
from model.boxes.grouping import Layout, gaps
from model.boxes.nms import areas, intersections, ious, to_tensor

# The kinds of elements whose cold-start scores are part of a descriptor.
KINDS = ("product", "gift", "logo", "copy", "price")
# A block outside a candidate is near up to this gap, in picture heights.
NEAR = 0.06
# The surroundings of a candidate reach this far, in sides of the picture.
RING = 0.06
# An edge cluster that overlaps a candidate more than this (IoU) confirms it.
STABLE = 0.7
# Larger gaps count as this one; so does the gap where there is no block.
FAR = 9.0
# The numbers of flags and of counts in a role.
FLAGS = 8
COUNTS = 4

Array = npt.NDArray[np.float32]


def describe(found: Candidates) -> Array:
    """Return the (N, D) descriptors; D is the same for every picture."""
    # Place: edges, sides, area, form and distance to the centre, and whether the candidate is made of text.
    left, top, right, bottom = edges = found.boxes_N4.numpy().T
    width, height = right - left, bottom - top
    place = (
        *edges,
        width,
        height,
        width * height,
        np.log((width + 1e-3) / (height + 1e-3)),
        np.abs((left + right) / 2 - 0.5),
        np.abs((top + bottom) / 2 - 0.5),
        found.from_text_N.numpy(),
    )
    # Mean and standard deviation of each colour, and mean saturation; every second row and column is enough for means.
    pixels = found.scene.pixels[::2, ::2].astype(np.float64) / 255
    colour: npt.NDArray[np.floating] = np.zeros((len(found.boxes_N4), 7), dtype=np.float32)
    if pixels.size:
        saturation = pixels.max(2, keepdims=True) - pixels.min(2, keepdims=True)
        total, area = box_sums(np.concatenate([pixels, pixels**2, saturation], axis=2), found.boxes_N4.numpy())
        mean = total / area[:, None]
        spread = np.sqrt(np.maximum(mean[:, 3:6] - mean[:, :3] ** 2, 0.0))
        colour = np.concatenate([mean[:, :3], spread, mean[:, 6:]], axis=1)
    parts = (kind_scores(found, KINDS), np.stack(place, axis=1), _text(found), _salience(found), colour)
    descriptors_ND: Array = np.concatenate(parts, axis=1).astype(np.float32)
    return descriptors_ND


def kind_scores(found: Candidates, kinds: Sequence[str]) -> Array:
    """Return the (N, kinds) scores of the cold start: the largest overlap times score of its elements of each kind."""
    columns = np.zeros((len(found.boxes_N4), len(kinds)), dtype=np.float32)
    for position, kind in enumerate(kinds):
        elements = [element for element in found.elements if element.kind == kind]
        if elements:
            overlap_NE = ious(found.boxes_N4, to_tensor([element.box for element in elements])).numpy()
            columns[:, position] = (overlap_NE * np.array([element.score for element in elements])).max(1)
    return columns


def _text(found: Candidates) -> Array:
    """Return how much text is inside, how complete the group of blocks is, and which roles are inside and near."""
    scene, boxes_N4 = found.scene, found.boxes_N4
    if not scene.boxes:
        return np.zeros((len(boxes_N4), 2 + 1 + 3 * FLAGS + COUNTS + 4 + 5), dtype=np.float32)
    blocks_B4, heights = to_tensor(scene.boxes), scene.layout.heights
    shared_NB = intersections(boxes_N4, blocks_B4).numpy()
    share_NB = shared_NB / areas(blocks_B4).numpy()
    inside_NB, outside_NB = share_NB > 0.5, share_NB < 0.3
    inside = inside_NB.sum(1)
    roles_BR = np.array([tuple(vars(role).values()) for role in scene.roles], dtype=np.float32)
    flags_BF, counts_BC = roles_BR[:, :FLAGS] > 0, roles_BR[:, FLAGS:]
    gap_NB = gaps(boxes_N4.numpy(), blocks_B4.numpy(), scene.aspect).max(2).clip(min=0.0)
    near_NB = outside_NB & (gap_NB < NEAR)
    nearest = np.where(outside_NB, gap_NB, FAR).min(1)
    tallest = np.where(inside_NB, heights, 0.0).max(1)
    lowest = np.where(inside_NB.any(1), np.where(inside_NB, heights, 1.0).min(1), 0.0)
    mean = (inside_NB * heights).sum(1) / np.maximum(inside, 1)
    loosest, loose = _inner_gaps(inside_NB, scene.layout)
    columns = [
        inside[:, None],
        ((share_NB > 0.05) & ~inside_NB).sum(1)[:, None],
        (shared_NB.sum(1) / np.maximum(areas(boxes_N4).numpy(), 1e-6))[:, None],
        (inside_NB[:, :, None] & flags_BF[None]).any(1),
        inside_NB @ flags_BF.astype(np.float32) / np.maximum(inside, 1)[:, None],
        (near_NB[:, :, None] & flags_BF[None]).any(1),
        np.log1p(inside_NB @ counts_BC),
        np.stack([tallest, lowest, mean, lowest / np.maximum(tallest, 1e-6)], axis=1),
        np.stack([np.minimum(nearest / np.maximum(mean, 1e-3), FAR), nearest, loosest, loose], axis=1),
        _fit(boxes_N4.numpy(), inside_NB, blocks_B4.numpy())[:, None],
    ]
    return np.concatenate(columns, axis=1)


def _inner_gaps(inside_NB: npt.NDArray[np.bool_], layout: Layout) -> tuple[Array, Array]:
    """Return the largest and mean gap from a block to its nearest neighbour in the candidate, in line heights."""
    lower_BB = np.minimum(layout.heights[:, None], layout.heights[None])
    gap_BB = layout.free.max(2).clip(min=0.0) / np.maximum(lower_BB, 1e-3)
    np.fill_diagonal(gap_BB, FAR)
    nearest_NB = np.where(inside_NB[:, None, :], gap_BB[None], FAR).min(2)
    # A single block has no neighbour, which counts as no gap.
    several_N = inside_NB.sum(1) > 1
    gaps_NB = np.where(inside_NB & several_N[:, None], np.minimum(nearest_NB, FAR), 0.0)
    return gaps_NB.max(1), gaps_NB.sum(1) / np.maximum(inside_NB.sum(1), 1)


def _fit(boxes_N4: Array, inside_NB: npt.NDArray[np.bool_], blocks_B4: Array) -> Array:
    """Return the overlap (IoU) of each candidate with the bounds of the text in it; 0 without text."""
    inside = inside_NB[:, :, None]
    lower = np.where(inside, blocks_B4[None, :, :2], 1.0).min(1)
    upper = np.where(inside, blocks_B4[None, :, 2:], 0.0).max(1)
    shared = (np.minimum(boxes_N4[:, 2:], upper) - np.maximum(boxes_N4[:, :2], lower)).clip(min=0).prod(1)
    total = (boxes_N4[:, 2:] - boxes_N4[:, :2]).prod(1) + (upper - lower).clip(min=0).prod(1) - shared
    return np.where(inside_NB.any(1), shared / np.maximum(total, 1e-9), 0.0)


def _salience(found: Candidates) -> Array:
    """Return overlap with the product, agreement of other rectangles, and contrast of each map to the surroundings."""
    boxes_N4 = found.boxes_N4
    count = len(boxes_N4)
    if not found.saliency:
        return np.zeros((count, 5 + 4), dtype=np.float32)
    product_14 = to_tensor([element.box for element in found.elements if element.kind == "product"])[:1]
    shared = intersections(boxes_N4, product_14).numpy()[:, 0] / np.maximum(areas(boxes_N4).numpy(), 1e-6)
    agreement = ious(boxes_N4, found.objects_M4).mean(1).nan_to_num().numpy()
    stable_NM = ious(boxes_N4, found.contours_M4).numpy()
    stability = (stable_NM > STABLE).sum(1) if stable_NM.size else np.zeros(count)
    outline = stable_NM.max(1) if stable_NM.size else np.zeros(count)
    columns = [ious(boxes_N4, product_14).numpy()[:, 0], shared, agreement, np.log1p(stability), outline]
    ringed_N4 = (boxes_N4.numpy() + np.array([-RING, -RING, RING, RING], dtype=np.float32)).clip(0, 1)
    for values in found.saliency[:2]:
        total, area = box_sums(values[:, :, None], boxes_N4.numpy())
        wide, wide_area = box_sums(values[:, :, None], ringed_N4)
        inside = total[:, 0] / area
        # A candidate that fills the picture has no surroundings: its contrast is 0.
        around = np.where(wide_area > area, (wide - total)[:, 0] / np.maximum(wide_area - area, 1e-6), inside)
        columns += [inside, inside - around]
    return np.stack(columns, axis=1)


def box_sums(planes_HWC: npt.NDArray[np.floating], boxes_N4: Array) -> tuple[npt.NDArray[np.float64], Array]:
    """Return the sum of each plane over the cells that a box touches, and the number of these cells (at least one)."""
    height, width = planes_HWC.shape[:2]
    # Sums of the planes from the top left corner: any rectangle's sum takes four of them.
    total = np.zeros((height + 1, width + 1, planes_HWC.shape[2]))
    total[1:, 1:] = planes_HWC.cumsum(0).cumsum(1)
    left = np.floor(boxes_N4[:, 0] * width).astype(int).clip(0, width - 1)
    top = np.floor(boxes_N4[:, 1] * height).astype(int).clip(0, height - 1)
    right = np.ceil(boxes_N4[:, 2] * width).astype(int).clip(left + 1, width)
    bottom = np.ceil(boxes_N4[:, 3] * height).astype(int).clip(top + 1, height)
    sums = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
    return sums, ((right - left) * (bottom - top)).astype(np.float32)
