from dataclasses import replace

from model.features.item import ItemFeatures
from model.items import Box, Gold
from model.knowledge.facts import PLACED, Fact, Learned, Relation, place_of
from model.knowledge.learning import Lesson, ShopGold
from model.lexicon.lexicon import Lexicon
from tests.model.knowledge.pictures import CORNER, LABELS, MIDDLE, gold, picture

LEXICON = Lexicon.load()
NONE = Gold(frozenset(), ())


def lesson(*items: tuple[ItemFeatures, Gold], labels: tuple[str, ...] = LABELS, lexicon: Lexicon = LEXICON) -> Lesson:
    """What pictures with gold teach; task n is in row n - 1, and each is of a product of its own."""
    numbers = range(len(items))
    gold_of = {row: one for row, (_, one) in enumerate(items)}
    pool = [item for item, _ in items]
    return Lesson(
        ShopGold(pool, gold_of, [f"p{row}" for row in numbers], [row + 1 for row in numbers]), labels, lexicon
    )


def test_a_brand_gets_its_names_in_both_scripts_and_the_places_of_its_logos() -> None:
    title = "Nova/诺瓦 电水壶"
    facts = lesson(
        (picture({CORNER: 1}, reads="NOVA", title=title), gold(LOGO=CORNER)),
        (picture({CORNER: 1}, title=title), gold(LOGO=CORNER)),
    ).facts()
    assert facts[Fact(Relation.ALIAS, "nova", "诺瓦")] == Learned((1, 2))
    logos = [fact.object for fact in facts if fact.relation is Relation.LOGO]
    assert sorted(logos) == [place_of(task, (0.05, 0.05, 0.35, 0.2)) for task in (1, 2)]


def test_a_logo_whose_text_is_not_the_title_s_brand_has_its_own_name() -> None:
    facts = lesson((picture({CORNER: 1}, reads="天猫旗舰店", title="Nova 水壶"), gold(LOGO=CORNER))).facts()
    assert {fact.subject for fact in facts if fact.relation is Relation.LOGO} == {"天猫"}
    nameless = lesson((picture({CORNER: 1}, title=""), gold(LOGO=CORNER))).facts()
    assert {fact.subject for fact in nameless if fact.relation is Relation.LOGO} == {"logo of task 1"}


def test_a_set_is_learned_for_product_and_industry_and_an_unnamed_gift_is_known_by_its_look() -> None:
    named = picture({MIDDLE: 3}, reads="送保温杯", title="Nova 水壶")
    facts = lesson(
        (named, gold(赠品=MIDDLE)),
        (picture({MIDDLE: 3}, title="Apex 水壶"), gold(赠品=MIDDLE)),
        (picture({MIDDLE: 4}, title="Apex 锅"), gold(赠品=MIDDLE)),
    ).facts()
    assert facts[Fact(Relation.INDUSTRY_GIFT, "家电", "保温杯")] == Learned((1, 2))
    assert facts[Fact(Relation.FAMILY_GIFT, "Apex 水壶", "保温杯")] == Learned((2,))
    assert facts[Fact(Relation.FAMILY_GIFT, "Apex 锅", "gift of task 3")] == Learned((3,))


def test_elements_are_counted_where_gold_knows_and_copy_belongs_to_its_season() -> None:
    sale = picture({CORNER: 1}, reads="双11狂欢")
    facts = lesson(
        (sale, Gold(frozenset({"文案"}))), (sale, NONE), (sale, Gold(frozenset(), unknown=frozenset({"文案"})))
    ).facts()
    assert facts[Fact(Relation.ELEMENT, "家电", "文案")] == Learned((1,), of=2)
    assert facts[Fact(Relation.COPY, "双11", "双11狂欢")] == Learned((1,))


def test_labels_count_by_what_they_are_taken_for() -> None:
    kinds = {name: replace(kind, aliases=(*kind.aliases, "印记X") if name == "logo" else kind.aliases)
             for name, kind in LEXICON.kinds.items()}  # fmt: skip
    shown = (picture({CORNER: 1}, reads="NOVA"), gold(印记X=CORNER))
    known = lesson(shown, labels=("印记X",), lexicon=Lexicon(kinds))
    assert any(fact.relation is Relation.LOGO for fact in known.facts())
    assert known.looks({}) is not None
    unknown = lesson(shown, labels=("印记X",))
    assert not any(fact.relation in PLACED for fact in unknown.facts())
    assert unknown.looks({}) is None


def test_a_look_that_people_deny_is_no_prototype_and_one_that_they_moved_stays_one() -> None:
    known = lesson((picture({CORNER: 1}, reads="NOVA"), gold(LOGO=CORNER)))
    (look,) = [fact for fact in known.facts() if fact.relation is Relation.LOGO]
    assert known.looks({look: False}) is None
    assert known.looks({look: False, Fact(Relation.LOGO, "apex", look.object): True}) is not None


def test_one_look_with_two_names_and_one_that_gold_denies_are_told() -> None:
    told = lesson(
        (picture({CORNER: 1}, reads="NOVA"), gold(LOGO=CORNER)),
        (picture({CORNER: 1}, reads="天猫", title="Apex 锅", seed=2), gold(LOGO=CORNER)),
        (picture({CORNER: 1}, reads="保温杯", seed=3), NONE),
        (picture(seed=4), NONE),
    ).contradictions()
    words = {one.words: one.tasks for one in told}
    assert words["brand logos: one look with two names, nova and 天猫"] == (1, 2)
    (denied,) = [tasks for text, tasks in words.items() if "gold denies LOGO" in text]
    assert denied == (3,)


def test_without_a_picture_names_are_learned_and_looks_are_not() -> None:
    bare = replace(picture(), grid_RC=picture().grid_RC[:0], grid_shape=(0, 0))
    known = lesson((bare, gold(LOGO=Box(0, 0, 0.2, 0.2))))
    assert known.facts()
    assert known.looks({}) is None
    assert known.contradictions() == ()
