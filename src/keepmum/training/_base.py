"""What a training procedure is: records and a seed in, a model that can be asked out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import ConfigError
from keepmum.targets._base import ScoreTarget


class Trainer(ABC):
    """A recipe for models like the target.

    An attacker who knows the recipe trains models of their own, and learns from them how a model behaves towards
    records that it was and was not trained on.
    """

    @property
    @abstractmethod
    def key(self) -> str:
        """Everything that decides what is trained, besides records and seed: stored answers are found by it."""

    @property
    def fleet_size(self) -> int:
        """Models that `train_fleet` is best given at once: even, and 2 where they are trained one after another."""
        return 2

    @property
    def fleet_note(self) -> str:
        """How a fleet is trained, for the plan: together, or one after another and why."""
        return "one after another: models of this kind are not trained together"

    @abstractmethod
    def train(self, records: Records, seed: int) -> ScoreTarget:
        """Train one model; the same records and seed give the same model.

        Raises:
          TargetError: Training failed, or what came out tells no probabilities.
        """

    def train_fleet(
        self, records: Records, trained_on: NDArray[np.bool_], seeds: Sequence[int]
    ) -> Iterator[ScoreTarget]:
        """Train several models, one after another here; a recipe that can train them together does so.

        What a model becomes depends on its own records and seed alone, bit for bit, whoever is trained with it, as
        long as the libraries and the kind of processor are the same.

        Args:
          records: The ``n`` records that the models are trained on parts of.
          trained_on: ``(K, n)`` which model is trained on which record.
          seeds: ``K`` seeds.
        """
        for mask, seed in zip(trained_on, seeds, strict=True):
            yield self.train(records.take(mask), seed)


class Around(Trainer):
    """A recipe around another one, whose fleets are trained as the other's are; subclasses say what differs.

    Attributes:
      inner: The other recipe.
    """

    inner: Trainer

    @property
    def fleet_size(self) -> int:
        """The inner recipe's."""
        return self.inner.fleet_size

    @property
    def fleet_note(self) -> str:
        """The inner recipe's."""
        return self.inner.fleet_note


def as_trainer(value: Any) -> Trainer:
    """Trainer for a trainer or a scikit-learn estimator.

    Raises:
      ConfigError: It is neither, or the estimator cannot be cloned.
    """
    from keepmum.training.sklearn import SklearnTrainer

    if isinstance(value, Trainer):
        return value
    if hasattr(value, "fit") and not isinstance(value, type):
        return SklearnTrainer(value)
    raise ConfigError(
        f"expected a trainer or a scikit-learn estimator, got {type(value).__name__}: wrap a function in "
        "keepmum.training.FunctionTrainer(train, key=...)"
    )
