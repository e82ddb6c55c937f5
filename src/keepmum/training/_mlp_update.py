"""From gradients to changes of the parameters, for stacked networks: as scikit-learn's optimizers, to the last bit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Update(ABC):
    """An optimizer of ``m`` models."""

    @classmethod
    @abstractmethod
    def of(cls, recipe: Any, values: Array) -> Update:
        """An optimizer at its start, for ``(m, p)`` parameters."""

    @abstractmethod
    def apply(self, values: Array, gradients: Array, spare: Array) -> None:
        """Change the parameters in place; gradients and ``spare``, of the same shape, are overwritten."""

    @abstractmethod
    def keep(self, stay: NDArray[np.bool_]) -> None:
        """Go on with these models alone."""

    def epoch_ends(self, place: int, seen: int) -> None:  # noqa: B027  only one schedule does something here
        """Called after each epoch with the number of records seen."""

    def stops(self, place: int) -> bool:
        """Whether a model that gets no better stops, instead of going on with smaller steps."""
        return True


@dataclass(eq=False)
class Adam(Update):
    """Adam. Changes are in double precision, as they are in scikit-learn whose rate is a numpy scalar.

    Attributes:
      recipe: Any of the estimators.
      means: ``(m, p)`` running means of the gradients.
      squares: ``(m, p)`` running means of their squares.
      double: ``(m, p)`` room for the changes.
      steps: Steps so far.
    """

    recipe: Any
    means: Array
    squares: Array
    double: Array
    steps: int = 0

    @classmethod
    def of(cls, recipe: Any, values: Array) -> Adam:
        """Zero moments."""
        return cls(recipe, np.zeros_like(values), np.zeros_like(values), np.empty(values.shape))

    def apply(self, values: Array, gradients: Array, spare: Array) -> None:
        """``-rate m / (√v + ε)``."""
        first, second = self.recipe.beta_1, self.recipe.beta_2
        self.steps += 1
        rate = self.recipe.learning_rate_init * np.sqrt(1 - second**self.steps) / (1 - first**self.steps)
        self.means *= first
        self.means += np.multiply(gradients, 1 - first, out=spare)
        self.squares *= second
        np.square(gradients, out=gradients)
        self.squares += np.multiply(gradients, 1 - second, out=gradients)
        np.sqrt(self.squares, out=gradients)
        gradients += self.recipe.epsilon
        np.multiply(self.means, -rate, out=self.double)
        self.double /= gradients
        values += self.double

    def keep(self, stay: NDArray[np.bool_]) -> None:
        """Moments of these models."""
        self.means, self.squares, self.double = self.means[stay], self.squares[stay], self.double[stay]


@dataclass(eq=False)
class Descent(Update):
    """Stochastic gradient descent with momentum, each model at its own rate."""

    recipe: Any
    rates: Array
    velocities: Array

    @classmethod
    def of(cls, recipe: Any, values: Array) -> Descent:
        """At rest."""
        rates = np.full((len(values), 1), float(recipe.learning_rate_init))
        return cls(recipe, rates, np.zeros_like(values))

    def apply(self, values: Array, gradients: Array, spare: Array) -> None:
        """``v ← momentum v - rate g``; with Nesterov the change is ``momentum v - rate g`` of the new v."""
        gradients *= self.rates.astype(gradients.dtype)
        self.velocities *= self.recipe.momentum
        self.velocities -= gradients
        if self.recipe.nesterovs_momentum:
            np.multiply(self.velocities, self.recipe.momentum, out=spare)
            values += np.subtract(spare, gradients, out=spare)
        else:
            values += self.velocities

    def keep(self, stay: NDArray[np.bool_]) -> None:
        """Rates and velocities of these models."""
        self.rates, self.velocities = self.rates[stay], self.velocities[stay]

    def epoch_ends(self, place: int, seen: int) -> None:
        """The rate of inverse scaling."""
        if self.recipe.learning_rate == "invscaling":
            self.rates[place] = float(self.recipe.learning_rate_init) / (seen + 1) ** self.recipe.power_t

    def stops(self, place: int) -> bool:
        """An adaptive rate is divided by five down to a millionth."""
        if self.recipe.learning_rate != "adaptive" or self.rates[place, 0] <= 1e-6:
            return True
        self.rates[place] /= 5.0
        return False
