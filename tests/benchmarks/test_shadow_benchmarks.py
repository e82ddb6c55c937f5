"""What the benchmarks of shadow models compute and write; that they run at all is seen with --quick."""

from __future__ import annotations

import importlib
import re
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keepmum.shadows import Shadows, balanced_pairs

FOLDER = Path(__file__).parents[2] / "benchmarks"
NAMES = ("common", "write", "power", "null_shadows", "shadows", "peers", "endtoend", "engines", "store")


@pytest.fixture(scope="module")
def scripts():
    """The scripts as modules, which import each other by bare names."""
    sys.path.insert(0, str(FOLDER))
    yield Namespace(**{name: importlib.import_module(name) for name in NAMES})
    sys.path.remove(str(FOLDER))
    for name in NAMES:
        del sys.modules[name]


@pytest.fixture(scope="module")
def everyone():
    rng = np.random.default_rng(0)
    trained_on = np.concatenate([mask for mask, _ in balanced_pairs(40, 5, 0)])
    return Shadows(np.arange(40), list(rng.normal(size=(10, 40)).astype(np.float32)), trained_on)


RESULT = {
    "bars": {
        "fast": {"value": 9.0, "goal": 8.0, "ok": True},
        "strong": {"value": 0.4, "goal": 0.5, "ok": False},
    },
    "tables": [{"title": "Seen", "head": ["what", "value"], "rows": [["a|b", "1"]], "note": "A note."}],
}


def test_a_bar_that_is_missed_stays_on_the_page_and_is_counted(scripts):
    text = scripts.write.page({"store": RESULT}, {"cores": 2}, set())
    assert "1 of 2 figures reach their goal; missed: `strong`" in text
    assert "| `strong` | 0.4 | 0.5 | **no** |" in text
    assert "| `fast` | 9 | 8 | yes |" in text


def test_tables_keep_their_columns(scripts):
    lines = scripts.write.page({"store": RESULT}, {}, set()).splitlines()
    assert "| a\\|b | 1 |" in lines
    assert "A note." in lines


def test_results_without_tables_are_told_by_their_bars(scripts):
    text = scripts.write.page({"fleets": {"bars": RESULT["bars"]}}, {}, set())
    assert "| `strong` | 0.4 | 0.5 | **no** |" in text


def test_pages_and_pictures_are_the_same_each_time(scripts, tmp_path):
    curves = {"network": {"membership/learned 4": [0.6, 0.1], "membership/learned 8": [0.7, 0.2]}}
    results = {
        "power": {"bars": {}, "curves": curves},
        "peers": {"bars": {}, "cpu": {"keepmum": {"training": 1.0, "scoring": 0.5}}},
    }
    for name in ("one", "two"):
        scripts.write.write(tmp_path / name, results, {"cores": 2})
    for file in ("shadows.md", "power.svg", "peers.svg"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_bars_are_computed_from_their_values(scripts):
    assert [scripts.common.at_least(value, 1.0)["ok"] for value in (0.99, 1.0)] == [False, True]
    assert [scripts.common.at_most(value, 1.0)["ok"] for value in (1.01, 1.0)] == [False, True]


@pytest.mark.parametrize("target", [0, 3, 9])
def test_a_target_never_meets_itself_or_its_partner(scripts, everyone, target):
    some = scripts.power.references(everyone, target, 8)
    own = {everyone.signals[target].tobytes(), everyone.signals[target ^ 1].tobytes()}
    assert len(some) == 8
    assert not own & {row.tobytes() for row in some.signals}
    for k in range(0, 8, 2):  # still in pairs
        assert (some.trained_on[k] ^ some.trained_on[k + 1]).all()


def test_every_target_has_references_of_its_own(scripts, everyone):
    first = {scripts.power.references(everyone, target, 2).signals[0].tobytes() for target in range(0, 10, 2)}
    assert len(first) == 5


def test_the_lead_is_paired_by_target(scripts):
    noise = np.random.default_rng(0).normal(size=(30, 2))
    mean, error = scripts.power.lead({("a", 4): noise + 0.1, ("b", 4): noise}, ("a", 4), ("b", 4))
    assert mean == pytest.approx([0.1, 0.1])
    assert error == pytest.approx([0.0, 0.0], abs=1e-12)


def test_a_strong_attack_is_told_from_a_weak_one(scripts, everyone):
    told = np.where(everyone.trained_on, 5.0, -5.0).astype(np.float32) + np.array(everyone.signals)
    power = scripts.power.powers(replace(everyone, signals=list(told)), (8,), 4, np.ones(40, dtype=bool))
    blind = scripts.power.powers(everyone, (8,), 10, np.ones(40, dtype=bool))
    assert power["membership/lira:fixed-variance", 8][:, 0].mean() > 0.99
    assert blind["membership/lira:fixed-variance", 8][:, 0].mean() == pytest.approx(0.5, abs=0.15)


def test_pictures_of_a_file_are_means_of_four(scripts, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "some_pictures.npz", x=images, y=np.arange(6))
    X, y, what = scripts.common.pictures(str(tmp_path / "some_pictures.npz"), 6, seed=0, side=14)
    slow = [
        [images[k, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2].mean() / 255 for r in range(14) for c in range(14)] for k in y
    ]
    assert pytest.approx(np.array(slow), abs=1e-6) == X
    assert what == "some pictures"


def test_other_tools_are_pinned(scripts):
    for tool in scripts.peers.TOOLS:
        lines = [line for line in (FOLDER / "peers" / f"{tool}.txt").read_text().splitlines() if line[:1] != "#"]
        assert lines
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), tool
        name, version = scripts.peers.TOOLS[tool].split()
        assert f"{name}=={version}" in lines


def test_no_environment_is_made_unless_asked(scripts):
    chosen = Namespace(quick=True, data="some.npz", peers=False)
    assert "--installed" in scripts.shadows.command("peers", chosen)
    assert "--installed" not in scripts.shadows.command("peers", Namespace(quick=False, data=None, peers=True))
    assert "--data" in scripts.shadows.command("power", chosen)
    assert "--data" not in scripts.shadows.command("store", chosen)


def test_the_null_game_is_silent_on_strangers_and_sees_members(scripts, monkeypatch):
    """With both, as an attack that says nothing at all is silent too."""
    from keepmum.attacks.membership import Learned, Loss

    monkeypatch.setattr(scripts.null_shadows, "attacks", lambda: [Loss(), Learned()])
    seen = [scripts.null_shadows.play("tree", True, seed) for seed in range(2)]
    strange = [scripts.null_shadows.play("tree", False, seed) for seed in range(2)]
    assert max(adjusted for run in seen for _, adjusted in run.values()) < 1e-6
    assert min(adjusted for run in strange for _, adjusted in run.values()) > 0.01


def test_attacks_are_found_by_discovery(scripts):
    assert {"membership/learned", "membership/lira", "membership/loss"} <= {
        a.name for a in scripts.null_shadows.attacks()
    }
