"""Who is most exposed: single records to the closed folder, aggregates of ten people at least to the report."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

import zoo
from keepmum import audit
from keepmum._exposure import EDGES, Found, assess, exposure, isolated, table
from keepmum.data import Records, Split
from keepmum.shadows import Vulnerability

ATTACKS = ["membership/lira"]


def doubted(people: int = 150, wrong: int = 12) -> tuple[Split, np.ndarray]:
    """Two classes far apart; some people, whose rows are told, carry the other's label."""
    rng = np.random.default_rng(0)
    sides = []
    for _ in range(2):
        y = rng.integers(0, 2, people)
        sides.append(Records(rng.normal(0, 1, (people, 4)) + 5 * y[:, None], y))
    spoilt = np.sort(rng.permutation(people)[:wrong])
    for side in sides:
        side.y[spoilt] = 1 - side.y[spoilt]
    return Split(*sides), spoilt


def told(risk: np.ndarray, split: Split, **traits: np.ndarray) -> Found:
    return Found(Vulnerability(risk, risk, risk, risk), traits)


def test_mislabelled_members_top_the_list_with_the_reason(tmp_path: Path) -> None:
    split, spoilt = doubted()
    model = KNeighborsClassifier(3, weights="distance").fit(split.members.X, split.members.y)
    report = audit(model, split.members, split.nonmembers, attacks=ATTACKS, shadows=8, out=tmp_path / "run")
    restricted = tmp_path / "run" / "restricted"
    assert restricted.stat().st_mode & 0o777 == 0o700
    rows = list(csv.DictReader(io.StringIO((restricted / "most-exposed.csv").read_text())))
    assert len(rows) == 300
    first = [(row["side"], int(row["row"])) for row in rows[:24]]
    assert sorted(first) == [(side, i) for side in ("members", "nonmembers") for i in spoilt.tolist()]
    for row in rows[:24]:
        assert float(row["low"]) <= float(row["risk"]) <= float(row["high"])
        assert "label_doubted" in row["reasons"].split()
    assert report.exposure is not None
    assert report.exposure.members == 150
    assert "of 100 cases" in report.exposure.explanation
    kept = json.loads((tmp_path / "run" / "report.json").read_text())["exposure"]
    assert kept["most_exposed"] == 15
    assert {t["name"]: t["share"] for t in kept["traits"]}["label_doubted"] == pytest.approx(12 / 15, abs=0.001)


def test_the_same_command_gives_the_same_bytes(tmp_path: Path) -> None:
    split, _ = doubted(60, 6)
    model = KNeighborsClassifier(3).fit(split.members.X, split.members.y)

    def run(out: Path) -> tuple[bytes, bytes]:
        audit(model, split.members, split.nonmembers, attacks=ATTACKS, shadows=4, out=out)
        return (out / "report.json").read_bytes(), (out / "restricted" / "most-exposed.csv").read_bytes()

    first = run(tmp_path / "a")
    assert run(tmp_path / "a") == first
    assert run(tmp_path / "b") == first


def test_without_shadow_models_nothing_is_told_and_with_two_the_reason() -> None:
    split, _ = doubted(60, 6)
    model = KNeighborsClassifier(3).fit(split.members.X, split.members.y)
    assert audit(model, split.members, split.nonmembers, attacks=ATTACKS, shadows=0).exposure is None
    found = audit(model, split.members, split.nonmembers, attacks=ATTACKS, shadows=2).exposure
    assert found is not None
    assert found.reason == "at least 4 shadow models are needed, there are 2"
    assert not found.quantiles


def test_shadow_models_that_are_not_like_the_target_tell_nothing(tmp_path: Path) -> None:
    split, _ = doubted(150, 40)
    others = LogisticRegression(C=1e-8, fit_intercept=False)
    model = KNeighborsClassifier(1).fit(split.members.X, split.members.y)
    report = audit(
        model, split.members, split.nonmembers, attacks=ATTACKS, shadows=4, trainer=others, out=tmp_path / "run"
    )
    assert report.exposure is not None
    assert report.exposure.reason.startswith("the shadow models are not like the target")
    assert replace(report.exposure, reason="", shadows=0, members=0) == type(report.exposure)(0, 0)
    assert not (tmp_path / "run" / "restricted" / "most-exposed.csv").exists()


def test_fewer_than_ten_people_are_never_told_apart() -> None:
    split = zoo.split(120)
    members = split.is_member
    risk = np.where(members, 0.55, 0.5)
    risk[np.flatnonzero(members)[:4]] = 0.99
    rare = np.zeros(240, dtype=bool)
    rare[np.flatnonzero(members)[:3]] = True
    found = exposure(told(risk, split, rare_class=rare, isolated=~rare), split, 8, ())
    assert found.certain is None
    assert found.most_exposed == 12
    assert [(t.share, t.usual) for t in found.traits] == [(None, None), (None, round(117 / 120, 4))]
    assert "fewer than ten members are" in found.explanation
    assert set(np.rint(np.array(found.shares) * 120).tolist()) == {0, 120}
    assert list(found.quantiles) == ["0.5", "0.9"]
    assert all(group.members >= 10 for group in found.groups)
    tiny = zoo.split(15)
    few = exposure(told(np.full(30, 0.6), tiny), tiny, 8, ())
    assert few.quantiles == {}
    assert few.most_exposed == 0
    assert "too few members" in few.explanation


def test_aggregates_equal_their_slow_twins() -> None:
    split = zoo.split(300)
    rng = np.random.default_rng(1)
    risk = 0.3 + 0.7 * rng.beta(6, 5, 600)
    found = exposure(told(risk, split), split, 8, ())
    mine = risk[split.is_member]
    counts = []
    for i in range(len(EDGES) - 1):
        low, high = EDGES[i], EDGES[i + 1]
        counts.append(sum((r >= low or i == 0) and (r < high or i == len(EDGES) - 2) for r in mine))
    told_counts = np.rint(np.array(found.shares) * 300).astype(int)
    shown = np.flatnonzero(told_counts)
    assert 0 < shown[0] < shown[-1] < len(counts) - 1  # the ends, of a few, are counted with the next
    assert told_counts[shown].min() >= 10
    assert told_counts.sum() == 300
    assert told_counts[shown[0]] == sum(counts[: shown[0] + 1])
    assert told_counts[shown[-1]] == sum(counts[shown[-1] :])
    assert told_counts[shown[1] : shown[-1]].tolist() == counts[shown[1] : shown[-1]]
    sure = int((mine >= 0.9).sum())
    assert found.certain == (None if 0 < sure < 10 else pytest.approx(sure / 300, abs=1e-4))
    for group in found.groups:
        part = mine[split.members.y.astype(str) == group.value]
        assert (group.members, group.median) == (len(part), pytest.approx(np.median(part), abs=1e-4))


def test_who_is_isolated_is_far_from_all_others() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(0, 1, (400, 3))
    X[:5] = rng.normal(0, 1, (5, 3)) * 2 + 30
    X[5, 1] = np.nan
    X[:, 2] = 7.0
    far = isolated(Records(X, np.zeros(400)), 0)
    assert far[:5].all()
    assert far.sum() == 20
    assert not isolated(Records(np.zeros((3, 2)), np.zeros(3)), 0).any()


def test_rows_are_those_of_the_files_also_after_removal() -> None:
    X = np.arange(80.0).reshape(40, 2)
    y = np.arange(40) % 2
    split = Split(Records(X[:20], y[:20]), Records(X[20:], y[20:]))
    clean = Split(split.members.take(np.arange(5, 20)), split.nonmembers.take(np.arange(3, 20)))
    found = told(np.linspace(0.9, 0.5, 32), clean)
    rows = list(csv.DictReader(io.StringIO(table(found, clean, given_members=20))))
    assert [(r["side"], r["row"]) for r in rows] == [
        *(("members", str(i)) for i in range(5, 20)),
        *(("nonmembers", str(i)) for i in range(3, 20)),
    ]


def test_records_with_ids_of_their_own_are_told_by_these() -> None:
    X, y = np.zeros((4, 1)), np.zeros(4)
    split = Split(Records(X[:2], y[:2], np.array([70, 71])), Records(X[2:], y[2:], np.array([3, 4])))
    text = table(told(np.full(4, 0.5), split), split, given_members=2)
    assert text.splitlines()[0].startswith("side,id,")
    assert [line.split(",")[1] for line in text.splitlines()[1:]] == ["70", "71", "3", "4"]


def test_traits_are_what_they_say() -> None:
    split, spoilt = doubted()
    pair = zoo.Pair(zoo.Lookup(split.members, 2), split, None)
    shadows = audit_shadows(pair)
    found = assess(shadows, split, 0)
    assert found is not None
    assert found.traits["label_doubted"][np.r_[spoilt, 150 + spoilt]].all()
    assert found.traits["label_doubted"].mean() < 0.1
    assert not found.traits["rare_class"].any()
    assert assess(None, split, 0) is None


def audit_shadows(pair: zoo.Pair):
    from keepmum.shadows import ShadowStore
    from keepmum.training import SklearnTrainer

    return ShadowStore().collect(SklearnTrainer(KNeighborsClassifier(3)), pair.split.pool, 8, 0)
