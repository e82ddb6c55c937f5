"""Drawn faces: the same for the same seed, told apart by person, and found by models that recognize them."""

from __future__ import annotations

import numpy as np
import pytest

from keepmum.datasets import make_faces
from keepmum.errors import ConfigError


def correlations(X: np.ndarray) -> np.ndarray:
    return np.corrcoef(X.reshape(len(X), -1))


def test_every_person_has_as_many_pictures_and_tones_lie_between_black_and_white() -> None:
    X, y = make_faces(persons=3, shots=4, shape=(28, 20))
    assert X.shape == (12, 28, 20)
    assert X.dtype == np.float64
    np.testing.assert_array_equal(y, np.repeat([0, 1, 2], 4))
    assert X.min() >= 0
    assert X.max() <= 1
    assert X.std(axis=(1, 2)).min() > 0.05


def test_the_same_seed_draws_the_same_pictures_and_another_seed_other_people() -> None:
    np.testing.assert_array_equal(make_faces(3, 2, seed=5)[0], make_faces(3, 2, seed=5)[0])
    first, other = make_faces(20, 1, seed=0)[0], make_faces(20, 1, seed=1)[0]
    same = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(first, other, strict=True)]
    assert max(same) < 0.97


def test_a_person_does_not_depend_on_how_many_are_asked_for() -> None:
    few, many = make_faces(2, 3, seed=3)[0], make_faces(5, 6, seed=3)[0].reshape(5, 6, 40, 32)
    np.testing.assert_array_equal(few.reshape(2, 3, 40, 32), many[:2, :3])


def test_pictures_of_one_person_are_more_alike_than_of_two() -> None:
    X, y = make_faces(20, 6)
    alike, own = correlations(X), y[:, None] == y
    apart = ~np.eye(len(y), dtype=bool)
    assert alike[own & apart].mean() > alike[~own].mean() + 0.1
    assert alike[own & apart].max() < 0.999, "pictures of a person are not copies"


def test_small_models_recognize_the_persons() -> None:
    from sklearn.neural_network import MLPClassifier

    X, y = make_faces(40, 10)
    trained = np.tile(np.arange(10) < 5, 40)
    model = MLPClassifier((64,), max_iter=200, tol=1e-3, random_state=0)
    model.fit(X[trained].reshape(200, -1) - 0.5, y[trained])
    assert model.score(X[~trained].reshape(200, -1) - 0.5, y[~trained]) > 0.9


@pytest.mark.parametrize("wrong", [{"persons": 0}, {"shots": 0}, {"shape": (40, 11)}])
def test_numbers_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError, match="expected"):
        make_faces(**wrong)
