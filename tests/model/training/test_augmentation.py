import torch
from PIL import Image, ImageDraw

from model.training.augmentation import augmented

SIZE = 64


def halves() -> Image.Image:
    """Dark on the left, light on the right; a red mark in the middle of the upper edge."""
    image = Image.new("RGB", (300, 100), (40, 40, 40))
    draw = ImageDraw.Draw(image)
    draw.rectangle((150, 0, 299, 99), fill=(220, 220, 220))
    draw.rectangle((130, 0, 170, 40), fill=(220, 20, 20))
    return image


def channels(image: Image.Image) -> torch.Tensor:
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(SIZE, SIZE, 3).float()


def test_pictures_are_never_mirrored_nor_turned_and_keep_what_they_show() -> None:
    torch.manual_seed(1)
    for image in augmented([halves()] * 60, SIZE):
        pixels_HW3 = channels(image)
        assert image.size == (SIZE, SIZE)
        assert pixels_HW3[:, -20:].mean() > pixels_HW3[:, :20].mean() + 60
        red_HW = pixels_HW3[..., 0] - pixels_HW3[..., 1:].amax(2)
        assert red_HW[: SIZE // 2].mean() > 8
        assert red_HW[SIZE // 2 :].abs().mean() < 3


def test_a_crop_keeps_nine_tenths() -> None:
    """Of sixteen stripes at most two get lost on the way across."""
    stripes = Image.new("RGB", (160, 160), (60, 60, 60))
    for left in range(0, 160, 20):
        stripes.paste((200, 200, 200), (left, 0, left + 10, 160))
    torch.manual_seed(2)
    changes = []
    for image in augmented([stripes] * 60, SIZE):
        column_W = channels(image).mean((0, 2))
        light_W = column_W > column_W.mean()
        changes.append(int((light_W[1:] != light_W[:-1]).sum()))
    assert 13 <= min(changes) < max(changes) == 15


def test_each_picture_is_changed_anew_and_a_seed_repeats_it() -> None:
    torch.manual_seed(3)
    first, second = augmented([halves(), halves()], SIZE)
    torch.manual_seed(3)
    again, _ = augmented([halves(), halves()], SIZE)
    assert first.tobytes() != second.tobytes()
    assert first.tobytes() == again.tobytes()
