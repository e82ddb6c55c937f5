"""Attacks with shadow models: against slow twins, on models that give nothing away, and the trap of the partner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as reference
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

import zoo
from keepmum.attacks import Context, attack_classes, choose
from keepmum.attacks.membership import (
    Learned,
    Lira,
    LiraOffline,
    Pooled,
    ReferenceRatio,
    Rmia,
    RmiaOffline,
    ShadowAttack,
    Variance,
)
from keepmum.attacks.membership.calibrated_loss import CalibratedLoss
from keepmum.attacks.membership.lira import variances
from keepmum.attacks.membership.pooled import _weight, log_student
from keepmum.data import Records
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.findings import Outcome
from keepmum.shadows import Shadows, ShadowStore, Sums, balanced_pairs
from keepmum.shadows._fleet import moments
from keepmum.stats.roc import auc_value
from keepmum.training import SklearnTrainer

ATTACKS = [cls() for cls in attack_classes() if issubclass(cls, ShadowAttack)]
PLAYED = [attack for attack in ATTACKS if attack.id != "membership/analytic"]
"""Those that take shadow models of any kind."""
RNG = np.random.default_rng(0)


def fleet(models: int = 10, records: int = 60, seed: int = 0, gap: float = 1.0) -> Shadows:
    rng = np.random.default_rng(seed)
    trained_on = np.concatenate([mask for mask, _ in balanced_pairs(records, models // 2, seed)])
    signals = rng.normal(0, 1, records) + gap * trained_on + rng.normal(0, 0.7, trained_on.shape)
    return Shadows(np.arange(records), list(signals.astype(np.float32)), trained_on)


def first(shadows: Shadows, models: int) -> Shadows:
    return Shadows(shadows.ids, shadows.signals[:models], shadows.trained_on[:models])


def parts(shadows: Shadows, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Signals about a record of the models with it, and of those without it."""
    values = np.array([shadows.row(k)[i] for k in range(len(shadows))])
    return values[shadows.trained_on[:, i]], values[~shadows.trained_on[:, i]]


@pytest.mark.parametrize("models", [10, 64])
def test_lira_equals_its_slow_twin(models: int) -> None:
    shadows = fleet(models)
    signal = fleet(2, seed=9).row(0)
    signal = shadows.clip(signal)
    each = [parts(shadows, i) for i in range(len(signal))]
    common = [sum(((p[s] - p[s].mean()) ** 2).sum() for p in each) / sum(len(p[s]) - 1 for p in each) for s in (0, 1)]
    for i, (inside, outside) in enumerate(each):
        spread = (inside.var(ddof=1), outside.var(ddof=1)) if models >= 64 else common
        normal = [reference.norm(v.mean(), np.sqrt(s)) for v, s in zip((inside, outside), spread, strict=True)]
        expected = normal[0].logpdf(signal[i]) - normal[1].logpdf(signal[i])
        assert Lira().infer(signal, shadows, RNG)[i] == pytest.approx(expected)
        offline = (signal[i] - outside.mean()) / np.sqrt(spread[1])
        assert LiraOffline().infer(signal, shadows, RNG)[i] == pytest.approx(offline)


@pytest.mark.parametrize("side", [0, 1], ids=["inside", "outside"])
@pytest.mark.parametrize("rule", [r for r in Variance if r is not Variance.AUTOMATIC], ids=lambda r: r.value)
def test_each_choice_of_variances_equals_its_slow_twin(rule: Variance, side: int) -> None:
    labels = np.array(["a", "b", "c", "a"] * 15)
    shadows = replace(fleet(10), labels=labels)
    each = [parts(shadows, i)[side] for i in range(60)]
    for i in range(60):
        alike = {
            Variance.PER_RECORD: [i],
            Variance.FIXED: range(60),
            Variance.PER_CLASS: np.flatnonzero(labels == labels[i]),
        }[rule]
        squares = sum(((each[j] - each[j].mean()) ** 2).sum() for j in alike)
        expected = squares / sum(len(each[j]) - 1 for j in alike)
        given = np.broadcast_to(variances(shadows, ("inside", "outside")[side], rule), 60)
        assert given[i] == pytest.approx(expected)


def test_variances_of_lira_are_chosen_by_name_and_stay_out_of_audits_that_name_none() -> None:
    (chosen,) = choose("membership/lira:fixed-variance")
    assert chosen == Lira(variance=Variance.FIXED)
    names = [attack.name for attack in choose(["membership/lira*", "membership/lira-offline:per-class-variance"])]
    assert names == ["membership/lira", "membership/lira-offline", "membership/lira-offline:per-class-variance"]
    with pytest.raises(ConfigError, match="no attack"):
        choose("membership/lira:no-variance")
    with pytest.raises(NotApplicableError, match="labels"):
        Lira(Variance.PER_CLASS).infer(fleet().row(0), fleet(), RNG)
    shadows, signal = fleet(10), fleet(2, seed=9).row(0)
    automatic = Lira().infer(signal, shadows, RNG)
    np.testing.assert_array_equal(automatic, Lira(Variance.FIXED).infer(signal, shadows, RNG))
    assert (automatic != Lira(Variance.PER_RECORD).infer(signal, shadows, RNG)).any()


def test_shadow_models_bring_the_labels_of_the_records() -> None:
    pair = zoo.memorizers()[3]
    assert pair.shadows is not None
    np.testing.assert_array_equal(pair.shadows.labels, pair.split.pool.y)


def offline_slow(signal: np.ndarray, shadows: Shadows, slope: float, without: tuple[int, ...] = ()) -> np.ndarray:
    """RMIA's offline score by its definition, record by record."""
    ratio = []
    for i, s in enumerate(signal):
        rows = [k for k in range(len(shadows)) if not shadows.trained_on[k, i] and k not in without]
        out = np.mean([1 / (1 + np.exp(-shadows.row(k)[i])) for k in rows])
        ratio.append(1 / (1 + np.exp(-s)) / (0.5 * ((1 + slope) * out + (1 - slope))))
    return np.array(ratio)


def test_offline_rmia_equals_its_definition() -> None:
    shadows = fleet()
    signal = shadows.clip(fleet(2, seed=9).row(0))
    for slope in (0.0, 0.3, 1.0):
        ratio = offline_slow(signal, shadows, slope)
        expected = [np.mean(r / ratio >= 1 - 1e-7) for r in ratio]
        np.testing.assert_allclose(RmiaOffline(slope=slope).infer(signal, shadows, RNG), expected, atol=1e-9)


def test_the_slope_of_offline_rmia_is_the_best_for_shadow_models_that_play_the_target() -> None:
    shadows = fleet(6, records=80, gap=2.0)
    areas = []
    for slope in np.linspace(0, 1, 11):
        each = []
        for k in range(6):
            ratio = offline_slow(shadows.row(k), shadows, slope, (k, k ^ 1))
            each.append(auc_value(ratio[shadows.trained_on[k]], ratio[~shadows.trained_on[k]]))
        areas.append(np.mean(each))
    assert np.ptp(areas) > 0.01
    assert RmiaOffline().tune(shadows, RNG) == pytest.approx(np.argmax(areas) / 10)


def test_offline_rmia_works_with_one_reference() -> None:
    everyone = fleet(4, records=2000, gap=1.5)
    pair = first(everyone, 2)
    p = 1 / (1 + np.exp(-np.stack([pair.row(k) for k in (0, 1)])))
    slope = (1 - p[pair.trained_on].mean()) / (1 - p[~pair.trained_on].mean())
    assert RmiaOffline().tune(pair, RNG) == pytest.approx(slope, rel=1e-5)
    scores = RmiaOffline().infer(everyone.row(3), pair, RNG)
    mask = everyone.trained_on[3]
    assert auc_value(scores[mask], scores[~mask]) > 0.6


def test_rmia_equals_comparing_each_with_each() -> None:
    shadows, signal = fleet(), fleet(2, seed=9).row(0)
    signal = shadows.clip(signal)
    p = 1 / (1 + np.exp(-signal))
    usual = [np.mean([np.mean(1 / (1 + np.exp(-v))) for v in parts(shadows, i)]) for i in range(len(signal))]
    ratio = p / np.array(usual)
    for gamma in (1.0, 1.3):
        expected = [np.mean(ratio[i] / ratio >= gamma * (1 - 1e-12)) for i in range(len(ratio))]
        np.testing.assert_allclose(Rmia(gamma=gamma).infer(signal, shadows, RNG), expected, atol=1e-9)


def test_reference_ratio_and_calibrated_loss_equal_their_slow_twins() -> None:
    shadows, signal = fleet(), fleet(2, seed=9).row(0)
    signal = shadows.clip(signal)
    for i in range(len(signal)):
        outside = parts(shadows, i)[1]
        below = np.mean((outside < signal[i]) + 0.5 * (outside == signal[i]))
        assert ReferenceRatio().infer(signal, shadows, RNG)[i] == pytest.approx(below)
        loss = np.log1p(np.exp(-outside)).mean() - np.log1p(np.exp(-signal[i]))
        assert CalibratedLoss().infer(signal, shadows, RNG)[i] == pytest.approx(loss, rel=1e-5, abs=1e-6)


def test_pooling_helps_where_models_are_few() -> None:
    everyone = fleet(24, records=3000, seed=2)
    few = first(everyone, 4)
    areas = {"lira": [], "pooled": []}
    for k in range(4, 24):
        mask, signal = everyone.trained_on[k], few.clip(everyone.signals[k])
        for name, attack in (("lira", Lira()), ("pooled", Pooled())):
            scores = attack.infer(signal, few, RNG)
            areas[name].append(auc_value(scores[mask], scores[~mask]))
    assert np.mean(areas["pooled"]) > np.mean(areas["lira"]) + 0.01


def test_compressed_signals_are_compressed_one_row_at_a_time() -> None:
    shadows = fleet(6)
    for k in range(6):
        np.testing.assert_allclose(shadows.compressed.row(k), np.arcsinh(shadows.row(k)), rtol=1e-6)
    assert len(shadows.compressed.signals[2:4]) == 2
    with pytest.raises(IndexError):
        shadows.compressed.signals[6]
    for k in range(6):
        others = [m for m in range(6) if m // 2 != k // 2]
        inside = np.array([shadows.trained_on[m] for m in others])
        rows = np.array([np.arcsinh(shadows.row(m)) for m in others])
        expected = (rows * inside).sum(axis=0) / np.maximum(inside.sum(axis=0), 1)
        np.testing.assert_allclose(shadows.compressed.without_pair(k).mean("inside"), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("prior", [6.0, 30.0, np.inf])
def test_how_far_variances_are_trusted_is_found_from_their_spread(prior: float) -> None:
    """Variances drawn about a common one with so many degrees of freedom, and seen through eight models."""
    rng = np.random.default_rng(3)
    true = np.ones(40_000) if np.isinf(prior) else prior / rng.chisquare(prior, 40_000)
    seen = true * rng.chisquare(7, 40_000) / 7
    found = _weight(seen, np.full(40_000, 7.0))
    assert found > 500 if np.isinf(prior) else found == pytest.approx(prior, rel=0.15)


def test_students_density_is_scipys() -> None:
    value, degrees = np.linspace(-9, 9, 19), np.linspace(4, 60, 19)
    expected = reference.t(degrees, 1.0, np.sqrt(2.5)).logpdf(value)
    np.testing.assert_allclose(log_student(value, np.ones(19), np.full(19, 2.5), degrees), expected, rtol=1e-12)


def learned_area(shadows: Shadows, everyone: Shadows, targets: range) -> float:
    areas = []
    for k in targets:
        mask = everyone.trained_on[k]
        scores = Learned().infer(shadows.clip(everyone.signals[k]), shadows, np.random.default_rng(k))
        areas.append(auc_value(scores[mask], scores[~mask]))
    return float(np.mean(areas))


def test_the_partner_of_a_pseudo_target_must_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the partner among the references, the classifier learns the pairing, and fails on a real target."""
    everyone = fleet(10, records=2000, seed=3, gap=0.2)
    shadows = first(everyone, 4)
    right = learned_area(shadows, everyone, range(4, 10))

    def without_itself(self: Shadows, model: int) -> Sums:
        part, mask = moments(self.row(model)), self.trained_on[model]
        return Sums(self.sums.inside - part * mask, self.sums.outside - part * ~mask)

    monkeypatch.setattr(Shadows, "without_pair", without_itself)
    wrong = learned_area(shadows, everyone, range(4, 10))
    assert right > 0.55
    assert wrong < right - 0.03


def test_neither_a_pseudo_target_nor_its_partner_is_a_reference() -> None:
    shadows = fleet(6)
    changed = list(shadows.signals)
    changed[2], changed[3] = 0 * changed[2], 0 * changed[3]
    other = Shadows(shadows.ids, changed, shadows.trained_on)
    for model in (2, 3):
        for side in ("inside", "outside"):
            left = [getattr(s.without_pair(model), side) for s in (shadows, other)]
            np.testing.assert_allclose(left[0], left[1], atol=1e-9)
            assert (left[0][0] == 2).all()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.id)
def test_finds_what_was_trained_on(attack: ShadowAttack) -> None:
    everyone = fleet(12, records=1500, seed=4, gap=1.5)
    mask = everyone.trained_on[11]
    scores = attack.infer(everyone.row(11), first(everyone, 10), np.random.default_rng(0))
    assert auc_value(scores[mask], scores[~mask]) > 0.75


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.id)
def test_random_truth_and_shuffled_shadows_show_nothing(attack: ShadowAttack) -> None:
    random, shuffled = [], []
    for seed in range(6):
        everyone = fleet(10, records=1000, seed=10 + seed)
        rng = np.random.default_rng(seed)
        shadows = first(everyone, 8)
        coin = rng.random(1000) < 0.5
        scores = attack.infer(everyone.row(8), shadows, rng)
        random.append(auc_value(scores[coin], scores[~coin]))
        wrong = replace(shadows, trained_on=np.concatenate([m for m, _ in balanced_pairs(1000, 4, 99 + seed)]))
        noise = rng.normal(0, 1, 1000)  # a target that knows nobody
        scores = attack.infer(wrong.clip(noise), wrong, rng)
        shuffled.append(auc_value(scores[everyone.trained_on[8]], scores[~everyone.trained_on[8]]))
    for areas in (random, shuffled):
        assert abs(np.mean(areas) - 0.5) < 4 * 0.0183 / np.sqrt(6)


def null_share(attack: ShadowAttack, runs: int) -> float:
    """How often a leak is claimed of a tree and of a nearest neighbor that never saw the people."""
    alarms = 0
    for seed in range(runs):
        data, others = zoo.split(60, 50 + seed), zoo.people(60, 90_000 + seed)
        model = DecisionTreeClassifier(random_state=0) if seed % 2 else KNeighborsClassifier(1)
        trainer = SklearnTrainer(model)
        shadows = ShadowStore().collect(trainer, data.pool, 4, seed)
        target = trainer.train(Records(others.X, others.y), seed)
        finding = attack.run(target, data, Context(seed=seed, attack=attack.name, shadows=shadows))
        alarms += finding.outcome is Outcome.LEAK
    return alarms / runs


@pytest.mark.slow
@pytest.mark.parametrize("attack", PLAYED, ids=lambda a: a.id)
def test_an_independent_model_is_rarely_called_leaky(attack: ShadowAttack) -> None:
    assert null_share(attack, 200) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize("attack", PLAYED, ids=lambda a: a.id)
def test_an_independent_model_is_rarely_called_leaky_quick(attack: ShadowAttack) -> None:
    assert null_share(attack, 20) <= 0.2


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.id)
def test_says_what_it_lacks(attack: ShadowAttack) -> None:
    pair = zoo.memorizers()[0]
    with pytest.raises(NotApplicableError, match="needs shadow models: none were asked for"):
        attack.run(pair.target, pair.split, Context())
    with pytest.raises(NotApplicableError, match="other records"):
        attack.run(pair.target, pair.split, Context(shadows=fleet()))
    if attack.fewest > 2:
        with pytest.raises(NotApplicableError, match="at least 4, there are 2"):
            attack.run(pair.target, pair.split, Context(shadows=fleet(2)))


@pytest.mark.parametrize("attack", PLAYED, ids=lambda a: a.id)
def test_the_order_of_records_does_not_matter(attack: ShadowAttack) -> None:
    pair = zoo.memorizers()[3]
    ctx = Context(shadows=pair.shadows, attack=attack.name)
    pool = pair.split.pool
    order = np.random.default_rng(1).permutation(len(pool))
    straight = attack.score(pair.target, pool, ctx)
    np.testing.assert_allclose(attack.score(pair.target, pool.take(order), replace(ctx)), straight[order])
