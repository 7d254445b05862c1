"""Extraction with a small real BERT, a small picture network and the real reader."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from transformers import BertConfig, BertModel, BertTokenizer

from model.encoders.grid import GridEncoder, Preprocessing
from model.encoders.small_resnet import SmallResNet
from model.encoders.transformer_text import TransformerTextEncoder
from model.features import extraction
from model.features.extraction import READ_TOKENS, TITLE_TOKENS, FeatureExtractor
from model.features.item import ItemFeatures
from model.items import Box, Item, TextBlock
from model.reading.reader import Reader, Reading
from tests.model.reading.fixed import FixedReader
from tools.encoders.vocabulary import vocabulary


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> TransformerTextEncoder:
    folder = tmp_path_factory.mktemp("bert")
    words = vocabulary([])
    BertTokenizer(vocab={word: number for number, word in enumerate(words)}).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return TransformerTextEncoder(str(folder))


def _images(size: int = 64) -> GridEncoder:
    torch.manual_seed(0)
    return GridEncoder(SmallResNet((4, 8), (1, 1)), Preprocessing(size, (0.5,) * 3, (0.25,) * 3), "small")


def _block(text: str, top: float, height: float = 0.05) -> TextBlock:
    return TextBlock(Box(0.1, top, 0.9, top + height), text, 0.9)


def _extract(texts: TransformerTextEncoder, item: Item, *blocks: TextBlock) -> ItemFeatures:
    (features,) = FeatureExtractor(_images(), texts, FixedReader([blocks])).extract([item])
    return features


PICTURE = Image.new("RGB", (300, 200), "red")


def _page(colours: list[str], *, wide: bool = False) -> Image.Image:
    """Squares of these colours in a row."""
    side = 60
    page = Image.new("RGB", (side * len(colours), side) if wide else (side, side * len(colours)))
    for number, colour in enumerate(colours):
        page.paste(
            colour,
            (side * number, 0, side * number + side, side) if wide else (0, side * number, side, side * number + side),
        )
    return page


@pytest.mark.parametrize("wide", [False, True])
def test_each_part_of_a_long_pictures_grid_shows_its_own_square(texts: TransformerTextEncoder, wide: bool) -> None:
    colours = ["red", "blue", "lime", "black"]
    images = _images()
    rows, columns = images.grid_shape
    page = _extract(texts, Item(_page(colours, wide=wide)))
    assert page.grid_RC.shape == (rows * columns, images.width)
    quarters = page.grid_RC.float().reshape(rows, columns, -1)
    quarters = quarters.transpose(0, 1) if wide else quarters
    for number, colour in enumerate(colours):
        (square,) = FeatureExtractor(images, texts, FixedReader([()])).extract(
            [Item(Image.new("RGB", (60, 60), colour))]
        )
        mean_C = quarters[number * rows // 4 : (number + 1) * rows // 4].mean((0, 1))
        assert torch.allclose(mean_C, square.image_C.float(), atol=0.05)


def test_a_long_pictures_thumbnail_shows_enough_and_is_bounded(texts: TransformerTextEncoder) -> None:
    assert _extract(texts, Item(Image.new("RGB", (640, 1920)))).thumbnail_HW3.shape == (384, 128, 3)
    height, width, _ = _extract(texts, Item(Image.new("RGB", (640, 9600)))).thumbnail_HW3.shape
    assert 60 < width < height / 14
    assert height * width <= 4.1 * 128**2


def test_pictures_of_all_shapes_keep_their_order(texts: TransformerTextEncoder) -> None:
    extractor = FeatureExtractor(_images(), texts, FixedReader([()] * 4))
    pictures = [_page(["red"] * 4), Image.new("RGB", (50, 50), "blue"), _page(["lime"] * 3), PICTURE]
    together = extractor.extract([Item(picture) for picture in pictures])
    for picture, found in zip(pictures, together, strict=True):
        (alone,) = extractor.extract([Item(picture)])
        assert torch.equal(found.grid_RC, alone.grid_RC)
        assert torch.equal(found.image_C, alone.image_C)


@pytest.mark.parametrize("size", [(300, 300), (300, 750), (750, 300), (200, 300)])
def test_an_ordinary_picture_is_encoded_as_a_whole(texts: TransformerTextEncoder, size: tuple[int, int]) -> None:
    picture = Image.radial_gradient("L").resize(size).convert("RGB")
    found = _extract(texts, Item(picture))
    grid_NRC, image_NC = _images().encode([picture])
    assert torch.equal(found.grid_RC, grid_NRC[0].half())
    assert torch.equal(found.image_C, image_NC[0].half())
    small = picture.copy()
    small.thumbnail((128, 128))
    assert np.array_equal(found.thumbnail_HW3.numpy(), np.asarray(small))


def test_the_tallest_print_of_a_page_is_kept(texts: TransformerTextEncoder) -> None:
    small = [_block("字" * 40, 0.01 * row, 0.002) for row in range(4)]
    page = Image.new("RGB", (100, 2000))
    features = _extract(texts, Item(page), *small, _block("大字", 0.6, 0.004))
    assert features.token_block_T.tolist().count(4) == 2


def test_notes_of_file_and_text_are_kept(texts: TransformerTextEncoder) -> None:
    class Noting(FixedReader):
        def read(self, images: Sequence[Image.Image]) -> list[Reading]:
            return [Reading((), ("upside down",)) for _ in images]

    (found,) = FeatureExtractor(_images(), texts, Noting(())).extract([Item(PICTURE, notes=("on black",))])
    assert found.notes == ("on black", "upside down")


def test_each_token_knows_its_block(texts: TransformerTextEncoder) -> None:
    features = _extract(texts, Item(PICTURE, "标题三字"), _block("买一送一", 0.1), _block("¥9", 0.5))
    assert features.token_block_T.tolist() == [-1] * 5 + [0] * 4 + [1] * 2
    alone = texts.encode(["买一送一", "¥9"])
    expected = torch.cat([text.tokens_TE[1:] for text in alone]).half()
    assert torch.allclose(features.tokens_TE[5:], expected, atol=0.05)
    both = torch.cat([text.tokens_TE[1:] for text in alone]).mean(0).half()
    assert torch.allclose(features.reading_E, both, atol=0.05)


def test_tokens_are_capped_and_the_largest_print_is_kept(texts: TransformerTextEncoder) -> None:
    small = [_block("字" * 40, 0.01 * row, 0.01) for row in range(4)]
    features = _extract(texts, Item(PICTURE, "长" * 60), *small, _block("大字", 0.6, 0.3))
    owners = features.token_block_T.tolist()
    assert owners.count(-1) == TITLE_TOKENS
    assert len(owners) == TITLE_TOKENS + READ_TOKENS
    assert [owners.count(number) for number in range(5)] == [40, 40, 14, 0, 2]
    assert len(features.blocks) == 5


def test_a_missing_modality_has_no_rows(texts: TransformerTextEncoder) -> None:
    unseen = _extract(texts, Item(None, "标题", ("女装", "衬衫")))
    assert (unseen.size, unseen.grid_shape, unseen.grid_RC.shape) == ((0, 0), (0, 0), (0, 8))
    assert unseen.image_C.shape == (8,)
    assert not unseen.image_C.any()
    assert unseen.thumbnail_HW3.shape == (0, 0, 3)
    assert unseen.industry_LE.shape == (2, 16)
    untold = _extract(texts, Item(PICTURE))
    assert (untold.tokens_TE.shape, untold.industry_LE.shape) == ((0, 16), (0, 16))
    assert not untold.title_E.any()
    assert not untold.reading_E.any()
    assert untold.grid_RC.shape == (64, 8)


def test_types_sizes_and_further_texts(texts: TransformerTextEncoder) -> None:
    item = Item(Image.new("RGB", (500, 250)), "标题", ("男装",), {"subtitle": "包邮", "reviews": ""})
    features = _extract(texts, item, _block("送", 0.1))
    assert features.size == (500, 250)
    assert features.thumbnail_HW3.shape == (64, 128, 3)
    assert features.texts == item.texts
    assert features.texts_E["subtitle"].any()
    assert not features.texts_E["reviews"].any()
    halves: list[Tensor] = [
        features.grid_RC,
        features.image_C,
        features.tokens_TE,
        features.title_E,
        features.reading_E,
    ]
    assert {tensor.dtype for tensor in [*halves, features.industry_LE, *features.texts_E.values()]} == {torch.float16}
    assert (features.token_block_T.dtype, features.thumbnail_HW3.dtype) == (torch.int16, torch.uint8)


def test_items_with_and_without_pictures_keep_their_order(
    texts: TransformerTextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "BATCH", 2)
    extractor = FeatureExtractor(_images(), texts, FixedReader([(), ()]))
    colours = ["red", None, "blue", None, "lime"]
    items = [Item(Image.new("RGB", (40, 40), colour) if colour else None, f"第{colour}") for colour in colours]
    found = extractor.extract(items)
    assert [features.title for features in found] == [item.title for item in items]
    assert [
        int(features.thumbnail_HW3[0, 0].argmax()) if colour else None
        for features, colour in zip(found, colours, strict=True)
    ] == [0, None, 2, None, 1]
    assert extractor.extract([]) == []


def test_the_space_changes_with_whatever_features_depend_on(
    texts: TransformerTextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader()
    spaces = {FeatureExtractor(_images(), texts, reader).space, FeatureExtractor(_images(), texts, Reader(2)).space}
    assert len(spaces) == 1
    spaces.add(FeatureExtractor(_images(96), texts, reader).space)
    monkeypatch.setattr(extraction, "READ_TOKENS", 10)
    spaces.add(FeatureExtractor(_images(), texts, reader).space)
    assert len(spaces) == 3
    assert all(len(space) == 16 for space in spaces)


def test_the_picture_is_read(texts: TransformerTextEncoder) -> None:
    picture = Image.new("RGB", (400, 400), "white")
    ImageDraw.Draw(picture).text((60, 90), "SALE 299", "red", ImageFont.load_default(50))
    (features,) = FeatureExtractor(_images(), texts, Reader(threads=1)).extract([Item(picture)])
    (block,) = features.blocks
    assert "299" in block.text
    assert set(features.token_block_T.tolist()) == {0}


def test_the_shipped_encoders_are_small_and_say_what_they_are() -> None:
    extractor = FeatureExtractor.from_names("shipped", "shipped")
    features = extractor.extract([Item(None, "买一送一")])[0]
    assert features.tokens_TE.shape[0] == 5
    assert "drawings only" in extractor.describe()["image"]
    folder = Path(extraction.__file__).parents[1] / "encoders" / "shipped"
    assert sum(file.stat().st_size for file in (folder / "image").iterdir()) < 12e6
    assert sum(file.stat().st_size for file in (folder / "text").iterdir()) < 6e6
