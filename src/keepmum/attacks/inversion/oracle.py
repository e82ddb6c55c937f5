"""What an attacker may ask a model about made-up images, and what each answer costs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.inversion._layout import as_images, as_rows, fits
from keepmum.attacks.inversion._limits import EVERYTHING, LADDER, Access, Limits
from keepmum.attacks.inversion._memory import Memory
from keepmum.data import Records
from keepmum.errors import BudgetError, ConfigError, DataError, NotApplicableError
from keepmum.targets._base import Floats, GradientTarget, Indices, LabelTarget, ScoreTarget
from keepmum.targets.averaged import repeats_of

__all__ = ["FLOOR", "Access", "Limits", "Loss", "Oracle"]

FLOOR = 1e-12
"""Probabilities below count as this much: a higher floor leaves unlikely classes on a flat landscape."""
ROWS = 4096
"""Records whose gradients are held at once."""
Loss = Literal["margin", "cross-entropy", "logit"]


class Oracle:
    """A model as one attacker sees it who is after one class: every row is counted, and the budget is hard.

    Images are floats of shape ``(n, *shape)``; the model is asked about them in the shape and type of the records that
    it knows: flattened or not, channels first or last, integers rounded and kept within their type.

    Args:
      target: Who is asked.
      place: Position of the class among ``target.classes``.
      like: Records as the model takes them; their values are never looked at.
      shape: Shape of one image, ``(h, w)`` or ``(h, w, c)``.
      budget: Rows that may be asked about, or None for any number.
      repeats: How often every answer is asked for; the mean is used, of labels the most frequent. Gradients are asked
        for once.
      limits: What the model shows.
      remember: Whether an image that was asked about before is answered as it was, at no cost. Where answers are noisy
        or asked for several times it never is. At most as many answers as the budget has are free, so that a search
        that goes in circles comes to an end.

    Raises:
      ConfigError: No such class, a negative budget, or fewer than one repeat.
      DataError: Records that are no arrays of images of this shape.
    """

    def __init__(
        self,
        target: LabelTarget,
        place: int,
        like: Records,
        shape: tuple[int, ...],
        *,
        budget: int | None,
        repeats: int = 1,
        limits: Limits = EVERYTHING,
        remember: bool = False,
    ) -> None:
        if not 0 <= place < len(target.classes):
            raise ConfigError(f"expected a class between 0 and {len(target.classes) - 1}, got {place}")
        if repeats < 1 or (budget is not None and budget < 0):
            raise ConfigError(f"expected repeats of at least 1 and a budget of at least 0, got {repeats} and {budget}")
        self.target, self.place, self.shape = target, int(place), tuple(int(side) for side in shape)
        self.budget, self.repeats, self.limits = budget, repeats, limits
        self.queries = self.saved = 0
        steady = limits.noise == 0 and repeats == 1 and getattr(target, "repeats", repeats_of(target)) == 1
        self._memory = Memory() if remember and steady else None
        self._row, self._dtype = _form(like.X, self.shape)
        self._rng = np.random.default_rng([limits.seed, self.place, 0x6F7261])

    @property
    def classes(self) -> NDArray[Any]:
        """``(K,)`` labels that the model knows."""
        return self.target.classes

    @property
    def left(self) -> int:
        """Rows that may still be asked about; a huge number where there is no budget."""
        return sys.maxsize if self.budget is None else self.budget - self.queries

    @property
    def access(self) -> Access:
        """The most that can be asked: what the target offers, as far as the limits let it through."""
        offered = 2 if isinstance(self.target, GradientTarget) else int(isinstance(self.target, ScoreTarget))
        return LADDER[min(offered, LADDER.index(self.limits.access), 1 if self.limits.blurred else 2)]

    def probabilities(self, images: Floats) -> Floats:
        """Class probabilities as they are told, ``(n, K)``; rounded ones need not sum to 1.

        Raises:
          BudgetError: More than the budget has left; nothing was asked then.
          NotApplicableError: Only labels are told.
        """
        target = self.target
        if self.access == "labels" or not isinstance(target, ScoreTarget):
            raise NotApplicableError("needs scores access, only labels are told")
        if self._memory is not None:
            return self._remembered(images, lambda records: self.limits.told(target.predict_proba(records), self._rng))
        records = self._records(images, self.repeats)
        said = [self.limits.told(target.predict_proba(records), self._rng) for _ in range(self.repeats)]
        return said[0] if self.repeats == 1 else np.asarray(np.mean(said, axis=0))

    def labels(self, images: Floats) -> Indices:
        """Predicted classes as positions, ``(n,)``; where only labels are told, probabilities are never asked for.

        Raises:
          BudgetError: More than the budget has left; nothing was asked then.
        """
        if self.access != "labels":
            return np.asarray(self.probabilities(images).argmax(axis=1), dtype=np.intp)
        if self._memory is not None:
            return self._remembered(images, self.target.predict).astype(np.intp)
        records = self._records(images, self.repeats)
        votes = np.zeros((len(records), len(self.classes)), dtype=np.intp)
        for _ in range(self.repeats):
            votes[np.arange(len(records)), self.target.predict(records)] += 1
        return np.asarray(votes.argmax(axis=1), dtype=np.intp)

    def hits(self, images: Floats) -> NDArray[np.bool_]:
        """Which images are taken for the class, ``(n,)``; see `labels`."""
        return np.asarray(self.labels(images) == self.place)

    def margin(self, images: Floats) -> Floats:
        """``log p`` of the class less the largest ``log p`` of another, ``(n,)``, in nats; see `probabilities`."""
        return -_losses(self.probabilities(images), self.place, "margin")

    def confidence(self, images: Floats) -> Floats:
        """Probability of the class, ``(n,)``, 0 … 1; see `probabilities`."""
        return np.asarray(self.probabilities(images)[:, self.place])

    def gradient(self, images: Floats, loss: Loss = "margin") -> tuple[Floats, Floats]:
        """Losses ``(n,)`` in nats, and their gradients ``(n, *shape)`` with respect to the images, to be descended.

        One image is one query, whatever the loss, since whoever holds the model needs it once; the target counts every
        row that it is asked about.

        Args:
          images: ``(n, *shape)``.
          loss: ``"cross-entropy"``; ``"margin"``, the largest ``log p`` of another class less that of the class; or
            ``"logit"``, the negative logit of the class. Softmax leaves the sum of logits open: here it is 0.

        Raises:
          BudgetError: More than the budget has left; nothing was asked then.
          ConfigError: No such loss.
          NotApplicableError: Gradients are not to be had.
        """
        target = self.target
        if loss not in ("margin", "cross-entropy", "logit"):
            raise ConfigError(f"expected the loss margin, cross-entropy or logit, got {loss!r}")
        if self.access != "gradients" or not isinstance(target, GradientTarget):
            raise NotApplicableError(f"needs gradients access, only {self.access} are told")
        records = self._records(images, 1)
        p = target.predict_proba(records)
        if self._memory is not None:
            self._memory.keep(records.X, p)
        step = ROWS // (len(self.classes) if loss == "logit" else 2) + 1
        parts = [
            self._gradients(target, records.X[i : i + step], p[i : i + step], loss) for i in range(0, len(p), step)
        ]
        gradients = np.concatenate(parts) if parts else np.empty(images.shape)
        return _losses(p, self.place, loss), gradients

    def _gradients(self, target: GradientTarget, X: NDArray[Any], p: Floats, loss: Loss) -> Floats:
        """Gradients of a few images. All losses are differences of cross-entropies, which is what a target gives."""
        n, K = p.shape
        places = [np.full(n, self.place)]
        if loss == "margin":
            places.append(_best_other(p, self.place))
        elif loss == "logit":
            places.extend(np.full(n, j) for j in range(K) if j != self.place)
        labels = self.classes[np.concatenate(places)]
        every = target.input_gradients(Records(np.concatenate([X] * len(places)), labels))
        mine, *others = as_images(every, self.shape).reshape(len(places), n, *self.shape)
        if loss == "margin":
            return np.asarray(mine - others[0])
        return np.asarray(mine - (mine + np.sum(others, axis=0)) / K if others else mine)

    def _remembered(self, images: Floats, ask: Callable[[Records], NDArray[Any]]) -> NDArray[Any]:
        """Answers about images, each of which is asked about once.

        Raises:
          BudgetError: Those that are new cost more than is left.
        """
        memory = self._memory
        assert memory is not None
        X = self._as_rows(images)
        fresh = memory.unknown(X) if self.budget is None or self.saved < self.budget else np.arange(len(X))
        self._pay(len(fresh))
        self.saved += len(X) - len(fresh)
        if not len(X):
            return ask(self._asked(X))
        return memory.answer(X, fresh, lambda rows: ask(self._asked(rows)))

    def _records(self, images: Floats, times: int) -> Records:
        """Images as the model takes them, paid for.

        Raises:
          BudgetError: They cost more than is left.
          DataError: They are of another shape, or not finite.
        """
        X = self._as_rows(images)
        self._pay(len(X) * times)
        return self._asked(X)

    def _asked(self, X: NDArray[Any]) -> Records:
        return Records(X, np.repeat(self.classes[self.place : self.place + 1], len(X)))

    def _pay(self, cost: int) -> None:
        if cost > self.left:
            raise BudgetError(
                f"expected at most {self.left:,} more queries, got {cost:,}: ask less or raise the budget"
            )
        self.queries += cost

    def _as_rows(self, images: Floats) -> NDArray[Any]:
        images = np.asarray(images)
        if images.shape[1:] != self.shape or not images.ndim:
            raise DataError(f"expected images of shape (n, {', '.join(map(str, self.shape))}), got {images.shape}")
        if not np.isfinite(images).all():
            raise DataError("expected finite pixels, got NaN or infinity: keep steps and start finite")
        return _cast(as_rows(images, self._row), self._dtype)


def _form(X: Any, shape: tuple[int, ...]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of a row as the model takes it."""
    if not isinstance(X, np.ndarray) or X.dtype.kind not in "biuf":
        raise DataError(f"expected images as an array of numbers, got {type(X).__name__}: give arrays (n, h, w)")
    row = tuple(X.shape[1:])
    if not fits(row, shape):
        raise DataError(f"expected records of shape {shape} or flattened, got {row}: declare the shape of one image")
    return row, X.dtype


def _cast(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return np.asarray(np.rint(values).clip(low, high).astype(dtype))


def _best_other(p: Floats, place: int) -> Indices:
    """The likeliest class other than this one, ``(n,)``."""
    others = p.copy()
    others[:, place] = -1
    return np.asarray(others.argmax(axis=1), dtype=np.intp)


def _losses(p: Floats, place: int, loss: Loss) -> Floats:
    """Losses of answers ``(n, K)``, in nats."""
    logs = np.log(p.clip(FLOOR))
    mine = logs[:, place]
    if loss == "cross-entropy":
        return np.asarray(-mine)
    against = logs.mean(axis=1) if loss == "logit" else np.delete(logs, place, axis=1).max(axis=1)
    return np.asarray(against - mine)
