from PIL import Image

from bench.refined_encoders import Recalled
from testing.features import block


def test_what_was_read_is_given_out_picture_by_picture_over_several_calls() -> None:
    said = [(block("一"),), (), (block("二"), block("三"))]
    reader, picture = Recalled(said), Image.new("RGB", (8, 8))
    read = [*reader.read([picture, picture]), *reader.read([picture])]
    assert [reading.blocks for reading in read] == said
    assert reader.read([]) == []
