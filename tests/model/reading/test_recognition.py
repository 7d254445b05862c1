"""How lines are put into batches, and how characters are chosen; that they are read right is tested with the reader."""

import numpy as np
import pytest
import torch

from model.openvino_for_threads import openvino
from model.reading.recognition import BATCHES, HEIGHT, as_float, batches_of, largest, padded


def test_each_line_is_in_one_batch_that_is_wide_enough() -> None:
    widths = [40.0, 900, 155, 5000, 30, 161, 400, 24, 33, 700]
    batches = batches_of(widths)
    assert sorted(place for _, places in batches for place in places) == list(range(len(widths)))
    for width, places in batches:
        assert all(widths[place] <= width or width == max(BATCHES) for place in places)


def test_the_network_meets_few_shapes() -> None:
    random = np.random.default_rng(0)
    for count in range(1, 40):
        for width, places in batches_of(random.integers(8, 2000, count).tolist()):
            assert len(places) in BATCHES[width]


def test_lines_are_padded_with_the_middle_value() -> None:
    line_3HW = padded(np.full((24, 50, 3), 255, np.uint8), 320)
    assert line_3HW.shape == (3, HEIGHT, 320)
    assert (line_3HW[:, :, :100] == 1).all()
    assert (line_3HW[:, :, 100:] == 0).all()


@pytest.mark.parametrize("shift", [0.0, 40.0, -40.0])
def test_the_largest_value_is_found_in_either_type(shift: float) -> None:
    value_BTV = torch.randn(2, 5, 300, generator=torch.Generator().manual_seed(3)) * 4 + shift
    value_BTV[0, 0, 7] = value_BTV[0, 0, 9] = 60
    coarse_BTV = value_BTV.bfloat16()
    seen_BTV = coarse_BTV.view(torch.int16).numpy().view(np.float16)
    first_BT = coarse_BTV.float().numpy().argmax(2)
    assert (largest(seen_BTV) == first_BT).all()
    assert (largest(value_BTV.numpy()) == value_BTV.numpy().argmax(2)).all()
    assert first_BT[0, 0] == 7
    assert (as_float(seen_BTV) == coarse_BTV.float().numpy()).all()


def test_openvino_hands_bfloat16_over_under_the_name_that_is_expected() -> None:
    given = openvino.opset13.parameter([4], np.float32)
    model = openvino.Model([openvino.opset13.convert(given, openvino.Type.bf16).output(0)], [given], "coarse")
    request = openvino.Core().compile_model(model, "CPU").create_infer_request()
    numbers = np.array([1.0, -2.5, 0.0, 96.0], np.float32)
    request.infer([numbers])
    output = request.get_output_tensor().data
    assert output.dtype == np.float16
    assert (as_float(output) == numbers).all()
