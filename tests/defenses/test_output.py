"""Output defenses keep what they promise on any row."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from keepmum.data import Records
from keepmum.defenses import OutputDefense, defense_classes, parse
from keepmum.defenses.bits import bits_per_answer, compositions, label_bits
from keepmum.defenses.output import (
    Abstain,
    Bins,
    HampSwap,
    KeyedNoise,
    LabelOnly,
    Noise,
    QueryBudget,
    Rounding,
    Temperature,
    TopK,
)
from keepmum.defenses.output.query_budget import Purse
from keepmum.errors import BudgetError, ConfigError, NotApplicableError
from keepmum.targets import LabelTarget, RegressionTarget
from keepmum.targets.function import FunctionScores

SECRET = b"0123456789abcdef"
DEFENSES = [
    Abstain(),
    Bins(),
    Bins(2),
    HampSwap(secret=SECRET),
    KeyedNoise(secret=SECRET),
    KeyedNoise(scale=0.5, secret=SECRET),
    LabelOnly(),
    Noise(),
    Noise(kind="laplace"),
    QueryBudget(),
    *(Rounding(d) for d in (0, 1, 2, 4)),
    Temperature(),
    Temperature(0.2),
    TopK(),
    TopK(3),
]


def rows(classes: int, count: int = 400) -> np.ndarray:
    rng = np.random.default_rng(classes)
    drawn = [rng.dirichlet(np.full(classes, a), count) for a in (0.05, 0.5, 5.0)]
    odd = np.vstack(
        [
            np.full((1, classes), 1 / classes),
            np.eye(classes)[-1:],
            np.eye(classes)[:1] * (1 - 1e-12 * (classes - 1)) + (1 - np.eye(classes)[:1]) * 1e-12,
            *(np.roll(np.array([[0.5, 0.5] + [0.0] * (classes - 2)]), s, axis=1) for s in range(classes)),
        ]
    )
    near = np.full((1, classes), 1 / classes)
    near[0, -1] += 1e-9
    near[0, 0] -= 1e-9
    return np.vstack([*drawn, odd, near])


@pytest.mark.parametrize("classes", [2, 3, 10, 60])
@pytest.mark.parametrize("defense", DEFENSES, ids=lambda d: d.name)
def test_rows_stay_probabilities_and_the_likeliest_class_stays_first(defense: OutputDefense, classes: int) -> None:
    given = rows(classes)
    before = given.copy()
    told = defense.answer(given)
    assert np.array_equal(given, before)
    assert told.shape == given.shape
    assert np.abs(told.sum(axis=1) - 1).max() < 1e-9
    assert told.min() >= 0
    if defense.keeps_label:
        assert np.array_equal(told.argmax(axis=1), given.argmax(axis=1))


@pytest.mark.parametrize("defense", [d for d in DEFENSES if d.repeatable], ids=lambda d: d.name)
def test_neither_batch_nor_order_matter(defense: OutputDefense) -> None:
    given = rows(10, 60)
    whole = defense.answer(given)
    order = np.random.default_rng(0).permutation(len(given))
    assert np.array_equal(defense.answer(given[order]), whole[order])
    assert np.array_equal(np.vstack([defense.answer(row[None]) for row in given]), whole)
    assert defense.answer(given[:0]).shape == (0, 10)


def test_rounding_is_the_nearest_row_of_units() -> None:
    assert Rounding(1).answer(np.array([[0.34, 0.33, 0.33]])).tolist() == [[0.4, 0.3, 0.3]]
    assert Rounding(0).answer(np.array([[0.2, 0.5, 0.3]])).tolist() == [[0.0, 1.0, 0.0]]
    given = rows(5)
    told = Rounding(2).answer(given)
    assert np.abs(told * 100 - np.round(told * 100)).max() < 1e-9
    assert np.abs(told - given).max() < 0.02


def test_top_k_tells_no_more_than_k_numbers() -> None:
    told = TopK(2).answer(np.array([[0.5, 0.2, 0.29, 0.01]]))
    assert told == pytest.approx(np.array([[0.5, 0.105, 0.29, 0.105]]))
    assert len(np.unique(TopK(2).answer(rows(10)).round(12), axis=1)) > 0
    assert max(len(np.unique(row)) for row in TopK(2).answer(rows(10))) == 3


def test_temperature_divides_logits() -> None:
    logits = np.array([[2.0, -1.0, 0.5]])
    soft = lambda z: np.exp(z) / np.exp(z).sum()  # noqa: E731
    assert Temperature(3.0).answer(soft(logits)) == pytest.approx(soft(logits / 3))


def test_temperature_is_undone_by_whoever_knows_it_and_rounding_is_not() -> None:
    plain = np.array([[0.97, 0.02, 0.01], [1.0, 0.0, 0.0], [0.4, 0.35, 0.25]])
    for defense in (Temperature(5.0), Temperature(0.3)):
        assert defense.undone(defense.answer(plain)) == pytest.approx(plain, abs=1e-12)
    told = Rounding(1).answer(plain)
    assert np.array_equal(Rounding(1).undone(told), told)


def test_swapped_answers_depend_on_the_order_of_classes_alone() -> None:
    swap = HampSwap(secret=SECRET)
    one, other = swap.answer(np.array([[0.6, 0.3, 0.1], [0.98, 0.015, 0.005]]))
    assert np.array_equal(one, other)
    assert not np.array_equal(HampSwap(secret=SECRET[::-1]).answer(np.array([[0.6, 0.3, 0.1]]))[0], one)


def test_averaging_undoes_noise_and_not_keyed_noise() -> None:
    rng = np.random.default_rng(3)
    truth = rng.dirichlet(np.ones(10), 50)
    jitter = [np.abs(truth + rng.normal(0, 1e-4, truth.shape)) for _ in range(1000)]
    jitter = [each / each.sum(axis=1, keepdims=True) for each in jitter]

    def off(defense: OutputDefense, times: int) -> float:
        mean = sum(defense.answer(each) for each in jitter[:times]) / times
        return float(np.sqrt(((mean - truth) ** 2).mean()))

    keyed = KeyedNoise(secret=SECRET)
    assert off(keyed, 1000) >= 0.8 * off(keyed, 1)
    small = Noise(scale=0.01, seed=1)
    assert off(Noise(scale=0.01, seed=1), 1) > 2 * off(small, 1000)


def test_secrets_stay_out_of_names_and_keys() -> None:
    for cls in (KeyedNoise, HampSwap):
        one, other = cls(secret=SECRET), cls(secret=SECRET[::-1])
        assert one.key == cls(secret=SECRET).key != other.key
        assert SECRET.decode() not in one.key + one.name + repr(one)
        assert cls().key != cls().key


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_budget_is_strict_in_any_period() -> None:
    clock = Clock()
    purse = Purse(10, 60.0, clock)
    purse.take(6)
    clock.now = 59.0
    with pytest.raises(BudgetError, match="4 are left, 5 were asked for; more in 1 s"):
        purse.take(5)
    assert purse.left == 4
    purse.take(4)
    clock.now = 60.0
    assert purse.left == 6
    purse.take(6)
    with pytest.raises(BudgetError):
        purse.take(1)
    clock.now = 119.0
    assert purse.left == 4


def test_a_budget_grants_exactly_its_rows_to_many_threads() -> None:
    purse, granted = Purse(100, 1e9), []

    def ask() -> None:
        for _ in range(50):
            try:
                purse.take(1)
            except BudgetError:
                return
            granted.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 100


def model(classes: int = 3) -> FunctionScores:
    def answer(X: np.ndarray) -> np.ndarray:
        powers = np.exp(np.stack([X[:, 0] * k for k in range(classes)], axis=1))
        return powers / powers.sum(axis=1, keepdims=True)

    return FunctionScores(answer, np.arange(classes))


def people(count: int = 12) -> Records:
    X = np.random.default_rng(0).normal(size=(count, 2))
    return Records(X, np.arange(count) % 3)


def test_a_budgeted_target_counts_rows() -> None:
    guarded = QueryBudget(rows=15).protect(model())
    guarded.predict_proba(people(12))
    assert guarded.rows_left == 3
    with pytest.raises(BudgetError):
        guarded.predict(people(4))
    assert guarded.predict(people(3)).shape == (3,)
    assert QueryBudget(rows=15).protect(LabelOnly().protect(model())).rows_left == 15


def test_label_only_offers_labels_alone() -> None:
    target = LabelOnly().protect(model())
    assert type(target).access == "label-only"
    assert isinstance(target, LabelTarget)
    assert np.array_equal(target.predict(people()), model().predict(people()))
    assert LabelOnly().protect(target) is target
    with pytest.raises(NotApplicableError, match="needs scores or values access"):
        Rounding().protect(target)


def test_a_guarded_target_shows_nothing_of_the_inside() -> None:
    target = Rounding(1).protect(model())
    assert target.internals is None
    assert target.notes[-1] == "answers pass output/rounding:decimals=1"
    assert np.array_equal(target.predict_proba(people()) * 10, np.round(target.predict_proba(people()) * 10))


class Dose(RegressionTarget):
    """Half of the first column."""

    def _predict_value(self, records: Records) -> np.ndarray:
        return records.X[:, 0] / 2


def test_values_of_a_regression_model_are_rounded_and_get_noise() -> None:
    X = Records(np.linspace(20, 60, 400)[:, None], np.zeros(400))
    plain = Dose().predict_value(X)
    rounded = Rounding(0).protect(Dose())
    assert isinstance(rounded, RegressionTarget)
    assert np.array_equal(rounded.predict_value(X), np.round(plain))
    assert rounded.internals is None
    noisy = Noise(scale=2.0, seed=1).protect(Dose())
    off = [noisy.predict_value(X) - plain for _ in range(50)]
    assert np.std(off) == pytest.approx(2.0, rel=0.05)
    assert np.std(np.mean(off, axis=0)) < 0.4
    keyed = KeyedNoise(scale=2.0, cells=0.2, secret=b"0123456789abcdef").protect(Dose())
    once = keyed.predict_value(X)
    assert np.array_equal(once, keyed.predict_value(X))
    added = np.round(once - plain, 9)
    assert len(np.unique(added)) == len(np.unique(np.round(plain / 5)))
    few = X.take(np.arange(3))
    assert np.array_equal(keyed.predict_value(few), once[:3])
    for other in (Bins(), TopK(), LabelOnly(), Temperature(), HampSwap(), Abstain()):
        with pytest.raises(NotApplicableError, match="needs"):
            other.protect(Dose())


def test_bits() -> None:
    told = [bits_per_answer(10, d) for d in (4, 2, 1)]
    assert told == pytest.approx([101.0, 42.0, 16.5], abs=0.3)
    assert label_bits(10) == pytest.approx(3.32, abs=0.01)
    assert compositions(2, 2) == pytest.approx(np.log2(3))
    assert Rounding(1).bits(10) == told[2]
    assert Temperature().bits(10) is None
    assert bits_per_answer(10) == 468


@pytest.mark.parametrize(
    "wrong",
    [
        "output/rounding:decimals=-1",
        "output/rounding:decimals=1.5",
        "output/bins:bins=1",
        "output/top-k:k=0",
        "output/temperature:temperature=0",
        "output/noise:scale=0",
        "output/noise:kind=pink",
        "output/keyed-noise:cells=0",
        "output/keyed-noise:secret=b'short'",
        "output/hamp-swap:spread=-1",
        "output/abstain:threshold=1",
        "output/query-budget:rows=0",
        "output/query-budget:row=3",
        "output/rounding:decimals=True",
        "output/rounding:decimals=1,decimals=2",
        "output/noise:scale=nan",
        "output/keyed-noise:secret=5",
        "training/depth:levels=2.5",
        "training/depth:levels=3;x=2",
        "training/dropout:rate=x",
        "training/dp-logistic-regression:steps=1.5",
        "output/roundin",
    ],
)
def test_bad_settings_are_one_line(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"expected|did you mean") as caught:
        parse(wrong)
    assert "\n" not in str(caught.value)
    assert "not supported between" not in str(caught.value)


def test_combinations_are_parsed() -> None:
    assert parse("output/rounding:decimals=1 + output/top-k:k=2") == (Rounding(1), TopK(2))
    assert parse("none") == ()
    assert len(defense_classes()) > 20
