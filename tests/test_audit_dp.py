"""Audits of claims of differential privacy: bounds hold, faults are found, sound mechanisms are left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from keepmum.audit_dp import audit_dp, audit_dp_runs, check_mechanism, watch_canaries
from keepmum.audit_dp._audit import log_likelihood_ratio, mislabelled
from keepmum.data import Records
from keepmum.errors import ConfigError, DataError
from keepmum.stats.epsilon import epsilon_lower_bound
from keepmum.training import Mechanism, PrivateTrainer, TorchTrainer

torch = pytest.importorskip("torch")


class Silent(Mechanism):
    def noise(self, size, sd, generator):
        return torch.zeros(size)


class Faint(Mechanism):
    def noise(self, size, sd, generator):
        return super().noise(size, sd / 10, generator)


class Unclipped(Mechanism):
    def clipped_sum(self, module, X, y, clip):
        return super().clipped_sum(module, X, y, 1e9)


class Together(Mechanism):
    """Clips the sum, and not what it is made of."""

    def clipped_sum(self, module, X, y, clip):
        whole = super().clipped_sum(module, X, y, 1e9)
        return whole * min(1.0, clip / max(float(whole.norm()), 1e-12))


class ByDrawn(Mechanism):
    def normalizer(self, expected, drawn):
        return float(max(1, drawn))


class FixedSize(Mechanism):
    def sample(self, n, rate, rng):
        return rng.permutation(n)[: round(n * rate)]


class Shuffled(Mechanism):
    """Goes through the records in batches, as is usual without privacy."""

    def __init__(self):
        self.order = np.empty(0, dtype=np.intp)

    def sample(self, n, rate, rng):
        count = round(n * rate)
        if len(self.order) < count:
            self.order = rng.permutation(n)
        batch, self.order = self.order[:count], self.order[count:]
        return batch


class Nosy(Mechanism):
    """Draws noise that hangs on the records."""

    def clipped_sum(self, module, X, y, clip):
        self.seen = float(X.sum())
        return super().clipped_sum(module, X, y, clip)

    def noise(self, size, sd, generator):
        return super().noise(size, sd, torch.Generator().manual_seed(int(1e4 * abs(self.seen)) % 2**31))


BUGS = {
    Silent: "noise",
    Faint: "noise",
    Unclipped: "sensitivity",
    Together: "clipping record by record",
    ByDrawn: "normalizer",
    FixedSize: "sampling",
    Shuffled: "sampling",
    Nosy: "control flow",
}


def build():
    return torch.nn.Sequential(torch.nn.Linear(6, 24), torch.nn.ReLU(), torch.nn.Linear(24, 3))


def people(count: int = 120, seed: int = 0) -> Records:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, count)
    return Records((rng.normal(size=(count, 6)) + 2 * np.eye(6)[y]).astype(np.float32), y)


def recipe(mechanism: Mechanism | None = None, **changes) -> PrivateTrainer:
    inner = TorchTrainer(build, optimizer="sgd", lr=0.2, epochs=3)
    return PrivateTrainer(inner, **{"noise": 1.0, "batch": 30, **changes}, mechanism=mechanism or Mechanism())


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_every_planted_fault_is_found_by_the_test_that_is_meant_for_it(bug):
    checks = {check.name: check for check in check_mechanism(recipe(bug()), people())}
    assert not checks[BUGS[bug]].passed, checks[BUGS[bug]].explanation


@pytest.mark.parametrize("seed", range(8))
def test_a_sound_mechanism_passes_every_test(seed):
    changes = ({}, {"noise": 0.3, "clip": 0.1}, {"batch": 120}, {"secure": True})[seed % 4]
    for check in check_mechanism(recipe(**changes), people(seed=seed), seed=seed):
        assert check.passed, check


def test_dropout_is_no_fault():
    def dropping():
        return torch.nn.Sequential(
            torch.nn.Linear(6, 24), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(24, 3)
        )

    trainer = replace(recipe(), inner=TorchTrainer(dropping, optimizer="sgd", lr=0.2, epochs=3))
    assert all(check.passed for check in check_mechanism(trainer, people()))


def test_few_records_are_refused():
    with pytest.raises(DataError, match="at least 20 records, got 3"):
        check_mechanism(recipe(), people(3))


def test_likelihoods_are_those_of_the_mixture():
    rng = np.random.default_rng(0)
    seen, rate, noise = rng.normal(size=(5, 3)), 0.2, 0.7
    density = lambda x, mean: np.exp(-((x - mean) ** 2) / (2 * noise**2))  # noqa: E731
    want = np.log(((1 - rate) * density(seen, 0) + rate * density(seen, 1)) / density(seen, 0)).sum(axis=0)
    assert log_likelihood_ratio(seen, rate, noise) == pytest.approx(want)
    assert np.isfinite(log_likelihood_ratio(np.full((3, 2), 50.0), 0.1, 0.05)).all()
    assert log_likelihood_ratio(seen, 1.0, noise) == pytest.approx(((2 * seen - 1) / (2 * noise**2)).sum(axis=0))


def test_white_box_bounds_stay_below_the_truth_and_likelihoods_see_more_than_sums():
    trainer = recipe(noise=0.8, batch=12)
    trainer = replace(trainer, inner=replace(trainer.inner, epochs=20))
    X = people(120)
    truth = trainer.statement(len(X)).epsilon
    found = {}
    for score in ("likelihood", "sum"):
        told = [watch_canaries(trainer, X, canaries=200, seed=s, score=score, guesses=80) for s in range(4)]
        assert all(each.epsilon.value < truth for each in told)
        found[score] = np.mean([each.gaussian.value for each in told])
    assert found["likelihood"] > found["sum"] > 0


def test_a_mechanism_without_noise_is_refuted_by_watching():
    told = watch_canaries(recipe(Silent()), people(), epsilon=2.0, canaries=200)
    assert told.refuted
    assert told.epsilon.value > 2.5
    assert "is refuted" in told.verdict
    assert told.epsilon.value <= told.ceiling


def test_a_memorizing_model_is_caught_by_its_answers_and_a_blind_one_is_not():
    from sklearn.tree import DecisionTreeClassifier

    loud = audit_dp(DecisionTreeClassifier(), people(600), epsilon=1.0, canaries=400)
    assert loud.refuted
    assert loud.epsilon.value > 2.5
    blind = audit_dp(DecisionTreeClassifier(max_depth=1), people(600), epsilon=1.0, canaries=400)
    assert not blind.refuted
    assert "not refuted" in blind.verdict
    assert "That is no proof" in blind.verdict
    assert blind.to_dict()["refuted"] is False
    assert "could prove up to" in audit_dp(DecisionTreeClassifier(max_depth=1), people(), canaries=50).verdict


def test_canaries_have_another_label():
    X = people(60)
    made = mislabelled(X, 200, 1)
    where = {tuple(row): label for row, label in zip(X.X.tolist(), X.y.tolist(), strict=True)}
    assert all(where[tuple(row)] != label for row, label in zip(made.X.tolist(), made.y.tolist(), strict=True))
    with pytest.raises(DataError, match="two classes"):
        mislabelled(Records(X.X, np.zeros(60)), 5, 0)


@pytest.mark.parametrize("wrong", [{"canaries": 49}, {"delta": 1.0}, {"epsilon": -1.0}])
def test_bad_settings(wrong):
    with pytest.raises(ConfigError, match="at least 50 canaries"):
        audit_dp(recipe(), people(), **wrong)
    with pytest.raises(ConfigError, match="likelihood or sum"):
        watch_canaries(recipe(), people(), score="best")
    with pytest.raises(ConfigError, match="no more canaries than parameters"):
        watch_canaries(recipe(), people(), canaries=10_000)


def test_many_runs_refute_the_claim_of_a_model_that_remembers() -> None:
    done = []
    told = audit_dp_runs(
        DecisionTreeClassifier(), people(), epsilon=0.5, runs=60, progress=lambda now, total: done.append((now, total))
    )
    assert done[-1] == (60, 60)
    assert told.refuted
    assert 0.5 < told.epsilon.value <= told.ceiling
    assert "epsilon is at least" in told.verdict
    unclaimed = audit_dp_runs(DecisionTreeClassifier(), people(), runs=20)
    assert "20 runs could prove up to" in unclaimed.verdict
    assert unclaimed.ceiling < told.ceiling


def test_many_runs_prove_nothing_about_a_model_that_learns_nothing() -> None:
    from sklearn.dummy import DummyClassifier

    told = audit_dp_runs(DummyClassifier(strategy="uniform"), people(), epsilon=0.0, runs=200)
    assert not told.refuted
    assert told.epsilon.value == 0


def test_bounds_of_many_runs_hold_for_a_mechanism_of_known_epsilon() -> None:
    """Randomized response about the canary: epsilon is what the coin says."""
    rng = np.random.default_rng(0)
    truth = 1.0
    heads = np.exp(truth) / (1 + np.exp(truth))
    above = 0
    for _ in range(300):
        inside, outside = rng.random(100) < heads, rng.random(100) >= heads
        above += epsilon_lower_bound(inside.astype(float), outside.astype(float), 0.0).value > truth
    assert above <= 300 * 0.05 + 2 * np.sqrt(300 * 0.05 * 0.95)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"runs": 21}, "an even number of runs"),
        ({"runs": 10}, "at least 20"),
        ({"epsilon": -1.0}, "an epsilon of 0 or more"),
        ({"delta": 1.0}, "a delta from 0 up to 1"),
    ],
)
def test_bad_numbers_of_many_runs(changes, said) -> None:
    with pytest.raises(ConfigError, match=said):
        audit_dp_runs(DecisionTreeClassifier(), people(), **changes)


def test_one_canary_and_no_more() -> None:
    with pytest.raises(ConfigError, match="expected one canary, got 2"):
        audit_dp_runs(DecisionTreeClassifier(), people(), canary=people().take(np.arange(2)))
