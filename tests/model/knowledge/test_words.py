import pytest

from model.items import Box, TextBlock
from model.knowledge.words import Words, gift_name, names_read, season_of, title_names
from model.lexicon.lexicon import Lexicon
from testing.features import block, features


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("Konka/康佳 LED 电视", ("konka", "康佳")),
        ("【年货】 NOVA 水壶", ("nova",)),
        ("海尔冰箱双开门家用节能", ()),
        ("", ()),
    ],
)
def test_a_title_names_its_brand_in_both_scripts(title: str, names: tuple[str, ...]) -> None:
    assert title_names(title) == names


def test_a_shop_s_kind_is_no_part_of_its_name_and_sentences_name_nobody() -> None:
    assert names_read([block("诺瓦官方旗舰店"), block("NOVA")]) == ("诺瓦", "nova")
    assert names_read([block("诺瓦水壶一键烧水全家人都喜欢的好水壶")]) == ()


@pytest.mark.parametrize(
    ("text", "name"),
    [("送保温杯", "保温杯"), ("赠品：手提袋", "手提袋"), ("湿巾免费得", "湿巾"), ("free gift: tote bag", "totebag"),
     ("送", ""), ("送5个", "")],
)  # fmt: skip
def test_a_gift_is_called_by_its_text(text: str, name: str) -> None:
    assert gift_name([block(text)]) == name


def test_what_is_no_gift_names_none() -> None:
    negation = Lexicon.load().kinds["gift"].negation
    assert negation
    assert gift_name([block("送货上门"), block("送保温杯")], negation.taken_out_of) == "保温杯"


def test_a_season_is_named() -> None:
    assert season_of("双11狂欢价") == "双11"
    assert season_of("BLACK FRIDAY sale") == "black friday"
    assert season_of("轻薄透气") == ""


def test_a_word_counts_in_a_short_text_and_as_a_whole_latin_word() -> None:
    words = Words({"nova": frozenset({"a"}), "诺瓦": frozenset({"b"})}, alone=True)
    assert words.read_in(features(block("NOVA"))) == "nova"
    assert words.read_in(features(block("诺瓦家电"))) == "诺瓦"
    assert words.read_in(features(block("novality"))) == ""
    assert words.read_in(features(block("诺瓦水壶一键烧水全家人都喜欢的好水壶"))) == ""
    assert words.read_in(features(TextBlock(Box(0, 0, 1, 0.9), "诺瓦", 0.9))) == "", "an outline is no text"


def test_a_family_s_own_words_do_not_speak_for_it() -> None:
    words = Words({"nova": frozenset({"a"})})
    assert words.read_in(features(block("nova")), without={"a"}) == ""
    shared = Words({"nova": frozenset({"a", "b"})})
    assert shared.read_in(features(block("nova")), without={"a"}) == "nova"
    people = Words({"nova": frozenset({"a", ""})})
    assert people.read_in(features(block("nova")), without={"a"}) == "nova"
