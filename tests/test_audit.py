"""The audit from end to end."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import keepmum
import zoo
from keepmum.audit import plan
from keepmum.choices import Effort
from keepmum.data import Records
from keepmum.errors import ConfigError, DataError, TargetError
from keepmum.findings import FAMILIES, Outcome
from keepmum.targets import ScoreTarget

DATA = zoo.split(300)


def leaky() -> keepmum.Report:
    return keepmum.audit(zoo.Lookup(DATA.members), DATA.members, DATA.nonmembers, effort="quick")


def test_leaky_model_is_caught():
    report = leaky()
    assert report.outcome is Outcome.LEAK
    assert report["membership/loss"].metrics["auc"].low > 0.95
    assert report["membership/loss"].baseline["auc"].low < 0.5 < report["membership/loss"].baseline["auc"].high
    assert all(check.passed is not False for check in report.instrument.values())
    assert "of 100 people accused" in report.verdict


def test_ignorant_model_is_not_accused():
    report = keepmum.audit(zoo.Ignorant(), DATA.members, DATA.nonmembers, effort="quick")
    assert report.outcome is Outcome.NO_LEAK_FOUND
    assert "No leak was found" in report.verdict


def test_every_attack_asked_for_has_a_finding_and_every_family_a_line():
    from keepmum.attacks import default_attacks

    report = leaky()
    usual = [a for a in default_attacks() if a.family != "attribute"]
    played = [a.name for a in usual if a.fits(DATA.members, Effort.QUICK)]
    assert "inversion/gradient" not in played, "the records are no images"
    assert [f.id for f in report.findings] == played
    assert set(report.coverage) == set(FAMILIES)
    assert report.coverage["extraction"].status == "skipped"
    assert "audit_text" in report.coverage["extraction"].reason
    assert "--hidden COLUMN" in report.coverage["attribute"].reason
    regression = report["membership/squared-error"]
    assert regression.outcome is Outcome.NOT_APPLICABLE
    assert "values" in regression.reason


def test_same_seed_same_report():
    assert leaky().to_json() == leaky().to_json()


def test_an_attack_alone_gives_the_same_numbers():
    whole = leaky()["membership/loss:per-class"]
    alone = keepmum.audit(
        zoo.Lookup(DATA.members), DATA.members, DATA.nonmembers, attacks=["membership/loss:per-class"], effort="quick"
    )["membership/loss:per-class"]
    assert whole.metrics == alone.metrics
    assert whole.control == alone.control


def test_unfair_split_is_inconclusive():
    members, others = zoo.people(400, 1), zoo.people(400, 2, shift=0.5)
    report = keepmum.audit(zoo.Lookup(members), members, others, effort="quick")
    assert report.outcome is Outcome.INCONCLUSIVE
    assert report.instrument["blind_baseline"].passed is False
    assert "split leaks" in report["membership/loss"].reason


def test_swapped_files_are_noticed():
    report = keepmum.audit(zoo.Lookup(DATA.members), DATA.nonmembers, DATA.members, effort="quick")
    assert report.outcome is Outcome.INCONCLUSIVE
    assert report.instrument["direction"].passed is False


def test_three_records_are_too_few():
    members, others = zoo.people(3, 1), zoo.people(3, 2)
    report = keepmum.audit(zoo.Ignorant(), members, others)
    assert report.outcome is Outcome.INCONCLUSIVE
    assert "too few" in report.verdict
    assert "needs 300 non-members, has 3" in report["membership/loss"].refused["tpr_at_fpr_0.01"]


def test_constant_model_leaks_nothing():
    report = keepmum.audit(
        lambda X: np.full((len(X), 3), 1 / 3), DATA.members, DATA.nonmembers, classes=[0, 1, 2], effort="quick"
    )
    assert report.outcome is Outcome.NO_LEAK_FOUND
    assert report["membership/loss"].metrics["auc"].value == 0.5


def test_stored_records_are_a_fact_whatever_the_split():
    from sklearn.neighbors import KNeighborsClassifier

    members, others = zoo.people(300, 1), zoo.people(300, 2, shift=0.7)
    report = keepmum.audit(KNeighborsClassifier().fit(members.X, members.y), members, others, effort="quick")
    assert report["structural/stored-records"].outcome is Outcome.LEAK
    assert report["membership/loss"].outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "lists"])
def test_kinds_of_frames_give_the_same_numbers(kind):
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(DATA.members.X, DATA.members.y)
    plain = keepmum.audit(model, (DATA.members.X, DATA.members.y), (DATA.nonmembers.X, DATA.nonmembers.y))
    make = {
        "pandas": pd.DataFrame,
        "polars": pl.DataFrame,
        "pyarrow": lambda X: pa.table({f"column_{i}": X[:, i] for i in range(X.shape[1])}),
        "lists": lambda X: X.tolist(),
    }[kind]
    members, others = ((make(r.X), r.y.tolist()) for r in (DATA.members, DATA.nonmembers))
    ask = lambda X: model.predict_proba(np.asarray(X))  # noqa: E731
    again = keepmum.audit(ask, members, others, classes=[0, 1, 2])
    assert again["membership/loss"].metrics == plain["membership/loss"].metrics


def test_mixed_pipeline_with_missing_values():
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=800), "b": rng.choice(["x", "y", None], 800)})
    frame.loc[::7, "a"] = np.nan
    y = np.where(rng.random(800) < 0.5, "no", "yes")
    model = make_pipeline(
        make_column_transformer((OrdinalEncoder(), ["b"]), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=300, max_leaf_nodes=63, min_samples_leaf=2, early_stopping=False),
    ).fit(frame[:400], y[:400])
    report = keepmum.audit(model, (frame[:400], y[:400]), (frame[400:], y[400:]), slices=["b"], effort="quick")
    assert report.outcome is Outcome.LEAK
    groups = {(s.column, s.value): s for s in report["membership/loss"].slices}
    assert {c for c, _ in groups} == {"class", "b"}
    assert groups["class", "yes"].metrics["auc"].value > 0.6


def test_texts():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(60)])
    texts = [" ".join(rng.choice(words, 8)) for _ in range(400)]
    y = rng.integers(0, 2, 400)
    model = make_pipeline(TfidfVectorizer(), DecisionTreeClassifier(random_state=0)).fit(texts[:200], y[:200])
    report = keepmum.audit(model, (texts[:200], y[:200]), (texts[200:], y[200:]), effort="quick")
    assert report.outcome is Outcome.LEAK


def test_regression():
    from sklearn.linear_model import LinearRegression
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 4)), rng.normal(size=600)
    pair = (X[:300], y[:300]), (X[300:], y[300:])
    tree = keepmum.audit(DecisionTreeRegressor(random_state=0).fit(*pair[0]), *pair, effort="quick")
    line = keepmum.audit(LinearRegression().fit(*pair[0]), *pair, effort="quick")
    assert tree["membership/squared-error"].outcome is Outcome.LEAK
    assert tree["membership/loss"].outcome is Outcome.NOT_APPLICABLE
    assert line["membership/squared-error"].outcome is Outcome.NO_LEAK_FOUND


def test_labels_of_the_population_are_checked_before_anything_is_written(tmp_path):
    odd = zoo.people(50, 98)
    odd = Records(odd.X, np.full(50, 7))
    target = zoo.Lookup(DATA.members)
    with pytest.raises(DataError, match="label 7 was not seen in training"):
        keepmum.audit(
            target,
            DATA.members,
            DATA.nonmembers,
            population=odd,
            attacks=["membership/*", "structural/*"],
            effort="quick",
            out=tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()


LOOKING = ["membership/loss:per-class", "inversion/class-profile"]


def test_a_population_without_labels_that_the_model_knows_serves_those_who_never_look():
    others = zoo.people(400, 98)
    target = zoo.Lookup(DATA.members)

    def play(population):
        return keepmum.audit(
            target, DATA.members, DATA.nonmembers, population=population, attacks=LOOKING, effort="quick"
        )

    none, strange, unlabeled = (play(p) for p in (None, (others.X, np.full(400, 7)), (others.X, None)))
    known = play((others.X, others.y))
    for report in (strange, unlabeled):
        assert report["inversion/class-profile"].metrics == known["inversion/class-profile"].metrics
        assert report["membership/loss:per-class"].metrics == none["membership/loss:per-class"].metrics
        assert any("knows none of the population's labels" in note for note in report.target["notes"])
    assert known["inversion/class-profile"].metrics != none["inversion/class-profile"].metrics
    asked = [report["membership/loss:per-class"].queries for report in (known, none, strange, unlabeled)]
    assert asked[0] > asked[1] == asked[2] == asked[3], "with labels the population's own 400 are asked about"
    assert not any("population" in note for report in (none, known) for note in report.target["notes"])


def test_records_of_the_population_with_unknown_labels_are_left_out_by_those_who_look():
    others = zoo.people(400, 98)
    mixed = np.where(np.arange(400) % 2, others.y, 7)
    target = zoo.Lookup(DATA.members)

    def play(population):
        return keepmum.audit(
            target, DATA.members, DATA.nonmembers, population=population, attacks=LOOKING, effort="quick"
        )

    half, odd = play(others.take(np.arange(400) % 2 == 1)), play((others.X, mixed))
    assert odd["membership/loss:per-class"].metrics == half["membership/loss:per-class"].metrics
    assert any("labels of 200 of 400 records of the population" in note for note in odd.target["notes"])
    assert target.notes == []


@pytest.mark.parametrize("wrong", [(3, None), (None, None), "faces.npz"])
def test_a_population_that_is_none(wrong):
    with pytest.raises(DataError, match="expected population as"):
        keepmum.audit(zoo.Lookup(DATA.members), DATA.members, DATA.nonmembers, population=wrong, effort="quick")


def test_population_is_used_where_given():
    population = zoo.people(500, 99)
    target = zoo.Lookup(DATA.members)
    with_own = keepmum.audit(target, DATA.members, DATA.nonmembers, population=population, effort="quick")
    without = leaky()
    assert with_own["membership/loss"].metrics == without["membership/loss"].metrics
    assert with_own["membership/loss:per-class"].queries == 600 + 500
    assert without["membership/loss:per-class"].queries == 600 + 300


def test_answers_are_asked_for_once():
    class Counting(zoo.Lookup):
        rows = 0

        def _predict_proba(self, records):
            self.rows += len(records)
            return super()._predict_proba(records)

    target = Counting(DATA.members)
    attacks = ["membership/loss*", "membership/*entropy*", "membership/quantile-regression", "structural/*"]
    report = keepmum.audit(target, DATA.members, DATA.nonmembers, attacks=attacks, effort="quick")
    assert target.rows == target.queries == report.target["queries"] == 600
    assert report["membership/loss"].queries == 600


def test_query_limit_is_kept():
    target = zoo.Lookup(DATA.members)
    report = keepmum.audit(target, DATA.members, DATA.nonmembers, max_queries=250, effort="quick")
    assert target.queries <= 250
    assert report.sample["members"] == report.sample["nonmembers"] == 125
    assert report.sample["given_members"] == 300


@pytest.mark.parametrize("population", [None, 300])
@pytest.mark.parametrize("limit", [100, 1_000, 20_000])
def test_query_limit_holds_for_everything_that_is_asked(limit, population):
    target = zoo.Lookup(DATA.members)
    others = None if population is None else zoo.people(population, 77)
    options = {"population": others, "max_queries": limit, "effort": "quick"}
    report = keepmum.audit(target, DATA.members, DATA.nonmembers, **options)
    foreseen = plan(target, DATA.members, DATA.nonmembers, **options)
    assert report.target["queries"] <= limit
    assert foreseen.queries <= limit


def test_a_tight_limit_is_shared_by_the_attacks_that_ask_for_more():
    attacks = ["membership/merlin", "membership/morgan", "membership/neighborhood"]
    report = keepmum.audit(
        zoo.Lookup(DATA.members), DATA.members, DATA.nonmembers, attacks=attacks, max_queries=12_000, effort="quick"
    )
    asked = [report[attack].queries for attack in attacks]
    assert min(asked) > 0.8 * max(asked) > 0


def test_ids_that_stand_twice_are_refused():
    sides = [Records(side.X, side.y, np.arange(len(side))) for side in (DATA.members, DATA.nonmembers)]
    with pytest.raises(DataError, match="an id of its own for each record, got 300 that stand twice"):
        keepmum.audit(zoo.Ignorant(), *sides)


def test_spent_time_is_said():
    report = keepmum.audit(zoo.Ignorant(), DATA.members, DATA.nonmembers, seconds=0.0)
    assert {f.outcome for f in report.findings} == {Outcome.SKIPPED}
    assert report.outcome is Outcome.INCONCLUSIVE
    assert report.coverage["membership"].status == "skipped"


def test_an_attack_that_raises_is_an_error_finding(monkeypatch):
    from keepmum.attacks.membership import Entropy

    def broken(self, target, records):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(Entropy, "signal", broken)
    report = leaky()
    assert report["membership/entropy"].outcome is Outcome.ERROR
    assert "ZeroDivisionError: oh" in report["membership/entropy"].reason
    assert report.outcome is Outcome.LEAK


class Stop(ScoreTarget):
    """Answers whatever it is told to."""

    def __init__(self, answers):
        super().__init__(np.arange(3))
        self.answers = answers

    def _predict_proba(self, records):
        return self.answers(len(records))


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (lambda n: np.full((n, 3), np.nan), "finite probabilities"),
        (lambda n: np.full((n, 3), 0.5), "sum to 1"),
        (lambda n: np.full((n, 2), 0.5), r"shape \(600, 3\), got \(600, 2\)"),
        (lambda n: np.full((n, 3), 5.0), "logits"),
        (lambda n: np.full((n - 1, 3), 1 / 3), "shape"),
    ],
)
def test_bad_answers_are_one_clear_line(answers, message):
    with pytest.raises(TargetError, match=message) as caught:
        keepmum.audit(Stop(answers), DATA.members, DATA.nonmembers)
    assert "\n" not in str(caught.value)


def test_bad_input_is_one_clear_line(tmp_path):
    X, y = DATA.members.X, DATA.members.y
    cases = [
        (DataError, "not seen in training", lambda: keepmum.audit(zoo.Ignorant(), (X, y + 5), (X, y))),
        (DataError, "one label a record", lambda: keepmum.audit(zoo.Ignorant(), (X, y[:-1]), (X, y))),
        (DataError, "the same records", lambda: keepmum.audit(zoo.Ignorant(), (X, y), (X, y))),
        (DataError, r"\(X, y\)", lambda: keepmum.audit(zoo.Ignorant(), X, (X, y))),
        (DataError, "at least one record", lambda: keepmum.audit(zoo.Ignorant(), (X[:0], y[:0]), (X, y))),
        (DataError, "one shape", lambda: keepmum.audit(zoo.Ignorant(), (X, y), (X[:, :2], y))),
        (DataError, "label for every record", lambda: keepmum.audit(zoo.Ignorant(), (X, y * np.nan), (X, y))),
        (DataError, "no column", lambda: keepmum.audit(zoo.Ignorant(), DATA.members, DATA.nonmembers, slices=["z"])),
        (ConfigError, "did you mean 'membership/loss'", lambda: plan(zoo.Ignorant(), (X, y), (X, y), attacks=["los"])),
        (ConfigError, "prior", lambda: keepmum.audit(zoo.Ignorant(), (X, y), (X, y), prior=1.5)),
        (ConfigError, "seed as a whole number", lambda: keepmum.audit(zoo.Ignorant(), (X, y), (X, y), seed="a")),
        (ConfigError, "effort", lambda: keepmum.audit(zoo.Ignorant(), (X, y), (X, y), effort="much")),
        (TargetError, "fit", lambda: keepmum.audit(_unfitted(), DATA.members, DATA.nonmembers)),
    ]
    for error, message, call in cases:
        with pytest.raises(error, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def _unfitted():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def test_one_class_only_still_audits():
    one = Records(DATA.members.X, np.zeros(300, int)), Records(DATA.nonmembers.X, np.zeros(300, int))
    report = keepmum.audit(zoo.Ignorant(), *one, effort="quick")
    assert report.outcome is Outcome.NO_LEAK_FOUND


def test_plan_tells_costs_and_what_cannot_be_resolved():
    drawn = plan(zoo.Lookup(DATA.members), DATA.members, DATA.nonmembers)
    by_name = {row.attack: row for row in drawn.rows}
    assert by_name["membership/loss"].queries == 600
    assert not by_name["membership/squared-error"].applicable
    assert drawn.resolvable_fpr == pytest.approx(0.01)
    assert drawn.refused == {"tpr_at_fpr_0.001": "needs 3,000 non-members, has 300"}
    assert drawn.seconds > 0


def test_report_json_has_the_promised_shape():
    data = json.loads(leaky().to_json())
    assert data["schema_version"] == 1
    assert data["outcome"] == "leak"
    finding = next(f for f in data["findings"] if f["id"] == "membership/loss")
    assert set(finding["metrics"]) >= {
        "auc",
        "advantage",
        "balanced_accuracy",
        "tpr_at_fpr_0.1",
        "tpr_at_fpr_0.01",
        "epsilon_lower_bound",
    }
    assert set(finding["metrics"]["auc"]) >= {"value", "low", "high"}
    assert finding["baseline"]["auc"]["value"]
    assert finding["control"]["auc"]["value"]
    assert set(data["instrument"]) >= {"positive_control", "negative_control", "blind_baseline"}
    assert set(data["coverage"]) == set(FAMILIES)


def test_silence_of_the_duplicates_check_alone_is_no_answer():
    report = keepmum.audit(zoo.Ignorant(), DATA.members, DATA.nonmembers, attacks="structural/duplicates")
    assert report["structural/duplicates"].outcome is Outcome.NO_LEAK_FOUND
    assert report.outcome is Outcome.INCONCLUSIVE
    assert "no attack could be run" in report.verdict


def test_missing_values_of_nullable_columns():
    frame = pd.DataFrame(DATA.pool.X, columns=list("abcde")).convert_dtypes()
    frame["town"] = pd.array(["u", None, "v"] * 200, dtype="string")
    frame["count"] = pd.array([1, 2, None] * 200, dtype="Int64")
    answers = np.full((600, 3), 1 / 3)
    model = Stop(lambda n: answers[:n])
    sides = (frame[:300], DATA.members.y), (frame[300:], DATA.nonmembers.y)
    report = keepmum.audit(model, *sides, slices="town", effort="quick")
    assert {s.value for s in report["membership/loss"].slices if s.column == "town"} >= {"u", "v"}
    missing = pd.Series(["0", None] * 150, dtype="string")
    with pytest.raises(DataError, match="label for every record"):
        keepmum.audit(model, (frame[:300], missing), (frame[300:], missing))
