from PIL import Image

from bench.refined_encoders import Recalled
from testing.features import block


def test_what_was_read_is_given_out_picture_by_picture_over_several_calls() -> None:
    said = [(block("一"),), (), (block("二"), block("三"))]
    reader, picture = Recalled(said), Image.new("RGB", (8, 8))
    assert [*reader.read([picture, picture]), *reader.read([picture])] == said
    assert reader.read([]) == []
