"""``keepmum demo text`` and ``demo mask``: who recites, side by side; and what a masked model fills in."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keepmum.cli import _lanes, _notes, _recital
from keepmum.cli._lanes import Job, Lanes, Trained
from keepmum.errors import ConfigError, TargetError, WorkerError
from keepmum.findings import Finding, Outcome, Slice
from keepmum.report import Report
from keepmum.stats import Estimate

TINY = (("layers", 1), ("width", 32), ("heads", 2), ("vocabulary", 400), ("batch", 4))
SMALL = _recital.Scale(24, 2, ("pin", "key"), (1, 8), 2, 1, 15, 4, TINY)
WARD = _notes.Scale(8, 2, (1, 4), 3, (("layers", 1), ("width", 32), ("heads", 2), ("vocabulary", 400), ("epochs", 1)))


def told(*_: object) -> None:
    """Progress that nobody looks at."""


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Models that are made at once, and the names of those that were."""
    made: list[str] = []

    def begin(self: Lanes) -> None:
        while self._waiting:
            job = self._waiting.pop(0)
            (self._folder / job.name).mkdir(parents=True)
            facts = {"key": job.key, "loss": 2.5, "seconds": 1.0}
            (self._folder / job.name / _lanes.FACTS).write_text(json.dumps(facts))
            made.append(job.name)

    monkeypatch.setattr(Lanes, "_begin", begin)
    return made


def test_no_paragraph_is_on_two_sides_and_no_secret_in_the_reference() -> None:
    world = _recital.drawn(SMALL, 0)
    sides = [set(side) for side in (world.members, world.heldout, world.public)]
    assert [len(side) for side in sides] == [24, 24, 24]
    assert len(set.union(*sides)) == 72
    leaky, reference, once, early = _recital.jobs(world, SMALL, 0)
    assert [job.name for job in (leaky, reference, once, early)] == ["leaky", "reference", "deduplicated", "early"]
    text = "\n".join(reference.texts) + "\n".join(reference.words)
    every = world.registry.planted + world.registry.twins
    assert not any(secret.secret in text or secret.prefix in text for secret in every)
    assert not set(leaky.texts) & {secret.text for secret in world.registry.twins}
    assert _recital.drawn(SMALL, 1).members != world.members


def test_duplicates_are_gone_and_else_nothing_differs() -> None:
    world = _recital.drawn(SMALL, 0)
    leaky, _, once, early = _recital.jobs(world, SMALL, 0)
    assert len(leaky.texts) == 24 + 4 * (1 + 8)
    assert len(once.texts) == len(set(once.texts)) == 24 + 8
    assert set(once.texts) == set(leaky.texts)
    assert leaky.words == once.words == early.words
    assert (leaky.recipe, leaky.seed) == (once.recipe, once.seed)
    assert early.texts == leaky.texts
    assert dict(early.recipe) == {**dict(leaky.recipe), "epochs": 1}
    assert {secret.repeats for secret in world.once.planted} == {1}
    assert [s.text for s in world.once.planted] == [s.text for s in world.registry.planted]


def test_a_model_that_is_there_is_taken_and_another_one_refused(instant: list[str], tmp_path: Path) -> None:
    job = Job("a", ("one text",))
    with Lanes([job, Job("b", ("two",))], tmp_path) as lanes:
        assert lanes.wait("a", told) == Trained(tmp_path / "a", job.key, 2.5, 1.0)
        assert lanes.done == 2
    with Lanes([job], tmp_path) as lanes:
        lanes.wait("a", told)
    assert instant == ["a", "b"]
    with pytest.raises(ConfigError, match="holds a model of another demo"):
        Lanes([replace(job, seed=1)], tmp_path)
    (tmp_path / "a" / _lanes.FACTS).write_text("{")
    with pytest.raises(TargetError, match="none that is whole"):
        Lanes([job], tmp_path)


def test_the_key_follows_everything_that_decides_the_weights() -> None:
    job = Job("a", ("x",), ("y",), (("epochs", 1),), 0, ("z",))
    others = [
        replace(job, texts=("x", "x")),
        replace(job, heldout=()),
        replace(job, recipe=(("epochs", 2),)),
        replace(job, seed=1),
        replace(job, words=()),
        replace(job, masked=True),
    ]
    assert len({each.key for each in (job, *others)}) == 7
    assert replace(job).key == job.key


@pytest.mark.slow
def test_what_a_process_says_when_it_fails_is_told(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    wrong = Job("a", ("one text",), (), (("epochs", 0),))
    with (
        Lanes([wrong], tmp_path) as lanes,
        pytest.raises(WorkerError, match="the a model could not be trained: expected epochs"),
    ):
        lanes.wait("a", told)
    assert list(tmp_path.iterdir()) == []


def test_numbers_in_words() -> None:
    assert [_recital.either(n) for n in ((1,), (1, 4), (1, 4, 16))] == ["1", "1 or 4", "1, 4 or 16"]


def finding(name: str, out: float, twins: float, bits: dict[str, float] | None = None) -> Finding:
    """A finding about eight planted secrets and as many twins."""

    def exact(value: float) -> Estimate:
        return Estimate(value, value, value)

    slices = [Slice("kind", kind, 4, 4, {}) for kind in ("key", "pin")]
    slices += [Slice("repeats", value, 4, 8, {"exposure": exact(b)}) for value, b in (bits or {}).items()]
    return Finding(
        name,
        name.split("/")[0],
        Outcome.LEAK,
        "text",
        metrics={"extracted": exact(out), "auc": exact(out)},
        control={"extracted": exact(twins), "exposure": exact(1.4)},
        slices=tuple(slices),
    )


def report(out: float, bits: dict[str, float]) -> Report:
    found = (
        finding("membership/ez", out, 0),
        finding("extraction/exposure", out, 0, bits),
        finding("extraction/greedy", out / 2, 0),
        finding("extraction/sampled", out, 0.125),
    )
    return Report(Outcome.LEAK, "", found, {}, {})


def test_cells_are_counts_and_what_stands_once_has_one_exposure() -> None:
    reports = {"leaky": report(0.75, {"1": 3, "8": 13}), "deduplicated": report(0.25, {"1": 3.5})}
    reports["early"] = report(0.5, {"1": 2, "8": 6})
    models = {name: Trained(Path(), "", loss, 1.0) for name, loss in zip(reports, (3.0, 2.5, 2.25), strict=True)}
    rows = dict(_recital.rows(reports, models, SMALL))
    assert rows["exposure of canaries that stand there 8 ×, bits"] == ["13.0", "–", "6.0"]
    assert rows["came out at first asking"] == ["3 of 8", "1 of 8", "2 of 8"]
    assert rows["came out in 4 samples"] == ["6 of 8", "2 of 8", "4 of 8"]
    assert rows["twins that came out in 4 samples"] == ["1 of 8"] * 3
    assert rows["loss on prose that it never read, nats a token"] == ["3.00", "2.50", "2.25"]
    first, second = _recital.changes(reports, models, SMALL)
    assert "once instead of up to 8 times, 2 of 8 came out in samples, and not 6 of 8" in first
    assert "the loss on unread prose is 2.50, and not 3.00" in first
    assert second.startswith("With 1 instead of 2 epochs, 4 of 8 came out")


def test_notes_are_of_nobody_and_twins_are_drawn_alike() -> None:
    secrets = _notes.clinic(WARD, 0)
    assert len(secrets.planted) == len(secrets.twins) == 3 * 4
    every = secrets.planted + secrets.twins
    numbers = [s.secret for s in every if s.kind == "ssn"]
    assert all(len(n) == 12 and n.startswith(" 9") and n[4:8] == "-00-" for n in numbers)
    facts = [(s.kind, s.secret) for s in every if s.kind != "diagnosis"]
    assert len(set(facts)) == len(facts)
    assert len({s.prefix for s in every}) == len(every)
    names = [s.prefix.removeprefix("The ").split(" of ")[1].split(" is")[0].split(" has")[0] for s in every]
    assert len(set(names)) == len(names), "a name in two notes would tell, without the model, who has any"
    assert _notes.clinic(WARD, 0) == secrets
    job = _notes.job(WARD, secrets, 0)
    assert len(job.texts) == 8 + 3 * 2 * (1 + 4)
    assert not set(job.texts) & {s.text for s in secrets.twins}


def test_which_of_a_pair_has_notes_is_a_fair_coin() -> None:
    """Names are drawn in pairs: the first of a pair is planted in half of the cases."""
    from keepmum.canaries._names import draw_names

    scale = replace(WARD, people=200, repeats=(1,))
    secrets = _notes.clinic(scale, 5)
    names = draw_names(1200, np.random.default_rng([5, 0x6E6F7465]))
    text = "\n".join(secret.prefix for secret in secrets.planted)
    first = sum(f" {name} " in text for name in names[::2])
    assert 240 <= first <= 360


@pytest.mark.parametrize("what", ["text", "mask"])
def test_without_the_extra_it_is_one_line(keepmum, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    code, out, err = keepmum("demo", what, "-q", "--out", "there")
    assert (code, out) == (2, "")
    assert err.splitlines() == ["keepmum: needs the package transformers: pip install 'keepmum[text]'"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_three_models_three_reports_and_the_same_again(keepmum, monkeypatch, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr(_recital, "SCALE", SMALL)
    code, out, err = keepmum("demo", "text", "--effort", "quick", "--out", "run", "--json")
    assert code == 0, err
    told = json.loads(out.splitlines()[-1])
    assert list(told) == ["leaky", "deduplicated", "early", "loss"]
    ids = [found["id"] for found in told["leaky"]["findings"]]
    assert ids == ["membership/text-loss", "membership/text-reference", "membership/ez"] + [
        f"extraction/{name}" for name in ("exposure", "greedy", "np", "sampled")
    ]
    assert not [f for name in _recital.NAMES for f in told[name]["findings"] if f["outcome"] in ("error", "skipped")]
    for name in _recital.NAMES:
        assert (tmp_path / "run" / name / "report.html").stat().st_size > 10_000
        page = (tmp_path / "run" / name / "report.html").read_text()
        assert not any(s.secret.strip() in page for s in planted() if len(s.secret) > SHORT)
        assert not any(s.text in page for s in planted())
    assert "What text comes out" in (tmp_path / "run" / "comparison.html").read_text()
    weights = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.safetensors")}
    assert len(weights) == 4
    again = keepmum("demo", "text", "--effort", "quick", "--out", "run", "--json")
    assert json.loads(again[1].splitlines()[-1]) == told
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.safetensors")} == weights
    code, out, err = keepmum("demo", "text", "--seed", "1", "--out", "run", "-q")
    assert (code, out) == (2, "")
    assert "holds a model of another demo" in err


SHORT = 8
"""Four digits stand on any page by chance."""


def planted():
    return _recital.drawn(SMALL, 0).registry.planted


@pytest.mark.slow
def test_a_masked_model_is_asked_about_made_up_patients(keepmum, monkeypatch, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr(_notes, "SCALE", WARD)
    code, out, err = keepmum("demo", "mask", "--out", "run")
    assert code == 0, err
    assert "one shot: bits ahead of guessing" in out
    assert "pseudo log likelihood: the same behind another's name" in out
    page = (tmp_path / "run" / "notes" / "report.html").read_text()
    assert not any(secret.secret.strip() in page for secret in _notes.clinic(WARD, 0).planted if secret.kind == "ssn")
