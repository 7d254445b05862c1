"""The knowledge of a shop as a YAML text that people read and edit.

A line is ``object: value`` below its subject, and below its section (`Relation`). The value is ``gold …`` for what gold
taught, or ``yes`` or ``no`` for what people say, behind which may stand what gold says. Only yes and no are read back.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import yaml

from model.knowledge.facts import PLACED, Fact, Knowledge, Learned, Relation

SHOWN = 5
"""The most tasks that a line names."""
LONGEST = 300
"""The most characters of a name."""
_PLACE = re.compile(r"task \d+ at( \d{1,3}(\.\d+)?){4}")
_HEAD = """\
# What is known of {project}. Change a line's value to yes or no, or add a line: what people say wins over gold, and
# stays until you take it out. Lines with gold are made by each training; to deny one, write no. Then:
# tagloom knowledge import PROJECT FILE
"""


@dataclass(frozen=True)
class Reading:
    """What people say in a text, and how many of its lines tell what gold taught."""

    said: dict[Fact, bool]
    of_gold: int


class WrongLineError(ValueError):
    """A line that cannot be understood; the message begins with its number and says what to write."""

    def __init__(self, line: int, words: str) -> None:
        super().__init__(f"line {line}: {words}")


def written(knowledge: Knowledge, project: str) -> str:
    """Return all facts as a text that `read` reads; contradictions stand at its head as comments."""
    lines = [_HEAD.format(project=" ".join(project.split()))]
    for one in knowledge.contradictions:
        where = f" ({_tasks(one.tasks)})" if one.tasks else ""
        lines.append(f"# contradiction: {' '.join(one.words.split())}{where}\n")
    before: tuple[str, str] = "", ""
    for fact in sorted({*knowledge.learned, *knowledge.said}, key=_order):
        if fact.relation != before[0]:
            lines.append(f"\n{fact.relation}:\n")
        if (fact.relation, fact.subject) != before:
            lines.append(f"  {_scalar(fact.subject)}:\n")
        before = fact.relation, fact.subject
        lines.append(f"    {_scalar(fact.object)}: {value_of(knowledge, fact)}\n")
    return "".join(lines)


def value_of(knowledge: Knowledge, fact: Fact) -> str:
    """Return the value of a fact's line: yes, no, and what gold says."""
    said, gold = knowledge.said.get(fact), knowledge.learned.get(fact)
    parts = [] if said is None else ["yes" if said else "no"]
    return ", ".join([*parts, *([_told(gold)] if gold else [])])


def read(text: str, labels: Collection[str]) -> Reading:
    """Return what people say in a text. ``labels`` are those of the project.

    Raises WrongLineError for the first line that is wrong; then nothing of the text counts.
    """
    said: dict[Fact, bool] = {}
    of_gold = 0
    for fact, value, line in _entries(text, labels):
        word = value.partition(",")[0].strip().casefold()
        if word in ("yes", "no"):
            said[fact] = word == "yes"
        elif word.startswith("gold"):
            of_gold += 1
        else:
            raise WrongLineError(
                line, f"{value!r} behind {fact.object!r}: write yes or no, or leave what gold says there"
            )
    return Reading(said, of_gold)


def _entries(text: str, labels: Collection[str]) -> Iterator[tuple[Fact, str, int]]:
    """Yield the fact, the value and the line number of each line that holds a fact."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        raise WrongLineError(
            mark.line + 1 if mark else 1,
            f"this is no YAML ({wrong.problem}): write NAME: yes with its spaces in front, and quotes around a name "
            "with : or #",
        ) from wrong
    except yaml.YAMLError as wrong:
        raise WrongLineError(
            1, f"this is no YAML text ({wrong}): save the file as UTF-8 without control characters"
        ) from wrong
    for section, subjects in _pairs(root, "the sections, such as brand names:"):
        line = section.start_mark.line + 1
        if section.value not in [*Relation]:
            raise WrongLineError(line, f"{section.value!r} is no section: use one of {', '.join(Relation)}")
        relation = Relation(section.value)
        for subject, objects in _pairs(subjects, f"NAME: below {relation}:"):
            for named, value in _pairs(objects, f"lines such as NAME: yes below {subject.value}:"):
                line = named.start_mark.line + 1
                if not isinstance(value, yaml.ScalarNode):
                    raise WrongLineError(line, f"behind {named.value!r} stands no value: write yes or no")
                _check(relation, named.value, line, labels)
                yield Fact(relation, subject.value, named.value), value.value, line


def _pairs(node: yaml.Node | None, wanted: str) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """Yield the names of a mapping with what stands below them; nothing for an empty place."""
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        return
    if not isinstance(node, yaml.MappingNode):
        raise WrongLineError(node.start_mark.line + 1, f"write {wanted}")
    first: dict[str, int] = {}
    for name, below in node.value:
        line = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode) or not 0 < len(name.value.strip()) <= LONGEST:
            raise WrongLineError(line, f"write a name of 1 to {LONGEST} characters before the colon")
        if name.value in first:
            raise WrongLineError(line, f"{name.value!r} stands in line {first[name.value]} too: keep one of the two")
        first[name.value] = line
        yield name, below


def _check(relation: Relation, named: str, line: int, labels: Collection[str]) -> None:
    """Raise WrongLineError for an object that means nothing in this project."""
    if relation is Relation.ELEMENT and named not in labels:
        raise WrongLineError(line, f"{named!r} is no label of this project: use one of {', '.join(labels)}")
    if relation in PLACED and not _PLACE.fullmatch(named):
        words = "write task 12 at 2 3 20 10 (left, top, right and bottom in percent of the picture)"
        raise WrongLineError(line, f"{named!r} is no place of a look: {words}")


def _order(fact: Fact) -> tuple[int, str, str]:
    return list(Relation).index(fact.relation), fact.subject, fact.object


def _told(gold: Learned) -> str:
    counted = f"{len(gold.tasks)} of {gold.of}, " if gold.of else ""
    return f"gold {counted}{_tasks(gold.tasks)}"


def _tasks(tasks: tuple[int, ...]) -> str:
    further = f" and {len(tasks) - SHOWN} more" if len(tasks) > SHOWN else ""
    return ("task " if len(tasks) == 1 else "tasks ") + ", ".join(map(str, tasks[:SHOWN])) + further


def _scalar(name: str) -> str:
    """Return a name as YAML writes it in one line, in quotes where it needs some."""
    text: str = yaml.safe_dump(name, allow_unicode=True, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...")
