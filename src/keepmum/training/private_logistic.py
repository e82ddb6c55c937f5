"""Logistic regression by differentially private gradient descent on all records."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from keepmum.errors import ConfigError, DataError
from keepmum.training._private_random import normal

Floats = NDArray[np.float64]


class PrivateLogisticRegression(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Multinomial logistic regression with a differential privacy guarantee, as a scikit-learn estimator.

    Columns are scaled by public bounds to -1 … 1; each record, with a 1 for the intercept, is then shortened to a
    Euclidean norm of at most ``norm``. Each step releases the sum of all records' gradients, each clipped to ``clip``,
    with Gaussian noise. The guarantee is for adding or removing one record; the number of records, the classes and the
    bounds are taken to be public. Bounds that were read off the records are not.

    Args:
      epsilon: Of the guarantee, above 0.
      delta: Of the guarantee.
      bounds: ``(low, high)`` of all columns, or two arrays of one number a column. None takes the records' own extremes
        **and warns**: the guarantee then does not cover them.
      iterations: Gradient steps.
      lr: Learning rate, on the mean gradient.
      norm: Largest norm of a scaled record.
      clip: Largest norm of a record's gradient.
      l2: Weight of the squared coefficients.
      random_state: Seed of the noise, for audits; None draws from the operating system.

    Attributes:
      classes_: ``(K,)`` labels.
      coef_: ``(K, d + 1)`` of scaled columns, the intercept last.
      noise_: Noise multiplier of each step.
      statement_: What can be said about privacy: `keepmum.training.statement.Statement`.

    References:
      Song, Chaudhuri, Sarwate. GlobalSIP 2013 (noisy gradients); Bassily, Smith, Thakurta. FOCS 2014, arXiv:1405.7085.
    """

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-5,
        bounds: Any = None,
        *,
        iterations: int = 60,
        lr: float = 4.0,
        norm: float = 1.0,
        clip: float = 0.5,
        l2: float = 0.0,
        random_state: int | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.delta = delta
        self.bounds = bounds
        self.iterations = iterations
        self.lr = lr
        self.norm = norm
        self.clip = clip
        self.l2 = l2
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> PrivateLogisticRegression:
        """Fit on ``(n, d)`` numbers and ``(n,)`` labels.

        Raises:
          ConfigError: A setting out of range.
          DataError: Fewer than two classes, or numbers that are not finite.
          MissingExtraError: dp-accounting is not installed.
        """
        from keepmum.accounting import noise_for
        from keepmum.training.statement import of_sampled_sums

        if self.iterations < 1 or not self.lr > 0 or not self.clip > 0 or not self.norm > 0:
            raise ConfigError("expected at least 1 step, and a learning rate, norm and clip above 0")
        values = np.asarray(X, dtype=np.float64)
        self.classes_, place = np.unique(np.asarray(y), return_inverse=True)
        if values.ndim != 2 or not np.isfinite(values).all() or len(self.classes_) < 2:
            raise DataError("expected a table of finite numbers and labels of at least two classes")
        self.n_features_in_ = values.shape[1]
        self._low, self._high = self._bounds(values)
        self.noise_ = noise_for(self.epsilon, self.delta, 1.0, self.iterations)
        self.statement_ = of_sampled_sums(
            self.noise_, 1.0, self.iterations, self.delta, self.clip, self.random_state is None, None
        )
        self.coef_ = self._descend(self._scaled(values), np.eye(len(self.classes_))[place])
        return self

    def predict_proba(self, X: Any) -> Floats:
        """``(n, K)`` probabilities."""
        scores = self._scaled(np.asarray(X, dtype=np.float64)) @ self.coef_.T
        return _softmax(scores)

    def predict(self, X: Any) -> NDArray[Any]:
        """``(n,)`` labels."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def _bounds(self, values: Floats) -> tuple[Floats, Floats]:
        if self.bounds is None:
            import warnings

            warnings.warn(
                "the records' own extremes are taken as bounds: the guarantee does not cover them; give bounds",
                UserWarning,
                stacklevel=3,
            )
            low, high = values.min(axis=0), values.max(axis=0)
        else:
            low, high = (np.broadcast_to(np.asarray(b, dtype=np.float64), values.shape[1:]) for b in self.bounds)
        if not (low <= high).all():
            raise ConfigError("expected bounds with each low end at or below its high end")
        return low, high

    def _scaled(self, values: Floats) -> Floats:
        wide = np.where(self._high > self._low, self._high - self._low, 1.0)
        unit = 2 * (np.clip(values, self._low, self._high) - self._low) / wide - 1
        whole = np.column_stack([unit, np.ones(len(unit))])
        size = np.linalg.norm(whole, axis=1, keepdims=True)
        return np.asarray(whole * np.minimum(1.0, self.norm / size))

    def _descend(self, X: Floats, truth: Floats) -> Floats:
        """Noisy steps; the average of the later half of the weights is kept, which costs no privacy."""
        seeded = None if self.random_state is None else np.random.default_rng(self.random_state)
        weights = np.zeros((truth.shape[1], X.shape[1]))
        total, kept = np.zeros_like(weights), 0
        length = np.linalg.norm(X, axis=1)
        for step in range(self.iterations):
            error = _softmax(X @ weights.T) - truth
            size = np.linalg.norm(error, axis=1) * length
            error *= np.minimum(1.0, self.clip / np.maximum(size, 1e-12))[:, None]
            drawn = normal(weights.size) if seeded is None else seeded.normal(size=weights.size)
            released = error.T @ X + self.noise_ * self.clip * drawn.reshape(weights.shape)
            weights = weights - self.lr * (released / len(X) + self.l2 * weights)
            if step >= self.iterations // 2:
                total, kept = total + weights, kept + 1
        return np.asarray(total / kept)


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
