import torch

from model.items import Gold
from model.knowledge.facts import Fact, Knowledge, Relation
from model.knowledge.learning import Lesson, ShopGold
from model.knowledge.shop import BRANDS, GIFTS, RULE, RULES, SOURCES, Shop
from model.lexicon.lexicon import Lexicon
from model.state import State
from tests.model.knowledge.pictures import CORNER, LABELS, MIDDLE, gold, picture

LEXICON = Lexicon.load()
NONE = Gold(frozenset(), ())
# Two products of one brand whose name is read once, others without a logo, and new pictures without gold.
POOL = [
    picture({CORNER: 1}, reads="NOVA", seed=0),
    picture({CORNER: 1}, seed=1),
    *(picture(title="Apex 锅", seed=seed) for seed in range(2, 8)),
    picture({MIDDLE: 1}, title="锅", seed=20),
    picture({MIDDLE: 2}, title="锅", seed=21),
]
GOLD = {0: gold(LOGO=CORNER), 1: gold(LOGO=CORNER)} | dict.fromkeys(range(2, 8), NONE)
FAMILIES = ["a", "b", *"cdefgh", "y", "z"]
TASKS = tuple(range(1, 11))


def learned(said: dict[Fact, bool] | None = None) -> tuple[Shop, torch.Tensor]:
    lesson = Lesson(ShopGold(POOL, GOLD, FAMILIES, TASKS), LABELS, LEXICON)
    said = said or {}
    families = {TASKS[row]: FAMILIES[row] for row in GOLD}
    shop = Shop.of(lesson.looks(said), Knowledge(lesson.facts(), said), LABELS, LEXICON, families)
    return shop.measured(POOL, FAMILIES, sorted(GOLD))


def test_a_known_logo_speaks_for_its_label_without_being_read_and_a_missing_one_against_it() -> None:
    shop, opinion_FNK = learned()
    memory_NK = opinion_FNK[SOURCES.index(BRANDS)]
    assert memory_NK[8, 0] > 0.5
    assert memory_NK[8, 0] > memory_NK[9, 0]
    assert memory_NK[2:8, 0].max() < 0
    assert not memory_NK[:, 1:].any(), "it speaks for logos alone"
    assert torch.allclose(shop.opinions(POOL[8:]), opinion_FNK[:, 8:])


def test_an_opinion_on_gold_comes_from_other_products() -> None:
    shop, opinion_FNK = learned()
    # Row 0 alone reads the brand: its own product taught the name, and so did row 1's title.
    assert opinion_FNK[0, 0, 0] > 0
    apart = shop.without({"a", "b"}).opinions(POOL[:2])
    assert (apart[0, :, 0] < opinion_FNK[0, :2, 0]).all()


def test_people_s_rules_speak_by_the_deepest_industry_and_a_name_that_they_add_is_read() -> None:
    said = {
        Fact(Relation.ELEMENT, "家电", "文案"): True,
        Fact(Relation.ELEMENT, "家电 > 水壶", "文案"): False,
        Fact(Relation.INDUSTRY_GIFT, "家电", "保温杯"): True,
        Fact(Relation.ALIAS, "nova", "诺娃"): True,
    }
    shop, _ = learned(said)
    plain, deep = picture(seed=30), picture(seed=30)
    object.__setattr__(deep, "industry", ("家电", "水壶"))
    told = picture({MIDDLE: 9}, reads="保温杯", seed=30)
    opinion_FNK = shop.opinions([plain, deep, told, picture({MIDDLE: 9}, reads="诺娃", seed=30)])
    rules, gifts, brands = (SOURCES.index(name) for name in (RULES, GIFTS, BRANDS))
    assert opinion_FNK[rules, :2, 2].tolist() == [RULE, -RULE]
    assert opinion_FNK[gifts, 2, 1] - opinion_FNK[gifts, 3, 1] == 2
    assert opinion_FNK[brands, 3, 0] - opinion_FNK[brands, 2, 0] == 2


def test_a_name_that_people_deny_is_not_read_any_more() -> None:
    title = Fact(Relation.LOGO, "nova", "task 1 at 5 5 35 20"), Fact(Relation.LOGO, "nova", "task 2 at 5 5 35 20")
    shop, _ = learned(dict.fromkeys(title, False))
    assert shop.looks is None
    assert not shop.opinions(POOL)[0].any()


def test_a_stored_shop_answers_the_same() -> None:
    said = {Fact(Relation.ELEMENT, "家电", "文案"): True, Fact(Relation.COPY, "618", "年中"): True}
    shop, _ = learned(said)
    facts = {"labels": list(LABELS), "lexicon": LEXICON.as_dict()}
    stored = Shop.from_state(State.joined([State(facts=facts), shop.state()]))
    assert stored is not None
    assert torch.allclose(stored.opinions(POOL), shop.opinions(POOL), atol=0.05)
    assert Shop.from_state(State()) is None
