from backend.pages.plot import NAME_HEIGHT, Line, Plot


def test_shares_become_pixels_and_empty_lines_are_left_out() -> None:
    plot = Plot.of([Line("a", "#000", [(0, 0), (1, 1)]), Line("b", "#111", [])], [("half", 0.5)], "gold")
    (line,) = plot.lines
    assert line.points == [(Plot.left, Plot.bottom), (Plot.right, Plot.top)]
    assert plot.marks[0].x == (Plot.left + Plot.right) / 2
    assert [level.text for level in plot.levels] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]


def test_names_of_lines_that_end_together_stand_apart() -> None:
    plot = Plot.of([Line(name, "#000", [(1, 0.5)]) for name in "abc"], [], "gold")
    places = [line.name_y for line in plot.lines]
    assert places == [places[0] + NAME_HEIGHT * place for place in range(3)]
