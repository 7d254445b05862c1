import pytest

from model.boxes.decode import FAINTEST
from model.boxes.elements import Element, text_elements
from model.boxes.roles import RoleReader
from model.boxes.scene import Scene
from model.calibration import USUAL
from model.features.item import ItemFeatures
from model.items import Box
from model.lexicon.cues import CueSet
from model.lexicon.lexicon import Lexicon
from tests.model.boxes.pictures import RED, picture, price_plate, shop_picture

LEXICON = Lexicon.load()


def elements(item: ItemFeatures) -> list[Element]:
    return text_elements(Scene.of(item, RoleReader(LEXICON)))


def of_kind(item: ItemFeatures, kind: str) -> list[Element]:
    return [element for element in elements(item) if element.kind == kind]


def test_a_price_takes_its_currency_sign_and_word() -> None:
    item = picture(
        [
            (Box(0.05, 0.8, 0.2, 0.84), "抢购价:"),
            (Box(0.05, 0.86, 0.08, 0.92), "¥"),
            (Box(0.09, 0.85, 0.25, 0.93), "1299"),
        ]
    )
    (price,) = of_kind(item, "price")
    assert price.box == Box(0.05, 0.8, 0.25, 0.93)
    assert not of_kind(item, "copy")


@pytest.mark.parametrize(
    ("word", "sign", "number"), [("Harga", "Rp", "249.000"), ("特價", "$", "1,290"), ("Precio:", "€", "34,95")]
)
def test_a_price_of_any_country_takes_its_currency_sign_and_word(word: str, sign: str, number: str) -> None:
    lines = [(Box(0.05, 0.8, 0.2, 0.84), word), (Box(0.05, 0.86, 0.08, 0.92), sign)]
    (price,) = of_kind(picture([*lines, (Box(0.09, 0.85, 0.25, 0.93), number)]), "price")
    assert price.box == Box(0.05, 0.8, 0.25, 0.93)


def test_lines_of_one_copy_block_are_one_element_and_far_ones_are_not() -> None:
    near = [(Box(0.1, 0.5, 0.5, 0.55), "全国联保送货上门"), (Box(0.1, 0.56, 0.5, 0.61), "三十天无理由退换")]
    (copy,) = of_kind(picture(near), "copy")
    assert copy.blocks == (0, 1)
    far = [near[0], (Box(0.1, 0.8, 0.5, 0.85), "三十天无理由退换")]
    assert len(of_kind(picture(far), "copy")) == 2


def test_an_element_spreads_over_its_own_plate() -> None:
    (price,) = of_kind(shop_picture(), "price")
    assert price.box.iou(price_plate()) > 0.9


def test_a_plate_that_carries_another_element_is_nobodys() -> None:
    text = Box(0.1, 0.82, 0.25, 0.88)
    item = picture(
        [(text, "¥299"), (Box(0.6, 0.82, 0.85, 0.88), "三十天无理由退换")], [(Box(0.05, 0.8, 0.95, 0.9), RED)]
    )
    (price,) = of_kind(item, "price")
    assert price.box == text


@pytest.mark.parametrize(
    ("text", "title", "kind"),
    [
        ("KONKA", "Konka/康佳 电视机", "logo"),
        ("anward万和", "Vanward/万和 热水器", "logo"),
        ("官方旗舰店", "电视机", "logo"),
        ("80升", "Vanward/万和 热水器", "copy"),
        ("送手提包", "平衡车", "gift"),
        ("送货上门", "平衡车", "copy"),
    ],
)
def test_a_block_at_the_top_is_what_its_words_say(text: str, title: str, kind: str) -> None:
    item = picture([(Box(0.05, 0.05, 0.3, 0.1), text)], title=title)
    element, *further = elements(item)
    assert element.kind == kind
    for other in further:  # a tag comes with the box of its reason
        assert CueSet((other.kind,), LEXICON).probabilities([item]).item() >= USUAL


@pytest.mark.parametrize(
    ("text", "box", "title", "kind"),
    [
        ("810", Box(0.4, 0.02, 0.7, 0.15), "电视机", "price"),  # above the line under which bare numbers are prices
        ("夫639", Box(0.4, 0.5, 0.7, 0.65), "电视机", "price"),  # ¥ as readers see it
        ("现在下单拍下立减100元再享好礼", Box(0.1, 0.5, 0.7, 0.55), "电视机", "price"),  # longer than prices are
        ("¥", Box(0.1, 0.5, 0.2, 0.6), "电视机", "price"),  # the number beside it was not read
        ("Konka 2026", Box(0.4, 0.05, 0.7, 0.1), "Konka/康佳 电视机", "logo"),
        ("康佳官方授权家电旗舰店电视自营专区", Box(0.1, 0.1, 0.7, 0.15), "Konka/康佳 电视机", "logo"),
        ("Nordlicht", Box(0.02, 0.2, 0.3, 0.26), "电视机", "logo"),
        ("送手提包", Box(0.1, 0.5, 0.4, 0.55), "电视机", "gift"),
    ],
)
def test_a_block_that_gives_a_tag_is_an_element_of_its_kind(text: str, box: Box, title: str, kind: str) -> None:
    item = picture([(box, text)], title=title)
    assert CueSet((kind,), LEXICON).probabilities([item]).item() >= USUAL
    (element,) = of_kind(item, kind)
    assert element.box.iou(box) > 0.5
    assert element.score > FAINTEST


def test_a_tag_by_several_blocks_comes_with_the_box_of_the_strongest() -> None:
    weak, strong = Box(0.1, 0.5, 0.3, 0.55), Box(0.1, 0.7, 0.3, 0.75)
    kinds = """
        [kinds.badge]
        share = 0.1
        cues = [{name = "weak", pattern = "日", weight = 1.0}, {name = "strong", pattern = "月", weight = 1.5}]
    """
    item = picture([(weak, "周日"), (strong, "月末")])
    (badge,) = text_elements(Scene.of(item, RoleReader(LEXICON.extended(Lexicon.parse(kinds)))))[-1:]
    assert (badge.kind, badge.box) == ("badge", strong)


@pytest.mark.parametrize("text", ["M", "88", "HMA"])
def test_an_object_that_was_read_as_letters_is_no_text(text: str) -> None:
    assert elements(picture([(Box(0.0, 0.0, 1.0, 1.0), text)])) == []


def test_unsure_and_empty_readings_are_left_out() -> None:
    item = picture([(Box(0.1, 0.5, 0.1, 0.6), "全国联保送货上门")])
    assert elements(item) == []


def test_a_logo_holds_the_sign_beside_its_name() -> None:
    """The sign is painted beside, the name's letters are painted where they are read; a far sign is none of its."""
    name, sign, far = Box(0.12, 0.03, 0.3, 0.09), Box(0.03, 0.02, 0.115, 0.1), Box(0.8, 0.02, 0.9, 0.1)
    item = picture([(name, "Konka")], [(sign, RED), (name, RED), (far, RED)], title="Konka/康佳 电视机")
    (logo,) = [element for element in elements(item) if element.kind == "logo"]
    assert logo.box.iou(Box(0.03, 0.02, 0.3, 0.1)) > 0.75
    (alone,) = elements(picture([(name, "Konka")], [(far, RED)], title="Konka/康佳 电视机"))
    assert alone.box.iou(name) > 0.7
