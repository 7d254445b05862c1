"""What is known of a project's shop: read from the store, grown by each training, and edited by people."""

import logging
from collections.abc import Mapping, Sequence

from model.knowledge.facts import Contradiction, Fact, Knowledge, Learned, Relation, disputes
from model.knowledge.learning import Lesson, ShopGold
from model.lexicon.lexicon import Lexicon
from store.knowledge import KnowledgeLines, KnowledgeTable, Lines
from store.leases import Lease
from worker.corpus.corpus import Corpus

LOG = logging.getLogger(__name__)


def known(table: KnowledgeTable, project_key: str) -> Knowledge:
    """Return all that is known of a project's shop.

    Contradictions are those that the last training found in gold, and those between gold and what people say now.
    """
    lines = table.of(project_key)
    knowledge = Knowledge(_learned(lines), said_by_people(lines))
    found = tuple(Contradiction(words, tuple(tasks)) for words, tasks in lines.contradictions)
    return Knowledge(knowledge.learned, knowledge.said, (*disputes(knowledge), *found))


def said_by_people(lines: KnowledgeLines) -> dict[Fact, bool]:
    """Return what people said; lines of a release that knows other relations are left out."""
    return {fact: bool(line[3]) for line in lines.said if (fact := _fact(line)) is not None}


def grow(
    table: KnowledgeTable, project_key: str, corpus: Corpus, labels: Sequence[str], lexicon: Lexicon, lease: Lease
) -> None:
    """Learn anew from the gold that is not held out, and keep it in the place of what was learned before.

    What people said stays. Raises LeaseLost if another worker trains the project by now.
    """
    problem = corpus.problem
    said = said_by_people(table.of(project_key))
    shop = ShopGold(problem.pool, problem.trainable, problem.families, corpus.task_ids)
    lesson = Lesson(shop, tuple(labels), lexicon)
    facts = sorted(lesson.facts().items())
    learned = [[fact.relation, fact.subject, fact.object, one.tasks, one.of] for fact, one in facts]
    found = [[one.words, one.tasks] for one in lesson.contradictions()]
    table.learn(project_key, learned, found, lease)
    LOG.info("%s: %d facts of the shop are known from gold, %d from people", project_key, len(learned), len(said))


def said_lines(said: Mapping[Fact, bool]) -> Lines:
    """Return what people say as lines for the store."""
    return [[fact.relation, fact.subject, fact.object, holds] for fact, holds in sorted(said.items())]


def _learned(lines: KnowledgeLines) -> dict[Fact, Learned]:
    return {fact: Learned(tuple(line[3]), int(line[4])) for line in lines.learned if (fact := _fact(line)) is not None}


def _fact(line: Sequence[str]) -> Fact | None:
    relation, subject, told = line[:3]
    return Fact(Relation(relation), subject, told) if relation in [*Relation] else None
