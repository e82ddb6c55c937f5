"""Recognizers of the classes that never saw the training data: do they find the class in a picture?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._resemblance import normalized
from keepmum.attacks.inversion._variants import varied
from keepmum.errors import DataError, NotApplicableError
from keepmum.stats import Estimate
from keepmum.stats.intervals import clopper_pearson

Places = NDArray[np.intp]
Recognizer = Callable[[Floats], Floats]
"""Pixels ``(n, d)``, each image with mean 0 and length 1 → scores ``(n, K)``, higher for the class that it is of."""
Family = Callable[[Floats, Places, int], Recognizer]
"""Pixels ``(n, d)``, classes ``(n,)`` from 0 to K - 1, seed → what recognizes them."""

FOLDS = 5
COMPONENTS = 60
PENALTY, GAMMA = 10.0, 2.0
"""Penalty and kernel of the support vector machine, for images of length 1."""


@dataclass(frozen=True, eq=False)
class Evaluator:
    """A second opinion on pictures: what another recognizer of the same classes sees in them.

    It was trained on images that the attacked model was not trained on. Its word is no proof: patterns that no person
    takes for an image of the class can fool it too, therefore it is never asked alone.

    Attributes:
      name: Family of the recognizer.
      classes: ``(K,)`` places of the classes that it knows, sorted.
      accuracy: On held-out images, cross-validated; None where every class has a single image.
      note: Why there is no accuracy, or on how many images it was measured.
      recognize: Normalized pixels to scores.
    """

    name: str
    classes: Places
    accuracy: Estimate | None
    note: str
    recognize: Recognizer

    def top(self, images: Floats, places: Places, k: int = 1) -> NDArray[np.bool_]:
        """Whether the class is among the first k that it names; a tie is no hit, and an image of one tone is nobody.

        Args:
          images: ``(n, *shape)``.
          places: ``(n,)`` the class of each; one that the evaluator does not know is no hit.
          k: How many it may name.

        Returns:
          ``(n,)``.
        """
        scores, known, own = self._own(images, places)
        return np.asarray(known & ((scores >= own[:, None]).sum(axis=1) <= k))

    def confidence(self, images: Floats, places: Places) -> Floats:
        """``(n,)`` softmax of its scores for the class, from 0 to 1: to compare images by, no calibrated probability.

        It is 0 for classes that the evaluator does not know and for images of one tone.
        """
        scores, known, own = self._own(images, places)
        others = np.exp(scores - scores.max(axis=1, keepdims=True)).sum(axis=1)
        return np.asarray(np.where(known, np.exp(own - scores.max(axis=1)) / others, 0.0))

    def _own(self, images: Floats, places: Places) -> tuple[Floats, NDArray[np.bool_], Floats]:
        """Scores, whether there is one to speak of, and that of the right class."""
        pixels = normalized(images)
        scores = self.recognize(pixels)
        column = np.searchsorted(self.classes, places).clip(max=len(self.classes) - 1)
        known = (self.classes[column] == places) & pixels.any(axis=1)
        return scores, known, scores[np.arange(len(scores)), column]


def evaluators(
    images: Floats,
    places: Places,
    classes: Places,
    shape: tuple[int, ...],
    seed: int = 0,
    *,
    trained: Floats | None = None,
    mirror: bool = False,
) -> tuple[Evaluator, ...]:
    """Train recognizers of different families on held-out images of the classes.

    Every image is also shown moved by a pixel or two, lit otherwise and with noise, so that one image a class is
    enough to begin with; means and contrasts of images are ignored.

    Args:
      images: ``(n, *shape)`` images that the attacked model was not trained on; those of other classes are left out.
      places: ``(n,)`` their classes.
      classes: Classes to tell apart.
      shape: Of one image.
      seed: Seed of the training.
      trained: ``(m, *shape)`` what the attacked model was trained on, to be sure that none of it is among the images.
      mirror: Whether an image seen in a mirror is of the same class, as faces are and digits are not.

    Raises:
      DataError: Images of another shape, or such as the model was trained on.
      NotApplicableError: Images of fewer than two of the classes.
    """
    if images.shape[1:] != tuple(shape) or len(images) != len(places):
        raise DataError(f"expected images of shape {tuple(shape)} with a class each, got {images.shape}, {len(places)}")
    if trained is not None:
        refuse_trained(images, trained)
    wanted = np.isin(places, classes)
    known, y = np.unique(places[wanted], return_inverse=True)
    if len(known) < 2:
        raise NotApplicableError(f"needs held-out images of at least two classes to train evaluators, got {len(known)}")
    X = np.asarray(images[wanted], dtype=np.float64)
    found = []
    for name, family in FAMILIES.items():
        hits = _cross_validated(family, X, y, seed, mirror=mirror)
        accuracy = clopper_pearson(int(hits.sum()), len(hits)) if len(hits) else None
        note = f"measured on {len(hits)} images" if len(hits) else "one image a class: its accuracy cannot be measured"
        found.append(Evaluator(name, known, accuracy, note, _fitted(family, X, y, seed, mirror=mirror)))
    return tuple(found)


def refuse_trained(images: Floats, trained: Floats) -> None:
    """Refuse images that the attacked model was trained on.

    Raises:
      DataError: Some image is among both.
    """
    rows = {row.tobytes() for row in _rows(trained)}
    both = sum(row.tobytes() in rows for row in _rows(images))
    if both:
        raise DataError(
            f"evaluators were given records that the target was trained on ({both} of {len(images)}): "
            "give held-out images of the same classes"
        )


def _rows(images: Floats) -> NDArray[np.float32]:
    """One row an image, in single precision, as one side may be stored, and with one zero instead of two."""
    return np.ascontiguousarray(np.asarray(images, dtype=np.float32).reshape(len(images), -1) + np.float32(0))


def _fitted(family: Family, X: Floats, y: Places, seed: int, *, mirror: bool) -> Recognizer:
    more, source = varied(X, np.random.default_rng([seed, 0x6576616C]), mirror=mirror)
    return family(normalized(more), y[source], seed)


def _cross_validated(family: Family, X: Floats, y: Places, seed: int, *, mirror: bool) -> NDArray[np.bool_]:
    """Whether images are recognized by what never saw them; single images of a class are never left out."""
    fold = _folds(y, np.random.default_rng([seed, 0x666F6C64]))
    hits = []
    for number in range(fold.max() + 1):
        out = fold == number
        scores = _fitted(family, X[~out], y[~out], seed, mirror=mirror)(normalized(X[out]))
        hits.append(scores.argmax(axis=1) == y[out])
    return np.concatenate(hits) if hits else np.empty(0, dtype=bool)


def _folds(y: Places, rng: np.random.Generator) -> Places:
    """``(n,)`` the fold that each image is left out in, -1 for none; every class stays in every other fold."""
    counts = np.bincount(y)
    folds = min(FOLDS, int(counts.max()))
    fold = np.full(len(y), -1, dtype=np.intp)
    for place in np.flatnonzero(counts > 1):
        rows = rng.permutation(np.flatnonzero(y == place))
        fold[rows] = (np.arange(len(rows)) + place) % folds
    return fold


def _lda(X: Floats, y: Places, seed: int) -> Recognizer:
    """Linear discriminant analysis with shrinkage, on principal components."""
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline

    components = PCA(min(COMPONENTS, len(X) - 1, X.shape[1]), random_state=seed)
    model = make_pipeline(components, LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))
    return _in_columns(model.fit(X, y).decision_function)


def _svm(X: Floats, y: Places, seed: int) -> Recognizer:
    """Support vector machine with a Gaussian kernel: as near as images correlate, the kernel is exp(2 (r - 1) GAMMA).

    What is far from all images that it knows gets about the same score for every class, so that noise that fools
    linear recognizers, and networks on pixels, fools it less often.
    """
    from sklearn.svm import SVC

    return _in_columns(SVC(C=PENALTY, gamma=GAMMA, random_state=seed).fit(X, y).decision_function)


def _in_columns(scores: Callable[[Floats], Floats]) -> Recognizer:
    """The same with a column for each class, also where there are two, of which scikit-learn scores the second."""

    def recognize(pixels: Floats) -> Floats:
        found = np.asarray(scores(pixels), dtype=np.float64)
        return found if found.ndim == 2 else np.column_stack([np.zeros(len(found)), found])

    return recognize


FAMILIES: Mapping[str, Family] = MappingProxyType({"lda": _lda, "svm": _svm})
"""Recognizers of different kinds: what fools one need not fool the other."""
