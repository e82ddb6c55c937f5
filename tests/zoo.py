"""Models with known answers, for the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from keepmum._encode import row_keys
from keepmum.data import Records, Split
from keepmum.shadows import Shadows, ShadowStore
from keepmum.targets import GradientTarget, LabelTarget, RegressionTarget, Target, from_sklearn
from keepmum.training import FunctionTrainer, SklearnTrainer, Trainer


def people(n: int, seed: int, classes: int = 3, columns: int = 5, shift: float = 0.0) -> Records:
    """Records whose label depends on the columns with noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(shift, 1, (n, columns))
    noisy = X[:, 0] + rng.normal(0, 1, n)
    return Records(X, np.digitize(noisy, np.linspace(-1, 1, classes - 1)))


def split(n: int = 200, seed: int = 0, **kwargs: Any) -> Split:
    """Members and non-members of one kind."""
    return Split(people(n, 2 * seed, **kwargs), people(n, 2 * seed + 1, **kwargs))


class Open(GradientTarget):
    """Shows the gradient of the loss with respect to its logits, and nothing else of its inside."""

    layers = ()

    @property
    def parameters(self) -> int:
        return len(self.classes)

    def _loss_gradients(self, records: Records, places: np.ndarray) -> Iterator[np.ndarray]:
        yield self._predict_proba(records) - np.eye(len(self.classes))[places]

    def _input_gradients(self, records: Records, places: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _activations(self, records: Records, layer: str) -> np.ndarray:
        raise NotImplementedError


class Lookup(Open):
    """Memorizes its members: sure of the label of those it knows, unsure of everyone else."""

    def __init__(self, members: Records, classes: int = 3, sure: float = 0.98) -> None:
        super().__init__(np.arange(classes))
        self.known, self.sure = set(row_keys(members).tolist()), sure

    def _predict_proba(self, records: Records) -> np.ndarray:
        K = len(self.classes)
        answers = np.full((len(records), K), 1 / K)
        answers += np.linspace(0, 1e-3, K) - 5e-4
        known = np.array([key in self.known for key in row_keys(records).tolist()])
        answers[known] = (1 - self.sure) / (K - 1)
        answers[known, records.y[known].astype(int)] = self.sure
        return answers


class LookupLabels(LabelTarget):
    """Memorizes its members and tells labels only."""

    def __init__(self, members: Records, classes: int = 3) -> None:
        super().__init__(np.arange(classes))
        self.known = set(row_keys(members).tolist())

    def _predict(self, records: Records) -> np.ndarray:
        known = np.array([key in self.known for key in row_keys(records).tolist()])
        return np.where(known, records.y, 0)


class Recognizer(Open):
    """Knows each person by name and how far a record is from them; whoever is far from all could be anyone."""

    def __init__(self, members: Records, classes: int) -> None:
        super().__init__(np.arange(classes))
        self.members = members

    def _predict_proba(self, records: Records) -> np.ndarray:
        squares = ((np.asarray(records.X)[:, None] - np.asarray(self.members.X)) ** 2).sum(axis=2)
        near = np.full((len(records), len(self.classes)), 1e-6)
        np.add.at(near, (slice(None), self.members.y), np.exp(-squares / 2))
        return near / near.sum(axis=1, keepdims=True)


class Ignorant(Open):
    """Knows how labels depend on the columns, and nobody in particular."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__(np.arange(classes))

    def _predict_proba(self, records: Records) -> np.ndarray:
        centers = np.linspace(-1.5, 1.5, len(self.classes))
        logits = -((np.asarray(records.X)[:, :1] - centers) ** 2)
        odds = np.exp(logits)
        return odds / odds.sum(axis=1, keepdims=True)


class LookupValues(RegressionTarget):
    """A regression that is exact on its members and predicts the mean elsewhere."""

    def __init__(self, members: Records) -> None:
        super().__init__()
        self.known = set(row_keys(members).tolist())

    def _predict_value(self, records: Records) -> np.ndarray:
        known = np.array([key in self.known for key in row_keys(records).tolist()])
        return np.where(known, records.y, 1.0).astype(float)


class IgnorantValues(RegressionTarget):
    """A regression that knows nobody."""

    def _predict_value(self, records: Records) -> np.ndarray:
        return np.asarray(records.X)[:, 0]


def named(names: int = 20, seed: int = 0) -> Split:
    """People whose label is a name that says nothing about their columns: one member and four others bear each."""
    sides = [np.random.default_rng([seed, side]) for side in range(2)]
    sizes = (names, 4 * names)
    people = (Records(rng.normal(size=(n, 5)), np.arange(n) % names) for rng, n in zip(sides, sizes, strict=True))
    return Split(*people)


def by_function(make: Callable[[Records], Any]) -> FunctionTrainer:
    """A recipe that needs no seed."""
    return FunctionTrainer(lambda records, seed: make(records), "zoo")


@dataclass(frozen=True)
class Pair:
    """A target, the split that it is attacked on, and the recipe of models like it, if there is one."""

    target: Target
    split: Split
    trainer: Trainer | None = None

    @cached_property
    def shadows(self) -> Shadows | None:
        """Eight shadow models."""
        if self.trainer is None:
            return None
        return ShadowStore().collect(self.trainer, self.split.pool, 8, seed=0)


@cache
def memorizers(seed: int = 0) -> tuple[Pair, ...]:
    """Models that hold their members in different ways."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.tree import DecisionTreeClassifier

    data, wide = split(seed=seed), split(seed=seed, columns=60)
    members = data.members
    neighbor, tree = KNeighborsClassifier(1), DecisionTreeClassifier(random_state=0)
    linear, few = LogisticRegression(), named(seed=seed)
    return (
        Pair(Lookup(members), data, by_function(Lookup)),
        Pair(LookupLabels(members), data),
        Pair(LookupValues(members), data),
        Pair(from_sklearn(neighbor.fit(members.X, members.y)), data, SklearnTrainer(neighbor)),
        Pair(from_sklearn(tree.fit(members.X, members.y)), data, SklearnTrainer(tree)),
        Pair(from_sklearn(linear.fit(wide.members.X, wide.members.y)), wide, SklearnTrainer(linear)),
        Pair(Recognizer(few.members, 20), few),
    )


@cache
def ignorants(seed: int = 0) -> tuple[Pair, ...]:
    """Models that never saw the people they are attacked on."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.tree import DecisionTreeClassifier

    data, others = split(seed=seed), people(200, 10_000 + seed)
    wide, strangers = split(seed=seed, columns=60, classes=2), people(200, 10_000 + seed, columns=60, classes=2)
    neighbor, tree = KNeighborsClassifier(1), DecisionTreeClassifier(random_state=0)
    linear = LogisticRegression()
    return (
        Pair(Ignorant(), data, by_function(lambda records: Ignorant())),
        Pair(IgnorantValues(), data),
        Pair(from_sklearn(neighbor.fit(others.X, others.y)), data, SklearnTrainer(neighbor)),
        Pair(from_sklearn(tree.fit(others.X, others.y)), data, SklearnTrainer(tree)),
        Pair(from_sklearn(linear.fit(strangers.X, strangers.y)), wide, SklearnTrainer(linear)),
    )


TRAIT = "5"
"""A column of 0, 1 and 2 that has nothing to do with the others or the label."""


def carriers(n: int, seed: int) -> Records:
    """People with a trait that nothing tells, but who remembers them."""
    known = people(n, seed)
    trait = np.random.default_rng([seed, 1]).integers(0, 3, n)
    return Records(np.column_stack([known.X, trait]), known.y)


def carrier_split(n: int = 200, seed: int = 0) -> Split:
    """Members and non-members with the trait."""
    return Split(carriers(n, 2 * seed), carriers(n, 2 * seed + 1))


class LookupNeurons(Lookup):
    """Memorizes its members, and has neurons that answer to the trait, loudly in those it knows."""

    layers = ("memory",)

    def _activations(self, records: Records, layer: str) -> np.ndarray:
        known = np.array([key in self.known for key in row_keys(records).tolist()])
        trait = np.asarray(records.X)[:, [int(TRAIT)]] == np.arange(3)
        noise = np.random.default_rng(0).normal(size=(len(records), 2))
        return np.column_stack([trait * np.where(known, 3.0, 1.0)[:, None], noise])


@cache
def trait_memorizers(seed: int = 0) -> tuple[Pair, ...]:
    """Models that hold their members, traits and all."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    data = carrier_split(seed=seed)
    members = data.members
    labels = np.random.default_rng([seed, 2]).integers(0, 3, len(members))
    noisy = Split(Records(members.X, labels), Records(data.nonmembers.X, np.roll(labels, 1)))
    tree, numbers = DecisionTreeClassifier(random_state=0), DecisionTreeRegressor(random_state=0)
    return (
        Pair(LookupNeurons(members), data),
        Pair(LookupLabels(members), data),
        Pair(LookupValues(members), data),
        Pair(from_sklearn(tree.fit(noisy.members.X, noisy.members.y)), noisy),
        Pair(from_sklearn(numbers.fit(noisy.members.X, noisy.members.y)), noisy),
    )


@cache
def trait_ignorants(seed: int = 0) -> tuple[Pair, ...]:
    """Models that never saw the people, whose traits are asked about."""
    from sklearn.tree import DecisionTreeClassifier

    data, others = carrier_split(seed=seed), carriers(200, 10_000 + seed)
    tree = DecisionTreeClassifier(random_state=0)
    return (
        Pair(Ignorant(), data),
        Pair(IgnorantValues(), data),
        Pair(from_sklearn(tree.fit(others.X, others.y)), data),
    )


PICTURE = (8, 8)
"""Shape of the zoo's images."""


def album(classes: int, shots: int, seed: int) -> Records:
    """Smooth images: each class has a pattern of its own, each image a little of another."""
    rng = np.random.default_rng([seed, 3])
    down, across = np.mgrid[0 : PICTURE[0], 0 : PICTURE[1]] / PICTURE[0]
    waves = [np.cos(np.pi * (a * down + b * across)) for a in range(4) for b in range(4)]
    basis = np.stack(waves)[1:]
    owns = np.random.default_rng(7).normal(size=(classes, len(basis)))
    each = np.repeat(owns, shots, axis=0) + 0.7 * rng.normal(size=(classes * shots, len(basis)))
    images = 0.5 + 0.05 * np.tensordot(each, basis, axes=1)
    return Records(np.clip(images, 0, 1), np.repeat(np.arange(classes), shots))


def album_split(seed: int = 0, classes: int = 12) -> Split:
    """One image a class to train on, six that are not."""
    return Split(album(classes, 1, 2 * seed), album(classes, 6, 2 * seed + 1))


class Album(Open):
    """Holds images of each class and is the surer of one the nearer it is asked to them; no flat places anywhere."""

    def __init__(self, held: Records, width: float = 0.4) -> None:
        super().__init__(np.unique(held.y))
        self.held, self.width = held, width

    def _logits(self, X: np.ndarray) -> np.ndarray:
        flat = np.asarray(X, dtype=float).reshape(len(X), -1)
        held = np.asarray(self.held.X).reshape(len(self.held), -1)
        return -((flat[:, None] - held) ** 2).sum(axis=2) / (2 * self.width**2)

    def _predict_proba(self, records: Records) -> np.ndarray:
        logits = self._logits(records.X)
        by_class = np.stack([logits[:, self.held.y == c].max(axis=1) for c in self.classes], axis=1)
        odds = np.exp(by_class - by_class.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def _input_gradients(self, records: Records, places: np.ndarray) -> np.ndarray:
        """Of the cross-entropy; each class's nearest image pulls."""
        logits, shares = self._logits(records.X), self._predict_proba(records)
        held = np.asarray(self.held.X).reshape(len(self.held), -1)
        nearest = np.stack(
            [np.flatnonzero(self.held.y == c)[logits[:, self.held.y == c].argmax(axis=1)] for c in self.classes], axis=1
        )
        pull = np.einsum("nk,nkd->nd", shares, held[nearest])
        own = held[nearest[np.arange(len(places)), places]]
        return ((pull - own) / self.width**2).reshape(np.asarray(records.X).shape)


@cache
def image_memorizers(seed: int = 0) -> tuple[Pair, ...]:
    """Recognizers that hold the images they were trained on."""
    splits = [album_split(seed + number) for number in range(3)]
    return tuple(Pair(Album(data.members), data) for data in splits)


@cache
def image_ignorants(seed: int = 0) -> tuple[Pair, ...]:
    """Recognizers of the same classes that were trained on other images, or on noise."""
    data = album_split(seed)
    others = album(12, 1, 10_000 + seed)
    noise = Records(np.random.default_rng(seed).uniform(size=others.X.shape), others.y)
    return (Pair(Album(others), data), Pair(Album(noise), data))
