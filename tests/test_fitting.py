"""How many shadow models fit into a budget: a number that is kept, and a reason where there are none."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

import zoo
from keepmum import _fitting
from keepmum._fitting import SHARE, duration, fit
from keepmum.audit import audit, plan
from keepmum.errors import ConfigError, KeepmumError, TargetError
from keepmum.findings import Outcome
from keepmum.report import Report
from keepmum.shadows import Cost, ShadowStore
from keepmum.training import FunctionTrainer

DATA = zoo.split(60)
TREE = DecisionTreeClassifier(random_state=0).fit(DATA.members.X, DATA.members.y)
ATTACKS = ["membership/rmia", "membership/lira"]


@given(
    st.floats(0.01, 100), st.floats(0.1, 1e4), st.sampled_from([8, 64]), st.sampled_from([2, 8, 16]), st.integers(1, 9)
)
def test_the_largest_even_number_that_fits(seconds: float, budget: float, most: int, fleet: int, jobs: int) -> None:
    cost = Cost(seconds, 0)
    models = fit(cost, budget, most, fleet, jobs)
    assert models % 2 == 0
    assert 0 <= models <= most
    assert duration(cost, models, fleet, jobs) <= SHARE * budget or not models
    for more in range(models + 2, most + 1, 2):
        assert duration(cost, more, fleet, jobs) > SHARE * budget


@pytest.mark.parametrize(
    ("models", "fleet", "jobs", "expected"), [(8, 2, 1, 8), (8, 2, 2, 4), (10, 8, 1, 16), (64, 8, 3, 24), (4, 8, 2, 4)]
)
def test_fleets_go_round(models: int, fleet: int, jobs: int, expected: int) -> None:
    assert duration(Cost(1.0, 0), models, fleet, jobs) == expected


def slow(records: Any, seed: int) -> Any:
    time.sleep(0.1)
    return DecisionTreeClassifier(random_state=seed).fit(records.X, records.y)


def audited(seconds: float | None = 2.0, **kwargs: Any) -> Report:
    options = {"attacks": ATTACKS, "effort": "thorough", "trainer": FunctionTrainer(slow, "slow"), **kwargs}
    return audit(TREE, DATA.members, DATA.nonmembers, seconds=seconds, **options)


def test_as_many_as_fit_are_trained_and_the_number_is_kept(tmp_path: Path) -> None:
    report = audited(out=tmp_path / "run")
    picked = report.settings["shadows"]
    assert 4 <= picked <= 14
    assert report.settings["shadows_by"] == "budget"
    assert len(list((tmp_path / "run" / "restricted" / "shadows").glob("*.npy"))) == picked // 2
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["settings"]["fitted"] == picked


def test_a_resumed_run_takes_the_same_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(done: int, total: int, what: str) -> None:
        if what == "membership/lira":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audited(out=tmp_path / "cut", progress=stop)
    monkeypatch.setattr(_fitting, "SHARE", 0.01)  # now next to nothing would fit
    cut = audited(out=tmp_path / "cut")
    assert cut.settings["shadows"] >= 4
    again = audited(out=tmp_path / "cut")
    assert again.to_json() == cut.to_json()


FEW = "needs shadow models: fewer than 4 fit into the budget of 0.3 s; --shadows 4 trains them anyway"


def test_where_too_few_fit_none_are_trained_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fitting, "BRIEF", 0.0)
    report = audited(0.3, out=tmp_path / "run")
    assert report.settings["shadows"] == 0
    assert {(f.outcome, f.reason) for f in report.findings} == {(Outcome.NOT_APPLICABLE, FEW)}
    assert audited(0.3, out=tmp_path / "run").to_json() == report.to_json()


def test_a_number_that_is_given_is_trained_whatever_fits() -> None:
    report = audited(60.0, shadows=4, effort="quick")
    assert (report.settings["shadows"], report.settings["shadows_by"]) == (4, "number")


def test_what_was_trained_to_measure_is_used() -> None:
    assert audited(0.3).settings["shadows"] == 4


def test_signals_at_hand_cost_nothing(tmp_path: Path) -> None:
    ShadowStore(tmp_path).collect(FunctionTrainer(slow, "slow"), pool(), 10, 0)
    assert audited(0.5, shadow_store=tmp_path).settings["shadows"] == 10


def pool() -> Any:
    from keepmum.overlap import remove_overlap

    return remove_overlap(DATA)[0].pool


def test_training_that_fails_is_the_audits_to_tell() -> None:
    def fails(records: Any, seed: int) -> Any:
        raise TargetError("no such luck")

    report = audited(trainer=FunctionTrainer(fails, "fails"))
    assert {f.reason for f in report.findings} == {"needs shadow models: no such luck"}


def test_a_folder_of_something_else_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(ConfigError, match="not empty"):
        audited(out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_plan_tells_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fitting, "BRIEF", 0.0)
    options = {"attacks": ATTACKS, "effort": "thorough", "trainer": FunctionTrainer(slow, "slow")}
    made = plan(TREE, DATA.members, DATA.nonmembers, seconds=2.0, **options)
    assert 4 <= made.shadows <= 14
    assert made.training.decided_by == "budget"
    none = plan(TREE, DATA.members, DATA.nonmembers, seconds=0.3, **options)
    assert none.shadows == 0
    assert none.rows[0].reason == FEW
    with pytest.raises(KeepmumError):
        plan(TREE, DATA.members, DATA.nonmembers, shadows=4, trainer=FunctionTrainer(lambda r, s: 1 / 0, "fails"))


def test_brief_fleets_are_measured_twice(tmp_path: Path) -> None:
    plan(TREE, DATA.members, DATA.nonmembers, shadows=8, attacks=ATTACKS, shadow_store=tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 2
