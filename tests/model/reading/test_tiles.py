"""Tiles cover a picture, and each line in them counts once."""

import time
from itertools import pairwise

import numpy as np
import pytest

from model.reading.tiles import MOST, OVERLAP, SMALLEST, Corners, Tile, joined, tiles_of


def _line(left: float, top: float, right: float, bottom: float) -> Corners:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float32)


def _bounds(lines: Corners) -> set[tuple[float, ...]]:
    return {(*line.min(0).tolist(), *line.max(0).tolist()) for line in lines}


@pytest.mark.parametrize(("length", "breadth"), [(641, 100), (1600, 640), (2050, 640), (9_800, 640), (900, 20)])
def test_tiles_cover_the_picture_and_overlap(length: int, breadth: int) -> None:
    tiles = tiles_of(length, breadth)
    assert tiles[0].is_first
    assert tiles[0].start == 0
    assert tiles[-1].is_last
    assert tiles[-1].end == length
    assert {tile.end - tile.start for tile in tiles} == {min(length, max(breadth, SMALLEST))}
    for one, following in pairwise(tiles):
        assert one.end - following.start >= OVERLAP * SMALLEST - 1
        assert not one.is_last
        assert not following.is_first


def test_a_picture_of_many_tiles_is_read_from_its_beginning() -> None:
    tiles = tiles_of(100_000, 640)
    assert len(tiles) == MOST
    assert tiles[1].start == round(640 * (1 - OVERLAP))
    assert not tiles[-1].is_last


UPPER, LOWER = Tile(0, 640, True, False), Tile(512, 1152, False, True)


def test_a_line_in_the_overlap_counts_once() -> None:
    found = [(UPPER, np.stack([_line(10, 540, 300, 600)])), (LOWER, np.stack([_line(11, 541, 300, 600)]))]
    assert len(joined(found, axis=1)) == 1


def test_where_one_tile_cuts_a_line_the_other_counts() -> None:
    turned = np.array([[10, 610], [300, 600], [302, 660], [12, 670]], dtype=np.float32)
    found = [(UPPER, np.stack([_line(10, 600, 300, 640)])), (LOWER, np.stack([turned]))]
    assert np.array_equal(joined(found, axis=1), [turned])


def test_a_line_that_every_tile_cuts_is_put_together() -> None:
    middle = Tile(512, 1152, False, False)
    end = Tile(1024, 1664, False, True)
    found = [
        (Tile(0, 640, True, False), np.stack([_line(200, 20, 640, 60), _line(20, 20, 120, 60)])),
        (middle, np.stack([_line(512, 18, 1152, 61), _line(600, 100, 900, 140)])),
        (end, np.stack([_line(1024, 20, 1300, 60)])),
    ]
    lines = joined(found, axis=0)
    assert _bounds(lines) == {(200, 18, 1300, 61), (20, 20, 120, 60), (600, 100, 900, 140)}


def test_cut_lines_beside_each_other_stay_apart() -> None:
    found = [
        (UPPER, np.stack([_line(10, 600, 200, 640), _line(300, 600, 500, 640)])),
        (LOWER, np.stack([_line(10, 604, 200, 664), _line(300, 604, 500, 664)])),
    ]
    assert _bounds(joined(found, axis=1)) == {(10, 604, 200, 664), (300, 604, 500, 664)}


def test_lines_within_a_ring_that_was_taken_for_a_letter_stay() -> None:
    found = [
        (UPPER, np.stack([_line(100, 300, 540, 640), _line(110, 400, 500, 440), _line(60, 560, 580, 620)])),
        (LOWER, np.stack([_line(100, 512, 540, 900), _line(60, 560, 580, 620), _line(150, 700, 480, 740)])),
    ]
    lines = _bounds(joined(found, axis=1))
    assert lines == {
        (100, 300, 540, 900),
        (110, 400, 500, 440),
        (60, 560, 580, 620),
        (150, 700, 480, 740),
    }


def test_parts_of_what_another_tile_shows_as_one_line_do_not_count() -> None:
    found = [
        (UPPER, np.stack([_line(10, 540, 160, 600), _line(180, 540, 300, 600)])),
        (LOWER, np.stack([_line(10, 540, 300, 601)])),
    ]
    assert _bounds(joined(found, axis=1)) == {(10, 540, 300, 601)}


def test_what_lies_beside_the_picture_is_no_line() -> None:
    assert joined([(UPPER, np.stack([_line(640, 20, 640, 60), _line(3, 80, 400, 82)]))], axis=1).shape == (0, 4, 2)


def test_a_whole_line_beats_its_cut_ends() -> None:
    found = [
        (Tile(0, 640, True, False), np.stack([_line(435, 19, 620, 42)])),
        (Tile(512, 1152, False, False), np.stack([_line(512, 15, 622, 44)])),
        (Tile(560, 1200, False, True), np.stack([_line(560, 11, 622, 51)])),
    ]
    assert _bounds(joined(found, axis=0)) == {(435, 19, 620, 42)}


def test_thousands_of_lines_take_less_time_than_reading_them() -> None:
    rows = range(40, 600, 16)
    found = []
    for tile in tiles_of(16_000, 640):
        cells = [(left, tile.start + top) for top in rows for left in range(10, 600, 60)]
        found.append((tile, np.stack([_line(left, top, left + 40, top + 9) for left, top in cells])))
    began = time.thread_time()
    lines = joined(found, axis=1)
    assert time.thread_time() - began < 20.0, "comparing each with each in Python takes minutes"
    assert 8_000 < len(lines) <= sum(len(corners) for _, corners in found)


def test_tiles_without_lines_have_none() -> None:
    assert joined([(UPPER, np.zeros((0, 4, 2), dtype=np.float32))], axis=1).shape == (0, 4, 2)
