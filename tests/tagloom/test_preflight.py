"""What is found before anything starts."""

import socket
from pathlib import Path

import pytest
from PIL import Image

from tagloom.preflight import require_disk, require_free, require_pictures, require_writable
from tagloom_base.errors import UserError
from tools.services.ports import free_port


def test_a_full_disk_is_one_line_for_a_folder_that_need_not_exist(tmp_path: Path) -> None:
    require_disk(tmp_path / "new" / "folder")
    with pytest.raises(UserError, match=r"MB of free disk, \d+ MB are needed") as refusal:
        require_disk(tmp_path / "new" / "folder", megabytes=2**40)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "new").exists()


def test_a_folder_below_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="choose another folder"):
        require_writable(tmp_path / "file" / "folder")
    require_writable(tmp_path / "folder")
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"<html>", None, "half"])
def test_a_broken_picture_is_named(tmp_path: Path, content: bytes | str | None) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.effect_noise((64, 64), 50).save(good)
    if content is not None:
        bad.write_bytes(
            good.read_bytes()[:1000]
            if content == "half"
            else bytes(content, "ascii")
            if isinstance(content, str)
            else content
        )
    with pytest.raises(UserError, match=r"bad\.png can't be read"):
        require_pictures([good, bad])


def test_a_taken_port_names_itself_and_the_way_out() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port} .* TAGLOOM_PORT=") as refusal:
            require_free(port, "127.0.0.1", "TAGLOOM_PORT")
    assert "\n" not in str(refusal.value)


def test_a_free_port_is_accepted() -> None:
    require_free(free_port(), "127.0.0.1", "TAGLOOM_PORT")
