"""What the benchmark on defenses computes; that its parts run at all is seen in small."""

from __future__ import annotations

import importlib
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from keepmum.defenses.training import LeafSize
from keepmum.harden import Frontier, Row, Verdict
from keepmum.harden._invert import Inversion
from keepmum.stats import Estimate
from keepmum.training import SklearnTrainer

FOLDER = Path(__file__).parents[2] / "benchmarks"
PARTS = ("tasks", "output", "dp", "auditing", "verdicts", "scoreboard")
NAMES = ("common", "write", "_page", "defenses", *(f"_defenses_{part}" for part in PARTS))


@pytest.fixture(scope="module")
def scripts():
    """The scripts as modules, which import each other by bare names."""
    pytest.importorskip("torch")
    pytest.importorskip("dp_accounting")
    sys.path.insert(0, str(FOLDER))
    modules = {name: importlib.import_module(name) for name in NAMES}
    modules |= {part: modules[f"_defenses_{part}"] for part in PARTS}
    yield Namespace(**modules)
    sys.path.remove(str(FOLDER))
    for name in NAMES:
        del sys.modules[name]


def test_every_part_has_a_module_and_a_measure(scripts):
    assert set(scripts.defenses.BENCHMARK.parts) == set(PARTS) - {"tasks"}
    for part in scripts.defenses.BENCHMARK.parts:
        assert callable(getattr(scripts, part).measure)


def test_the_tasks_are_what_they_are_called(scripts):
    table, images = scripts.tasks.tabular(0, 800, 1), scripts.tasks.digits(0, 100, epochs=2)
    assert table.split.members.X.shape == (400, 300)
    assert images.split.members.X.shape == (50, 1, 8, 8)
    for task in (table, images):
        assert len(task.reference)
        assert task.trainer.train(task.split.members, 0).predict_proba(task.reference).shape[0] == len(task.reference)
    again = scripts.tasks.tabular(0, 800, 1)
    assert np.array_equal(again.split.members.X, table.split.members.X)


def estimate(value: float, width: float = 0.01) -> Estimate:
    return Estimate(value, value - width, value + width)


def frontier(scripts, verdicts: dict[str, Verdict], gap: float) -> Frontier:
    names = [f"{leak}_tpr_at_fpr_0.01" for leak in scripts.scoreboard.LEAKS]
    metrics = {name: estimate(0.5) for name in names} | {"accuracy": estimate(0.7), "calibration_error": estimate(0.1)}
    differences = {name: estimate(gap) for name in names}
    rows = [Row("none", Verdict.UNDEFENDED, metrics=metrics)]
    rows += [Row(name, verdict, metrics=metrics, differences=differences) for name, verdict in verdicts.items()]
    return Frontier(tuple(rows), 100, 20, 16, 0)


EXPECTED = {
    "training/label-smoothing:strength=0.3": Verdict.BACKFIRED,
    "training/flat-confidence:unclear=noise": Verdict.BACKFIRED,
    "training/hamp": Verdict.BACKFIRED,
    "output/hamp-swap": Verdict.MASKING,
    "training/l2:strength=0.0001": Verdict.NOTHING,
    "training/dropout:rate=0.25": Verdict.NOTHING,
    "training/selena": Verdict.MASKING,
    "training/dp-sgd:noise=0.6,batch=128": Verdict.WORKS,
}


def test_verdicts_that_others_measured_reach_the_bars_and_others_miss_them(scripts):
    good = scripts.scoreboard.judged("table", frontier(scripts, EXPECTED, -0.2))
    assert all(bar["ok"] for bar in good.values()), good
    wrong = dict.fromkeys(EXPECTED, Verdict.UNDECIDED)
    bad = scripts.scoreboard.judged("table", frontier(scripts, wrong, 0.0))
    assert [name for name, bar in bad.items() if bar["ok"]] == ["table_models_a_defense"]


def test_pictures_stand_beside_their_defense(scripts):
    drawn = {"inversion/cmaes": Inversion("identified", estimate(0.8)), "inversion/boundary": Inversion(reason="no")}
    found = Frontier((Row("none", Verdict.UNDEFENDED, inversion=drawn),), 100, 20, 16, 0)
    shown = scripts.scoreboard.drawn(scripts.tasks.digits(0, 60, epochs=1), found)
    assert shown["rows"] == [["none", "80.0 [79.0, 81.0]", "–"]]


def test_rows_behind_defenses_reach_their_bars(scripts):
    bars, tables = scripts.output.measure(True)
    assert all(bar["ok"] for bar in bars.values()), {name: bar for name, bar in bars.items() if not bar["ok"]}
    assert tables


def test_the_accountant_and_private_logistic_regression_reach_their_bars(scripts):
    for part in (scripts.dp.accountant, scripts.dp.logistic):
        bars, _ = part(True)
        assert all(bar["ok"] for bar in bars.values()), bars


def test_a_defense_that_does_nothing_is_called_so_and_one_that_does_something_is_not(scripts, monkeypatch):
    small = {"tree": (SklearnTrainer(DecisionTreeClassifier()), 6)}
    monkeypatch.setattr(scripts.verdicts, "recipes", lambda: small)
    bars, tables = scripts.verdicts.measure(True)
    assert bars["verdicts_tree_wrong"]["value"] <= 1 / 12
    assert sum(map(int, tables[0]["rows"][0][3:8])) == 12
    leaves = LeafSize(40)
    monkeypatch.setattr(scripts.verdicts.Nothing, "protect", lambda self, trainer: leaves.protect(trainer))
    bars, _ = scripts.verdicts.measure(True)
    assert bars["verdicts_tree_wrong"]["value"] > 0.5
    assert not bars["verdicts_tree_wrong"]["ok"]
