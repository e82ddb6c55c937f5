"""Audits that ask about hidden attributes, from end to end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import keepmum
import zoo
from keepmum.attacks import default_attacks
from keepmum.audit import plan
from keepmum.data import Records
from keepmum.errors import ConfigError
from keepmum.findings import Outcome

DATA = zoo.carrier_split(300)
MODEL = zoo.Lookup(DATA.members)
MINE = "attribute/confidence-prior"


def asked(**changes: Any) -> keepmum.Report:
    given = {"hidden": zoo.TRAIT, "attacks": [MINE], "effort": "quick", **changes}
    return keepmum.audit(MODEL, DATA.members, DATA.nonmembers, **given)


def test_a_trait_that_only_the_members_lose_is_a_leak():
    report = asked()
    finding = report[f"{MINE}:{zoo.TRAIT}"]
    assert report.outcome is finding.outcome is Outcome.LEAK
    assert (finding.subject, finding.verdict) == (zoo.TRAIT, "record-level")
    assert f"gives away the {zoo.TRAIT} of people in its training data" in report.verdict
    (told,) = report.attributes
    assert (told.name, told.values, told.members, told.nonmembers) == (zoo.TRAIT, 3, 300, 300)
    assert told.best in told.imputations
    assert report.coverage["attribute"].status == "executed"


def test_every_attack_is_played_on_every_attribute():
    report = asked(hidden=[zoo.TRAIT, "0"], attacks=["attribute/*"])
    own = [a.id for a in default_attacks() if a.family == "attribute"]
    assert [f.id for f in report.findings] == [f"{a}:{name}" for name in (zoo.TRAIT, "0") for a in own]
    assert [told.continuous for told in report.attributes] == [False, True]
    adjusted = [f.adjusted_p_value for f in report.findings if f.p_value is not None]
    assert len(adjusted) >= 2
    assert all(
        a >= f.p_value for f, a in zip((f for f in report.findings if f.p_value is not None), adjusted, strict=True)
    )


def test_an_attribute_changes_nothing_about_membership():
    with_one = asked(attacks=["membership/loss", MINE])
    without = keepmum.audit(MODEL, DATA.members, DATA.nonmembers, attacks=["membership/loss"], effort="quick")
    first, second = with_one["membership/loss"], without["membership/loss"]
    assert (first.metrics, first.p_value) == (second.metrics, second.p_value)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"hidden": ()}, "no hidden attribute was named"),
        ({"hidden": (), "attacks": ["membership/loss", "attribute/*"]}, "no hidden attribute was named"),
        ({"attacks": ["membership/*"]}, "leave no attack on them"),
        ({"hidden": ["5", "5"]}, "stands twice"),
        ({"hidden": "nobody"}, "no column 'nobody'"),
        ({"known": ["nobody"]}, "no column 'nobody'"),
        ({"tolerance": -1}, "tolerance above 0"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_line(changes: dict[str, Any], line: str):
    with pytest.raises(ConfigError, match=line) as caught:
        asked(**changes)
    assert "\n" not in str(caught.value)


def test_an_interrupted_audit_goes_on_to_the_same_report(tmp_path: Path):
    whole = asked(out=tmp_path / "whole", hidden=[zoo.TRAIT, "0"], attacks=["attribute/*"], max_queries=40_000)
    stopped = tmp_path / "stopped"
    shutil.copytree(tmp_path / "whole", stopped)
    lines = (stopped / "events.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) >= 2
    (stopped / "events.jsonl").write_text("".join(lines[:1]) + lines[1][:40])
    (stopped / "report.json").unlink()
    again = asked(out=stopped, hidden=[zoo.TRAIT, "0"], attacks=["attribute/*"], max_queries=40_000)
    first, second = json.loads(whole.to_json()), json.loads(again.to_json())
    assert first["findings"] == second["findings"]
    assert first["attributes"] == second["attributes"]


def test_queries_stay_within_the_limit_and_the_plan_tells_them():
    limit = 3_000
    report = asked(max_queries=limit)
    assert 0 < report.target["queries"] <= limit
    made = plan(MODEL, DATA.members, DATA.nonmembers, hidden=zoo.TRAIT, attacks=["attribute/*"], effort="quick")
    rows = {row.attack: row for row in made.rows}
    assert rows[f"{MINE}:{zoo.TRAIT}"].applicable
    assert sum(row.queries for row in made.rows) >= 600 * 3
    paying = [row.attack for row in made.rows if row.queries]
    assert len(paying) == 1, "candidates are asked about once for all attacks on an attribute"


def test_plans_foresee_the_queries_of_a_class_profile():
    made = plan(MODEL, DATA.members, DATA.nonmembers, attacks=["inversion/class-profile"], effort="quick")
    report = keepmum.audit(
        MODEL, DATA.members, DATA.nonmembers, attacks=["inversion/class-profile"], effort="quick", seed=0
    )
    assert 600 < report.target["queries"] <= made.queries
    limited = plan(MODEL, DATA.members, DATA.nonmembers, attacks=["inversion/class-profile"], max_queries=1_000)
    assert limited.queries <= 1_000


def test_groups_are_told_with_imputation_and_control():
    report = asked(slices=[zoo.TRAIT])
    groups = report.findings[0].slices
    assert [g.value for g in groups] == ["0.0", "1.0", "2.0"]
    for group in groups:
        assert set(group.metrics) == {"hit_rate", "imputation_hit_rate", "nonmembers_hit_rate"}
        assert group.metrics["hit_rate"].low > 0.9
    others = [group.metrics["nonmembers_hit_rate"].value for group in groups]
    assert np.mean(others) < 0.5, "whom the model never saw are guessed by the common value, in every group alike"


def test_frames_with_gaps_and_two_attributes_in_combination():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"sex": rng.choice(["f", "m"], 800), "smoker": rng.choice(["yes", "no"], 800), "z": rng.normal(size=800)}
    )
    frame.loc[::20, "smoker"] = None
    labels = rng.integers(0, 2, 800)

    def memory(X: pd.DataFrame) -> np.ndarray:
        known = {
            tuple(map(str, row)): y for row, y in zip(frame[:400].itertuples(index=False), labels[:400], strict=True)
        }
        told = [known.get(tuple(map(str, row))) for row in X.itertuples(index=False)]
        one = np.array([0.5 if y is None else 0.02 + 0.96 * y for y in told])
        return np.column_stack([1 - one, one])

    report = keepmum.audit(
        memory,
        Records(frame[:400], labels[:400]),
        Records(frame[400:].reset_index(drop=True), labels[400:]),
        hidden="sex+smoker",
        attacks=[MINE],
        classes=[0, 1],
        effort="quick",
    )
    (told,) = report.attributes
    assert told.values == 4
    assert told.known == ("z",)
    assert report.findings[0].verdict == "record-level", report.findings[0].reason


@pytest.mark.parametrize("limit", [2_500, 6_000])
def test_a_profile_of_classes_takes_nothing_from_attacks_on_attributes(limit):
    report = asked(attacks=["attribute/*", "inversion/*", "membership/loss"], max_queries=limit, effort="standard")
    assert report["inversion/class-profile"].queries > 0
    assert report[f"{MINE}:{zoo.TRAIT}"].queries > 0
    assert report.target["queries"] <= limit


def test_what_breaks_about_one_attribute_loses_nothing_else(monkeypatch):
    def broken(game: Any) -> None:
        raise ValueError("cannot be described")

    monkeypatch.setattr("keepmum._session.describe", broken)
    report = asked()
    assert report[f"{MINE}:{zoo.TRAIT}"].outcome is Outcome.LEAK
    assert report.attributes[0].reason == "ValueError: cannot be described"


def test_nothing_named_is_nothing_hidden():
    attacks = ["membership/loss"]
    assert not asked(hidden=None, attacks=attacks).attributes
    for name in ("hidden", "known"):
        with pytest.raises(ConfigError, match=f"expected {name} as names of columns, which are texts, got 1"):
            asked(**{name: [1]})


def test_truth_values_on_one_side_are_numbers_on_the_other():
    flags = [pd.DataFrame({"flag": np.arange(4) % 2 == 0}), pd.DataFrame({"flag": [0, 1, 0, 1]})]
    first, second = (Records(frame, np.arange(4)) for frame in flags)
    assert first.join(second).column("flag").tolist() == [1, 0, 1, 0, 0, 1, 0, 1]


def test_infinite_numbers_do_not_end_an_audit():
    sides = [Records(side.X.copy(), side.y) for side in (DATA.members, DATA.nonmembers)]
    for side in sides:
        side.X[0, 0], side.X[1, 1] = np.inf, -np.inf
    model = zoo.Lookup(sides[0])
    report = keepmum.audit(model, *sides, hidden=zoo.TRAIT, attacks=["attribute/*", "membership/loss"], effort="quick")
    assert report.outcome is Outcome.LEAK
    assert not [f.reason for f in report.findings if f.outcome is Outcome.ERROR]
