"""scikit-learn's multi-layer perceptrons, several trained as one program.

Each model goes through the same steps as in ``MLPClassifier.fit``: the same initial weights and orders of records from
its own random state, the same batches, updates and stopping. What differs is that one step of numpy serves a group of
models, which for small networks costs little more than a step for one. Matrices of a stack are multiplied one by one,
so that no model's numbers depend on who else is in the group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.training._mlp_update import Adam, Descent, Update

Array = NDArray[Any]

FLEET = 8
"""Models in a group."""
LARGEST = 50_000
"""Parameters of a network beyond which training together gained nothing: products and updates are all of the work."""


def why_alone(model: Any) -> str:
    """Why networks of this recipe are trained one after another, or nothing."""
    if model.solver not in ("adam", "sgd"):
        return f"the solver {model.solver} takes all records at once"
    if model.early_stopping:
        return "early stopping holds records back"
    if model.warm_start:
        return "warm start goes on with earlier weights"
    hidden = model.hidden_layer_sizes
    widths = list(hidden) if hasattr(hidden, "__iter__") else [hidden]
    if sum(a * b for a, b in pairwise(widths)) > LARGEST:
        return f"networks of more than {LARGEST:,} weights gain nothing from it"
    return ""


@dataclass(eq=False)
class Ready:
    """A model with its initial weights.

    Attributes:
      model: The estimator.
      X: ``(n, d)`` its records.
      y: ``(n, outputs)`` their labels as booleans.
    """

    model: Any
    X: Array
    y: Array

    @property
    def shape(self) -> tuple[Any, ...]:
        """Models of equal shape are trained together."""
        widths = tuple(part.shape for part in self.model.coefs_)
        return (len(self.X), self.X.dtype, widths, self.model.out_activation_)


def ready(model: Any, X: Any, y: Any) -> Ready | None:
    """The model as ``fit`` makes it before the first batch; None for sparse records and for large networks.

    Raises:
      ValueError: As ``fit`` does.
    """
    from sklearn.utils import check_random_state

    model._validate_params()
    X, labels = model._validate_input(X, y, False, True)
    if hasattr(X, "tocsr"):
        return None
    labels = labels.reshape(-1, 1) if labels.ndim == 1 else labels
    hidden = model.hidden_layer_sizes
    widths = [X.shape[1], *(hidden if hasattr(hidden, "__iter__") else [hidden]), labels.shape[1]]
    model.n_outputs_ = labels.shape[1]
    model._random_state = check_random_state(model.random_state)
    model._initialize(labels, widths, X.dtype)
    if sum(part.size for part in model.coefs_) > LARGEST:
        return None
    return Ready(model, X, labels)


def train(models: Sequence[Ready]) -> None:
    """Train models to their end, those of one shape together; each is then as ``fit`` leaves it."""
    shapes = dict.fromkeys(one.shape for one in models)
    for shape in shapes:
        _train([one for one in models if one.shape == shape])


def _train(group: Sequence[Ready]) -> None:
    stack = _Stack.of(group)
    for _ in range(stack.recipe.max_iter):
        stack.epoch()
        if not len(stack.models):
            return
    stack.leave(np.ones(len(stack.models), dtype=bool))


@dataclass(eq=False)
class _Stack:
    """Models of one shape under way.

    Attributes:
      models: The estimators, in the order of the first axis of everything else.
      X: ``(m, n, d)`` their records.
      y: ``(m, n)`` labels as numbers of the outputs; as booleans where there is one.
      values: ``(m, p)`` parameters, weights before intercepts; `weights` and `intercepts` are views of it.
      gradients: The same for gradients.
      update: How gradients become changes.
      orders: ``(m, n)`` the records in each model's own order, new in each epoch.
      spare: ``(m, p)`` room for what is needed in between: new arrays of this size cost more than the arithmetic.
    """

    models: list[Any]
    X: list[Array]
    y: Array
    values: Array
    gradients: Array
    update: Update
    orders: Array
    spare: Array
    weights: list[Array] = field(default_factory=list)
    intercepts: list[Array] = field(default_factory=list)
    weight_gradients: list[Array] = field(default_factory=list)
    intercept_gradients: list[Array] = field(default_factory=list)

    @classmethod
    def of(cls, group: Sequence[Ready]) -> _Stack:
        models, first = [one.model for one in group], group[0]
        flat = [np.concatenate([part.ravel() for part in (*m.coefs_, *m.intercepts_)]) for m in models]
        values = np.stack(flat)
        update = (Adam if models[0].solver == "adam" else Descent).of(models[0], values)
        orders = np.tile(np.arange(len(first.X)), (len(models), 1))
        y = np.stack([one.y[:, 0] if one.y.shape[1] == 1 else one.y.argmax(axis=1) for one in group])
        stack = cls(
            models, [one.X for one in group], y, values, np.zeros_like(values), update, orders, np.empty_like(values)
        )
        stack.look()
        return stack

    @property
    def recipe(self) -> Any:
        return self.models[0]

    def look(self) -> None:
        """Take views of parameters and gradients, layer by layer."""
        shapes = [part.shape for part in (*self.recipe.coefs_, *self.recipe.intercepts_)]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        layers = len(self.recipe.coefs_)
        for flat, weights, intercepts in (
            (self.values, "weights", "intercepts"),
            (self.gradients, "weight_gradients", "intercept_gradients"),
        ):
            parts = [
                flat[:, end - int(np.prod(shape)) : end].reshape(len(flat), *shape)
                for end, shape in zip(ends, shapes, strict=True)
            ]
            setattr(self, weights, parts[:layers])
            setattr(self, intercepts, [part[:, None, :] for part in parts[layers:]])
        self.decayed = int(ends[layers - 1])

    def epoch(self) -> None:
        """Once through the records; models that have come to their end leave."""
        recipe, n = self.recipe, self.orders.shape[1]
        if recipe.shuffle:
            for place, model in enumerate(self.models):
                mixed = np.arange(n)
                model._random_state.shuffle(mixed)
                self.orders[place] = self.orders[place][mixed]
        size = min(200, n) if recipe.batch_size == "auto" else int(np.clip(recipe.batch_size, 1, n))
        losses = np.zeros(len(self.models))
        for start in range(0, n, size):
            rows = self.orders[:, start : start + size]
            losses += self.step(rows) * rows.shape[1]
        self.leave(self.ended(losses / n))

    def step(self, rows: Array) -> Array:
        """One batch: forward, backward, update; returns the loss of each model, ``(m,)``."""
        recipe, count = self.recipe, rows.shape[1]
        X = np.empty((len(rows), count, self.X[0].shape[1]), dtype=self.values.dtype)
        for records, row, place in zip(self.X, rows, X, strict=True):
            np.take(records, row, axis=0, out=place, mode="clip")  # the mode that needs no copy
        layers = self.forward(X)
        loss, delta = _errors(layers[-1], np.take_along_axis(self.y, rows, axis=1))
        for i in range(len(self.weights) - 1, -1, -1):
            np.matmul(layers[i].swapaxes(1, 2), delta, out=self.weight_gradients[i])
            delta.sum(axis=1, keepdims=True, out=self.intercept_gradients[i])
            if i:
                delta = delta @ self.weights[i].swapaxes(1, 2)
                DERIVATIVES[recipe.activation](layers[i], delta)
        if recipe.alpha:
            values, spare = self.values[:, : self.decayed], self.spare[:, : self.decayed]
            loss += 0.5 * recipe.alpha * np.einsum("mp,mp->m", values, values) / count
            np.multiply(values, recipe.alpha, out=spare)
            self.gradients[:, : self.decayed] += spare
        self.gradients /= count
        self.update.apply(self.values, self.gradients, self.spare)
        return loss

    def forward(self, X: Array) -> list[Array]:
        """Records and the answers of each layer."""
        from sklearn.neural_network._base import ACTIVATIONS

        layers = [X]
        for weights, intercepts in zip(self.weights, self.intercepts, strict=True):
            answer = layers[-1] @ weights
            answer += intercepts
            last = len(layers) == len(self.weights)
            if last and self.recipe.out_activation_ == "softmax":
                answer -= answer.max(axis=2, keepdims=True)
                np.exp(answer, out=answer)
                answer /= answer.sum(axis=2, keepdims=True)
            else:
                ACTIVATIONS[self.recipe.out_activation_ if last else self.recipe.activation](answer)
            layers.append(answer)
        return layers

    def ended(self, losses: Array) -> Array:
        """Note the loss of the epoch; which models have come to their end, ``(m,)``."""
        ends = np.zeros(len(self.models), dtype=bool)
        for place, (model, loss) in enumerate(zip(self.models, losses.tolist(), strict=True)):
            model.n_iter_ += 1
            model.t_ += self.orders.shape[1]
            model.loss_ = loss
            model.loss_curve_.append(loss)
            model._no_improvement_count = model._no_improvement_count + 1 if loss > model.best_loss_ - model.tol else 0
            model.best_loss_ = min(loss, model.best_loss_)
            self.update.epoch_ends(place, model.t_)
            if model._no_improvement_count > model.n_iter_no_change:
                ends[place] = self.update.stops(place)
                model._no_improvement_count = 0 if not ends[place] else model._no_improvement_count
        return ends

    def leave(self, ends: Array) -> None:
        """Hand the weights over to the models that have come to their end, and go on with the others."""
        if not ends.any():
            return
        for place in np.flatnonzero(ends):
            self.models[place].coefs_ = [part[place].copy() for part in self.weights]
            self.models[place].intercepts_ = [part[place, 0].copy() for part in self.intercepts]
        stay = ~ends
        self.models = [model for model, left in zip(self.models, ends, strict=True) if not left]
        self.X = [records for records, left in zip(self.X, ends, strict=True) if not left]
        self.y, self.orders = self.y[stay], self.orders[stay]
        self.values, self.gradients, self.spare = self.values[stay], self.gradients[stay], self.spare[stay]
        self.update.keep(stay)
        if self.models:
            self.look()


def _errors(answer: Array, y: Array) -> tuple[Array, Array]:
    """Mean cross-entropy of each model, ``(m,)``, and its derivative by the outputs, in the place of the answers."""
    edge = np.finfo(answer.dtype).eps
    if answer.shape[2] == 1:
        true = np.where(y, answer[:, :, 0], 1 - answer[:, :, 0])
        answer -= y[:, :, None]
    else:
        place = (np.arange(len(y))[:, None], np.arange(y.shape[1]), y)
        true = answer[place]
        answer[place] -= 1
    return np.asarray(-np.log(np.clip(true, edge, 1 - edge)).mean(axis=1), dtype=np.float64), answer


def _relu(answer: Array, delta: Array) -> None:
    np.copyto(delta, 0, where=answer == 0)


def _tanh(answer: Array, delta: Array) -> None:
    delta *= 1 - answer**2


def _logistic(answer: Array, delta: Array) -> None:
    delta *= answer
    delta *= 1 - answer


DERIVATIVES: dict[str, Callable[[Array, Array], None]] = {
    "relu": _relu,
    "tanh": _tanh,
    "logistic": _logistic,
    "identity": lambda answer, delta: None,
}
"""How much of the error comes through an activation, in place."""
