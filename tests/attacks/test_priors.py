"""Priors: images to numbers and back, gradients that agree with differences, and noise that stands out."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import numpy as np
import pytest

from keepmum.attacks.inversion._eigenimages import Eigenimages, Naturalness
from keepmum.attacks.inversion._pixel_prior import _total_variation
from keepmum.attacks.inversion.priors import DecoderPrior, PcaPrior, PixelPrior, Prior, VaePrior, blurred
from keepmum.datasets.faces import make_faces
from keepmum.errors import ConfigError, DataError, KeepmumError, MissingExtraError, NotApplicableError, TargetError

SHAPE = (6, 5)
LOW, HIGH = -1.0, 3.0
PIXELS = 30


@cache
def smooth(n: int = 60, seed: int = 0) -> np.ndarray:
    """Images of a few blurry patterns within the range, which nine components express."""
    rng = np.random.default_rng(seed)
    patterns = blurred(blurred(np.random.default_rng(99).standard_normal((9, *SHAPE))))
    return np.clip(1 + 0.4 * np.tensordot(rng.standard_normal((n, 9)), patterns, axes=1), LOW, HIGH)


@cache
def faces() -> tuple[np.ndarray, np.ndarray]:
    """Pictures of 15 public and of 10 other made-up people."""
    X, y = make_faces(25, 8, (24, 20), seed=3)
    return X[y < 15], X[y >= 15]


def left() -> np.ndarray:
    """A mask of the left two columns."""
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:, :2] = True
    return mask


def partial(**settings) -> PixelPrior:
    return PixelPrior(SHAPE, LOW, HIGH, "given", given=smooth()[0], free=left(), public=smooth(), **settings)


def linear(**settings) -> DecoderPrior:
    """A decoder of four latents, curved, with its gradient."""
    matrix = np.random.default_rng(5).standard_normal((4, PIXELS))
    return DecoderPrior(
        lambda z: np.tanh(z @ matrix).reshape(-1, *SHAPE),
        4,
        SHAPE,
        LOW,
        HIGH,
        pull_back=lambda z, g: (g.reshape(-1, PIXELS) * (1 - np.tanh(z @ matrix) ** 2)) @ matrix.T,
        **settings,
    )


@cache
def vae() -> VaePrior:
    return VaePrior.fit(smooth(), size=5, low=LOW, high=HIGH)


@cache
def network() -> DecoderPrior:
    """A torch decoder of color images with channels first."""
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = torch.nn.Sequential(
            torch.nn.Linear(4, 24), torch.nn.Tanh(), torch.nn.Linear(24, 36), torch.nn.Unflatten(1, (3, 4, 3))
        ).double()
    return DecoderPrior.from_module(module, 4, (4, 3, 3), LOW, HIGH)


PRIORS = {
    "pixels": lambda: PixelPrior(SHAPE, LOW, HIGH, public=smooth(), total_variation=0.3, l2=0.2),
    "partial": lambda: partial(total_variation=0.3, l2=0.2),
    "pca": lambda: PcaPrior.fit(smooth(), low=LOW, high=HIGH),
    "decoder": lambda: linear(encode=lambda x: np.zeros((len(x), 4)), log_density=lambda z: -np.cosh(z).sum(axis=1)),
    "vae": vae,
    "network": network,
}
priors = pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)


def usual(prior: Prior, n: int = 3) -> np.ndarray:
    """Latents whose images are within the range, so that nothing is clipped."""
    latents = 0.3 * prior.draw(n, np.random.default_rng(1))
    images = prior.decode(latents)
    assert images.min() > LOW
    assert images.max() < HIGH
    return latents


def by_differences(function, latents: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Slow twin of a gradient: one latent number after another."""
    columns = [
        (function(latents + step * unit) - function(latents - step * unit)) / (2 * step)
        for unit in np.eye(latents.shape[1])
    ]
    return np.stack(columns, axis=1)


class TestEveryPrior:
    @priors
    def test_says_shape_range_and_size(self, prior):
        own = prior()
        latents = own.draw(7, np.random.default_rng(0))
        assert latents.shape == (7, own.size)
        assert own.start(np.random.default_rng(0)).shape == (own.size,)
        assert own.decode(latents).shape == (7, *own.shape)
        assert own.log_density(latents).shape == (7,)
        assert own.distance(own.decode(latents)).shape == (7,)
        assert own.refine(latents, 1).shape == latents.shape
        assert f"size={own.size}" in repr(own)
        assert " at 0x" not in repr(own)

    @priors
    def test_images_are_within_the_range(self, prior):
        own = prior()
        for size in (1.0, 1e3):
            images = own.decode(size * np.random.default_rng(0).standard_normal((20, own.size)))
            assert images.min() >= LOW
            assert images.max() <= HIGH

    @priors
    def test_gradients_are_pulled_back_through_the_decoder(self, prior):
        own = prior()
        latents = usual(own)
        gradient = np.random.default_rng(2).standard_normal((len(latents), *own.shape))
        slow = by_differences(lambda z: (own.decode(z) * gradient).sum(axis=tuple(range(1, gradient.ndim))), latents)
        np.testing.assert_allclose(own.pull_back(latents, gradient), slow, rtol=1e-6, atol=1e-7)

    @priors
    def test_the_density_has_the_gradient_it_tells(self, prior):
        own = prior()
        latents = own.draw(3, np.random.default_rng(4)) + 0.01
        slow = by_differences(own.log_density, latents)
        np.testing.assert_allclose(own.log_density_gradient(latents), slow, rtol=1e-4, atol=1e-6)

    @priors
    def test_no_images_are_no_error(self, prior):
        own = prior()
        nothing = np.empty((0, own.size))
        assert own.decode(nothing).shape == (0, *own.shape)
        assert own.log_density(nothing).shape == (0,)
        assert own.pull_back(nothing, np.empty((0, *own.shape))).shape == (0, own.size)
        assert own.distance(np.empty((0, *own.shape))).shape == (0,)

    @priors
    def test_what_is_asked_for_does_not_change_with_company(self, prior):
        own = prior()
        latents = own.draw(5, np.random.default_rng(0))
        together, alone = own.decode(latents), np.concatenate([own.decode(one[None]) for one in latents])
        np.testing.assert_allclose(together, alone, rtol=0, atol=1e-12)
        np.testing.assert_allclose(own.distance(together), own.distance(together[::-1])[::-1])

    @priors
    def test_the_same_seed_draws_the_same(self, prior):
        own = prior()
        first, second = (own.draw(3, np.random.default_rng(8)) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        assert (own.draw(3, np.random.default_rng(9)) != first).any()

    @priors
    @pytest.mark.parametrize("method", ["decode", "log_density", "refine", "pull_back", "log_density_gradient"])
    def test_refuses_latents_that_are_none(self, prior, method):
        own = prior()
        rest = {"refine": (1,), "pull_back": (np.zeros((2, *own.shape)),)}.get(method, ())
        for bad in (np.zeros(own.size), np.zeros((2, own.size + 1)), np.full((2, own.size), np.nan), [["a"]], 3.0):
            with pytest.raises(DataError, match=r"^expected latents of shape \(n, \d+\)[^\n]*got [^\n]+$"):
                getattr(own, method)(bad, *rest)

    @priors
    @pytest.mark.parametrize("method", ["encode", "distance"])
    def test_refuses_images_that_are_none(self, prior, method):
        own = prior()
        holes = np.zeros((2, *own.shape))
        holes[1, 0, 0] = np.inf
        for bad in (np.zeros(own.shape), np.zeros((2, 3, 3)), holes, None):
            with pytest.raises(DataError, match=r"^expected images of shape \(n, [^\n]*got [^\n]+$"):
                getattr(own, method)(bad)

    @priors
    def test_refuses_gradients_of_others(self, prior):
        own = prior()
        with pytest.raises(DataError, match="expected gradients of shape"):
            own.pull_back(np.zeros((2, own.size)), np.zeros((2, 2)))
        with pytest.raises(DataError, match="expected a gradient for each of 2 images, got 3"):
            own.pull_back(np.zeros((2, own.size)), np.zeros((3, *own.shape)))


class TestPca:
    def test_images_it_was_fitted_to_come_back_exactly(self):
        images = smooth()
        prior = PcaPrior.fit(images, components=PIXELS)
        np.testing.assert_allclose(prior.decode(prior.encode(images)), images, atol=1e-9)

    @pytest.mark.parametrize("n", [12, 300], ids=["fewer images than pixels", "more"])
    def test_coordinates_are_whitened_as_by_singular_values(self, n):
        images = smooth(n, seed=n)
        latents = PcaPrior.fit(images, components=6).encode(images)
        off = images.reshape(n, -1) - images.reshape(n, -1).mean(axis=0)
        left_vectors = np.linalg.svd(off, full_matrices=False)[0][:, :6] * np.sqrt(n - 1)
        np.testing.assert_allclose(np.abs(latents), np.abs(left_vectors), atol=1e-7)

    def test_latents_come_back_from_images(self):
        prior = PcaPrior.fit(smooth(), components=5, low=LOW, high=HIGH)
        latents = usual(prior)
        np.testing.assert_allclose(prior.encode(prior.decode(latents)), latents, atol=1e-9)

    def test_the_density_is_standard_normal(self):
        prior = PcaPrior.fit(smooth(), components=3)
        np.testing.assert_allclose(prior.log_density([[0, 0, 0], [1, 2, 2]]), [0, -4.5])

    def test_a_search_starts_from_the_mean(self):
        prior = PcaPrior.fit(smooth(), low=LOW, high=HIGH)
        mean = prior.decode(prior.start(np.random.default_rng(0))[None])[0]
        np.testing.assert_allclose(mean, smooth().mean(axis=0))

    def test_as_many_components_as_images_differ_in(self):
        assert PcaPrior.fit(smooth()[:4], components=40).size == 3
        assert PcaPrior.fit(smooth()[:2], components=40).size == 1
        assert PcaPrior.fit(smooth(), components=2).size == 2

    def test_pixels_that_never_change_stay(self):
        images = smooth().copy()
        images[:, 0] = 0.7
        images[:, 1, 1] = 0.1 + 0.2
        prior = PcaPrior.fit(images, components=PIXELS)
        drawn = prior.decode(prior.draw(50, np.random.default_rng(0)))
        np.testing.assert_allclose(drawn[:, 0], 0.7)
        np.testing.assert_allclose(drawn[:, 1, 1], 0.3)
        assert np.ptp(drawn[:, 2, 2]) > 0.1
        assert prior.size <= 9

    def test_whole_numbers_and_colors(self):
        images = np.random.default_rng(0).integers(0, 256, (10, 4, 3, 3), dtype=np.uint8)
        prior = PcaPrior.fit(images, low=0, high=255)
        assert (prior.shape, prior.low, prior.high, prior.size) == ((4, 3, 3), 0, 255, 9)
        np.testing.assert_allclose(prior.decode(prior.encode(images)), images, atol=1e-9)

    def test_the_range_seen_is_the_range_unless_given(self):
        prior = PcaPrior.fit(smooth())
        assert (prior.low, prior.high) == (smooth().min(), smooth().max())
        assert PcaPrior.fit(smooth(), high=9).high == 9

    @pytest.mark.parametrize(
        ("images", "settings", "error", "said"),
        [
            (np.empty((0, *SHAPE)), {}, DataError, "expected at least one public image, got none"),
            (np.ones((1, *SHAPE)), {}, DataError, "expected at least two different images"),
            (smooth()[:1], {}, DataError, "expected at least two different images .* got 1 alike"),
            (smooth()[[3, 3, 3]], {}, DataError, "expected at least two different images .* got 3 alike"),
            (np.full((3, 2, 2), 0.1), {"low": 0, "high": 1}, DataError, "expected at least two different images"),
            (np.full((3, 2, 2), np.nan), {}, DataError, "expected public images .* got 12 of them"),
            (np.ones(4), {}, DataError, r"expected images of shape .* got \(4,\)"),
            (np.empty((3, 0, 2)), {}, DataError, "expected images of shape"),
            (smooth(), {"low": 0, "high": 1}, DataError, "expected pixels from 0 to 1, got .*: give low and high"),
            (smooth(), {"high": 1.5}, DataError, "expected pixels from -.* to 1.5, got"),
            (smooth(), {"low": 1.5}, DataError, "expected pixels from 1.5 to"),
            (smooth(), {"components": 0}, ConfigError, "expected at least one component, got 0"),
        ],
    )
    def test_refuses(self, images, settings, error, said):
        with pytest.raises(error, match=f"^{said}[^\n]*$"):
            PcaPrior.fit(images, **settings)


class TestDistance:
    def test_public_images_are_natural_and_so_are_pictures_of_others(self):
        public, others = faces()
        prior = PcaPrior.fit(public, low=0, high=1)
        assert 0.4 < prior.distance(public).mean() < 1.3
        assert 0.7 < prior.distance(others).mean() < 1.5
        drawn = prior.decode(prior.draw(200, np.random.default_rng(0)))
        assert 0.4 < prior.distance(drawn).mean() < 1.3

    @pytest.mark.parametrize("make", [PcaPrior.fit, lambda x: PixelPrior(x.shape[1:], 0, 1, public=x)])
    def test_noise_stands_out(self, make):
        public, others = faces()
        prior, rng = make(public), np.random.default_rng(1)
        natural = np.quantile(prior.distance(others), 0.9)
        for of in (others, np.broadcast_to(public.mean(axis=0), others.shape)):
            noisy = np.clip(of + 0.2 * rng.standard_normal(others.shape), 0, 1)
            assert prior.distance(noisy).min() > 1.5 * natural
        assert prior.distance(rng.random(others.shape)).min() > 5 * natural

    def test_rough_is_odder_than_smooth_of_the_same_size(self):
        public, others = faces()
        prior, rng = PcaPrior.fit(public), np.random.default_rng(2)
        rough = rng.standard_normal(others.shape)
        smoothed = blurred(blurred(rough))
        smoothed *= np.sqrt((rough**2).mean() / (smoothed**2).mean())
        assert prior.distance(others + 0.1 * rough).mean() > 1.2 * prior.distance(others + 0.1 * smoothed).mean()

    def test_far_along_a_component_is_odd_too(self):
        prior = PcaPrior.fit(smooth(), components=3, low=-1e3, high=1e3)
        away = np.array([[5.0, 5.0, 5.0]])
        np.testing.assert_allclose(prior.distance(prior.decode(away)), 25 / prior.natural().inside)

    def test_is_worst_of_three_multiples_of_what_is_usual(self):
        natural = Naturalness.fit(smooth(), 4, HIGH - LOW)
        image = smooth(1, seed=7) + np.random.default_rng(0).standard_normal(SHAPE)
        eigen = natural.eigenimages
        latents = eigen.latents(image)
        off = (image - eigen.images(latents))[0]
        rough = (np.diff(off, axis=0) ** 2).sum() + (np.diff(off, axis=1) ** 2).sum()
        expected = [(latents**2).mean() / natural.inside, (off**2).sum() / natural.outside, rough / natural.rough]
        np.testing.assert_allclose(natural.distance(image), [max(expected)])

    def test_what_is_usual_is_learned_from_images_held_out(self):
        images, folds = smooth(8), np.repeat(np.arange(4), 2)
        off = [Eigenimages.fit(images[folds != k], 3).oddity(images[folds == k]).outside for k in range(4)]
        assert Naturalness.fit(images, 3, 1e-3).outside == pytest.approx(np.mean(np.concatenate(off)))

    def test_noise_is_odd_where_every_image_is_expressed_exactly(self):
        prior = PcaPrior.fit(smooth()[:5], low=LOW, high=HIGH)
        noise = np.random.default_rng(0).uniform(LOW, HIGH, (20, *SHAPE))
        assert prior.distance(smooth()[:5]).max() < 2
        assert prior.distance(noise).min() > 2

    def test_less_than_a_gray_level_is_no_difference(self):
        two = np.stack([np.zeros(SHAPE), np.ones(SHAPE)])
        prior = PcaPrior.fit(np.repeat(two, 20, axis=0), low=0, high=1)
        step = np.random.default_rng(0).uniform(-0.5, 0.5, (50, *SHAPE)) / 256
        assert prior.distance(0.5 + step).max() < 3

    def test_many_images_are_thinned_out_evenly(self, monkeypatch):
        images = smooth(200)
        monkeypatch.setattr("keepmum.attacks.inversion._eigenimages.MOST_IMAGES", 50)
        seen = Naturalness.fit(images, 3, 1.0).eigenimages.mean
        rows = np.linspace(0, 199, 50).astype(int)
        np.testing.assert_allclose(seen, images[rows].reshape(50, -1).mean(axis=0))


class TestPixels:
    def test_latents_are_the_pixels(self):
        prior = PixelPrior(SHAPE, LOW, HIGH)
        np.testing.assert_array_equal(prior.encode(smooth()), smooth().reshape(-1, PIXELS))
        np.testing.assert_array_equal(prior.decode(prior.encode(smooth())), smooth())

    def test_where_a_search_starts(self):
        def begin(start, low=LOW, **more):
            prior = PixelPrior(SHAPE, low, HIGH, start, **more)
            return prior.decode(prior.start(np.random.default_rng(0))[None])[0]

        mean = smooth().mean(axis=0)
        np.testing.assert_allclose(begin("mean", public=smooth()), mean)
        np.testing.assert_allclose(begin("mean"), np.full(SHAPE, 1.0))
        np.testing.assert_allclose(begin("zeros"), np.zeros(SHAPE))
        np.testing.assert_allclose(begin("zeros", low=0.25), np.full(SHAPE, 0.25))
        np.testing.assert_allclose(begin("given", given=smooth()[5]), smooth()[5])
        bars = np.tile([[0.0], [2.0]], (3, 5))[None]
        soft = begin("blurred", public=bars)
        assert 0 < np.abs(np.diff(soft, axis=0)).sum() < 0.9 * np.abs(np.diff(bars[0], axis=0)).sum()
        assert begin("noise").std() > 0.5

    def test_noise_differs_from_search_to_search(self):
        prior, rng = PixelPrior(SHAPE, LOW, HIGH, "noise"), np.random.default_rng(0)
        assert (prior.start(rng) != prior.start(rng)).all()

    def test_a_start_is_no_view_of_the_prior(self):
        prior = PixelPrior(SHAPE, LOW, HIGH, "given", given=smooth()[5])
        prior.start(np.random.default_rng(0))[:] = 0
        np.testing.assert_allclose(prior.start(np.random.default_rng(0)), smooth()[5].ravel())

    def test_draws_public_images_or_noise(self):
        drawn = PixelPrior(SHAPE, LOW, HIGH, public=smooth()).draw(40, np.random.default_rng(0))
        assert {row.tobytes() for row in drawn} <= {row.tobytes() for row in smooth()}
        assert len({row.tobytes() for row in drawn}) > 10
        noise = PixelPrior(SHAPE, LOW, HIGH).draw(40, np.random.default_rng(0))
        assert noise.min() < LOW + 0.2
        assert noise.max() > HIGH - 0.2

    def test_known_pixels_stay_whatever_is_asked(self):
        prior = partial(blur_every=1)
        known = ~left()
        latents = prior.draw(10, np.random.default_rng(0))
        assert prior.size == 12
        for images in (
            prior.decode(latents + 1e9),
            prior.decode(prior.refine(latents, 1)),
            prior.decode(prior.start(np.random.default_rng(0))[None]),
        ):
            np.testing.assert_array_equal(images[:, known], np.tile(smooth()[0][known], (len(images), 1)))
        assert (prior.decode(latents + 1e9)[:, left()] == HIGH).all()

    def test_free_pixels_can_start_from_the_mean(self):
        prior = PixelPrior(SHAPE, LOW, HIGH, "mean", public=smooth(), given=smooth()[0], free=left())
        np.testing.assert_allclose(prior.start(np.random.default_rng(0)), smooth().mean(axis=0)[left()])

    def test_smooth_and_near_pictures_are_more_usual(self):
        rng = np.random.default_rng(0)
        noisy = smooth()[:5] + 0.5 * rng.standard_normal((5, *SHAPE))
        flat = PixelPrior(SHAPE, LOW, HIGH, total_variation=1.0)
        assert (flat.log_density(flat.encode(noisy)) < flat.log_density(flat.encode(smooth()[:5]))).all()
        near = PixelPrior(SHAPE, LOW, HIGH, "given", given=smooth()[0], l2=2.0)
        np.testing.assert_allclose(near.log_density(near.encode(smooth()[:1] + 0.4)), -2 * PIXELS * 0.1**2)
        plain = PixelPrior(SHAPE, LOW, HIGH)
        assert not plain.log_density(plain.encode(noisy)).any()

    def test_total_variation_of_a_step_is_its_height(self):
        image = np.zeros((1, 6, 5))
        image[:, :, 3:] = 0.5
        assert _total_variation(image)[0] == pytest.approx(6 * 0.5, rel=0.01)

    @pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1), (7,), (4, 3, 3)])
    def test_total_variation_has_the_gradient_it_tells(self, shape):
        images = np.random.default_rng(0).random((2, *shape))

        def value(flat):
            return _total_variation(flat.reshape(-1, *shape))[0]

        slow = by_differences(value, images.reshape(2, -1))
        np.testing.assert_allclose(_total_variation(images)[1].reshape(2, -1), slow, atol=1e-5)

    def test_is_processed_when_it_is_time(self):
        prior = PixelPrior(SHAPE, LOW, HIGH, blur_every=3)
        latents = prior.encode(smooth()[:2])
        for step in (0, 1, 2, 4):
            np.testing.assert_array_equal(prior.refine(latents, step), latents)
        for step in (3, 6):
            np.testing.assert_allclose(prior.refine(latents, step), prior.encode(blurred(smooth()[:2])))
        never = PixelPrior(SHAPE, LOW, HIGH)
        np.testing.assert_array_equal(never.refine(latents, 3), latents)
        own = PixelPrior(SHAPE, LOW, HIGH, blur_every=1, process=np.zeros_like)
        assert not own.refine(latents, 1).any()

    def test_blur_keeps_brightness_and_size_and_colors_apart(self):
        images = np.random.default_rng(0).random((2, 9, 7, 3))
        soft = blurred(images)
        assert soft.shape == images.shape
        np.testing.assert_allclose(blurred(np.ones((1, 4, 3))), 1)
        lone = np.zeros((1, 5, 5, 2))
        lone[0, 2, 2, 1] = 16
        np.testing.assert_allclose(blurred(lone)[0, 1:4, 1:4, 1], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])
        assert not blurred(lone)[..., 0].any()

    @pytest.mark.parametrize("public", [None, smooth()[:1], smooth()[[2, 2]]], ids=["none", "one", "alike"])
    def test_nothing_is_unnatural_to_who_knows_no_images(self, public):
        with pytest.raises(NotApplicableError, match=r"^needs at least two different public images[^\n]*$"):
            PixelPrior(SHAPE, LOW, HIGH, public=public).distance(smooth())

    @pytest.mark.parametrize(
        ("settings", "error", "said"),
        [
            ({"shape": (0, 4)}, ConfigError, "expected the shape of one image"),
            ({"shape": (2, 2, 2, 2)}, ConfigError, "expected the shape of one image"),
            ({"shape": (2.5, 4)}, ConfigError, "expected the shape of one image"),
            ({"shape": 7}, ConfigError, "expected the shape of one image .* got 7"),
            ({"low": 3}, ConfigError, "expected the range of pixels as low < high, got 3 and 3.0"),
            ({"high": np.nan}, ConfigError, "expected the range of pixels"),
            ({"start": "best"}, ConfigError, "expected start as one of mean, .* got 'best'"),
            ({"start": "given"}, ConfigError, "expected the image that is known in part, got none"),
            ({"free": left()}, ConfigError, "expected the image that is known in part, got none"),
            ({"free": left()[:2], "given": smooth()[0]}, ConfigError, "expected free as truth values of shape"),
            ({"free": left().astype(int), "given": smooth()[0]}, ConfigError, "expected free as truth values"),
            ({"free": left() & False, "given": smooth()[0]}, ConfigError, "expected free as truth values"),
            ({"given": smooth()}, DataError, "expected a given image of shape"),
            ({"given": smooth()[0] + 9}, DataError, "expected pixels from -1 to 3"),
            ({"public": smooth()[:, :3]}, DataError, "expected public images of shape"),
            ({"public": smooth()[:0]}, DataError, "expected at least one public image, got none"),
            ({"l2": -1}, ConfigError, "expected l2 as a number of at least 0, got -1"),
            ({"total_variation": np.nan}, ConfigError, "expected total_variation as a number"),
            ({"blur_every": -1}, ConfigError, "expected blur_every as a number of steps"),
        ],
    )
    def test_refuses(self, settings, error, said):
        with pytest.raises(error, match=f"^{said}[^\n]*$"):
            PixelPrior(**{"shape": SHAPE, "low": LOW, "high": HIGH, **settings})


class TestDecoder:
    def test_asks_the_functions_given(self):
        prior = linear(encode=lambda x: np.full((len(x), 4), 7), draw=lambda n, rng: np.full((n, 4), 0.5))
        assert (prior.encode(smooth()) == 7).all()
        assert (prior.draw(3, np.random.default_rng(0)) == 0.5).all()
        assert (linear(log_density=lambda z: z[:, 0]).log_density(np.eye(4)) == [1, 0, 0, 0]).all()
        np.testing.assert_allclose(linear().log_density(2 * np.eye(4)), -2)

    def test_says_what_it_was_not_given(self):
        prior = DecoderPrior(lambda z: np.zeros((len(z), *SHAPE)), 2, SHAPE, LOW, HIGH)
        with pytest.raises(NotApplicableError, match=r"^needs a decoder that tells gradients: give pull_back=$"):
            prior.pull_back(np.zeros((1, 2)), np.zeros((1, *SHAPE)))
        with pytest.raises(NotApplicableError, match=r"^needs a decoder with its encoder[^\n]*: give encode=$"):
            prior.encode(smooth())

    def test_its_own_images_are_natural_and_noise_is_not(self):
        prior = linear()
        own = prior.decode(prior.draw(100, np.random.default_rng(1)))
        noise = np.random.default_rng(2).uniform(LOW, HIGH, own.shape)
        assert 0.8 < prior.distance(own).mean() < 1.5
        assert prior.distance(noise).min() > np.quantile(prior.distance(own), 0.9)

    @pytest.mark.parametrize(
        ("settings", "ask", "said"),
        [
            (
                {"decode": lambda z: np.zeros((len(z), 3))},
                lambda p: p.decode(np.zeros((2, 4))),
                "expected decode to return",
            ),
            ({"decode": lambda z: z * np.nan}, lambda p: p.decode(np.zeros((2, 4))), "expected decode to return"),
            (
                {"decode": lambda z: np.full((len(z), *SHAPE), np.nan)},
                lambda p: p.decode(np.zeros((2, 4))),
                "expected decode to return numbers",
            ),
            ({"log_density": lambda z: z}, lambda p: p.log_density(np.zeros((2, 4))), "expected log_density to return"),
            ({"encode": lambda x: x}, lambda p: p.encode(smooth()), "expected encode to return"),
            ({"draw": lambda n, rng: np.zeros((n, 1))}, lambda p: p.draw(2, None), "expected draw to return"),
            ({"decode": lambda z: np.zeros((len(z), *SHAPE))}, lambda p: p.distance(smooth()), "expected at least two"),
        ],
    )
    def test_refuses_answers_that_are_none(self, settings, ask, said):
        plain = {"decode": lambda z: np.tile(z[:, :1, None], (1, *SHAPE)), "size": 4, "shape": SHAPE}
        prior = DecoderPrior(**{**plain, "low": LOW, "high": HIGH, **settings})
        with pytest.raises(DataError, match=f"^{said}[^\n]*$"):
            ask(prior)

    def test_refuses_no_latents(self):
        with pytest.raises(ConfigError, match="expected at least one latent number, got 0"):
            DecoderPrior(np.asarray, 0, SHAPE, LOW, HIGH)


class TestModules:
    def test_channels_come_last(self):
        torch = pytest.importorskip("torch")
        rows = torch.nn.Unflatten(1, (3, 2, 4))
        latents = np.arange(48.0).reshape(2, 24)
        images = DecoderPrior.from_module(rows, 24, (2, 4, 3), 0, 99).decode(latents)
        np.testing.assert_array_equal(images, np.moveaxis(latents.reshape(2, 3, 2, 4), 1, -1))

    @pytest.mark.parametrize("got", [(1, 4, 6), (24,), (4, 6)])
    def test_gray_images_may_have_a_channel_or_be_rows(self, got):
        torch = pytest.importorskip("torch")
        module = torch.nn.Unflatten(1, got) if len(got) > 1 else torch.nn.Identity()
        prior = DecoderPrior.from_module(module, 24, (4, 6), 0, 99)
        latents = np.arange(48.0).reshape(2, 24)
        np.testing.assert_array_equal(prior.decode(latents), latents.reshape(2, 4, 6))
        np.testing.assert_array_equal(prior.pull_back(latents, latents.reshape(2, 4, 6)), latents)

    def test_the_module_stays_as_it_was(self):
        torch = pytest.importorskip("torch")
        module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(0.9)).train()
        prior = DecoderPrior.from_module(module, 3, (2, 2), -9, 9)
        first = prior.decode(np.ones((1, 3)))
        prior.pull_back(np.ones((1, 3)), np.ones((1, 2, 2)))
        assert module.training
        assert module[0].weight.grad is None
        assert module[0].weight.requires_grad
        torch.nn.init.zeros_(module[0].weight)
        np.testing.assert_array_equal(prior.decode(np.ones((1, 3))), first)

    def test_refuses_what_draws_no_images(self):
        torch = pytest.importorskip("torch")
        with pytest.raises(TargetError, match=r"expected a torch\.nn\.Module, got int"):
            DecoderPrior.from_module(3, 4, (2, 2), 0, 1)
        with pytest.raises(DataError, match=r"expected a decoder of images of shape \(2, 3\).* got \(4,\)"):
            DecoderPrior.from_module(torch.nn.Identity(), 4, (2, 3), 0, 1).decode(np.zeros((1, 4)))

        class Steps(torch.nn.Module):
            def forward(self, z):
                return torch.sign(z).detach()

        with pytest.raises(DataError, match="expected a decoder whose images depend on the latents"):
            DecoderPrior.from_module(Steps(), 4, (2, 2), 0, 1).pull_back(np.zeros((1, 4)), np.zeros((1, 2, 2)))


class TestVae:
    def test_draws_what_it_was_trained_on_better_than_the_mean(self):
        pytest.importorskip("torch")
        again = vae().decode(vae().encode(smooth()))
        assert ((again - smooth()) ** 2).mean() < 0.5 * smooth().var(axis=0).mean()

    def test_its_draws_are_natural(self):
        pytest.importorskip("torch")
        rng = np.random.default_rng(0)
        noisy = smooth() + 0.05 * rng.standard_normal(smooth().shape)
        prior = VaePrior.fit(noisy, size=9)
        drawn = prior.decode(prior.draw(100, rng))
        assert np.median(prior.distance(drawn)) < 2
        assert drawn.std(axis=0).mean() > 0.3 * smooth().std(axis=0).mean()

    def test_the_same_seed_trains_the_same_whatever_torch_drew_before(self):
        torch = pytest.importorskip("torch")

        def trained(seed):
            return VaePrior.fit(smooth(), size=2, epochs=2, seed=seed).encode(smooth())

        before = torch.random.get_rng_state()
        first = trained(0)
        assert torch.equal(torch.random.get_rng_state(), before)
        torch.rand(5)
        np.testing.assert_array_equal(trained(0), first)
        assert (trained(1) != first).any()

    @pytest.mark.parametrize("settings", [{"size": 0}, {"epochs": 0}, {"low": 5.0, "high": 5.0}])
    def test_refuses_settings_out_of_range(self, settings):
        pytest.importorskip("torch")
        with pytest.raises(KeepmumError, match=r"^expected [^\n]*$"):
            VaePrior.fit(smooth(), **settings)

    def test_says_what_to_install(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch", None)
        with pytest.raises(MissingExtraError, match=r"pip install 'keepmum\[torch\]'"):
            VaePrior.fit(smooth())


def test_without_torch_the_others_are_light():
    code = (
        "import sys; import numpy as np; from keepmum.attacks.inversion.priors import PcaPrior\n"
        "PcaPrior.fit(np.random.default_rng(0).random((5, 4, 4))).draw(1, np.random.default_rng(0))\n"
        "print('torch' in sys.modules, 'sklearn' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]
