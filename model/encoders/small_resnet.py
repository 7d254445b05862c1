"""The network of the shipped picture encoder: a small residual network of stride 16 (He et al., 2016).

Shape suffixes: N pictures, C channels, H, W pixels or cells.
"""

from collections.abc import Sequence

from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """The sum of two 3×3 convolutions and the identity, or of a 1×1 projection where the shape changes."""

    def __init__(self, width_in: int, width_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width_in, width_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(width_out, width_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(width_out),
        )
        same = stride == 1 and width_in == width_out
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(width_in, width_out, 1, stride, bias=False), nn.BatchNorm2d(width_out))
        )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, map_NCHW: Tensor) -> Tensor:
        out_NCHW: Tensor = self.activation(self.body(map_NCHW) + self.shortcut(map_NCHW))
        return out_NCHW


class SmallResNet(nn.Module):
    """A network from pixels (N, 3, size, size) to maps (N, widths[-1], size / 16, size / 16).

    A stem of stride 4 is followed by one stage for each width, with the number of blocks in ``blocks``. Each stage but
    the first halves rows and columns. With three widths the stride is 16.
    """

    def __init__(self, widths: Sequence[int] = (64, 128, 192), blocks: Sequence[int] = (2, 2, 3)) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0] // 2, 3, 2, padding=1, bias=False),
            nn.BatchNorm2d(widths[0] // 2),
            nn.ReLU(inplace=True),
            nn.Conv2d(widths[0] // 2, widths[0], 3, 2, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        )
        stages: list[nn.Module] = []
        width_in = widths[0]
        for index, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            for block in range(count):
                stages.append(ResidualBlock(width_in, width, stride=2 if index and not block else 1))
                width_in = width
        self.stages = nn.Sequential(*stages)

    def forward(self, pixels_N3HW: Tensor) -> Tensor:
        map_NCHW: Tensor = self.stages(self.stem(pixels_N3HW))
        return map_NCHW
