"""Pictures by gradients, and by a regression from answers to images, on models with known answers."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from keepmum.attacks import Context
from keepmum.attacks.inversion._descent import Descent, Rule
from keepmum.attacks.inversion._image import POOL
from keepmum.attacks.inversion._inverse import Inverse, features
from keepmum.attacks.inversion._robust import robustness, view
from keepmum.attacks.inversion.gradient import VIEWS, Gradient
from keepmum.attacks.inversion.inverse_network import SURER, InverseNetwork
from keepmum.attacks.inversion.oracle import Limits, Oracle
from keepmum.attacks.inversion.priors import DecoderPrior, PartialPrior, PcaPrior, PixelPrior
from keepmum.data import Records
from keepmum.errors import BudgetError, ConfigError, NotApplicableError
from keepmum.targets import GradientTarget, from_sklearn

SHAPE = (6, 5)
PUBLIC = (
    (0.5 + 0.1 * np.random.default_rng(0).normal(size=(80, 8)) @ np.random.default_rng(1).normal(size=(8, 30)))
    .clip(0, 1)
    .reshape(-1, *SHAPE)
)
PRIOR = PcaPrior.fit(PUBLIC, 8, low=0.0, high=1.0)


class Linear(GradientTarget):
    """Softmax of linear logits: everything about it is known in closed form."""

    layers = ()

    def __init__(self, slopes, offsets):
        super().__init__(np.arange(len(offsets)))
        self.slopes, self.offsets, self.gradients = slopes, offsets, 0

    parameters = 1

    def _predict_proba(self, records):
        logits = np.asarray(records.X, dtype=float).reshape(len(records), -1) @ self.slopes.T + self.offsets
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def _input_gradients(self, records, places):
        self.gradients += 1
        rest = self._predict_proba(records) - np.eye(len(self.classes))[places]
        return (rest @ self.slopes).reshape(np.asarray(records.X).shape)

    def _loss_gradients(self, records, places):
        raise NotImplementedError

    def _activations(self, records, layer):
        raise NotImplementedError


def linear(classes=6, steep=6.0, start=None, seed=3):
    """Classes differ along what the prior can draw; ``start`` is the probability of class 0 at the mean image."""
    directions = np.random.default_rng(seed).normal(size=(classes, PRIOR.size))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    images = (PRIOR.decode(0.1 * np.eye(PRIOR.size)) - PRIOR.decode(np.zeros((1, PRIOR.size)))).reshape(PRIOR.size, -1)
    slopes = directions @ np.linalg.pinv(10 * images).T * steep
    offsets = -slopes @ PRIOR.decode(np.zeros((1, PRIOR.size)))[0].ravel()
    if start is not None:
        offsets[0] += np.log(start * (classes - 1) / (1 - start))
    return Linear(slopes, offsets), directions


def oracle(target, place=0, budget=None, shape=SHAPE, **kwargs):
    return Oracle(target, place, Records(np.zeros((1, *shape)), target.classes[:1]), shape, budget=budget, **kwargs)


def invert(attack, target, place=0, prior=PRIOR, budget=10_000, seed=0, **kwargs):
    asked = oracle(target, place, budget, prior.shape, **kwargs)
    return attack.invert(asked, prior, np.random.default_rng(seed)), asked


@pytest.mark.parametrize("loss", ["cross-entropy", "margin", "logit"])
def test_finds_the_direction_that_the_class_lies_in(loss):
    target, directions = linear()
    for place in range(6):
        picture, asked = invert(Gradient(loss=loss, weight=0.5), target, place)
        # Others push away too, so that the direction is the class's own less a mixture of theirs.
        toward = directions @ picture.latent
        assert toward.argmax() == place
        assert picture.confidence > 0.8
        assert picture.confidence == pytest.approx(float(asked.confidence(picture.image[None])[0]))


def test_every_step_is_taken_where_there_are_400_classes():
    """A class that starts at 1e-4 is bad but improving: a stop at the first bad step would leave the mean image."""
    target, _ = linear(400, steep=8.0, start=1e-4)
    assert oracle(target).confidence(PRIOR.decode(np.zeros((1, PRIOR.size))))[0] == pytest.approx(1e-4, rel=0.01)
    reached = []
    for steps in (1, 10, 100):
        picture, asked = invert(Gradient(steps=steps, restarts=1, weight=0.01), target)
        reached.append(picture.confidence)
        assert asked.queries >= steps
    assert reached[0] < 3e-4 < reached[1] < reached[2]
    assert reached[2] > 0.5


def rule(**changes):
    return Rule(**{"loss": "cross-entropy", "weight": 0.0, "rate": 0.05, "steps": 300, "patience": 50, **changes})


def descend(target, rule_, starts=None):
    descent = Descent(oracle(target), PRIOR, rule_, reserve=0)
    best, lowest = descent.run(np.zeros((1, PRIOR.size)) if starts is None else starts)
    return descent.taken, best, lowest


def test_stops_when_sure_and_settled():
    """Weighted by the prior, the objective of an easy class settles; that is the end, but not before it is sure."""
    target, _ = linear(3, steep=20.0)
    soon, _, low = descend(target, rule(confidence=0.9, weight=0.5))
    late, _, lower = descend(target, rule(confidence=1.0, weight=0.5))
    assert soon < late < 300
    assert low[0] == pytest.approx(lower[0], abs=0.01)
    on, _, _ = descend(linear(3, steep=3.0)[0], rule(confidence=0.5, loss="margin", steps=60))
    assert on == 60, "sure long ago, and the margin still grows"


def test_gives_up_after_patience():
    flat = Linear(np.zeros((3, 30)), np.zeros(3))
    steps = [descend(flat, rule(confidence=0.9, patience=patience, weight=0.1))[0] for patience in (7, 20)]
    assert steps[0] <= 8
    assert steps[1] <= 21
    starts = np.ones((1, PRIOR.size))
    away = [descend(flat, rule(confidence=0.9, patience=p, weight=2.0), starts)[0] for p in (5, 50)]
    assert 5 < away[0] < away[1], "the prior draws it back, which is a gain"


def test_a_class_below_the_floor_is_climbed_to():
    """The loss is flat below 1e-12, the gradient is not: 40 nats away, no gain is seen for many steps."""
    target, _ = linear(3, steep=20.0, start=1e-17)
    picture, _ = invert(Gradient(restarts=1, patience=3, steps=400, weight=0.01), target)
    assert picture.confidence > 0.9


def test_a_saturated_model_is_told_honestly():
    """Sure of one class whatever it sees, and no gradient: no picture of another class, and its confidence says so."""
    sure = Linear(np.zeros((3, 30)), np.array([1000.0, 0.0, 0.0]))
    own, asked = invert(Gradient(), sure, 0)
    assert own.confidence == 1.0
    assert asked.queries < 100, "nothing to climb"
    other, _ = invert(Gradient(), sure, 1)
    assert other.confidence == 0.0
    assert np.isfinite(other.image).all()


def test_logits_of_a_torch_module():
    """Logits of any size are turned into probabilities, and their margin is climbed."""
    torch = pytest.importorskip("torch")
    from keepmum.targets.torch import TorchTarget

    torch.set_num_threads(1)
    known, directions = linear(5, steep=30.0)
    layer = torch.nn.Linear(30, 5)
    layer.weight.data, layer.bias.data = (torch.tensor(v, dtype=torch.float32) for v in (known.slopes, known.offsets))
    target = TorchTarget(torch.nn.Sequential(torch.nn.Flatten(), layer), np.arange(5))
    for place in range(5):
        picture, _ = invert(Gradient(loss="margin"), target, place)
        assert picture.confidence > 0.99
        assert (directions @ picture.latent).argmax() == place


@pytest.mark.parametrize("budget", [10, 37, 100, 333, 1000])
@pytest.mark.parametrize("repeats", [1, 3])
def test_never_asks_for_more_than_the_budget(budget, repeats):
    target, _ = linear()
    picture, asked = invert(Gradient(), target, budget=budget, repeats=repeats)
    assert asked.queries <= budget
    assert 0 <= picture.confidence <= 1
    assert picture.trace[-1][0] == asked.queries


@pytest.mark.parametrize(
    ("steep", "start", "descents", "views"), [(60.0, None, 1, 0), (6.0, None, 2, 0), (1.0, 1e-9, 2, 3 * VIEWS)]
)
def test_counts_queries_exactly(steep, start, descents, views):
    """So many gradients for each start, one answer for each mark, the picture, views if the model is not sure of it."""
    target, _ = linear(steep=steep, start=start)
    _, asked = invert(Gradient(steps=4, restarts=2), target)
    marks, answers = 3, 1  # after steps 1, 2 and 4
    alone = 4 + marks + answers
    assert asked.queries == (2 * 4 + marks + answers) + (descents - 1) * alone + views + bool(views) * answers
    assert target.gradients == 4 * descents, "all starts are asked about at once"


def test_the_picture_is_the_mean_of_what_single_descents_come_to():
    """From pairs of samples around the prior's own start, one after the other; none of the ends is as usual."""
    target, _ = linear(steep=30.0)
    picture, _ = invert(Gradient(restarts=5, steps=20), target)
    off = PRIOR.draw(2, np.random.default_rng(0))
    rule_ = rule(weight=0.3, steps=20, confidence=0.999, averaged=True)
    ends = [descend(target, rule_, start[None])[1][0] for start in (*off, *-off)]
    np.testing.assert_allclose(picture.latent, np.mean(ends, axis=0), atol=1e-9)
    assert PRIOR.log_density(picture.latent[None])[0] > PRIOR.log_density(np.stack(ends)).max()


def test_same_seed_same_picture():
    target, _ = linear()
    first, again, other = (invert(Gradient(), target, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.image, again.image)
    assert [t[:2] for t in first.trace] == [t[:2] for t in again.trace]
    assert not np.array_equal(first.image, other.image)


def test_the_way_begins_at_the_start_and_grows_surer():
    target, _ = linear()
    picture, _ = invert(Gradient(restarts=1), target)
    np.testing.assert_allclose(picture.trace[0][2], PRIOR.decode(np.zeros((1, PRIOR.size)))[0])
    assert [t[0] for t in picture.trace] == sorted({t[0] for t in picture.trace})
    assert picture.trace[-1][1] > picture.trace[0][1] + 0.3


@pytest.mark.parametrize("start", ["noise", "blurred", "zeros"])
def test_pixels_from_any_start(start):
    target, _ = linear()
    prior = PixelPrior(SHAPE, 0.0, 1.0, start, public=PUBLIC, blur_every=0 if start == "zeros" else 5)
    picture, _ = invert(Gradient(restarts=1, rate=0.02), target, 2, prior)
    assert picture.confidence > 0.9
    assert 0 <= picture.image.min() <= picture.image.max() <= 1


def test_a_partial_image_changes_where_it_is_unknown_alone():
    target, _ = linear(steep=20.0)
    free = np.zeros(SHAPE, dtype=bool)
    free[3:] = True
    prior = PixelPrior(SHAPE, 0.0, 1.0, "given", given=PUBLIC[0], free=free)
    before = float(oracle(target).confidence(PUBLIC[:1])[0])
    picture, _ = invert(Gradient(restarts=1, rate=0.02), target, 0, prior)
    np.testing.assert_array_equal(picture.image[~free], PUBLIC[0][~free])
    assert not np.allclose(picture.image[free], PUBLIC[0][free])
    assert picture.confidence > before


LOWER = np.repeat([[False]] * 3 + [[True]] * 3, SHAPE[1], axis=1)
"""Which pixels are unknown: the lower half."""
KNOWN = PRIOR.decode(0.5 * np.random.default_rng(9).normal(size=(1, PRIOR.size)))[0]


def test_a_partial_image_is_completed_as_the_prior_draws():
    """Before any question, the lower half is told better from the upper one than by the mean image."""
    partial = PartialPrior(PRIOR, KNOWN, LOWER, tolerance=0.02)
    completed = partial.decode(partial.start(np.random.default_rng(0))[None])[0]
    np.testing.assert_array_equal(completed[~LOWER], KNOWN[~LOWER])
    mean = PRIOR.decode(np.zeros((1, PRIOR.size)))[0]
    assert np.abs(completed - KNOWN)[LOWER].mean() < 0.6 * np.abs(mean - KNOWN)[LOWER].mean()


def test_a_partial_image_is_searched_in_any_latent_space():
    target, _ = linear(steep=12.0)
    partial = PartialPrior(PRIOR, KNOWN, LOWER)
    picture, asked = invert(Gradient(restarts=1, weight=0.01), target, 2, partial)
    np.testing.assert_array_equal(picture.image[~LOWER], KNOWN[~LOWER])
    assert picture.confidence > picture.trace[0][1] + 0.1
    again = float(asked.confidence(partial.decode(picture.latent[None]))[0])
    assert again == pytest.approx(picture.confidence)


def test_gradients_of_a_partial_image():
    """By finite differences, of the log-density and of what depends on unknown pixels alone."""
    partial = PartialPrior(PRIOR, KNOWN, LOWER)
    z, weights = (
        0.2 * np.random.default_rng(4).normal(size=(3, PRIOR.size)),
        np.random.default_rng(5).normal(size=SHAPE),
    )
    slopes = [partial.log_density_gradient(z), partial.pull_back(z, np.tile(weights, (3, 1, 1)))]
    values = [partial.log_density, lambda at: (weights * partial.decode(at)).sum(axis=(1, 2))]
    for slope, value in zip(slopes, values, strict=True):
        for place, unit in enumerate(1e-5 * np.eye(PRIOR.size)):
            np.testing.assert_allclose(
                (value(z + unit) - value(z - unit)) / 2e-5, slope[:, place], rtol=1e-4, atol=1e-6
            )


@pytest.mark.parametrize(
    "settings", [{"free": np.zeros(SHAPE, bool)}, {"free": np.ones((2, 2), bool)}, {"free": LOWER, "tolerance": 0.0}]
)
def test_refuses_settings_of_a_partial_image(settings):
    with pytest.raises(ConfigError, match="expected"):
        PartialPrior(PRIOR, KNOWN, **settings)


def test_processing_is_part_of_every_step():
    """What the prior's hook makes of a latent is what goes on: here it throws all progress away."""

    class Forgetful(PcaPrior):
        def refine(self, latents, step):
            return np.zeros_like(latents)

    prior = Forgetful.fit(PUBLIC, 8, low=0.0, high=1.0)
    picture, _ = invert(Gradient(restarts=1), linear()[0], 0, prior)
    np.testing.assert_array_equal(picture.latent, 0)


def test_the_robust_restart_is_kept():
    """Two pictures of which the model is as sure; shifted and lit otherwise it stays sure of the even one alone."""
    slopes = np.zeros((2, 30))
    slopes[0] = np.tile([1.0, -1.0], 15)  # a pattern that no shift survives
    slopes[1] = 0.0
    target = Linear(20 * slopes, np.zeros(2))
    stripes = 0.5 + 0.5 * slopes[0].reshape(SHAPE)
    asked = oracle(target)
    sure, unsure = robustness(asked, np.stack([np.full(SHAPE, 0.5), stripes]), 20, (0.0, 1.0), np.random.default_rng(0))
    assert asked.queries == 40
    assert sure == pytest.approx(0.5, abs=0.01)
    assert unsure < 0.95 < float(asked.confidence(stripes[None])[0])


@pytest.mark.parametrize("shape", [(12,), (6, 5), (6, 5, 3), (1, 1)])
def test_views_keep_shape_and_range(shape):
    images = np.random.default_rng(0).uniform(2, 7, (4, *shape))
    for seed in range(10):
        seen = view(images, 2.0, 7.0, np.random.default_rng(seed))
        assert seen.shape == images.shape
        assert 2 <= seen.min() <= seen.max() <= 7
    assert not np.array_equal(seen, images)


def test_a_view_of_one_color_differs_in_brightness_alone():
    seen = view(np.full((1, *SHAPE), 0.5), 0.0, 1.0, np.random.default_rng(0))
    assert np.ptp(seen) < 1e-12
    assert seen.mean() == pytest.approx(0.5, rel=0.16)


def test_needs_gradients_of_model_and_prior():
    target, _ = linear()
    with pytest.raises(NotApplicableError, match="gradients"):
        invert(Gradient(), target, limits=Limits(access="scores"))
    with pytest.raises(NotApplicableError, match="gradient"):
        invert(Gradient(), target, prior=DecoderPrior(PRIOR.decode, PRIOR.size, SHAPE, 0.0, 1.0))
    from sklearn.linear_model import LogisticRegression

    flat = PUBLIC.reshape(len(PUBLIC), -1)
    model = from_sklearn(LogisticRegression().fit(flat, np.arange(80) % 3))
    assert "gradients" in str(Gradient(shape=SHAPE).inapplicable(model))


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "poincare"},
        {"weight": -1.0},
        {"rate": 0.0},
        {"steps": 0},
        {"patience": 0},
        {"restarts": 0},
        {"confidence": 0.0},
        {"confidence": 1.5},
    ],
)
def test_refuses_settings_of_gradient(settings):
    with pytest.raises(ConfigError, match="expected"):
        Gradient(**settings)


@pytest.mark.parametrize("loss", ["cross-entropy", "margin", "logit"])
def test_foretells_the_rows_that_the_target_counts(loss):
    """An image is one query of the attacker's, and as many rows of the target's as the loss has cross-entropies."""
    target, _ = linear()
    attack = Gradient(queries=100, classes=1, loss=loss, steps=90, patience=90, restarts=1)
    _, asked = invert(attack, target, budget=100)
    assert asked.queries <= 100
    assert target.queries <= attack.asks(target) - POOL
    assert target.queries > 2 * 80


def test_a_memorizer_is_inverted_to_its_members():
    pair = zoo.image_memorizers()[0]
    finding = Gradient(restarts=1).run(pair.target, pair.split, Context(attack="inversion/gradient"))
    assert finding.metrics["resemblance"].low > finding.control["resemblance"].high
    assert finding.queries > 0


def everyone(target, budget):
    return [oracle(target, place, budget) for place in range(len(target.classes))]


def test_one_pass_of_probes_serves_all_classes():
    target, directions = linear()
    asked = everyone(target, 40)
    pictures = InverseNetwork().invert_all(asked, PRIOR, np.random.default_rng(0))
    assert target.queries == sum(o.queries for o in asked) == 6 * 40
    for place, picture in enumerate(pictures):
        assert (directions @ picture.latent).argmax() == place
        assert picture.confidence > 1.5 / 6


def test_more_probes_than_one_class_can_pay_for_are_shared():
    """The same budget a class buys six times the probes where six classes share them, and better pictures."""
    target, _ = linear()
    together = InverseNetwork().invert_all(everyone(target, 14), PRIOR, np.random.default_rng(0))
    alone = [InverseNetwork().invert(o, PRIOR, np.random.default_rng(0)) for o in everyone(target, 14)]
    assert np.mean([p.confidence for p in together]) > np.mean([p.confidence for p in alone]) + 0.05


def test_the_picture_is_the_one_the_model_takes_for_the_class():
    """Without a weight of the prior the surest of those tried; with a large one what is usual."""
    target, _ = linear()
    bold, meek = (
        InverseNetwork(weight=weight).invert_all(everyone(target, 40), PRIOR, np.random.default_rng(0))
        for weight in (0.0, 1e3)
    )
    for sure, usual in zip(bold, meek, strict=True):
        assert sure.confidence > sure.trace[0][1]
        assert sure.confidence > usual.confidence
        assert np.linalg.norm(usual.latent) < np.linalg.norm(sure.latent)


def test_a_linear_model_is_inverted_exactly():
    """As many classes as latent numbers and one: logits determine the latents, and ridge finds how."""
    target, _ = linear(PRIOR.size + 1)
    latents = np.random.default_rng(0).uniform(-0.5, 0.5, (200, PRIOR.size))
    answers = target.predict_proba(Records(PRIOR.decode(latents), np.zeros(200, dtype=int)))
    inverse = Inverse(answers, latents, 1e-12, 0, 0)
    known = (features(answers) - inverse._center) / inverse._scale
    np.testing.assert_allclose(inverse._predict(known), latents, atol=1e-6)


def test_features_are_logits_less_their_mean():
    logits = np.random.default_rng(0).normal(size=(5, 4))
    odds = np.exp(logits)
    expected = logits - logits.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(features(odds / odds.sum(axis=1, keepdims=True)), expected)
    assert np.isfinite(features(np.array([[1.0, 0.0]]))).all()


def test_a_network_can_take_the_place_of_the_regression():
    target, directions = linear()
    pictures = InverseNetwork(hidden=16).invert_all(everyone(target, 60), PRIOR, np.random.default_rng(0))
    hits = [(directions @ p.latent).argmax() == place for place, p in enumerate(pictures)]
    assert sum(hits) >= 4


@pytest.mark.parametrize("target", [linear()[0], Linear(np.zeros((3, 30)), np.array([1000.0, 0.0, 0.0]))])
def test_inverse_network_is_repeatable_finite_and_within_budget(target):
    first, again = (
        InverseNetwork(queries=20).invert_all(everyone(target, 20), PRIOR, np.random.default_rng(1)) for _ in range(2)
    )
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert np.isfinite(one.latent).all()
        assert 0 < one.trace[0][0] < one.trace[-1][0] <= 20


def test_too_few_queries_for_probes():
    target, _ = linear()
    with pytest.raises(BudgetError, match="probes"):
        InverseNetwork().invert(oracle(target, budget=2), PRIOR, np.random.default_rng(0))
    few = oracle(target, budget=3)
    InverseNetwork().invert(few, PRIOR, np.random.default_rng(0))
    assert few.queries == 3


def test_noise_is_averaged_by_repeats():
    target, _ = linear(steep=3.0)
    noisy = [
        oracle(target, place, 40 * 5, repeats=5, limits=Limits(access="scores", noise=0.05, seed=1))
        for place in range(6)
    ]
    pictures = InverseNetwork().invert_all(noisy, PRIOR, np.random.default_rng(0))
    assert all(o.queries == 200 for o in noisy)
    assert np.mean([p.confidence for p in pictures]) > 1 / 6
    assert len(SURER) * 5 < 200


def test_labels_alone_are_not_enough():
    target, _ = linear()
    with pytest.raises(NotApplicableError, match="scores"):
        invert(InverseNetwork(), target, limits=Limits(access="labels"))


@pytest.mark.parametrize("settings", [{"hidden": -1}, {"ridge": 0.0}, {"weight": -0.1}])
def test_refuses_settings_of_inverse_network(settings):
    with pytest.raises(ConfigError, match="expected"):
        InverseNetwork(**settings)
