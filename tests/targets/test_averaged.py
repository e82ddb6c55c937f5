"""Noise that is drawn anew for each answer averages out, at the price of queries."""

from __future__ import annotations

import numpy as np
import pytest

import keepmum
import zoo
from keepmum.attacks import Context
from keepmum.attacks.membership import Loss
from keepmum.audit import plan
from keepmum.data import Records
from keepmum.errors import ConfigError
from keepmum.stats.area import auc_value
from keepmum.targets import LabelTarget, RecordedScores, RegressionTarget, ScoreTarget
from keepmum.targets._remembered import remembered
from keepmum.targets.averaged import averaged, repeats_of

DATA = zoo.split(300)


class Noisy(ScoreTarget):
    """A memorizer that hides behind noise, drawn anew for each answer."""

    def __init__(self, inner: ScoreTarget, noise: float) -> None:
        super().__init__(inner.classes)
        self.inside, self.noise, self.rng = inner, noise, np.random.default_rng(0)

    def _predict_proba(self, records):
        logits = np.log(self.inside.predict_proba(records)) + self.rng.normal(0, self.noise, (len(records), 3))
        odds = np.exp(logits)
        return odds / odds.sum(axis=1, keepdims=True)


def hidden() -> ScoreTarget:
    return Noisy(zoo.Lookup(DATA.members, sure=0.5), 1.5)


def area(target) -> float:
    _, is_member, scores = Loss().scores(target, DATA, Context())
    return auc_value(scores[is_member], scores[~is_member])


def test_more_repeats_take_more_of_the_noise_away():
    clear = area(zoo.Lookup(DATA.members, sure=0.5))
    once, some, many = (area(averaged(hidden(), repeats)) for repeats in (1, 8, 64))
    assert once + 0.05 < some < many - 0.03
    assert many > clear - 0.1


def test_the_mean_of_probabilities():
    noisy, again = hidden(), hidden()
    records = DATA.members
    slow = sum(again.predict_proba(records) for _ in range(5)) / 5
    np.testing.assert_allclose(averaged(noisy, 5).predict_proba(records), slow, rtol=1e-12)


def test_labels_by_majority_and_values_by_mean():
    class Labels(LabelTarget):
        turn = 0

        def _predict(self, records):
            self.turn += 1
            return np.array([[0, 2, 1], [2, 2, 0], [2, 1, 0]][self.turn % 3])

    class Values(RegressionTarget):
        turn = 0

        def _predict_value(self, records):
            self.turn += 1
            return np.full(len(records), float(self.turn))

    three = Records(np.zeros((3, 1)), np.zeros(3))
    assert averaged(Labels(np.arange(3)), 3).predict(three).tolist() == [2, 2, 0]
    assert averaged(Values(), 4).predict_value(three).tolist() == [2.5, 2.5, 2.5]


def test_every_time_counts_as_a_query():
    target = zoo.Lookup(DATA.members)
    known = remembered(averaged(target, 4))
    finding = Loss().run(known, DATA, Context(attack="membership/loss"))
    assert target.queries == known.inner.queries == finding.queries == 4 * 600
    assert repeats_of(known) == 4
    assert repeats_of(averaged(target, 4)) == 1, "it counts its queries itself"
    assert averaged(target, 1) is target


def test_a_target_without_noise_gives_the_same_findings():
    attacks = ["membership/loss", "membership/correctness", "structural/generalization-gap"]

    def findings(**options):
        target = zoo.Lookup(DATA.members)
        return keepmum.audit(target, DATA.members, DATA.nonmembers, attacks=attacks, effort="quick", **options)

    once, often = findings(), findings(repeats=8)
    assert often.target["queries"] == 8 * once.target["queries"]
    for one, other in zip(once.findings, often.findings, strict=True):
        assert (one.metrics, one.p_value, one.outcome) == (other.metrics, other.p_value, other.outcome)
        assert other.queries == 8 * one.queries


def test_repeats_share_the_allowance_and_multiply_the_plan():
    report = keepmum.audit(
        zoo.Lookup(DATA.members),
        DATA.members,
        DATA.nonmembers,
        attacks="membership/loss",
        effort="quick",
        max_queries=1200,
        repeats=4,
    )
    assert report.sample["members"] == report.sample["nonmembers"] == 150
    assert report.target["queries"] <= 1200
    drafts = [
        plan(zoo.Lookup(DATA.members), DATA.members, DATA.nonmembers, attacks="membership/loss", repeats=repeats)
        for repeats in (1, 4)
    ]
    assert drafts[1].queries == 4 * drafts[0].queries == 4 * 600
    assert drafts[1].rows[0].queries == 4 * 600


def test_it_can_be_set_everywhere():
    from keepmum.settings import AuditSettings, load

    assert load(environ={"KEEPMUM_AUDIT_REPEATS": "4"}).audit.repeats == 4
    assert load({"audit": AuditSettings(repeats=8)}, environ={}).audit.repeats == 8
    with pytest.raises(ConfigError, match="REPEATS"):
        load(environ={"KEEPMUM_AUDIT_REPEATS": "0"})


def test_what_always_answers_alike_is_not_asked_again():
    with pytest.raises(ConfigError, match="recorded"):
        averaged(RecordedScores(np.full((4, 2), 0.5), np.arange(2)), 2)
    with pytest.raises(ConfigError, match="at least 1"):
        averaged(zoo.Ignorant(), 0)
    with pytest.raises(ConfigError, match="repeats"):
        keepmum.audit(zoo.Ignorant(), DATA.members, DATA.nonmembers, repeats=0)
