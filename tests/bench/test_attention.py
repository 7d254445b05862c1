import torch
from PIL import Image

from bench.attention import BLUE, SIDE, drawn
from model.attention.batching import GRID
from testing.features import block, features


def test_attention_reddens_its_region_and_frames_the_block_that_is_read() -> None:
    item = features(block("¥199", left=0.5, top=0.5, width=0.4, height=0.2))
    region_R = torch.zeros(GRID * GRID)
    region_R[0] = 0.8
    shown = drawn(Image.new("RGB", (SIDE, SIDE), (255, 255, 255)), item, region_R, torch.tensor([0.0, 0.6]))
    red, green, _ = shown.getpixel((4, 4))  # type: ignore[misc]
    assert red > green + 50
    assert shown.getpixel((SIDE // 2, SIDE // 2 + 10)) == BLUE
    assert shown.getpixel((SIDE // 4, SIDE - 10)) == (255, 255, 255)
    unread = drawn(Image.new("RGB", (SIDE, SIDE), (255, 255, 255)), item, region_R, torch.tensor([0.9, 0.05]))
    assert unread.getpixel((SIDE // 2, SIDE // 2 + 10)) == (255, 255, 255)
