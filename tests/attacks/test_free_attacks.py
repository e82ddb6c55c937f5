"""Quantile regression and the loss tail: no further question to the model."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from keepmum.attacks import Context
from keepmum.attacks.membership import Loss, QuantileRegression
from keepmum.attacks.membership.quantile_regression import within_edge
from keepmum.attacks.structural import LossTail
from keepmum.attacks.structural.loss_tail import tail_p_value
from keepmum.data import Records, Split
from keepmum.errors import NotApplicableError
from keepmum.findings import Outcome
from keepmum.shadows import scaled_logit
from keepmum.stats.area import auc_value
from keepmum.targets import FunctionScores, ScoreTarget


def lent(attack, **options) -> Context:
    return Context(attack=attack.id, **options)


class Easy(ScoreTarget):
    """Margins that depend on the first column much more than on membership; how much they vary, on the second."""

    def __init__(self, lift: float = 0.0) -> None:
        super().__init__(np.arange(2))
        self.lift = lift

    def _predict_proba(self, records):
        X = np.asarray(records.X)
        margin = 4 * X[:, 0] + np.exp(X[:, 1]) * X[:, 2] + self.lift * X[:, 3] * np.exp(X[:, 1])
        p = 1 / (1 + np.exp(-np.where(records.y == 1, margin, -margin)))
        return np.column_stack([1 - p, p])


def crowd(n, seed, member):
    """Columns: how easy, how variable, chance, and a mark of members that the attacker's regression cannot read."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    X[:, 3] = member
    return Records(X, rng.integers(0, 2, n))


def areas(lift):
    data = Split(crowd(1500, 0, 1.0), crowd(1500, 1, 0.0))
    found = []
    for attack in (Loss(), QuantileRegression()):
        _, is_member, scores = attack.scores(Easy(lift), data, lent(attack))
        found.append(auc_value(scores[is_member], scores[~is_member]))
    return found


def test_people_are_compared_with_people_like_them():
    loss, regression = areas(2.0)
    assert regression > loss + 0.15


def test_nothing_is_seen_where_there_is_nothing():
    assert abs(areas(0.0)[1] - 0.5) < 0.03


def test_where_columns_tell_nothing_it_is_the_margin_in_mean_deviations():
    X = np.column_stack([np.arange(400.0), np.random.default_rng(0).normal(size=400)])
    target = FunctionScores(lambda X: np.column_stack([1 - odds(X), odds(X)]), np.arange(2))

    def odds(X):
        return 1 / (1 + np.exp(-np.asarray(X)[:, 1]))

    same = Records(np.column_stack([np.zeros(200), X[:200, 1]]), np.ones(200, dtype=int))
    few = Records(X[:10] * [0, 1], np.ones(10, dtype=int))  # too few for any split, so both regressions are constant
    scores = QuantileRegression().score(target, same, lent(QuantileRegression(), population=few))
    margin = scaled_logit(target, few)
    spread = np.abs(margin - margin.mean()).mean()
    inside = np.clip(X[:200, 1], *(np.array([-1, 1]) * (np.abs(X[:200, 1]).max() + np.log(2))))
    np.testing.assert_allclose(scores, (inside - margin.mean()) / spread, atol=1e-6)


def test_nobody_is_scored_by_a_regression_fitted_on_them(monkeypatch):
    data = Split(crowd(60, 0, 1.0), crowd(60, 1, 0.0))
    seen = []
    plain = QuantileRegression.score

    def spy(self, target, records, ctx):
        seen.append((set(records.ids), set(ctx.population.ids)))
        return plain(self, target, records, ctx)

    monkeypatch.setattr(QuantileRegression, "score", spy)
    QuantileRegression().scores(Easy(), data, lent(QuantileRegression()))
    members = set(data.members.ids)
    assert len(seen) == 2
    for asked, fitted in seen:
        assert not asked & fitted
        assert not members & fitted
    assert seen[0][0] | seen[1][0] == members | set(data.nonmembers.ids)


def test_a_population_of_the_attackers_own_is_taken_and_sampled():
    data = Split(crowd(100, 0, 1.0), crowd(100, 1, 0.0), crowd(500, 2, 0.0))
    target = Easy(2.0)
    attack = QuantileRegression(rows=300)
    finding = attack.run(target, data, lent(attack))
    assert finding.queries == 200 + 300
    assert finding.outcome is Outcome.LEAK


def test_gaps_and_infinities_pass_and_no_columns_do_not():
    members, others = zoo.people(100, 1), zoo.people(100, 2)
    for records in (members, others):
        records.X[::7, 1] = np.nan
        records.X[::11, 2] = np.inf
    finding = QuantileRegression().run(zoo.Ignorant(), Split(members, others), lent(QuantileRegression()))
    assert finding.outcome is Outcome.NO_LEAK_FOUND
    bare = Records(np.empty((50, 0)), np.zeros(50))
    with pytest.raises(NotApplicableError, match="columns"):
        QuantileRegression().run(zoo.Ignorant(), Split(bare, bare), lent(QuantileRegression()))


def test_certain_answers_count_a_step_beyond_the_surest_other():
    first, second = within_edge(np.array([690.0, 3.0]), np.array([-690.0, -5.0]))
    assert first.tolist() == [5 + np.log(2), 3]
    assert second.tolist() == [-5 - np.log(2), -5]


def tails(inside, outside):
    """Members and non-members with these losses of their own label."""
    losses = np.r_[inside, outside]
    target = FunctionScores(
        lambda X: np.column_stack([np.exp(-losses[X[:, 0].astype(int)]), -np.expm1(-losses[X[:, 0].astype(int)])]),
        np.arange(2),
    )
    X, m = np.arange(float(len(losses)))[:, None], len(inside)
    y = np.zeros(len(losses), dtype=int)
    return target, Split(Records(X[:m], y[:m]), Records(X[m:], y[m:]))


def test_the_share_beyond_the_worst_members():
    rng = np.random.default_rng(0)
    inside, outside = rng.exponential(1.0, 400), rng.exponential(2.0, 600)
    finding = LossTail().run(*tails(inside, outside), lent(LossTail()))
    for share, key in ((0.1, "tnr_at_fnr_0.1"), (0.01, "tnr_at_fnr_0.01")):
        allowed = int(share * 400)
        cut = np.sort(inside)[::-1][allowed]  # so many members at most have a larger loss
        assert finding.metrics[key].value == pytest.approx((outside > cut).mean())
    assert "tnr_at_fnr_0.001" not in finding.metrics, "400 members cannot resolve it"
    assert finding.outcome is Outcome.LEAK
    assert finding.control["tnr_at_fnr_0.1"].low < 0.1 < finding.control["tnr_at_fnr_0.1"].high
    assert finding.queries == 1000


def test_equal_tails_raise_an_alarm_as_often_as_they_may():
    rng = np.random.default_rng(1)
    alarms = sum(tail_p_value(rng.exponential(size=100), rng.exponential(size=150)) <= 0.05 for _ in range(1000))
    assert alarms <= 70  # 5 % and three standard errors


def test_who_answers_members_worse_is_no_leak():
    rng = np.random.default_rng(2)
    target, data = tails(rng.exponential(2.0, 300), rng.exponential(1.0, 300))
    assert LossTail().run(target, data, lent(LossTail())).outcome is Outcome.NO_LEAK_FOUND


def test_few_people_have_no_tail():
    target, data = tails(np.ones(10), np.full(12, 2.0))
    finding = LossTail().run(target, data, lent(LossTail()))
    assert finding.outcome is Outcome.INCONCLUSIVE
    with pytest.raises(NotApplicableError, match="classifier"):
        LossTail().run(zoo.IgnorantValues(), zoo.split(), lent(LossTail()))
