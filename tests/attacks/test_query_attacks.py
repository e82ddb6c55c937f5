"""Attacks that ask about more than the record equal slow twins and known answers, and keep to their budget."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import keepmum
import zoo
from keepmum.attacks import Context, default_attacks
from keepmum.attacks.membership import (
    Augmentation,
    BoundaryDistance,
    Merlin,
    Morgan,
    Neighborhood,
    NoiseRobustness,
    QueryAttack,
)
from keepmum.attacks.membership._neighbors import neighbors
from keepmum.audit import plan
from keepmum.data import Records, Split
from keepmum.errors import NotApplicableError
from keepmum.findings import Outcome
from keepmum.stats.area import auc_value
from keepmum.targets import FunctionScores, RecordedScores, ScoreTarget, from_sklearn
from keepmum.targets.text import TextTarget

QUERY = [a for a in default_attacks() if isinstance(a, QueryAttack) and not issubclass(a.needs, TextTarget)]
PEOPLE = zoo.people(150, 5, classes=2)


def lent(attack, **options) -> Context:
    return Context(attack=attack.id, **options)


def bowl(X):
    """Two classes; the farther from the center, the less probable the second."""
    p = np.exp(-0.3 * (np.asarray(X) ** 2).sum(axis=1))
    return np.column_stack([1 - p, p])


BOWL = FunctionScores(bowl, np.arange(2))


def probability(X, y):
    return bowl(X)[np.arange(len(y)), y]


def odds(X, y):
    p = probability(X, y)
    return np.log(p / (1 - p))


def test_merlin_counts_copies_with_a_larger_loss():
    attack = Merlin(copies=6, scale=0.4)
    ctx, twin = lent(attack), lent(attack)
    scores = attack.score(BOWL, PEOPLE, ctx)
    around = neighbors(PEOPLE)
    copies = [around.noisy(twin.rng, 0.4).X for _ in range(6)]
    for i in range(len(PEOPLE)):
        y = PEOPLE.y[i : i + 1]
        own = -math.log(probability(PEOPLE.X[i : i + 1], y)[0])
        larger = sum(-math.log(probability(copy[i : i + 1], y)[0]) > own for copy in copies)
        assert scores[i] == pytest.approx(larger / 6)


def test_merlin_is_one_at_the_bottom_of_the_loss_and_half_where_it_is_flat():
    X = np.r_[np.zeros((1, 2)), zoo.people(99, 1, columns=2).X]
    records = Records(X, np.ones(100, dtype=int))
    attack = Merlin()
    assert attack.score(BOWL, records, lent(attack))[0] == 1.0
    flat = FunctionScores(lambda X: np.full((len(X), 2), 0.5), np.arange(2))
    assert (attack.score(flat, records, lent(attack)) == 0.5).all()


def test_morgan_is_the_smaller_of_two_ranks():
    from scipy.stats import rankdata

    attack, alone = Morgan(copies=5), Merlin(copies=5)
    scores = attack.score(BOWL, PEOPLE, lent(attack))
    share = alone.score(BOWL, PEOPLE, lent(attack))
    easy = rankdata(odds(PEOPLE.X, PEOPLE.y))
    np.testing.assert_allclose(scores, np.minimum(easy, rankdata(share)))


def test_neighborhood_is_what_the_exact_record_has_over_its_neighbors():
    attack = Neighborhood(neighbors=7)
    ctx, twin = lent(attack), lent(attack)
    scores = attack.score(BOWL, PEOPLE, ctx)
    around = neighbors(PEOPLE)
    near = [around.changed(twin.rng, turn).X for turn in range(7)]
    y = PEOPLE.y
    slow = [probability(PEOPLE.X, y)[i] - sum(probability(X, y)[i] for X in near) / 7 for i in range(len(y))]
    np.testing.assert_allclose(scores, slow, atol=1e-12)


def test_the_rare_visit_is_what_gives_a_record_away():
    """A model that knows the exact text, and answers anything else as the rule has it."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(40)])
    texts = np.array([" ".join(rng.choice(words, 8)) for _ in range(300)], dtype=object)
    y = rng.integers(0, 2, 300)
    data = Split(Records(texts[:150], y[:150]), Records(texts[150:], y[150:]))
    known = dict(zip(texts[:150], y[:150], strict=True))

    def answer(asked):
        rule = [0.5 + 0.2 * ("w30" in text) for text in asked]
        one = np.array([0.1 + 0.8 * known[t] if t in known else r for t, r in zip(asked, rule, strict=True)])
        return np.column_stack([1 - one, one])

    finding = Neighborhood().run(FunctionScores(answer, np.arange(2)), data, lent(Neighborhood()))
    assert finding.outcome is Outcome.LEAK
    assert finding.metrics["auc"].value > 0.9


def test_noise_robustness_is_the_chance_to_stay_on_the_right_side():
    """For a threshold on one column, the share of right copies at noise σ is Φ(distance / σ)."""
    from scipy.special import ndtr

    X = np.linspace(-2, 2, 41)[:, None]
    X = np.r_[X, np.full((1, 1), 30.0), np.full((1, 1), -30.0)]  # far away, so that bounds do not matter
    records = Records(X, (X[:, 0] > 0).astype(int))
    half = FunctionScores(lambda X: np.column_stack([X[:, 0] <= 0, X[:, 0] > 0]).astype(float), np.arange(2))
    attack = NoiseRobustness(copies=600, scales=(0.3,))
    scores = attack.score(half, records, lent(attack))
    right = (1 + 600 * ndtr(np.abs(X[:, 0]) / (0.3 * X.std()))) / 601
    assert np.abs(scores - right)[:41].max() < 5 * 0.5 / math.sqrt(600)
    assert scores[20] < scores[30] < scores[40]


def test_noise_robustness_of_a_wrong_answer_is_low():
    X = np.linspace(-2, 2, 41)[:, None]
    records = Records(X, (X[:, 0] <= 0).astype(int))
    half = FunctionScores(lambda X: np.column_stack([X[:, 0] <= 0, X[:, 0] > 0]).astype(float), np.arange(2))
    scores = NoiseRobustness().score(half, records, lent(NoiseRobustness()))
    assert scores[[0, 40]].max() < 0.1 < scores[20] < 0.9


def side(X):
    """A slanted line divides two classes."""
    X = np.asarray(X)
    beyond = X[:, 0] + 2 * X[:, 1] > 0.5
    return np.column_stack([~beyond, beyond]).astype(float)


LINE = FunctionScores(side, np.arange(2))


def test_boundary_distance_finds_the_line():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2)) * [1, 3]
    truth = (X[:, 0] + 2 * X[:, 1] - 0.5) / np.hypot(1 * X[:, 0].std(), 2 * X[:, 1].std())  # in standard deviations
    label = (truth > 0).astype(int)
    wrong = rng.random(400) < 0.2
    records = Records(X, np.where(wrong, 1 - label, label))
    attack = BoundaryDistance(queries=60)
    scores = attack.score(LINE, records, lent(attack))
    np.testing.assert_array_equal(scores > 0, ~wrong)
    assert (np.abs(scores) >= np.abs(truth) - 1e-9).all(), "no way is shorter than the shortest"
    assert np.median(np.abs(scores) / np.abs(truth)) < 1.35
    assert np.corrcoef(np.abs(scores), np.abs(truth))[0, 1] > 0.97


def test_more_queries_find_shorter_ways():
    X = np.random.default_rng(0).normal(size=(300, 6))
    records = Records(X, side(X).argmax(axis=1))
    means = [BoundaryDistance(queries=q).score(LINE, records, lent(BoundaryDistance())).mean() for q in (8, 16, 64)]
    assert means[0] > means[1] > means[2]


def test_boundary_distance_walks_along_columns_of_any_kind():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=200), "b": rng.choice(["u", "v"], 200), "c": rng.normal(size=200)})
    label = (X["b"] == "v").to_numpy().astype(int)
    target = FunctionScores(lambda X: np.eye(2)[(X["b"] == "v").to_numpy().astype(int)], np.arange(2))
    scores = BoundaryDistance(queries=80).score(target, Records(X, label), lent(BoundaryDistance()))
    assert (scores >= 1).all()
    assert np.median(scores) < 1.1, "all that matters is one column, which counts 1"


def test_boundary_distance_where_there_is_no_boundary():
    always = FunctionScores(lambda X: np.tile([0.9, 0.1], (len(X), 1)), np.arange(2))
    X = np.random.default_rng(0).normal(size=(50, 2))
    y = np.arange(50) % 2
    scores = BoundaryDistance().score(always, Records(X, y), lent(BoundaryDistance()))
    np.testing.assert_array_equal(scores > 0, y == 0)
    assert np.isfinite(scores).all()


def test_augmentation_is_the_mean_over_mirrored_and_shifted_images():
    rng = np.random.default_rng(0)
    X = rng.random((40, 5, 5))
    y = rng.integers(0, 2, 40)
    weight = rng.normal(size=(5, 5))

    def answer(X):
        p = 1 / (1 + np.exp(-(X * weight).sum(axis=(1, 2))))
        return np.column_stack([1 - p, p])

    def margin(X):
        return np.where(y == 1, 1, -1) * (X * weight).sum(axis=(1, 2))

    attack = Augmentation(copies=3)
    scores = attack.score(FunctionScores(answer, np.arange(2)), Records(X, y), lent(attack))
    right = X[:, :, [0, 0, 1, 2, 3]]
    left = X[:, :, [1, 2, 3, 4, 4]]
    slow = (margin(X) + margin(X[:, :, ::-1]) + margin(right) + margin(left)) / 4
    np.testing.assert_allclose(scores, slow, atol=1e-9)


def test_augmentation_of_columns_is_noise():
    attack = Augmentation(copies=4, scale=0.2)
    ctx, twin = lent(attack), lent(attack)
    scores = attack.score(BOWL, PEOPLE, ctx)
    around = neighbors(PEOPLE)
    slow = odds(PEOPLE.X, PEOPLE.y)
    for _ in range(4):
        slow = slow + odds(around.noisy(twin.rng, 0.2).X, PEOPLE.y)
    np.testing.assert_allclose(scores, slow / 5, atol=1e-9)


@pytest.mark.parametrize("attack", QUERY, ids=lambda a: a.id)
def test_what_is_asked_is_what_was_planned(attack):
    data = zoo.split(200)
    for left in (None, 5_000):
        target = zoo.Lookup(data.members)
        finding = attack.run(target, data, lent(attack, queries_left=left))
        assert finding.queries == target.queries == attack.planned(400, left)
        assert left is None or finding.queries <= left
    assert attack.planned(400) == 400 * attack.per_record


@pytest.mark.parametrize("attack", QUERY, ids=lambda a: a.id)
def test_too_few_queries_and_recorded_answers_are_refused(attack):
    data = zoo.split(200)
    target = zoo.Lookup(data.members)
    with pytest.raises(NotApplicableError, match="queries a record"):
        attack.run(target, data, lent(attack, queries_left=1_000))
    assert target.queries == 0
    recorded = RecordedScores(np.full((400, 3), 1 / 3), np.arange(3))
    assert "recorded" in attack.inapplicable(recorded)


def test_a_limit_on_queries_holds_for_the_audit():
    data = zoo.split(200)
    target = zoo.Lookup(data.members)
    attacks = [a.id for a in QUERY]
    report = keepmum.audit(
        target, data.members, data.nonmembers, attacks=attacks, effort="quick", max_queries=9_000, repeats=2
    )
    assert report.target["queries"] == target.queries <= 9_000
    outcomes = [f.outcome for f in report.findings]
    assert Outcome.LEAK in outcomes
    assert Outcome.NOT_APPLICABLE in outcomes


def test_the_plan_counts_them():
    data = zoo.split(200)
    draft = plan(zoo.Lookup(data.members), data.members, data.nonmembers, attacks="membership/merlin")
    assert draft.rows[0].queries == 400 * 17
    assert draft.queries == 400 + 400 * 17


@pytest.mark.parametrize("attack", QUERY, ids=lambda a: a.id)
def test_sparse_rows_and_texts_where_they_can_be_changed(attack):
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng(0)
    texts = np.array([" ".join(rng.choice([f"w{i}" for i in range(30)], 12)) for _ in range(300)], dtype=object)
    y = rng.integers(0, 2, 300)
    counts = CountVectorizer().fit_transform(texts)
    tree = DecisionTreeClassifier(random_state=0)
    for X, model in ((texts, make_pipeline(CountVectorizer(), tree)), (sparse.csr_matrix(counts), tree)):
        data = Split(Records(X[:150], y[:150]), Records(X[150:], y[150:]))
        target = from_sklearn(model.fit(X[:150], y[:150]))
        if isinstance(attack, BoundaryDistance):
            with pytest.raises(NotApplicableError, match="columns to walk"):
                attack.run(target, data, lent(attack))
        else:
            assert attack.run(target, data, lent(attack)).outcome is Outcome.LEAK


class Forgetful(ScoreTarget):
    """Answers by a rule, and somewhat better about the exact records that it knows; the loss alone hardly shows it."""

    def __init__(self, members: Records) -> None:
        super().__init__(np.arange(3))
        self.rule, self.known = zoo.Ignorant(), set(map(bytes, np.asarray(members.X)))

    def _predict_proba(self, records):
        answer = self.rule.predict_proba(records)
        known = np.array([bytes(row) in self.known for row in np.asarray(records.X)])
        lift = np.zeros_like(answer)
        lift[np.flatnonzero(known), records.y[known]] = 0.1
        return (answer + lift) / (answer + lift).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("attack", [Merlin(), Neighborhood()], ids=lambda a: a.id)
def test_they_see_what_the_loss_does_not(attack):
    from keepmum.attacks.membership import Loss

    data = zoo.split(300)
    areas = []
    for each in (Loss(), attack):
        _, is_member, scores = each.scores(Forgetful(data.members), data, lent(each))
        areas.append(auc_value(scores[is_member], scores[~is_member]))
    assert areas[1] > areas[0] + 0.08


@pytest.mark.parametrize(("effort", "most"), [("quick", 10_000), ("standard", 40_000), ("thorough", 300_000)])
def test_effort_decides_how_much_is_asked(effort: str, most: int) -> None:
    data = zoo.split(10_000)
    sides = (data.members, data.nonmembers)
    attacks = [Merlin(), Merlin(rows=3_000), Merlin(rows=100)]
    rows = plan(zoo.Ignorant(), *sides, attacks=attacks, effort=effort, shadows=0).rows
    assert most - Merlin().per_record < rows[0].queries <= most
    assert 0 < rows[1].queries <= 3_000
    assert "may be spent" in rows[2].reason
