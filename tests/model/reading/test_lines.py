"""When lines are read a second time, turned, and what is told of them."""

from collections.abc import Callable

import numpy as np

from model.reading.lines import TURNED, UNREADABLE, Line, Pixels, recognised

UPRIGHT = Line("十个字的一行文案在此", 0.99)
STRAY = Line("品", 0.97)


def _crops(count: int, width: int = 480) -> list[Pixels]:
    """Lines ten times as long as they are high, each with its number in its first pixel and 255 in its last."""
    crops = [np.full((48, width, 3), number, dtype=np.uint8) for number in range(count)]
    for crop in crops:
        crop[-1, -1] = 255
    return crops


def _reader(upright: list[Line], turned: list[Line]) -> Callable[[list[Pixels]], list[Line]]:
    """A recogniser that says one thing of a line as it is and another of the turned line."""
    return lambda crops: [
        (turned if crop[0, 0, 0] == 255 else upright)[int(crop[1, 1, 0])] for crop in crops
    ]  # fmt: skip


def test_upright_lines_are_read_once() -> None:
    calls: list[int] = []

    def read(crops: list[Pixels]) -> list[Line]:
        calls.append(len(crops))
        return [UPRIGHT, UPRIGHT, STRAY][: len(crops)]

    assert recognised([_crops(3)], read) == [([UPRIGHT, UPRIGHT, STRAY], ())]
    assert calls == [3]
    assert recognised([[], []], read) == [([], ()), ([], ())]
    assert calls == [3]


def test_lines_upside_down_are_read_turned() -> None:
    ((lines, notes),) = recognised([_crops(2)], _reader([STRAY, Line("", 0.0)], [UPRIGHT, UPRIGHT]))
    assert lines == [UPRIGHT, UPRIGHT]
    assert notes == (TURNED,)


def test_a_line_that_looks_sure_is_read_turned_with_the_others() -> None:
    alike = Line("NEWSON一二", 0.95)
    ((lines, notes),) = recognised([_crops(3)], _reader([STRAY, alike, STRAY], [UPRIGHT, UPRIGHT, UPRIGHT]))
    assert lines == [UPRIGHT] * 3
    assert notes == (TURNED,)


def test_a_few_lines_that_look_alike_turned_prove_nothing() -> None:
    ((lines, notes),) = recognised([_crops(3)], _reader([STRAY] * 3, [UPRIGHT, STRAY, STRAY]))
    assert lines == [STRAY] * 3
    assert notes == (UNREADABLE,)


def test_a_turned_line_counts_only_if_it_is_sure_and_says_more() -> None:
    unsure, shorter = Line("十个字的一行文案在此", 0.85), Line("口", 0.99)
    ((lines, notes),) = recognised([_crops(2)], _reader([STRAY, STRAY], [unsure, shorter]))
    assert lines == [STRAY, STRAY]
    assert notes == (UNREADABLE,)


def test_most_of_the_text_must_be_doubtful() -> None:
    assert recognised([_crops(3)], _reader([UPRIGHT, UPRIGHT, STRAY], [UPRIGHT] * 3))[0][1] == ()


def test_a_single_line_that_cannot_be_read_is_not_told() -> None:
    assert recognised([_crops(1)], _reader([STRAY], [STRAY])) == [([STRAY], ())]


def test_of_several_pictures_only_the_doubtful_one_is_read_turned() -> None:
    calls: list[int] = []

    def read(crops: list[Pixels]) -> list[Line]:
        calls.append(len(crops))
        said = _reader([STRAY, UPRIGHT, UPRIGHT], [UPRIGHT, STRAY, STRAY])
        return said(crops)

    upright, doubtful = _crops(3)[1:], _crops(1)
    assert recognised([upright, doubtful, [], upright], read) == [
        ([UPRIGHT, UPRIGHT], ()),
        ([UPRIGHT], (TURNED,)),
        ([], ()),
        ([UPRIGHT, UPRIGHT], ()),
    ]
    assert calls == [5, 1]
