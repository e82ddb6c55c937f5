"""The door to a model: every row is counted, the budget is hard, and no more is told than the limits say."""

from __future__ import annotations

import numpy as np
import pytest

from keepmum.attacks.inversion.oracle import Limits, Oracle
from keepmum.data import Records
from keepmum.errors import BudgetError, ConfigError, DataError, NotApplicableError
from keepmum.targets import LabelTarget, ScoreTarget, from_sklearn
from keepmum.targets._remembered import remembered

SHAPE, K = (4, 3), 5
SIZE = 12
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(SIZE, K))
IMAGES = RNG.normal(size=(7, *SHAPE))
LIKE = Records(np.zeros((2, *SHAPE)), np.zeros(2, dtype=int))


class Linear(ScoreTarget):
    """Softmax of a linear map; keeps what it was asked about."""

    def __init__(self, weights=WEIGHTS, scale=1.0, classes=None):
        super().__init__(np.arange(weights.shape[1]) if classes is None else np.asarray(classes))
        self.weights, self.scale, self.asked = weights, scale, []

    def _predict_proba(self, records):
        self.asked.append(records)
        logits = self.scale * np.asarray(records.X, dtype=float).reshape(len(records), -1) @ self.weights
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)


class Forbidding(Linear):
    """Tells labels, and raises where probabilities are asked for."""

    def _predict_proba(self, records):
        raise AssertionError("probabilities were asked for")

    def _predict(self, records):
        return np.argmax(records.X.reshape(len(records), -1) @ self.weights, axis=1)


class Hesitant(LabelTarget):
    """Says another class at every third time it is asked."""

    def __init__(self):
        super().__init__(np.arange(K))
        self.times = 0

    def _predict(self, records):
        self.times += 1
        return np.full(len(records), 1 if self.times % 3 == 0 else 2)


class Certain(ScoreTarget):
    """Sure of one class: probabilities are exactly 0 and 1."""

    def __init__(self, place):
        super().__init__(np.arange(K))
        self.place = place

    def _predict_proba(self, records):
        return np.tile(np.eye(K)[self.place], (len(records), 1))


def ask(target=None, place=2, **kwargs):
    return Oracle(target or Linear(), place, LIKE, SHAPE, **({"budget": None} | kwargs))


@pytest.mark.parametrize("question", ["probabilities", "labels", "hits", "margin", "confidence"])
@pytest.mark.parametrize("repeats", [1, 3])
def test_every_row_is_counted_and_repeats_too(question, repeats):
    target = Linear()
    oracle = ask(target, budget=100, repeats=repeats)
    answer = getattr(oracle, question)(IMAGES)
    getattr(oracle, question)(IMAGES[:2])
    assert len(answer) == 7
    assert oracle.queries == target.queries == 9 * repeats
    assert oracle.left == 100 - 9 * repeats


def test_budget_is_hard_and_nothing_is_asked_or_lost_beyond_it():
    target = Linear()
    oracle = ask(target, budget=20, repeats=2)
    oracle.margin(IMAGES)
    with pytest.raises(BudgetError, match="at most 6 more queries, got 8"):
        oracle.margin(IMAGES[:4])
    assert (oracle.queries, oracle.left, target.queries) == (14, 6, 14)
    oracle.margin(IMAGES[:3])
    assert oracle.left == 0
    assert len(oracle.margin(IMAGES[:0])) == 0
    for question in (oracle.labels, oracle.hits, oracle.confidence, oracle.probabilities):
        with pytest.raises(BudgetError):
            question(IMAGES[:1])
    assert target.queries == 20


@pytest.mark.parametrize("question", ["probabilities", "labels", "hits", "margin", "confidence"])
@pytest.mark.parametrize("access", ["scores", "labels"])
def test_an_image_asked_about_before_costs_nothing(question, access):
    if access == "labels" and question not in ("labels", "hits"):
        pytest.skip("labels alone")
    target = Linear()
    oracle = ask(target, budget=100, remember=True, limits=Limits(access=access))
    plain = ask(budget=100, limits=Limits(access=access))
    order = [3, 1, 3, 6, 0]
    for images in (IMAGES[:2], IMAGES[order], IMAGES, IMAGES[:0]):
        told, expected = getattr(oracle, question)(images), getattr(plain, question)(images)
        np.testing.assert_allclose(told, expected, rtol=1e-12)
        assert told.dtype == expected.dtype
    assert oracle.queries == target.queries == 7
    assert oracle.saved == plain.queries - 7 == 7
    assert plain.saved == 0
    asked = np.concatenate([records.X for records in target.asked])
    assert len(np.unique(asked, axis=0)) == len(asked) == 7


def test_what_is_remembered_is_what_the_model_saw():
    target = Linear()
    like = Records(np.zeros((2, *SHAPE), dtype=np.int16), np.zeros(2, dtype=int))
    oracle = Oracle(target, 0, like, SHAPE, budget=10, remember=True)
    oracle.probabilities(np.stack([np.full(SHAPE, 3.1), np.full(SHAPE, 2.9), np.full(SHAPE, 3.6)]))
    assert (oracle.queries, oracle.saved) == (2, 1)
    oracle = ask(budget=10, remember=True)
    oracle.probabilities(np.stack([np.zeros(SHAPE), np.full(SHAPE, -0.0)]))
    assert oracle.queries == 1


def test_noise_and_repeats_are_always_asked_for():
    from keepmum.targets.averaged import averaged

    noisy = ask(budget=100, remember=True, limits=Limits(noise=0.1))
    assert not np.array_equal(noisy.probabilities(IMAGES), noisy.probabilities(IMAGES))
    assert (noisy.queries, noisy.saved) == (14, 0)
    thrice = ask(budget=100, remember=True, repeats=3)
    thrice.probabilities(IMAGES)
    thrice.probabilities(IMAGES)
    assert (thrice.queries, thrice.saved) == (42, 0)
    for target in (averaged(Linear(), 2), remembered(averaged(Linear(), 2))):
        audited = ask(target, budget=100, remember=True)
        audited.probabilities(IMAGES)
        audited.probabilities(IMAGES)
        assert (audited.queries, audited.saved) == (14, 0)


def test_a_budget_is_hard_for_what_is_new_alone():
    target = Linear()
    oracle = ask(target, budget=5, remember=True)
    oracle.margin(IMAGES[:4])
    with pytest.raises(BudgetError, match="at most 1 more queries, got 3"):
        oracle.margin(IMAGES)
    assert (oracle.queries, oracle.saved, target.queries) == (4, 0, 4)
    oracle.margin(IMAGES[:5])
    assert (oracle.queries, oracle.saved, oracle.left) == (5, 4, 0)


def test_a_search_in_circles_comes_to_an_end():
    target, rounds = Linear(), 0
    oracle = ask(target, budget=20, remember=True)
    while oracle.left and rounds < 1000:
        oracle.margin(IMAGES[:1])
        rounds += 1
    assert rounds == 20 + 20
    assert oracle.queries == target.queries == 20


def test_memory_is_bounded_and_forgets_the_oldest():
    from keepmum.attacks.inversion._memory import OVERHEAD, Memory

    asked = []

    def answers(X):
        asked.extend(X[:, 0].tolist())
        return np.repeat(X[:, :1], K, axis=1)

    memory = Memory(10 * (OVERHEAD + 8 * K))
    X = np.arange(30.0)[:, None]
    for rows in (X, X[20:], X[15:]):
        told = memory.answer(rows, memory.unknown(rows), answers)
        np.testing.assert_array_equal(told, np.repeat(rows, K, axis=1))
        assert len(memory) == 10
    assert asked == [*range(30), *range(15, 20)]


def test_without_a_budget_a_huge_number_is_left():
    oracle = ask()
    oracle.labels(IMAGES)
    assert oracle.left > 10**9


@pytest.mark.parametrize("wrap", [lambda t: t, remembered], ids=["bare", "remembered"])
def test_label_only_never_asks_for_probabilities(wrap):
    oracle = ask(wrap(Forbidding()), budget=21, limits=Limits(access="labels"), repeats=3)
    places = np.argmax(IMAGES.reshape(7, -1) @ WEIGHTS, axis=1)
    np.testing.assert_array_equal(oracle.labels(IMAGES), places)
    assert oracle.access == "labels"
    assert oracle.queries == 21
    for question in (oracle.probabilities, oracle.margin, oracle.confidence, oracle.gradient):
        with pytest.raises(NotApplicableError, match="only labels"):
            question(IMAGES[:0])


def test_hits_are_labels_of_the_class():
    labels = ask().labels(IMAGES)
    for place in range(K):
        np.testing.assert_array_equal(ask(place=place).hits(IMAGES), labels == place)


def test_a_target_of_labels_needs_no_limits():
    oracle = ask(Forbidding(), limits=Limits(access="labels"))
    bare = Oracle(Hesitant(), 2, LIKE, SHAPE, budget=None)
    assert bare.access == oracle.access == "labels"
    assert bare.hits(IMAGES).all()


def test_repeated_labels_are_put_to_the_vote():
    target = Hesitant()
    assert not all(ask(target).hits(IMAGES[:1])[0] for _ in range(3))
    assert all(ask(target, repeats=3).hits(IMAGES[:1])[0] for _ in range(5))


def test_margin_and_confidence_are_those_of_the_probabilities():
    p = Linear().predict_proba(Records(IMAGES, np.zeros(7)))
    np.testing.assert_array_equal(ask().probabilities(IMAGES), p)
    np.testing.assert_array_equal(ask().confidence(IMAGES), p[:, 2])
    np.testing.assert_allclose(
        ask().margin(IMAGES), np.log(p[:, 2]) - np.log(np.delete(p, 2, axis=1).max(axis=1)), rtol=1e-12
    )


def test_certainty_gives_the_margin_of_the_floor():
    floor = np.log(1e-12)
    np.testing.assert_allclose(ask(Certain(2)).margin(IMAGES), -floor)
    np.testing.assert_allclose(ask(Certain(1)).margin(IMAGES), floor)
    assert (ask(Certain(1)).confidence(IMAGES) == 0).all()


def test_among_400_classes_a_tiny_probability_still_has_a_slope():
    weights = np.random.default_rng(1).normal(size=(SIZE, 400))
    oracle = Oracle(Linear(weights, scale=3.0), 17, LIKE, SHAPE, budget=None)
    direction = (weights[:, 17] - weights.mean(axis=1)).reshape(SHAPE)
    start = np.zeros(SHAPE) - 0.25 * direction / np.linalg.norm(direction)
    path = start + np.linspace(0, 0.2, 9)[:, None, None] * direction
    assert 1e-5 < oracle.confidence(path[:1])[0] < 1e-3
    assert (np.diff(oracle.margin(path)) > 0).all()


@pytest.mark.parametrize("decimals", [0, 1, 3])
def test_rounded_answers_have_so_many_decimals(decimals):
    exact = ask().probabilities(IMAGES)
    np.testing.assert_array_equal(
        ask(limits=Limits(decimals=decimals)).probabilities(IMAGES), np.round(exact, decimals)
    )


def test_of_the_top_only_so_many_are_told_and_the_rest_is_shared_out():
    exact, told = ask().probabilities(IMAGES), ask(limits=Limits(top=2)).probabilities(IMAGES)
    order = np.argsort(-exact, axis=1)
    for row, (p, q) in enumerate(zip(exact, told, strict=True)):
        first, rest = order[row, :2], order[row, 2:]
        np.testing.assert_array_equal(q[first], p[first])
        np.testing.assert_allclose(q[rest], p[rest].mean())
    np.testing.assert_array_equal(ask(limits=Limits(top=K)).probabilities(IMAGES), exact)
    np.testing.assert_array_equal(ask(limits=Limits(top=K + 9)).probabilities(IMAGES), exact)


def test_what_is_not_told_is_never_more_than_what_is():
    told = ask(Linear(scale=0.05), limits=Limits(top=1, decimals=1)).probabilities(IMAGES)
    np.testing.assert_allclose(told.max(axis=1), 0.2)
    assert (told <= told.max(axis=1, keepdims=True)).all()
    none = ask(Linear(scale=0.05), limits=Limits(top=1, decimals=0)).probabilities(IMAGES)
    assert (none == 0).all()
    np.testing.assert_array_equal(ask(Linear(scale=0.05), limits=Limits(decimals=0)).margin(IMAGES), np.zeros(7))


def test_noise_is_drawn_anew_keeps_probabilities_and_averages_out():
    exact, limits = ask().probabilities(IMAGES), Limits(noise=0.05, seed=3)
    oracle = ask(limits=limits)
    first, second = oracle.probabilities(IMAGES), oracle.probabilities(IMAGES)
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(first.sum(axis=1), 1)
    assert first.min() >= 0
    assert 0.01 < np.abs(first - exact).mean() < 0.06
    np.testing.assert_array_equal(ask(limits=limits).probabilities(IMAGES), first)
    assert not np.array_equal(ask(limits=Limits(noise=0.05, seed=4)).probabilities(IMAGES), first)
    steady = ask(Linear(scale=0.1), limits=limits, repeats=400).probabilities(IMAGES)
    assert np.abs(steady - ask(Linear(scale=0.1)).probabilities(IMAGES)).max() < 0.012


def test_noise_that_drowns_everything_leaves_probabilities():
    told = ask(limits=Limits(noise=1e3)).probabilities(np.zeros((500, *SHAPE)))
    assert np.isfinite(told).all()
    np.testing.assert_allclose(told.sum(axis=1), 1)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2)])
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int16, np.bool_])
def test_the_model_is_asked_in_the_form_that_it_knows(shape, flat, dtype):
    target = Linear()
    like = Records(np.zeros((3, *((SIZE,) if flat else shape)), dtype=dtype), np.zeros(3))
    images = np.random.default_rng(2).uniform(-20, 300, (6, *shape))
    Oracle(target, 0, like, shape, budget=6).labels(images)
    (asked,) = target.asked
    assert asked.X.dtype == dtype
    assert asked.X.shape == (6, *like.X.shape[1:])
    top = {np.uint8: 255, np.bool_: 1}.get(dtype)
    expected = images if top is None else images.clip(0, top)
    expected = expected if np.issubdtype(dtype, np.floating) else np.rint(expected)
    np.testing.assert_allclose(asked.X.reshape(6, *shape).astype(float), expected, rtol=1e-6)


def test_labels_of_any_type_are_asked_with_the_class():
    target = Linear(classes=["ada", "bo", "cy", "di", "eve"])
    ask(target, place=3).labels(IMAGES)
    assert set(target.asked[0].y.tolist()) == {"di"}


@pytest.mark.parametrize(
    ("wrong", "error", "match"),
    [
        (lambda: ask(place=K), ConfigError, "a class between 0 and 4, got 5"),
        (lambda: ask(place=-1), ConfigError, "got -1"),
        (lambda: ask(budget=-1), ConfigError, "budget of at least 0"),
        (lambda: ask(repeats=0), ConfigError, "repeats of at least 1"),
        (lambda: ask().labels(IMAGES.reshape(7, -1)), DataError, r"\(n, 4, 3\), got \(7, 12\)"),
        (lambda: ask().labels(IMAGES[0]), DataError, r"\(n, 4, 3\)"),
        (lambda: ask().labels(np.full((1, *SHAPE), np.nan)), DataError, "finite pixels"),
        (lambda: Oracle(Linear(), 0, LIKE, (3, 3), budget=1), DataError, "declare the shape"),
        (lambda: Oracle(Linear(), 0, Records([["a"]], [0]), (1,), budget=1), DataError, "array of numbers"),
        (lambda: ask().gradient(IMAGES), NotApplicableError, "gradients access, only scores"),
        (lambda: ask().gradient(IMAGES, "hinge"), ConfigError, "margin, cross-entropy or logit"),
        (lambda: Limits(access="all"), ConfigError, "labels, scores, gradients"),
        (lambda: Limits(top=0), ConfigError, "top of at least 1"),
        (lambda: Limits(decimals=-1), ConfigError, "decimals of at least 0"),
        (lambda: Limits(noise=-0.1), ConfigError, "noise and a seed"),
        (lambda: Limits(noise=float("nan")), ConfigError, "noise and a seed"),
    ],
)
def test_wrong_use_is_one_line(wrong, error, match):
    with pytest.raises(error, match=match) as caught:
        wrong()
    assert "\n" not in str(caught.value)


def test_nothing_is_spent_on_images_that_cannot_be_asked_about():
    oracle = ask(budget=5)
    with pytest.raises(DataError):
        oracle.labels(np.full((1, *SHAPE), np.inf))
    assert oracle.queries == 0


def test_a_flattened_sklearn_model_is_asked_about_images():
    from sklearn.linear_model import LogisticRegression

    X, y = RNG.normal(size=(60, SIZE)), np.arange(60) % 3
    target = from_sklearn(LogisticRegression().fit(X, y))
    oracle = Oracle(target, 1, Records(X, y), SHAPE, budget=60)
    np.testing.assert_allclose(oracle.confidence(X.reshape(-1, *SHAPE)), target.predict_proba(Records(X, y))[:, 1])


class TestGradients:
    """Held against finite differences of the losses that come with them."""

    @pytest.fixture
    def target(self):
        torch = pytest.importorskip("torch")
        torch.set_num_threads(1)
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(SIZE, 8), torch.nn.Tanh(), torch.nn.Linear(8, K)
        ).double()
        from keepmum.targets import TorchTarget

        return TorchTarget(net, ["a", "b", "c", "d", "e"])

    @pytest.mark.parametrize("loss", ["margin", "cross-entropy", "logit"])
    @pytest.mark.parametrize("flat", [False, True])
    def test_are_slopes_of_the_loss(self, target, loss, flat):
        like = Records(np.zeros((1, SIZE) if flat else (1, *SHAPE)), ["a"])
        oracle = Oracle(target, 3, like, SHAPE, budget=None)
        losses, gradients = oracle.gradient(IMAGES, loss)
        assert losses.shape == (7,)
        assert gradients.shape == IMAGES.shape
        for image, slopes in zip(IMAGES, gradients, strict=True):
            nudges = 1e-5 * np.eye(SIZE).reshape(SIZE, *SHAPE)
            up, down = (oracle.gradient(image + sign * nudges, loss)[0] for sign in (1, -1))
            np.testing.assert_allclose(slopes.ravel(), (up - down) / 2e-5, atol=1e-8)

    def test_losses_are_what_the_answers_say(self, target):
        oracle = Oracle(target, 3, LIKE, SHAPE, budget=None)
        p = oracle.probabilities(IMAGES)
        np.testing.assert_allclose(oracle.gradient(IMAGES, "cross-entropy")[0], -np.log(p[:, 3]))
        np.testing.assert_allclose(oracle.gradient(IMAGES, "margin")[0], -oracle.margin(IMAGES))
        np.testing.assert_allclose(oracle.gradient(IMAGES, "logit")[0], np.log(p).mean(axis=1) - np.log(p[:, 3]))

    def test_margin_has_a_slope_where_cross_entropy_is_saturated(self, target):
        import torch

        with torch.no_grad():
            target.internals[3].weight *= 1e4
        sure = int(target.predict(Records(IMAGES[:1], ["a"]))[0])
        oracle = Oracle(target, sure, LIKE, SHAPE, budget=None)
        assert oracle.confidence(IMAGES[:1])[0] == 1
        assert np.abs(oracle.gradient(IMAGES[:1], "cross-entropy")[1]).max() == 0
        assert np.abs(oracle.gradient(IMAGES[:1], "margin")[1]).max() > 1

    @pytest.mark.parametrize("loss", ["margin", "cross-entropy", "logit"])
    def test_an_image_is_one_query(self, target, loss):
        oracle = Oracle(target, 0, LIKE, SHAPE, budget=14, repeats=5)
        oracle.gradient(IMAGES, loss)
        assert oracle.queries == 7
        assert len(oracle.gradient(IMAGES[:0], loss)[1]) == 0
        with pytest.raises(BudgetError):
            oracle.gradient(np.concatenate([IMAGES, IMAGES]), loss)
        assert oracle.queries == 7

    def test_in_blocks_they_are_the_same(self, target, monkeypatch):
        whole = Oracle(target, 1, LIKE, SHAPE, budget=None).gradient(IMAGES, "logit")
        monkeypatch.setattr("keepmum.attacks.inversion.oracle.ROWS", 6)
        blocks = Oracle(target, 1, LIKE, SHAPE, budget=None).gradient(IMAGES, "logit")
        np.testing.assert_allclose(blocks[1], whole[1], atol=1e-14)

    def test_are_not_told_where_answers_are_limited(self, target):
        for limits in (Limits(access="scores"), Limits(access="labels"), Limits(decimals=2), Limits(noise=0.1)):
            oracle = Oracle(target, 0, LIKE, SHAPE, budget=9, limits=limits)
            with pytest.raises(NotApplicableError, match="gradients"):
                oracle.gradient(IMAGES)
            assert oracle.queries == 0
