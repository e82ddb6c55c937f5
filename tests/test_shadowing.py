"""Audits with shadow models: from which recipe, with which doubts, and how they stop and go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import zoo
from keepmum.audit import audit, plan
from keepmum.errors import ConfigError, TargetError
from keepmum.findings import Outcome
from keepmum.report import Report
from keepmum.training import FunctionTrainer

DATA = zoo.split(150)
TREE = DecisionTreeClassifier(random_state=0).fit(DATA.members.X, DATA.members.y)
SHADOW = ["membership/lira", "membership/rmia", "membership/learned"]


def audited(model: Any = TREE, **kwargs: Any) -> Report:
    return audit(model, DATA.members, DATA.nonmembers, **{"attacks": SHADOW, "shadows": 4, **kwargs})


def test_an_estimator_is_its_own_recipe() -> None:
    report = audited(attacks=None)
    played = {f.id for f in report.findings if f.outcome is Outcome.LEAK}
    assert {*SHADOW, "membership/pooled", "membership/lira-offline", "membership/calibrated-loss"} <= played
    assert report.instrument["shadow_fidelity"].passed
    assert report.settings["shadows"] == 4


def test_without_shadow_models_they_are_not_applicable() -> None:
    report = audit(TREE, DATA.members, DATA.nonmembers, effort="quick")
    missing = [f for f in report.findings if "shadow models" in f.reason]
    assert {*SHADOW, "membership/pooled"} <= {f.id for f in missing}
    assert {f.outcome for f in missing} == {Outcome.NOT_APPLICABLE}
    assert "shadow_fidelity" not in report.instrument
    assert report.settings["shadows"] == 0
    status = {p.id: p.status for p in report.coverage["membership"].attacks}
    assert {status[name] for name in SHADOW} == {"not_applicable"}


@pytest.mark.parametrize(("effort", "expected"), [("quick", 0), ("standard", 8), ("thorough", 64)])
def test_effort_decides_how_many(effort: str, expected: int) -> None:
    report = audited(effort=effort, shadows=None, attacks=["membership/rmia"])
    assert (report.settings["shadows"], report.settings["shadows_by"]) == (expected, "effort")
    assert report.findings[0].outcome is (Outcome.LEAK if expected else Outcome.NOT_APPLICABLE)


def test_a_recipe_that_does_not_reproduce_the_target_makes_findings_inconclusive() -> None:
    report = audited(trainer=DummyClassifier(strategy="prior"), attacks=[*SHADOW, "membership/loss"])
    by_id = {f.id: f for f in report.findings}
    assert report.instrument["shadow_fidelity"].passed is False
    for name in SHADOW:
        assert by_id[name].outcome is Outcome.INCONCLUSIVE
        assert "not like the target" in by_id[name].reason
    assert by_id["membership/loss"].outcome is Outcome.LEAK


def test_targets_without_a_recipe() -> None:
    function = audited(TREE.predict_proba)
    assert all("how the target was trained is not known" in f.reason for f in function.findings)
    given = audited(TREE.predict_proba, trainer=DecisionTreeClassifier())
    assert all(f.outcome is Outcome.LEAK for f in given.findings)
    trainer = FunctionTrainer(lambda records, seed: DecisionTreeClassifier().fit(records.X, records.y), "tree")
    assert all(f.outcome is Outcome.LEAK for f in audited(TREE.predict_proba, trainer=trainer).findings)
    regression = DecisionTreeRegressor().fit(DATA.members.X, DATA.members.y)
    assert all(f.outcome is Outcome.NOT_APPLICABLE for f in audited(regression).findings)


def fails(records: Any, seed: int) -> None:
    raise RuntimeError("out of memory")


def test_training_that_fails_is_an_error_if_it_was_asked_for_else_a_reason() -> None:
    trainer = FunctionTrainer(fails, "fails")
    with pytest.raises(TargetError, match="out of memory"):
        audited(trainer=trainer)
    report = audited(trainer=trainer, shadows=None, effort="thorough")
    assert all(f.outcome is Outcome.NOT_APPLICABLE and "out of memory" in f.reason for f in report.findings)


@pytest.mark.parametrize("shadows", [-2, 3])
def test_numbers_that_cannot_be(shadows: int) -> None:
    with pytest.raises(ConfigError, match="even"):
        audited(shadows=shadows)


def test_too_few_for_some() -> None:
    by_id = {f.id: f for f in audited(shadows=2).findings}
    assert by_id["membership/rmia"].outcome is Outcome.LEAK
    assert "at least 4" in by_id["membership/lira"].reason


def test_a_trainer_must_be_one() -> None:
    with pytest.raises(ConfigError, match="expected a trainer"):
        audited(trainer=lambda records, seed: TREE)


def test_attacks_without_shadow_models_train_none(tmp_path: Path) -> None:
    report = audited(attacks=["membership/loss"], out=tmp_path / "run")
    assert report.settings["shadows"] == 0
    assert not (tmp_path / "run" / "restricted" / "shadows").exists()


def test_a_spent_budget_keeps_what_is_done_and_goes_on(tmp_path: Path) -> None:
    steps: list[str] = []
    stopped = audited(seconds=1e-9, out=tmp_path / "run", shadow_store=tmp_path / "store")
    assert {f.outcome for f in stopped.findings} == {Outcome.SKIPPED}
    assert "0 of 4 shadow models exist" in stopped.findings[0].reason
    audited(shadow_store=tmp_path / "store")
    whole = audited(
        shadows=8,
        shadow_store=tmp_path / "store",
        progress=lambda done, total, what: steps.append(f"{done}/{total} {what}"),
    )
    assert len(list((tmp_path / "store").glob("*.npy"))) == 4
    assert "6/13 shadow model 5 of 8" in steps
    assert not any("shadow model 3" in step for step in steps)
    assert whole.findings == audited(shadows=8).findings


def test_interrupted_it_resumes_with_the_same_report(tmp_path: Path) -> None:
    def stop(done: int, total: int, what: str) -> None:
        if what.startswith("shadow model 3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audited(out=tmp_path / "cut", progress=stop)
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "cut" / "restricted" / "shadows").glob("*.npy")}
    assert len(kept) == 1
    audited(out=tmp_path / "cut")
    audited(out=tmp_path / "whole")
    assert {p: p.stat().st_mtime_ns for p in kept} == kept
    cut, whole = ((tmp_path / name / "report.json").read_bytes() for name in ("cut", "whole"))
    assert cut == whole
    audited(out=tmp_path / "cut")
    assert (tmp_path / "cut" / "report.json").read_bytes() == whole


def test_another_recipe_is_another_audit(tmp_path: Path) -> None:
    audited(out=tmp_path / "run")
    with pytest.raises(ConfigError, match="another audit"):
        audited(out=tmp_path / "run", trainer=DecisionTreeClassifier(max_depth=9))


def test_plan_trains_one_fleet_and_tells_the_cost(tmp_path: Path) -> None:
    without = plan(TREE, DATA.members, DATA.nonmembers, effort="quick")
    made = plan(TREE, DATA.members, DATA.nonmembers, shadows=16, shadow_store=tmp_path)
    assert (without.shadows, made.shadows) == (0, 16)
    assert made.seconds_per_shadow > 0
    assert made.training.duration == pytest.approx(16 * made.seconds_per_shadow)
    assert made.training.note == "one after another: models of this kind are not trained together"
    assert made.training.worker_memory > 1e7
    assert made.signals_size == 16 * 300 * 4
    assert 1 <= len(list(tmp_path.glob("*.npy"))) <= 2
    rows = {row.attack: row for row in made.rows}
    assert rows["membership/lira"].applicable
    rows = {row.attack: row for row in without.rows}
    assert (
        rows["membership/lira"].reason
        == "needs shadow models: none were asked for; audit with shadows=16, or --shadows 16"
    )


def test_records_of_text_columns_and_missing_classes() -> None:
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(0)
    X = pd.DataFrame({"job": rng.choice(list("abc"), 120), "age": rng.normal(size=120)})
    y = rng.choice(["no", "yes"], 120).astype(object)
    y[0] = "rare"
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["job"]), remainder="passthrough"),
        LogisticRegression(),
    ).fit(X[:60], y[:60])
    report = audit(model, (X[:60], y[:60]), (X[60:], y[60:]), shadows=4, attacks=SHADOW)
    assert {f.outcome for f in report.findings} <= {Outcome.NO_LEAK_FOUND, Outcome.LEAK, Outcome.INCONCLUSIVE}


def test_the_shadow_classifier_trains_models_only_where_some_were_asked_for_and_they_are_like_the_target() -> None:
    name = "membership/shadow-classifier"
    asked = {"attacks": [name], "shadows": 4}
    report = audit(TREE, DATA.members, DATA.nonmembers, **asked)
    assert report[name].outcome is Outcome.LEAK
    assert report.instrument["shadow_fidelity"].passed
    without = audit(TREE, DATA.members, DATA.nonmembers, attacks=[name], shadows=0)[name]
    assert without.outcome is Outcome.NOT_APPLICABLE
    assert without.reason.startswith("needs to train models like the target: none were asked for")
    rows = {
        models: plan(TREE, DATA.members, DATA.nonmembers, attacks=[name], shadows=models).rows[0] for models in (0, 4)
    }
    assert not rows[0].applicable
    assert rows[0].reason.startswith("needs to train models like the target")
    assert rows[4].applicable


def test_a_recipe_that_cannot_be_told_from_others_is_a_reason_unless_shadow_models_were_asked_for() -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    data = zoo.split()
    passed = FunctionTransformer(kw_args={"unused": object()}, func=_same)
    model = make_pipeline(passed, DecisionTreeClassifier(random_state=0)).fit(data.members.X, data.members.y)
    report = audit(model, data.members, data.nonmembers, attacks=["membership/loss", "membership/lira"])
    outcomes = {finding.id: (finding.outcome, "told apart" in finding.reason) for finding in report.findings}
    assert outcomes["membership/loss"] == (Outcome.LEAK, False)
    assert outcomes["membership/lira"] == (Outcome.NOT_APPLICABLE, True)
    with pytest.raises(ConfigError, match="told apart"):
        audit(model, data.members, data.nonmembers, attacks=["membership/lira"], shadows=4)


def _same(X: Any, unused: Any) -> Any:
    return X
