"""The table of guarantees follows the source; the mutations themselves are run by hand."""

import ast
from pathlib import Path

import pytest

from bench.mutations import ROOT, Mutation, _tried, table

TABLE = table()


@pytest.mark.parametrize("mutation", TABLE, ids=lambda entry: entry.guarantee)
def test_each_mutation_still_applies_and_its_tests_are_there(mutation: Mutation) -> None:
    source = (ROOT / mutation.file).read_text(encoding="utf-8")
    broken = mutation.applied(source)
    assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(source))
    assert mutation.tests
    for test in mutation.tests:
        file, _, name = test.partition("::")
        assert (ROOT / file).is_file(), file
        assert not name or f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), test


def test_there_are_forty_and_each_is_told_apart() -> None:
    assert len({entry.guarantee for entry in TABLE}) == len(TABLE) >= 40


@pytest.mark.parametrize("source", ["b = 1\n", "a = 1\na = 1\n"])
def test_what_does_not_stand_exactly_once_is_told(source: str) -> None:
    with pytest.raises(ValueError, match=r"stands [02] times in part\.py, not once"):
        Mutation("kept", "part.py", "a = 1", "a = 2", ()).applied(source)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "verdict"),
    [
        ("assert part.a == 1", "caught"),
        ("assert part.a", "missed"),
        ("assert part.a == 3", "red without the change, too"),
    ],
)
def test_a_change_is_caught_or_missed_and_the_copy_is_as_before(tmp_path: Path, test: str, verdict: str) -> None:
    (tmp_path / "part.py").write_text("a = 1\n")
    (tmp_path / "test_part.py").write_text(f"import part\n\n\ndef test_a():\n    {test}\n")
    assert _tried(tmp_path, Mutation("kept", "part.py", "a = 1", "a = 2", ("test_part.py",))) == verdict
    assert (tmp_path / "part.py").read_text() == "a = 1\n"
