"""Recognizers of another kind than the target: able, honest about it, and never trained on the target's records."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from keepmum.attacks.inversion._evaluators import Evaluator, evaluators
from keepmum.attacks.inversion._variants import varied
from keepmum.datasets import make_faces
from keepmum.errors import DataError, NotApplicableError

SHAPE = (24, 20)
X, Y = make_faces(8, 8, SHAPE)
HELD = np.tile(np.arange(8) < 5, 8)
CLASSES = np.arange(8)


@pytest.fixture(scope="module")
def judges() -> tuple[Evaluator, ...]:
    return evaluators(X[HELD], Y[HELD] * 3, CLASSES * 3, SHAPE, seed=1)


def test_there_are_two_families_which_recognize_images_that_they_never_saw(judges) -> None:
    assert len({judge.name for judge in judges}) >= 2
    for judge in judges:
        assert judge.top(X[~HELD], Y[~HELD] * 3).mean() > 0.85
        assert judge.top(X[~HELD], (Y[~HELD] + 1) % 8 * 3).mean() < 0.1


def test_accuracy_is_cross_validated_and_comes_with_an_interval(judges) -> None:
    for judge in judges:
        assert judge.accuracy is not None
        assert judge.accuracy.low < judge.accuracy.value <= 1
        assert judge.accuracy.value == pytest.approx(judge.top(X[~HELD], Y[~HELD] * 3).mean(), abs=0.15)
        assert judge.note == "measured on 40 images"


def test_accuracy_on_shuffled_classes_is_chance() -> None:
    rng = np.random.default_rng(0)
    for judge in evaluators(X[HELD], rng.permutation(Y[HELD]), CLASSES, SHAPE):
        assert judge.accuracy is not None
        assert judge.accuracy.low < 1 / 8
        assert judge.accuracy.value < 0.4


def test_more_guesses_hit_more_often_and_all_classes_hit_always(judges) -> None:
    for judge in judges:
        wrong = (Y[~HELD] + 1) % 8 * 3
        hits = [judge.top(X[~HELD], wrong, k) for k in range(1, 9)]
        assert all((more >= less).all() for less, more in pairwise(hits))
        assert hits[-1].all()


def test_confidence_is_highest_for_the_class_that_is_named(judges) -> None:
    for judge in judges:
        each = np.stack([judge.confidence(X[~HELD], np.full((~HELD).sum(), place)) for place in CLASSES * 3], axis=1)
        np.testing.assert_allclose(each.sum(axis=1), 1)
        np.testing.assert_array_equal(each.argmax(axis=1) == Y[~HELD], judge.top(X[~HELD], Y[~HELD] * 3))


def test_brightness_and_contrast_of_a_picture_do_not_matter(judges) -> None:
    for judge in judges:
        plain, dim = (judge.confidence(images, Y[~HELD] * 3) for images in (X[~HELD], 0.2 * X[~HELD] + 0.7))
        np.testing.assert_allclose(plain, dim, rtol=1e-6)


def test_a_trace_of_the_class_in_noise_fools_the_linear_one_and_less_often_the_other(judges) -> None:
    means = np.stack([X[~HELD][Y[~HELD] == place].mean(axis=0) for place in CLASSES])
    own = np.tile(CLASSES, 10)
    noise = np.random.default_rng(0).normal(0, 0.25, (80, *SHAPE))
    hits = {judge.name: judge.top(means[own] - means.mean(axis=0) + noise, own * 3).mean() for judge in judges}
    assert hits["lda"] > 0.8
    assert hits["svm"] < hits["lda"] - 0.1


def test_a_class_without_images_and_a_picture_of_one_tone_are_not_recognized(judges) -> None:
    for judge in judges:
        assert not judge.top(X[:3], np.array([1, -1, 99]), 8).any()
        np.testing.assert_array_equal(judge.confidence(X[:3], np.array([1, -1, 99])), 0)
        assert not judge.top(np.full((8, *SHAPE), 0.5), CLASSES * 3, 8).any()


def test_the_same_seed_makes_the_same_evaluators() -> None:
    once, again = (evaluators(X[HELD], Y[HELD], CLASSES, SHAPE, seed=3) for _ in range(2))
    for a, b in zip(once, again, strict=True):
        np.testing.assert_array_equal(a.confidence(X, Y), b.confidence(X, Y))
        assert a.accuracy == b.accuracy


def test_one_image_a_class_is_enough_and_its_accuracy_is_not_made_up() -> None:
    first = np.tile(np.arange(8) == 0, 8)
    for judge in evaluators(X[first], Y[first], CLASSES, SHAPE):
        assert judge.accuracy is None
        assert "cannot be measured" in judge.note
        assert judge.top(X[~first], Y[~first]).mean() > 0.6


def test_single_images_train_and_only_classes_with_more_are_measured() -> None:
    some = HELD & ((Y < 4) | (np.tile(np.arange(8), 8) == 0))
    for judge in evaluators(X[some], Y[some], CLASSES, SHAPE):
        assert judge.note == "measured on 20 images"
        assert set(judge.classes) == set(CLASSES)


def test_images_of_other_classes_are_left_out() -> None:
    for judge in evaluators(X[HELD], Y[HELD], np.array([1, 2, 5]), SHAPE):
        np.testing.assert_array_equal(judge.classes, [1, 2, 5])


def test_two_classes_and_colors_work() -> None:
    colors = np.repeat(X[:16, :, :, None], 3, axis=3) * np.array([1.0, 0.8, 0.6])
    for judge in evaluators(colors[::2], Y[:16:2], np.arange(2), (*SHAPE, 3)):
        assert judge.top(colors[1::2], Y[1:16:2]).mean() > 0.9


def test_records_that_the_target_was_trained_on_are_refused() -> None:
    trained = np.concatenate([X[~HELD], X[HELD][:1]])
    with pytest.raises(DataError, match=r"evaluators were given records that the target was trained on \(1 of 40\)"):
        evaluators(X[HELD], Y[HELD], CLASSES, SHAPE, trained=trained.reshape(len(trained), -1).astype(np.float32))
    assert evaluators(X[HELD], Y[HELD], CLASSES, SHAPE, trained=X[~HELD])


def test_one_class_and_other_shapes_are_refused() -> None:
    with pytest.raises(NotApplicableError, match="two classes"):
        evaluators(X[:5], Y[:5], CLASSES, SHAPE)
    with pytest.raises(DataError, match="of shape"):
        evaluators(X.reshape(len(X), -1), Y, CLASSES, SHAPE)


def test_variants_move_by_whole_pixels_and_mirror_when_asked() -> None:
    image = np.zeros((1, 24, 20))
    image[0, 10, 4] = 1
    more, source = varied(image, np.random.default_rng(0), copies=40)
    np.testing.assert_array_equal(source, 0)
    np.testing.assert_array_equal(more[0], image[0])
    rows, columns = np.unravel_index(more.reshape(41, -1).argmax(axis=1), (24, 20))
    assert set(rows) == {8, 9, 10, 11, 12}
    assert set(columns) == {2, 3, 4, 5, 6}
    mirrored, _ = varied(image, np.random.default_rng(0), copies=2, mirror=True)
    assert mirrored[2].argmax() % 20 >= 13
