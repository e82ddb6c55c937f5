"""Nothing finished is ever lost, and a run folder never mixes two audits."""

from __future__ import annotations

import stat

import numpy as np
import pytest

import keepmum
import zoo
from keepmum.errors import ConfigError
from keepmum.runs import read_manifest

DATA = zoo.split(120)


def run(out, target=None, **kwargs):
    target = target or zoo.Lookup(DATA.members)
    return keepmum.audit(target, DATA.members, DATA.nonmembers, out=out, effort="quick", **kwargs)


class Interrupter:
    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, done: int, total: int, what: str) -> None:
        if done >= self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [0, 2, 5, 11, 20])
def test_interrupt_and_resume_gives_the_same_bytes(tmp_path, after):
    run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", progress=Interrupter(after))
    events = tmp_path / "cut" / "events.jsonl"
    assert len(events.read_text().splitlines() if events.exists() else []) == max(0, after - 2)
    assert not (tmp_path / "cut" / "report.json").exists()
    run(tmp_path / "cut")
    whole, cut = ((tmp_path / name / "report.json").read_bytes() for name in ("whole", "cut"))
    assert whole == cut


@pytest.mark.parametrize("max_queries", [None, 60_000])
def test_what_was_asked_before_the_interrupt_counts(tmp_path, max_queries):
    """Attacks that ask about more than the records, of a budget that they share."""
    attacks = ["membership/loss", "membership/merlin", "membership/noise-robustness", "membership/neighborhood"]
    options = {"attacks": attacks, "max_queries": max_queries}
    run(tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", progress=Interrupter(4), **options)
    run(tmp_path / "cut", **options)
    assert (tmp_path / "whole" / "report.json").read_bytes() == (tmp_path / "cut" / "report.json").read_bytes()


def test_other_sides_of_the_same_people_are_another_audit(tmp_path):
    pool = DATA.pool
    sides = [(pool.take(np.arange(n)), pool.take(np.arange(n, len(pool)))) for n in (120, 60)]
    sides = [tuple((side.X, side.y) for side in pair) for pair in sides]
    target = zoo.Lookup(DATA.members)
    keepmum.audit(target, *sides[0], out=tmp_path / "r", effort="quick")
    with pytest.raises(ConfigError, match="holds another audit"):
        keepmum.audit(target, *sides[1], out=tmp_path / "r", effort="quick")


def test_another_population_is_another_audit(tmp_path):
    run(tmp_path / "r", population=zoo.people(50, 7))
    with pytest.raises(ConfigError, match="holds another audit"):
        run(tmp_path / "r", population=zoo.people(50, 8))


def test_finished_attacks_are_not_played_again(tmp_path, monkeypatch):
    from keepmum.attacks.membership import Loss

    run(tmp_path / "r")
    monkeypatch.setattr(Loss, "signal", lambda *args: pytest.fail("played again"))
    run(tmp_path / "r")


def test_a_line_cut_off_by_a_kill_is_played_again(tmp_path):
    run(tmp_path / "r")
    before = (tmp_path / "r" / "report.json").read_bytes()
    events = tmp_path / "r" / "events.jsonl"
    events.write_bytes(events.read_bytes()[:-200])
    run(tmp_path / "r")
    assert (tmp_path / "r" / "report.json").read_bytes() == before
    run(tmp_path / "r")
    assert (tmp_path / "r" / "report.json").read_bytes() == before


def test_lost_scores_are_played_again(tmp_path):
    run(tmp_path / "r")
    before = (tmp_path / "r" / "report.json").read_bytes()
    (tmp_path / "r" / "restricted" / "membership-loss.npz").unlink()
    run(tmp_path / "r")
    assert (tmp_path / "r" / "report.json").read_bytes() == before
    assert (tmp_path / "r" / "restricted" / "membership-loss.npz").exists()


@pytest.mark.parametrize("change", ["seed", "record", "answer", "attacks", "prior"])
def test_another_audit_is_refused(tmp_path, change):
    run(tmp_path / "r")
    members, kwargs, target = DATA.members, {}, zoo.Lookup(DATA.members)
    if change == "seed":
        kwargs["seed"] = 1
    if change == "prior":
        kwargs["prior"] = 0.2
    if change == "attacks":
        kwargs["attacks"] = ["membership/loss"]
    if change == "answer":
        target = zoo.Lookup(DATA.members, sure=0.981)
    if change == "record":
        X = members.X.copy()
        X[0, 0] += 1e-9
        members = keepmum.Records(X, members.y)
    with pytest.raises(ConfigError, match="another audit"):
        keepmum.audit(target, members, DATA.nonmembers, out=tmp_path / "r", effort="quick", **kwargs)


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="holds no audit"):
        run(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_unwritable_folder_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write the run folder"):
        run(tmp_path / "file" / "run")


def test_bad_input_leaves_no_folder(tmp_path):
    with pytest.raises(keepmum.errors.DataError):
        keepmum.audit(zoo.Ignorant(), DATA.members, DATA.members, out=tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_scores_stay_in_the_restricted_folder(tmp_path):
    run(tmp_path / "r")
    restricted = tmp_path / "r" / "restricted"
    assert stat.S_IMODE(restricted.stat().st_mode) == 0o700
    with np.load(restricted / "membership-loss.npz", allow_pickle=False) as stored:
        assert len(stored["scores"]) == len(stored["is_member"]) == 240
    assert {p.name for p in (tmp_path / "r").iterdir()} == {
        "manifest.json",
        "events.jsonl",
        "report.json",
        "report.html",
        "restricted",
    }
    manifest = read_manifest(tmp_path / "r")
    assert manifest is not None
    assert len(manifest["key"]) == 64
