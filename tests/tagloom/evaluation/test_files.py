"""The picture of an address is the file whose path ends as the address does, or nothing."""

from pathlib import Path

import pytest

from tagloom.evaluation.files import MissingPictureError, PictureFiles


def files(folder: Path, *names: str) -> PictureFiles:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return PictureFiles(folder)


@pytest.mark.parametrize(
    "address",
    [
        "s3://bucket/p1/1.png",
        "https://host/shop/p1/1.png?X-Amz-Signature=0a&name=p2/1.png",
        "/data/local-files/?d=p1/1.png",
        "http://127.0.0.1:8080/data/local-files/?d=shop%2Fp1%2F1.png",
        "/storage-data/uploaded/?filepath=p1/1.png",
        "p1/1.png",
        "shop\\p1\\1.png",
        "/data/local-files/?d=shop\\p1\\1.png",
        "/data/local-files/?d=shop%5Cp1%5C1.png",
        "file:///C:/shop/p1%5C1.png",
    ],
)
def test_products_whose_pictures_have_the_same_names_keep_their_own(tmp_path: Path, address: str) -> None:
    names = ["1.png", "p1/1.png", "p2/1.png", "p2/p1-1.png"]
    assert files(tmp_path, *names).of(address) == tmp_path / "p1/1.png"


def test_the_folder_may_lie_deeper_or_higher_than_the_address_says(tmp_path: Path) -> None:
    found = files(tmp_path, "mirror/2026/p1/1.png", "mirror/2026/p2/1.png", "alone.png")
    assert found.of("gs://bucket/raw/p2/1.png") == tmp_path / "mirror/2026/p2/1.png"
    assert found.of("gs://bucket/raw/p3/alone.png") == tmp_path / "alone.png"
    assert files(tmp_path / "mirror/2026/p1").of("s3://bucket/p1/1.png") == tmp_path / "mirror/2026/p1/1.png"


def test_an_uploaded_picture_has_its_new_name_or_the_one_it_had(tmp_path: Path) -> None:
    found = files(tmp_path, "a b.png", "3/0a1b2c3d-c.png", "c.png", "sku1-1.png")
    assert found.of("/data/upload/3/0a1b2c3d-a%20b.png") == tmp_path / "a b.png"
    assert found.of("/data/upload/3/0a1b2c3d-c.png") == tmp_path / "3/0a1b2c3d-c.png"
    assert found.of("/data/upload/3/99999999-sku1-1.png") == tmp_path / "sku1-1.png"


@pytest.mark.parametrize(
    "address", ["sku1-1.png", "/data/upload/3/sku1-1.png", "s3://b/0a1b2c3d-1.png", "/data/upload/3/0a1b2c3-1.png", "/"]
)
def test_nothing_but_the_mark_of_an_upload_is_left_off(tmp_path: Path, address: str) -> None:
    found = files(tmp_path, "1.png", "sku2-1.png", "ffffffff-sku1-1.png")
    with pytest.raises(MissingPictureError, match=f"in no folder below {tmp_path}"):
        found.of(address)


@pytest.mark.parametrize("address", ["s3://b/p3/1.png", "/data/upload/3/0a1b2c3d-1.png", "1.png"])
def test_what_may_be_one_or_another_is_told_with_both(tmp_path: Path, address: str) -> None:
    found = files(tmp_path, "p1/1.png", "p2/1.png", "p1/2.png")
    with pytest.raises(ValueError, match=r"may be .*p1/1\.png or .*p2/1\.png: leave one of them there, or put each"):
        found.of(address)


@pytest.mark.parametrize(
    ("one", "other", "path"),
    [
        ("s3://b/p1/1.png", "s3://b/p2/1.png", "b/p2/1.png"),
        ("/data/upload/3/0a1b2c3d-1.png", "/data/upload/3/99999999-1.png", "data/upload/3/99999999-1.png"),
    ],
)
def test_one_file_is_not_the_picture_of_two_addresses(tmp_path: Path, one: str, other: str, path: str) -> None:
    found = files(tmp_path, "p2/1.png")
    assert found.of(one) == found.of(one)
    with pytest.raises(ValueError, match=f"{one} and {other} would both be .*such as {path}"):
        found.of(other)
    mended = files(tmp_path, path)
    assert mended.of(other) == tmp_path / path


def test_the_same_picture_signed_anew_is_the_same_address(tmp_path: Path) -> None:
    found = files(tmp_path, "p1/1.png")
    assert found.of("https://host/p1/1.png?sig=1") == found.of("https://host/p1/1.png?sig=2")


@pytest.mark.parametrize(
    "address", ["http://[", "", "data:image/png;base64,AAAA", "x" * 9_000, "..", "/data/local-files/?d="]
)
def test_what_is_no_address_has_no_picture(tmp_path: Path, address: str) -> None:
    with pytest.raises(MissingPictureError):
        files(tmp_path, "1.png").of(address)


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "1.png").mkdir()
    with pytest.raises(MissingPictureError):
        files(tmp_path, "2.png").of("1.png")
