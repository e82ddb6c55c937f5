"""Rows from coefficients, profiles from answers: right where the answer is known, silent where there is none."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import keepmum
import zoo
from keepmum.attacks import Context
from keepmum.attacks.inversion import ClassProfile, InformedAdversary
from keepmum.attacks.inversion._base import CLASS, NOTHING, RECORD, mean, median, sign_p_value
from keepmum.attacks.inversion._columns import columns
from keepmum.attacks.inversion._glm import Glm, gradient, missing_row, pull, read
from keepmum.attacks.inversion._left_out import leave_one_out
from keepmum.attacks.inversion._likeness import Guess, crowd
from keepmum.attacks.inversion._nearer import nearer_p_value
from keepmum.attacks.inversion._search import FLOOR, margin, middle_of_best, search
from keepmum.choices import Effort
from keepmum.data import Records, Split
from keepmum.errors import ConfigError, DataError, NotApplicableError
from keepmum.findings import Outcome
from keepmum.targets import ScoreTarget, from_sklearn
from keepmum.targets.recorded import RecordedScores

DIGITS, DIGIT = load_digits(return_X_y=True)
DIGITS = DIGITS / 16


def played(attack, model, split, **kwargs):
    target = model if not hasattr(model, "fit") else from_sklearn(model)
    return attack.run(target, split, Context(attack=attack.name, **kwargs))


# The closed form


def softmax_objective(flat, X, truth, penalty):
    W = flat[: X.shape[1] * truth.shape[1]].reshape(truth.shape[1], -1)
    scores = X @ W.T + flat[W.size :]
    top = scores.max(axis=1, keepdims=True)
    logs = scores - top - np.log(np.exp(scores - top).sum(axis=1, keepdims=True))
    errors = np.exp(logs) - truth
    slope = np.concatenate([(errors.T @ X + penalty * W).ravel(), errors.sum(axis=0)])
    return -(truth * logs).sum() + penalty / 2 * (W**2).sum(), slope


def sigmoid_objective(flat, X, truth, penalty):
    scores = X @ flat[:-1] + flat[-1]
    errors = 1 / (1 + np.exp(-scores)) - truth[:, 0]
    loss = np.logaddexp(0, scores) - truth[:, 0] * scores
    return loss.sum() + penalty / 2 * flat[:-1] @ flat[:-1], np.append(errors @ X + penalty * flat[:-1], errors.sum())


def sigmoid(scores):
    return 1 / (1 + np.exp(-scores))


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def minimum(objective, size, *args):
    found = minimize(objective, np.zeros(size), args, jac=True, method="BFGS", options={"gtol": 1e-12})
    assert np.abs(objective(found.x, *args)[1]).max() < 1e-6
    return found.x


@pytest.mark.parametrize("penalty", [0.5, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_missing_row_of_a_minimum_found_by_another_optimizer(penalty, seed):
    rng = np.random.default_rng(seed)
    X, classes = rng.normal(size=(25, 3)), rng.integers(3, size=25)
    truth = np.eye(3)[classes]
    flat = minimum(softmax_objective, 12, X, truth, penalty)
    many = Glm(flat[:9].reshape(3, 3), flat[9:], softmax, penalty)
    two = (classes > 0).astype(float)[:, None]
    flat = minimum(sigmoid_objective, 4, X, two, penalty)
    one = Glm(flat[None, :3], flat[3:], sigmoid, penalty)
    for model, labels in ((many, truth), (one, two)):
        row, error = missing_row(model, pull(model, X[1:], labels[1:]))
        np.testing.assert_allclose(row, X[0], atol=1e-4)
        np.testing.assert_allclose(model.answers(row[None])[0] - error, labels[0], atol=1e-4)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([softmax, sigmoid, lambda scores: scores]))
def test_the_missing_row_of_coefficients_made_stationary(seed, k, answer):
    """Any parameters are a minimum for suitable rows: the last row is built to take up what the others leave."""
    rng = np.random.default_rng(seed)
    model = Glm(rng.normal(size=(k, 3)), rng.normal(size=k), answer, 0.7, 0.2)
    X, truth = rng.normal(size=(10, 3)), rng.normal(size=(10, k))
    known = pull(model, X, truth)
    error = -gradient(model, known).intercepts
    row, found = missing_row(model, known)
    np.testing.assert_allclose(found, error)
    rest = gradient(model, known).coefficients + np.outer(error, row)
    assert abs(error @ rest).max() < 1e-8 * (1 + np.abs(rest).max()), "nothing is left along the error"


def test_a_row_that_the_coefficients_do_not_depend_on_is_not_made_up():
    model = Glm(np.zeros((1, 2)), np.zeros(1), lambda scores: scores)
    row, error = missing_row(model, pull(model, np.ones((3, 2)), np.zeros((3, 1))))
    assert np.isnan(row).all()
    assert error == 0


def test_leaving_a_row_out_of_a_sum_is_the_sum_of_the_others():
    rng = np.random.default_rng(0)
    model = Glm(rng.normal(size=(3, 4)), rng.normal(size=3), softmax)
    X, truth = rng.normal(size=(9, 4)), np.eye(3)[rng.integers(3, size=9)]
    left = pull(model, X, truth).without((model.answers(X) - truth)[4], X[4])
    others = np.arange(9) != 4
    direct = pull(model, X[others], truth[others])
    np.testing.assert_allclose(left.intercepts, direct.intercepts, atol=1e-12)
    np.testing.assert_allclose(left.coefficients, direct.coefficients, atol=1e-12)


EXACT = {"tol": 1e-10, "max_iter": 10_000}
TIGHT = [
    LogisticRegression(**EXACT),
    LogisticRegression(solver="newton-cholesky", C=0.3, **EXACT),
    LogisticRegression(solver="newton-cg", **EXACT),
    LogisticRegression(solver="liblinear", intercept_scaling=2.5, C=2.0, **EXACT),
    LogisticRegression(C=np.inf, **EXACT),
    make_pipeline(StandardScaler(), LogisticRegression(**EXACT)),
    LinearRegression(),
    Ridge(3.0),
    make_pipeline("passthrough", Ridge(0.1, solver="svd")),
]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("model", TIGHT, ids=str)
def test_every_exact_linear_model_gives_the_missing_row(model, classes):
    if "liblinear" in str(model) and classes > 2:
        pytest.skip("the solver knows two classes")
    data = zoo.split(n=120, seed=3, classes=classes)
    finding = played(InformedAdversary(), model.fit(data.members.X, data.members.y), data)
    assert finding.outcome is Outcome.LEAK
    assert finding.verdict == RECORD
    assert finding.metrics["recovered_share"].value > 0.9
    assert finding.metrics["median_error"].high < 1e-3
    assert finding.baseline["median_error"].low > 0.1
    assert finding.control["recovered_share"].value == 0
    assert ("as it reaches" in finding.explanation) == ("standardscaler" in str(model).lower())


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (LogisticRegression(class_weight="balanced"), "class_weight"),
        (LogisticRegression(l1_ratio=1.0, solver="liblinear"), "L1"),
        (LogisticRegression(fit_intercept=False), "intercept"),
        (LogisticRegressionCV(use_legacy_attributes=False, l1_ratios=(0,), scoring="accuracy"), "LogisticRegressionCV"),
        (DecisionTreeClassifier(), "closed form"),
        (LinearRegression(positive=True), "positive"),
    ],
    ids=lambda v: str(v),
)
def test_models_without_a_closed_form_are_named(model, reason):
    data = zoo.split(classes=2)
    with pytest.raises(NotApplicableError, match=reason):
        played(InformedAdversary(), model.fit(data.members.X, data.members.y), data)


def digits(tol, n=500):
    model = LogisticRegression(tol=tol, max_iter=10_000).fit(DIGITS[:n], DIGIT[:n])
    return model, Split(Records(DIGITS[:n], DIGIT[:n]), Records(DIGITS[n : 2 * n], DIGIT[n : 2 * n]))


def test_digits_are_recovered_to_the_pixel_where_training_was_exact():
    model, data = digits(1e-8)
    game = leave_one_out(from_sklearn(model), data, Context(), 500)
    off = np.abs(game.recovered(game.model) - game.missing).max(axis=1)
    assert np.median(off) < 1e-4
    finding = played(InformedAdversary(), model, data)
    assert finding.metrics["recovered_share"].value > 0.9
    stop, plain = finding.metrics["noise_that_stops_it"], finding.metrics["accuracy_without_noise"]
    assert 1e-5 < stop.low <= stop.high < 1e-2
    assert abs(finding.metrics["accuracy_with_noise"].value - plain.value) < 0.02


def test_where_the_solver_stopped_early_the_failure_is_said_and_explained():
    finding = played(InformedAdversary(), *digits(1e-4))
    assert finding.outcome is Outcome.NO_LEAK_FOUND
    assert finding.verdict == NOTHING
    assert "stopped early, at tol=0.0001" in finding.explanation
    assert "tol=1e-8" in finding.explanation
    assert "noise_that_stops_it" not in finding.metrics


def test_rows_that_are_not_all_are_told_from_a_solver_that_stopped_early():
    model, data = digits(1e-8)
    fewer = Split(data.members.take(np.arange(450)), data.nonmembers)
    assert "not all that it was trained on" in played(InformedAdversary(), model, fewer).explanation
    whole = played(InformedAdversary(), model, fewer, trained_on=Records(DIGITS[:500], DIGIT[:500]))
    assert whole.outcome is Outcome.LEAK


def test_steps_that_ran_out_are_said():
    with pytest.warns(Warning, match="failed to converge"):
        model = LogisticRegression(max_iter=3, tol=1e-8).fit(DIGITS[:300], DIGIT[:300])
    _, data = digits(1e-2, 300)
    assert "max_iter=3" in played(InformedAdversary(), model, data).explanation


def test_a_model_that_fits_everyone_exactly_has_no_row_to_give():
    data = zoo.split(n=12, columns=30)
    finding = played(InformedAdversary(), LinearRegression().fit(data.members.X, data.members.y), data)
    assert finding.outcome is Outcome.NO_LEAK_FOUND
    assert "fits every row exactly" in finding.explanation


def test_a_row_that_stands_twice_is_no_secret():
    data = zoo.split(n=100, seed=1)
    twice = data.members.join(data.members)
    model = LogisticRegression(**EXACT).fit(twice.X, twice.y)
    finding = played(InformedAdversary(), model, data, trained_on=Records(twice.X, twice.y))
    assert finding.metrics["recovered_share"].value > 0.9
    assert finding.baseline["median_error"].value == 0
    assert finding.outcome is Outcome.NO_LEAK_FOUND


def test_a_linear_model_of_other_people_gives_no_row():
    """In none of 60 seeds: two sign tests must agree, and the rows of strangers fit no coefficients."""
    alarms = 0
    for seed in range(60):
        data, others = zoo.split(n=60, seed=seed), zoo.people(60, 50_000 + seed)
        model = LogisticRegression(**EXACT).fit(others.X, others.y)
        alarms += played(InformedAdversary(people=20), model, data, seed=seed).outcome is Outcome.LEAK
    assert alarms == 0


def test_answers_alone_are_not_enough_and_few_rows_are_too_few():
    with pytest.raises(NotApplicableError, match="at hand"):
        played(InformedAdversary(), zoo.Ignorant(), zoo.split())
    data = zoo.split(n=6, classes=2)
    with pytest.raises(NotApplicableError, match="at least 10"):
        played(InformedAdversary(), LogisticRegression().fit(data.members.X, [0, 1, 0, 1, 0, 1]), data)
    with pytest.raises(ConfigError, match="tolerance"):
        InformedAdversary(tolerance=0.0)
    assert read(LinearRegression().fit([[0.0], [1.0]], [0, 1])).penalty == 0


# Numbers


def test_the_interval_of_a_median_covers():
    rng = np.random.default_rng(5)
    for n in (7, 50):
        drawn = [median(rng.exponential(size=n)) for _ in range(2_000)]
        covered = np.mean([e.low <= math.log(2) <= e.high for e in drawn])
        assert 0.945 < covered < 0.99
    few = median(np.array([1.0, 2.0, 4.0]))
    assert (few.low, few.value, few.high, few.confidence) == (1.0, 2.0, 4.0, 0.75)
    with pytest.raises(DataError, match="at least one"):
        median(np.empty(0))


def test_the_mean_and_the_sign_test():
    assert mean(np.array([0.5]), 0.0, 1.0) == mean(np.array([0.5]), 0, 1)
    assert (mean(np.array([0.5]), 0.0, 1.0).low, mean(np.array([0.5]), 0.0, 1.0).high) == (0.0, 1.0)
    drawn = [mean(np.random.default_rng(s).normal(size=8)) for s in range(2_000)]
    assert 0.93 < np.mean([e.low <= 0 <= e.high for e in drawn]) < 0.97
    first, second = np.array([0.0, 0.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0, 1.0])
    assert sign_p_value(first, second) == pytest.approx(0.5)  # 2 won, 1 lost, 1 tie
    assert sign_p_value(np.zeros(5), np.ones(5)) == pytest.approx(1 / 32)
    assert sign_p_value(np.ones(5), np.zeros(5)) == 1.0


# Columns and the search


def frame(n=60, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(20, 80, n),
            "weight": rng.normal(70, 10, n),
            "smokes": rng.random(n) < 0.3,
            "town": rng.choice(["Aachen", "Bonn", "Celle"], n),
            "grade": pd.Categorical(rng.choice(["low", "high"], n), categories=["low", "high"]),
            "visits": pd.array([None, *rng.integers(0, 9, n - 1).tolist()], dtype="Int64"),
            "constant": 1.0,
        }
    )


def test_one_hot_groups_are_found_and_stay_one_hot():
    rng = np.random.default_rng(0)
    group, other = np.eye(3)[rng.integers(3, size=50)], rng.integers(2, size=(50, 2)).astype(float)
    X = np.column_stack([rng.normal(size=50), other[:, :1], group, other[:, 1:]])
    space = columns(Records(X, np.zeros(50)))
    assert space.numbers.tolist() == [0]
    assert sorted(kind.columns for kind in space.kinds) == [(1,), (2, 3, 4), (5,)]
    drawn = np.column_stack([rng.integers(len(k.donors), size=40) for k in space.kinds])
    built = np.asarray(space.rows(rng.normal(size=(40, 1)), drawn).X)
    assert (built[:, 2:5].sum(axis=1) == 1).all()
    assert set(built[:, [1, 5]].ravel()) <= {0.0, 1.0}


@pytest.mark.parametrize("kind", ["pandas", "polars", "array"])
def test_made_up_records_have_the_types_of_the_real_ones(kind):
    real = frame()
    X = {"pandas": real, "polars": pl.DataFrame(real.to_dict("list")), "array": real.to_numpy(dtype=object)}[kind]
    space = columns(Records(X, np.zeros(60)))
    rng = np.random.default_rng(1)
    numbers = rng.uniform(space.low, space.high, size=(5, len(space.numbers)))
    built = space.rows(numbers, np.column_stack([rng.integers(len(k.donors), size=5) for k in space.kinds])).X
    if kind == "pandas":
        assert built.dtypes.tolist() == real.dtypes.tolist()
    if kind == "polars":
        assert built.schema == X.schema
    table = pd.DataFrame(built, columns=real.columns) if kind == "array" else pd.DataFrame(built.to_dict())
    assert set(table["town"]) <= set(real["town"])
    assert (table["age"].astype(float) % 1 == 0).all()
    assert table["weight"].astype(float).between(real["weight"].min(), real["weight"].max()).all()


def test_what_is_given_is_kept():
    data = Records(frame(), np.zeros(60))
    space = columns(data, (("age", 33), ("town", "Bonn")))
    found = search(lambda numbers, kinds: numbers[:, 0], space, None, 120, np.random.default_rng(0))
    built = space.rows(found.numbers, found.kinds).X
    assert len(built) == 120
    assert (built["age"] == 33).all()
    assert (built["town"] == "Bonn").all()
    assert built["grade"].nunique() == 2
    for start, match in (
        ((("nobody", 1),), "no column"),
        ((("town", "Delft"),), "occurs"),
        ((("age", "old"),), "number"),
    ):
        with pytest.raises(ConfigError, match=match):
            columns(data, start)


def test_the_search_finds_a_summit_and_the_best_kind():
    data = Records(np.column_stack([np.random.default_rng(0).normal(size=(80, 3)), np.arange(80) % 2]), np.zeros(80))
    space, goal = columns(data), np.array([1.0, -0.5, 0.3])

    def height(numbers, kinds):
        return -((numbers - goal) ** 2).sum(axis=1) + kinds[:, 0]

    found = search(height, space, None, 800, np.random.default_rng(2))
    top = middle_of_best(found, space)
    assert np.abs(found.numbers[top] - goal).max() < 0.1
    assert found.kinds[top, 0] == 1
    assert (found.numbers >= space.low).all()
    assert (found.numbers <= space.high).all()


def test_the_margin_has_a_slope_where_a_class_is_all_but_impossible():
    answers = np.array([[1 - 1e-9, 1e-9, 0.0], [1 - 1e-8, 1e-8, 0.0], [1.0, 0.0, 0.0]])
    climbed = margin(answers, 1)
    assert climbed[1] - climbed[0] == pytest.approx(math.log(10), rel=1e-3)
    assert climbed[2] == pytest.approx(math.log(FLOOR))


def test_distances_count_standard_deviations_and_kinds():
    public = Records(np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0], [3.0, 1.0]]), np.zeros(4))
    space = columns(public)
    people = Records(np.array([[1.5, 0.0], [np.nan, 1.0]]), np.zeros(2))
    spread = public.X[:, 0].std()
    far = crowd(space, people).distances(Guess(np.array([0.0]), np.array([0])), np.array([4, 5]))
    assert far[0] == pytest.approx(math.sqrt((1.5 / spread) ** 2 / 2))
    assert far[1] == pytest.approx(1.0)  # the number is missing, the kind is another


def test_the_test_of_nearness_is_valid_in_pairs_and_unequal_classes():
    """At most 21 of 200 at 5 %: more happens once in 1,000. In all-pairs classes a pooled rank test would be wrong."""
    for sizes in ([(1, 1)] * 10, [(1, 4)] * 6 + [(30, 10)]):
        alarms = 0
        for seed in range(200):
            rng = np.random.default_rng([seed, len(sizes)])
            drawn = [[(1 + c) * rng.exponential(size=n) for n in pair] for c, pair in enumerate(sizes)]
            alarms += nearer_p_value([d[0] for d in drawn], [d[1] for d in drawn], rng) <= 0.05
        assert alarms <= 21
    near, far = [np.array([0.1])] * 10, [np.array([0.9, 1.0, 1.1])] * 10
    assert nearer_p_value(near, far, np.random.default_rng(0)) <= 0.001
    assert nearer_p_value([np.array([2.0])] * 10, far, np.random.default_rng(0)) > 0.5
    one = [np.r_[0.01, np.linspace(0.8, 1.2, 30)]] * 8
    assert nearer_p_value(one, [np.linspace(0.8, 1.2, 31)] * 8, np.random.default_rng(0)) <= 0.01, "one of many"


# The profile


def test_a_model_that_knows_each_person_gives_them_away():
    data = zoo.named(seed=4)
    finding = played(ClassProfile(), zoo.Recognizer(data.members, 20), data)
    assert finding.outcome is Outcome.LEAK
    assert finding.verdict == RECORD
    assert finding.metrics["resemblance"].low > finding.control["resemblance"].high
    assert finding.metrics["people_per_class"].value == 1


def test_a_model_that_knows_the_classes_is_class_level():
    rng = np.random.default_rng(6)
    centers = rng.normal(size=(3, 6)) * 2
    sides = []
    for _ in range(3):
        y = rng.integers(3, size=300)
        sides.append(Records(centers[y] + rng.normal(size=(300, 6)), y))

    class Centers(zoo.Open):
        def _predict_proba(self, records):
            return softmax(-((np.asarray(records.X)[:, None] - centers) ** 2).sum(axis=2) / 2)

    finding = played(ClassProfile(), Centers(np.arange(3)), Split(*sides))
    assert finding.verdict == CLASS
    assert finding.outcome is Outcome.NO_LEAK_FOUND
    assert finding.metrics["gain_over_prior"].low > 0.05
    assert finding.metrics["attackers_own_score"].value > 0.9


def test_profiles_of_people_the_model_never_saw_are_silent():
    """At most 12 alarms in 100 seeds: more happens once in 1,000 if each has probability 5 %."""
    alarms = 0
    for seed in range(100):
        data, others = zoo.named(seed=seed), zoo.named(seed=70_000 + seed)
        finding = played(ClassProfile(queries=200), zoo.Recognizer(others.members, 20), data, seed=seed)
        alarms += finding.outcome is Outcome.LEAK
    assert alarms <= 12


class Counting(ScoreTarget):
    """Counts what it is asked, for itself."""

    def __init__(self) -> None:
        super().__init__(np.arange(3))
        self.asked = 0

    def _predict_proba(self, records):
        self.asked += len(records)
        return zoo.Ignorant()._predict_proba(records)


@pytest.mark.parametrize(("left", "most"), [(None, 750), (2_000, 750), (400, 400)])
def test_queries_are_counted_and_never_more_than_granted(left, most):
    target = Counting()
    finding = played(ClassProfile(queries=250), target, zoo.split(), queries_left=left)
    assert finding.queries == target.asked == target.queries
    assert most - 3 <= finding.queries <= most


def test_too_few_queries_or_people_are_said():
    with pytest.raises(NotApplicableError, match="may be spent"):
        played(ClassProfile(), zoo.Ignorant(), zoo.split(), queries_left=200)
    with pytest.raises(NotApplicableError, match="of their classes"):
        played(ClassProfile(), zoo.Ignorant(), zoo.split(n=5))
    with pytest.raises(NotApplicableError, match="columns"):
        columns(Records(np.array(["a", "b"]), np.zeros(2)))
    for wrong in ({"queries": 5}, {"classes": 0}, {"prior": -1.0}):
        with pytest.raises(ConfigError, match="expected"):
            ClassProfile(**wrong)


def test_recorded_answers_cannot_be_asked_about_made_up_records():
    data = zoo.split()
    target = RecordedScores(zoo.Ignorant().predict_proba(data.pool), np.arange(3))
    assert "recorded" in (ClassProfile().inapplicable(target) or "")


def test_effort_decides_the_queries_unless_they_are_given():
    assert [ClassProfile().paced(effort).queries for effort in Effort] == [250, 1_000, 7_500]
    assert ClassProfile(queries=300).paced(Effort.THOROUGH).queries == 300


def test_an_audit_paces_the_queries_and_keeps_the_verdict():
    data = zoo.split(n=60, seed=2, classes=2)
    model = LogisticRegression(**EXACT).fit(data.members.X, data.members.y)
    sides = ((side.X, side.y) for side in (data.members, data.nonmembers))
    report = keepmum.audit(model, *sides, attacks="inversion/*", effort="quick")
    assert 250 * 2 - 2 <= report["inversion/class-profile"].queries <= 250 * 2
    finding = report["inversion/informed-adversary"]
    assert (finding.outcome, finding.verdict) == (Outcome.LEAK, RECORD)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_pipelines_are_asked_in_their_own_column_types(kind):
    real = frame(n=240, seed=3).drop(columns="visits").astype({"grade": str})
    y = (real["weight"] + 10 * (real["town"] == "Bonn") > 72).astype(int).to_numpy()
    encoded = ColumnTransformer(
        [("kinds", OneHotEncoder(), ["town", "grade", "smokes"]), ("numbers", StandardScaler(), ["age", "weight"])]
    )
    X = real if kind == "pandas" else pl.DataFrame(real.to_dict("list"))
    sides = [Records(X[i : i + 80], y[i : i + 80]) for i in (0, 80, 160)]
    model = make_pipeline(encoded, LogisticRegression()).fit(sides[0].X, sides[0].y)
    finding = played(ClassProfile(start={"age": 40}), model, Split(*sides))
    assert finding.outcome in (Outcome.LEAK, Outcome.NO_LEAK_FOUND)
    assert finding.metrics["attackers_own_score"].low > 0.5
    assert finding.queries <= 2_000
