from pathlib import Path

from PIL import Image

from model.items import Box, LabelledBox, PredictedBox
from tagloom.pages.gallery import PICTURE_PX, colours_of, picture_of

BOX = Box(0.25, 0.5, 0.75, 1.0)


def test_gold_has_no_name_and_predictions_tell_label_and_score(tmp_path: Path) -> None:
    Image.new("RGB", (1440, 720)).save(tmp_path / "a.png")
    boxes = ([LabelledBox("价格", BOX)], [PredictedBox("价格", BOX, 0.5)])
    picture = picture_of(
        tmp_path / "a.png", "标题", boxes, ({"价格", "LOGO"}, {"价格", "文案"}), colours_of(["价格", "LOGO", "文案"])
    )
    assert (picture.width, picture.height) == (PICTURE_PX, PICTURE_PX // 2)
    gold, predicted = picture.shapes
    assert (gold.x, gold.y, gold.width, gold.height) == (90, 90, 180, 90)
    assert (gold.name, predicted.name) == ("", "价格 0.50")
    assert gold.colour == predicted.colour
    assert [(tag.label, tag.kind) for tag in picture.tags] == [("价格", "right"), ("LOGO", "missed"), ("文案", "wrong")]
    assert picture.source.startswith("data:image/webp;base64,")
