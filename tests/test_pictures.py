"""Reconstructed pictures are kept apart, at once, and come back after an interruption."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import keepmum
import zoo
from keepmum.attacks.inversion import InversionAttack
from keepmum.attacks.inversion._base import NOTHING, Resemblance
from keepmum.attacks.inversion._pictures import Gallery
from keepmum.errors import ConfigError, DataError
from keepmum.report._gallery import WARNING
from keepmum.runs import RunFolder
from keepmum.targets import LabelTarget

DATA = zoo.album_split(3)
PLAYED: list[str] = []


@dataclass(frozen=True)
class Painter(InversionAttack[LabelTarget]):
    """Leaves a picture of each of three classes."""

    id: ClassVar[str] = "inversion/painter"
    needs: ClassVar[type[LabelTarget]] = LabelTarget
    references: ClassVar[tuple[str, ...]] = ("nobody",)

    breaks: bool = False
    films: bool = False

    def reconstruct(self, target, data, ctx) -> Resemblance:
        PLAYED.append(self.name)
        images = ctx.rng.random((5, 3, 8, 8))
        film = (np.array([10, 18, 32]), ctx.rng.random((3, 3, 8, 8))) if self.films else ()
        ctx.pictures[self.name] = Gallery(np.array([2, 0, 1]), *images, -1.0, 1.0, *film)
        ctx.seconds[self.name] = 1.23456
        if self.breaks:
            raise DataError("the brush broke")
        return Resemblance("Nobody can be seen.", 1.0, NOTHING)


def run(out, *, attacks=(Painter(),), **more):
    return keepmum.audit(
        zoo.Album(DATA.members), DATA.members, DATA.nonmembers, attacks=[*attacks], effort="quick", out=out, **more
    )


def halt(done: int, total: int, what: str) -> None:
    if done >= 3:
        raise KeyboardInterrupt


def test_pictures_stand_in_the_closed_folder_alone(tmp_path):
    run(tmp_path / "r")
    closed = tmp_path / "r" / "restricted"
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert sorted(file.name for file in closed.iterdir()) == ["gallery.html", "inversion-painter.npz"]
    page = (closed / "gallery.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 3 * 5
    assert [f"Class {label}" in page for label in (0, 1, 2, 3)] == [True, True, True, False]
    assert WARNING in page
    for name in ("report.html", "report.json", "events.jsonl", "manifest.json"):
        assert "data:image" not in (tmp_path / "r" / name).read_text(encoding="utf-8")
    with np.load(closed / "inversion-painter.npz", allow_pickle=False) as stored:
        assert stored["results"].shape == (3, 8, 8)
        assert (float(stored["low"]), float(stored["high"])) == (-1.0, 1.0)


def test_the_report_shows_them_when_asked_and_the_findings_are_the_same(tmp_path):
    run(tmp_path / "plain")
    run(tmp_path / "shown", include_restricted=True)
    page = (tmp_path / "shown" / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 15
    assert WARNING in page
    plain, shown = ((tmp_path / name / "report.json").read_bytes() for name in ("plain", "shown"))
    assert plain == shown


def test_a_finished_audit_shows_them_when_asked_later(tmp_path):
    run(tmp_path / "r")
    played = len(PLAYED)
    run(tmp_path / "r", include_restricted=True)
    assert len(PLAYED) == played
    assert (tmp_path / "r" / "report.html").read_text(encoding="utf-8").count("data:image/png") == 15


@pytest.mark.parametrize("films", [False, True])
def test_pictures_are_kept_as_soon_as_the_attack_is_finished(tmp_path, films):
    painter = (Painter(films=films),)
    run(tmp_path / "whole", attacks=painter)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", attacks=painter, progress=halt)
    closed = tmp_path / "cut" / "restricted"
    assert [file.name for file in closed.iterdir()] == ["inversion-painter.npz"]
    played = len(PLAYED)
    run(tmp_path / "cut", attacks=painter)
    assert len(PLAYED) == played
    assert (b"After 32" in (closed / "gallery.html").read_bytes()) == films
    whole, cut = ((tmp_path / name / "restricted" / "gallery.html").read_bytes() for name in ("whole", "cut"))
    assert whole == cut


@pytest.mark.parametrize("content", [None, b"", b"no npz", b"PK\x03\x04 cut off"])
def test_pictures_that_cannot_be_read_are_made_again(tmp_path, content):
    run(tmp_path / "r")
    file = tmp_path / "r" / "restricted" / "inversion-painter.npz"
    before, played = file.read_bytes(), len(PLAYED)
    file.unlink() if content is None else file.write_bytes(content)
    run(tmp_path / "r")
    assert len(PLAYED) == played + 1
    assert file.read_bytes() == before


def test_what_an_attack_left_before_it_broke_is_not_shown(tmp_path):
    report = run(tmp_path / "r", attacks=(Painter(breaks=True),))
    assert report["inversion/painter"].reason == "the brush broke"
    assert list((tmp_path / "r" / "restricted").iterdir()) == []


def test_events_of_other_attacks_stay_as_they_were(tmp_path):
    run(tmp_path / "r", attacks=(Painter(), "membership/loss"))
    lines = (tmp_path / "r" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = {event["finding"]["id"]: event for event in map(json.loads, lines)}
    assert events["inversion/painter"]["pictures"] is True
    assert "pictures" not in events["membership/loss"]


def test_seconds_stand_beside_the_finding_and_in_no_report(tmp_path):
    run(tmp_path / "r", attacks=(Painter(), "membership/loss"))
    assert RunFolder(tmp_path / "r", "").seconds() == {"inversion/painter": 1.2346}
    assert "1.234" not in (tmp_path / "r" / "report.json").read_text(encoding="utf-8")


def test_pictures_in_a_report_need_a_folder():
    with pytest.raises(ConfigError, match=r"include_restricted.*give a run folder"):
        run(None, include_restricted=True)


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(None)["inversion/painter"].explanation == "Nobody can be seen."
    assert list(tmp_path.iterdir()) == []
