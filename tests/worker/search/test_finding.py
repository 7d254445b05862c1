"""What is found: similar items, words, filters, pages, recommendations; and what is said of bad questions."""

from dataclasses import replace

import pytest
import torch

from labelstudio.changes import tasks_of
from store.leases import lease_name
from tagloom_base.errors import UserError
from testing.shop import SHOP
from tests.worker import shop
from tests.worker.search.conftest import KEY, TASKS, filled, finder_of, searched
from worker.corpus.gold import note_gold
from worker.search.finding import Finder, Only, Searched, Wanted
from worker.workplace import Workplace


@pytest.fixture
def finder(workplace: Workplace) -> Finder:
    shop.annotate(workplace.store, [5, 6])
    noted(workplace)
    filled(workplace)
    return finder_of(workplace)


@pytest.fixture
def here(workplace: Workplace) -> list[Searched]:
    return [searched(workplace)]


def noted(workplace: Workplace) -> None:
    """What a training or a keeping of answers does at its end."""
    lease = workplace.store.leases.acquire(lease_name("train", KEY), "test", ttl=60)
    here = searched(workplace)
    assert lease
    note_gold(workplace.store, here.project, here.config, lease)


def tasks(finder: Finder, here: list[Searched], wanted: Wanted) -> list[int]:
    return [one.task for one in finder.search(here, wanted).found]


LIKE_4 = Wanted(task=(KEY, 4), fold="nothing")


def test_the_most_similar_items_come_first(finder: Finder, here: list[Searched]) -> None:
    results = finder.search(here, LIKE_4)
    vectors = {task: vector_D.double() for task, vector_D in finder.vectors_of(here[0].project, range(50)).items()}
    similar = {task: float(vectors[4] @ vector_D) for task, vector_D in vectors.items() if task != 4}
    assert [one.task for one in results.found] == sorted(similar, key=lambda task: (-similar[task], task))[:10]
    assert results.searched == TASKS
    scores = [one.score for one in results.found]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] < 1.01


def test_pages_continue_each_other_and_end(finder: Finder, here: list[Searched]) -> None:
    whole = tasks(finder, here, replace(LIKE_4, count=100))
    assert len(whole) == TASKS - 1
    pages = [finder.search(here, replace(LIKE_4, count=9, page=page)) for page in (1, 2, 3, 4)]
    assert [one.task for page in pages for one in page.found] == whole
    assert [page.more for page in pages] == [True, True, False, False]


def test_a_picture_finds_itself_and_words_find_titles(
    workplace: Workplace, finder: Finder, here: list[Searched]
) -> None:
    item = SHOP.item(7)[0]
    (first, *_) = finder.search(here, Wanted(features=item, fold="nothing")).found
    assert (first.task, round(first.score, 2)) == (7, 1.0)
    title = first.title
    found = finder.search(here, Wanted(text=title, fold="nothing")).found
    assert found[0].title == title
    both = Wanted(features=item, text=found[-1].title, weight=0.1, fold="nothing")
    assert finder.search(here, both).found[0].title == found[-1].title


def test_weight_shares_between_picture_and_words(finder: Finder, here: list[Searched]) -> None:
    def scores(wanted: Wanted) -> dict[int, float]:
        return {one.task: one.score for one in finder.search(here, replace(wanted, fold="nothing", count=50)).found}

    picture, text = Wanted(features=SHOP.item(7)[0]), finder.search(here, replace(LIKE_4, count=20)).found[-1].title
    both = replace(picture, text=text)
    like, said = scores(picture), scores(Wanted(text=text))
    assert scores(replace(both, weight=1.0)) == pytest.approx(like, abs=1e-3)
    assert scores(replace(both, weight=0.0)) == pytest.approx(said, abs=1e-3)
    between = scores(replace(both, weight=0.5))
    assert between[7] < like[7]
    (best, *_) = said
    assert like[best] < between[best] < said[best]


def test_views_of_a_product_are_one_result(finder: Finder, here: list[Searched]) -> None:
    found = finder.search(here, replace(LIKE_4, fold="products", count=50)).found
    folded = {one.task: one.folded for one in found}
    assert folded[5] == ()
    assert sorted(task for one in found for task in (one.task, *one.folded)) == [
        task for task in range(1, TASKS + 1) if task != 4
    ]
    assert any(folded.values())


def test_copies_are_one_result(workplace: Workplace, here: list[Searched]) -> None:
    item = SHOP.item(3)[0]
    shown = torch.randint(0, 255, (16, 16, 3), generator=torch.Generator().manual_seed(3)).byte()
    copy = replace(item, thumbnail_HW3=shown)
    shop.add_tasks(workplace.store, workplace.settings, [200, 201], lambda _: (copy, SHOP.item(3)[1]))
    filled(workplace)
    found = finder_of(workplace).search(here, Wanted(features=copy, count=3)).found
    assert {found[0].task, *found[0].folded} >= {3, 200, 201}


def test_filters_leave_out_all_others(workplace: Workplace, finder: Finder, here: list[Searched]) -> None:
    def only(**wanted: object) -> list[int]:
        return sorted(tasks(finder, here, replace(LIKE_4, only=Only(**wanted), count=50)))  # type: ignore[arg-type]

    assert only(labelled=True) == [5, 6]
    assert len(only(labelled=False)) == TASKS - 3
    gold = {number: SHOP.item(number)[1].labels or frozenset() for number in (5, 6)}
    (label, *_) = sorted(gold[5] | gold[6])
    assert only(tags=(label,)) == [number for number in (5, 6) if label in gold[number]]
    shop.annotate(workplace.store, [7])
    gold[7] = SHOP.item(7)[1].labels or frozenset()
    fresh = [number for number in (5, 6, 7) if label in gold[number]]
    assert only(tags=(label,)) == fresh, "gold that no training has read yet"
    levels = {task.id: SHOP.item(task.id)[0].industry for task in workplace.store.tasks.all(KEY)}
    one = levels[5][0]
    assert only(industry=one) == [task for task, path in levels.items() if one in path and task != 4]
    assert only(industry="no such") == []


def test_the_name_of_a_tag_finds_what_has_it(finder: Finder, here: list[Searched]) -> None:
    labels = SHOP.item(5)[1].labels
    assert labels
    (label, *_) = sorted(labels)
    assert finder.search(here, Wanted(text=label, fold="nothing")).found[0].task in (5, 6)


def test_a_changed_index_is_read_again(workplace: Workplace, finder: Finder, here: list[Searched]) -> None:
    first, second, *_ = tasks(finder, here, LIKE_4)
    workplace.store.tasks.delete(KEY, [first])
    filled(workplace)
    assert tasks(finder, here, LIKE_4)[0] == second


def test_recommended_items_were_not_seen_and_are_no_copies(workplace: Workplace, here: list[Searched]) -> None:
    item = SHOP.item(3)[0]
    shop.add_tasks(workplace.store, workplace.settings, [200], lambda _: (item, SHOP.item(3)[1]))
    filled(workplace)
    results = finder_of(workplace).recommend(here[0], [3, 8, 9, 9999], bought=[8], count=10)
    found = [one.task for one in results.found]
    assert len(found) == len(set(found)) == 10
    assert not {3, 8, 9, 200} & set(found)


def test_ten_thousand_looks_are_read_and_more_are_refused(finder: Finder, here: list[Searched]) -> None:
    many = [*range(1000, 10_997), 1, 2, 3]
    assert len(finder.recommend(here[0], many).found) == 10
    with pytest.raises(UserError, match="at most 10,000"):
        finder.recommend(here[0], [*many, 4])


BAD = [
    (Wanted(), "say what to look for"),
    (Wanted(text="  "), "say what to look for"),
    (Wanted(task=(KEY, 999)), "no task 999 that was read"),
    (Wanted(task=("default/9.9", 1)), "no task 1 that was read"),
    (Wanted(task=(KEY, -1)), "no task -1"),
    (Wanted(text="杯", count=0), "ask for a lower page"),
    (Wanted(text="杯", page=101), "results end at place 1,000"),
    (Wanted(text="杯", only=Only(tags=("no such",))), "no project here has the tag 'no such': its tags are 主体"),
    (Wanted(text="杯", weight=1.5), "weight is a share"),
]


def test_bad_questions_are_answered_by_a_sentence(finder: Finder, here: list[Searched]) -> None:
    for wanted, words in BAD:
        with pytest.raises(UserError, match=words):
            finder.search(here, wanted)


def test_a_project_without_read_items_says_so(workplace: Workplace, here: list[Searched]) -> None:
    workplace.store.tasks.upsert(KEY, tasks_of([shop.payload(1)]))
    finder = finder_of(workplace)
    with pytest.raises(UserError, match="no item of"):
        finder.search(here, LIKE_4)
    with pytest.raises(UserError, match="no item of"):
        finder.recommend(here[0], [1])
    with pytest.raises(UserError, match="no project to search"):
        finder.search([], LIKE_4)


def test_looks_that_nobody_knows_are_told(finder: Finder, here: list[Searched]) -> None:
    with pytest.raises(UserError, match="say which tasks"):
        finder.recommend(here[0], [])
    with pytest.raises(UserError, match="none of the looked-at"):
        finder.recommend(here[0], [999])
