import pytest

from model.items import TextBlock
from model.lexicon.cues import CueSet, brand_names, names_brand
from model.lexicon.lexicon import Lexicon
from testing.features import block, features
from testing.shop import LABELS

CUES = CueSet(LABELS, Lexicon.load())


def given(*blocks: TextBlock, title: str = "Nova/诺瓦 电水壶") -> set[str]:
    probability_K = CUES.probabilities([features(*blocks, title=title)])[0]
    return {label for label, p in zip(LABELS, probability_K.tolist(), strict=True) if p > 0.5}


def test_without_text_only_the_product_is_expected() -> None:
    assert given() == {"主体"}


@pytest.mark.parametrize(
    ("text", "label", "there"),
    [
        ("买一送一", "赠品", True),
        ("拍下即赠杯子", "赠品", True),
        ("全国包邮 送货上门", "赠品", False),
        ("赠送运费险", "赠品", False),
        ("¥199", "价格", True),
        ("券后到手299元", "价格", True),
        ("满300元送杯子", "价格", False),
        ("价值99元", "价格", False),
        ("轻薄透气四季可穿", "文案", True),
        ("新", "文案", False),
        ("FREE GIFT with every order", "赠品", True),
        ("Buy 1 Get 1 Free", "赠品", True),
        ("BUY2GET1FREE", "赠品", True),
        ("mug + gift", "赠品", True),
        ("Free shipping and free gift wrapping", "赠品", False),
        ("the perfect gift", "赠品", False),
        ("sugar free", "赠品", False),
        ("$19.99", "价格", True),
        ("US $5 OFF", "价格", True),
        ("25 EUR", "价格", True),
        ("orders over $50", "价格", False),
        ("worth $30", "价格", False),
        ("SALE 50% OFF TODAY ONLY", "文案", True),
        ("soft on skin all day long", "文案", True),
        ("XL", "文案", False),
        ("Cotton", "文案", False),
    ],
)
def test_words_speak_for_their_class(text: str, label: str, there: bool) -> None:
    assert (label in given(block(text, left=0.4, top=0.6))) is there


def test_a_large_lone_number_is_a_price_and_a_small_one_is_not() -> None:
    assert "价格" in given(block("1399", top=0.7, height=0.14))
    assert "价格" not in given(block("1399", top=0.7, height=0.03))


def test_the_brand_is_a_logo_at_the_top_and_not_on_the_product() -> None:
    assert "LOGO" in given(block("NOVA", left=0.4, top=0.05))
    assert "LOGO" not in given(block("NOVA", left=0.4, top=0.6))


def test_a_rating_plate_shows_no_product() -> None:
    assert "主体" not in given(block("中国能效标识", top=0.3), block("规格型号 X1", top=0.5))


@pytest.mark.parametrize(
    ("title", "names"),
    [("Konka/康佳 LED电视", ("konka", "康佳")), ("【直营】IPSA茵芙莎 水", ("ipsa茵芙莎", "ipsa")), ("", ())],
)
def test_brand_names_start_the_title(title: str, names: tuple[str, ...]) -> None:
    assert brand_names(title)[: len(names)] == names


@pytest.mark.parametrize(
    ("text", "title", "is_brand"),
    [
        ("KONKA", "Konka/康佳 LED", True),
        ("anward万和", "Vanward/万和 DSC", True),
        ("ÍPSA", "IPSA茵芙莎洗面奶", True),
        ("LODZ", "Łódź kubek", True),
        ("Whirpool", "Whirlpool/惠而浦", True),
        ("MONLOT 梦陇", "赵薇酒庄梦陇法国红酒", True),
        ("大容量", "Konka/康佳 LED", False),
    ],
)
def test_a_brand_is_known_in_spite_of_accents_and_misread_letters(text: str, title: str, is_brand: bool) -> None:
    assert names_brand(text, title, brand_names(title)) is is_brand


def test_a_bar_that_is_read_as_a_character_says_nothing() -> None:
    bar = block("1", left=0.0, top=0.0, height=0.95)
    assert CUES.opinions([features(bar)]).abs().sum() == 0


def test_opinions_add_up_to_the_probabilities() -> None:
    items = [features(block("¥99 买一送一")), features()]
    log_odds_NK = CUES.prior_K + CUES.opinions(items).sum(0)
    assert log_odds_NK.sigmoid().allclose(CUES.probabilities(items))


def test_block_flags_name_the_block_that_speaks() -> None:
    flags_BF = CUES.block_flags(features(block("¥99"), block("hello", top=0.7)))
    money = CUES.names.index("价格: amount of money")
    assert flags_BF[:, money].tolist() == [1.0, 0.0]
