"""Pictures for the closed folder: files that any browser reads, scaled as the prior says, and told apart."""

import base64
import io
import re
import struct
import zlib

import numpy as np
import pytest

from keepmum.findings import Finding, Outcome
from keepmum.report._gallery import (
    FRAMES,
    LARGEST,
    OPTIONAL,
    SHOWN,
    WARNING,
    WAY,
    Pictures,
    correlation,
    data_uri,
    pixels,
    png,
    wall,
)
from keepmum.report._html import render, render_gallery
from keepmum.report._save import save


def read(content: bytes) -> np.ndarray:
    """A PNG by a second way: matplotlib's reader, which is Pillow's; 0 … 1."""
    from matplotlib.image import imread

    return np.rint(255 * imread(io.BytesIO(content), format="png"))


@pytest.mark.parametrize("shape", [(7, 5), (5, 7, 3), (1, 1)])
def test_a_png_holds_the_pixels(shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert np.array_equal(read(png(image)), image)


def test_every_part_of_a_png_has_its_checksum():
    content, at, names = png(np.zeros((2, 3), dtype=np.uint8)), 8, []
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        part = content[at + 4 : at + 8 + length]
        assert struct.unpack(">I", content[at + 8 + length : at + 12 + length]) == (zlib.crc32(part),)
        names.append(part[:4])
        at += 12 + length
    assert names == [b"IHDR", b"IDAT", b"IEND"]


def test_pixels_go_from_the_darkest_to_the_brightest_of_the_prior():
    assert pixels(np.array([[-1.0, 0.0, 1.0]]), -1.0, 1.0).tolist() == [[0, 128, 255]]
    assert pixels(np.array([[0.0, 128.0, 255.0, 300.0, -5.0, np.nan]]), 0, 255).tolist() == [[0, 128, 255, 255, 0, 0]]
    assert pixels(np.ones((2, 2)), 1.0, 1.0).shape == (2, 2)


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((4, 5), (4, 5)), ((4, 5, 1), (4, 5)), ((4, 5, 3), (4, 5, 3)), ((4, 5, 4), (4, 5, 3)), ((4, 5, 7), (4, 5))],
)
def test_any_number_of_channels_can_be_shown(shape, shown):
    assert pixels(np.random.default_rng(0).random(shape), 0, 1).shape == shown


def test_large_pictures_are_thinned():
    height, width = pixels(np.zeros((1000, 300)), 0, 1).shape
    assert height <= LARGEST
    assert width == pytest.approx(300 * height / 1000, abs=1)


def test_what_is_stored_comes_back_and_runs_no_code(sample):
    kept = sample.pictures(np.random.default_rng(1), classes=3, shape=(4, 5, 3), steps=7)
    back = Pictures.from_bytes(kept.to_bytes())
    for name in (*(name for name, _, _ in FRAMES), *OPTIONAL):
        assert np.array_equal(getattr(back, name), getattr(kept, name))
    assert (back.low, back.high, back.classes.tolist()) == (0.0, 1.0, [0, 1, 2])
    old = io.BytesIO()
    np.savez(old, **{name: value for name, value in vars(kept).items() if name not in OPTIONAL})
    assert Pictures.from_bytes(old.getvalue()).asked.shape == (0,)
    content = io.BytesIO()
    np.savez(content, classes=np.array([object()], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        Pictures.from_bytes(content.getvalue())


def test_the_likeness_below_a_picture_is_its_correlation_with_the_result():
    one = np.random.default_rng(0).random((4, 4))
    assert correlation(one, 3 * one + 1) == pytest.approx(1)
    assert correlation(one, -one) == pytest.approx(-1)
    assert correlation(one, np.ones((4, 4))) == 0
    both = np.stack([one, 1 - one])
    hung = wall(Finding("inversion/x", "inversion", Outcome.LEAK), Pictures(np.array([1, 0]), *[both] * 5, 0, 1), "ab")
    assert [label for label, _ in hung.rows] == ["b", "a"]
    frames = {frame.title: frame.likeness for frame in hung.rows[0][1]}
    assert frames == {"Start": "1.00", "Result": "", **dict.fromkeys(list(frames)[2:], "1.00")}


def test_the_gallery_shows_each_picture_with_what_it_is(sample):
    html = render_gallery(sample.walls())
    assert WARNING in html
    assert html.count("<img") == html.count('src="data:image/png;base64,') == 2 * 2 * len(FRAMES)
    for _, title, meaning in FRAMES:
        assert html.count(f"<figcaption>{title}") == 4
        assert meaning in html
    assert "Class ann &lt;3" in html
    assert "ann <3" not in html
    first = re.search(r'src="data:image/png;base64,([^"]+)"', html)
    assert read(base64.b64decode(first[1])).shape == (12, 10)


def test_the_search_is_shown_under_way_between_start_and_result(sample):
    kept = sample.pictures(np.random.default_rng(2), steps=9)
    hung = wall(sample.looked()["inversion/gradient"], kept, ["ann <3", "bob"])
    html = render_gallery([hung])
    first = html[html.index("Class ann") : html.index("Class bob")]
    said = re.findall(r"<figcaption>(After [^<]+|Start|Result|Nearest trained on)<", first)
    assert said == ["Start", "After 30", "After 50", "After 70", "After 90", "Result", "Nearest trained on"]
    assert first.count('class="way"') == SHOWN == 4
    assert WAY[1] in html
    sources = re.findall(r'src="(data:image/png;base64,[^"]+)"', first)
    assert sources[2] == data_uri(pixels(kept.ways[0, 4], 0.0, 1.0))
    likeness = re.search(r"After 50<small>([^<]+)", first)[1]
    assert likeness == f"{correlation(kept.ways[0, 4], kept.results[0]):.2f}"
    assert "<figcaption>Result</figcaption>" in first, "which is like itself, as nobody needs to be told"


def test_without_a_way_none_is_spoken_of(sample):
    html = render_gallery(sample.walls())
    assert WAY[0] not in html
    assert 'class="way"' not in html


def test_pages_load_nothing_and_pictures_only_where_there_are_some(sample):
    for html, has in ((render_gallery(sample.walls()), True), (render(sample.looked(), sample.walls()), True)):
        assert ("img-src data:" in html) == has
        assert not re.search(r'(?:src|href)="(?!data:|#|https://(?:arxiv|doi)\.org)', html)
    plain = render(sample.looked())
    assert "img-src" not in plain
    assert "<img" not in plain


def test_the_report_holds_no_picture_unless_asked(sample, tmp_path):
    plain = save(sample.looked(), tmp_path / "plain").read_text(encoding="utf-8")
    assert "data:image" not in plain
    assert "restricted/gallery.html" in plain
    assert "--include-restricted" in plain
    shown = save(sample.looked(), tmp_path / "shown", sample.walls()).read_text(encoding="utf-8")
    assert shown.count("<img") == 20
    assert WARNING in shown
    assert shown.index(WARNING) < shown.index("<img")
    assert (tmp_path / "plain" / "report.json").read_bytes() == (tmp_path / "shown" / "report.json").read_bytes()


def test_a_report_without_pictures_names_no_gallery(leaky, asked):
    assert "gallery.html" not in render(leaky) + render(asked)


def test_a_data_uri_is_a_png():
    assert base64.b64decode(data_uri(np.zeros((1, 1), dtype=np.uint8)).split(",")[1])[:4] == b"\x89PNG"
