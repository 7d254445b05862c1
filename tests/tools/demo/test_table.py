"""The table that grows."""

from tools.demo.scoring import Scores
from tools.demo.table import Row, Table


def test_it_grows_line_by_line_under_its_headings() -> None:
    lines: list[str] = []
    table = Table(lines.append)
    table.add(Row(0, "v0.aaaa", Scores(0.5, 0.625, {}), 61.4))
    assert len(lines) == 3
    table.add(Row(10, "v0.aaaa", Scores(0.5, 0.625, {}, 0.25), 80, None, "kept: no better"))
    table.add(Row(30, "v12.cdef", Scores(0.7, 0.75, {}, 0.5), 99, 12.34))
    headings, rule, first, kept, swapped = lines
    assert headings.split() == ["time", "gold", "version", "macro-F1", "weighted-F1", "mAP@0.5", "swap"]
    assert first.split() == ["61", "s", "0", "v0.aaaa", "0.500", "0.625", "-", "-"]
    assert kept.endswith("kept: no better")
    assert swapped.split() == ["99", "s", "30", "v12.cdef", "0.700", "0.750", "0.500", "12.3", "s"]
    assert len({len(line) for line in (headings, rule, first)}) == 1
