"""What is kept of each model's answers: what an attacker with scores sees, what one with labels sees, and utility."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.membership._neighbors import neighbors
from keepmum.attacks.membership.augmentation import copies_of
from keepmum.data import Records
from keepmum.defenses import OutputDefense
from keepmum.defenses._base import GuardedScores
from keepmum.errors import NotApplicableError
from keepmum.shadows import Shadows
from keepmum.shadows._signal import Signal, scaled_logit
from keepmum.targets._base import ScoreTarget
from keepmum.targets.averaged import averaged

COPIES = 12
"""Noisy copies of each record that the attacker with labels asks about, besides the record."""
NOISE = 0.1
"""Standard deviation of that noise, in units of each column's; what is no number is changed at this rate."""
ASKED = 16
"""Times that an attacker asks for each answer that carries noise."""


@dataclass(frozen=True)
class Ask:
    """Asks a model about everyone: ``(n, 4)``.

    Attributes:
      repeats: Questions for each answer with probabilities, whose mean is taken.
      seed: Of the noise in copies; every model is asked about the same copies.
    """

    repeats: int = 1
    seed: int = 0

    def __call__(self, target: Any, records: Records) -> NDArray[np.float64]:
        """Margin of the label, share of copies that get it, whether the record gets it, and the top probability."""
        return _asked([target], records, self.repeats, self.seed)[0]


@dataclass(frozen=True)
class AskBehind:
    """Asks one model as it answers behind each of some defenses: ``(fronts, n, 4)``.

    The model itself answers each question once, whatever stands in front of it.

    Attributes:
      fronts: Output defenses, in the order in which an answer passes them; none in the plain front.
      seed: As for `Ask`.
    """

    fronts: tuple[tuple[OutputDefense, ...], ...]
    seed: int

    def __call__(self, target: Any, records: Records) -> NDArray[np.float64]:
        """What `Ask` says of the model behind each front."""
        inner = LastAsked(target) if isinstance(target, ScoreTarget) else target
        return np.stack(_asked([_behind(inner, front) for front in self.fronts], records, 1, self.seed))


class Undone(ScoreTarget):
    """`ScoreTarget` whose answers are read by somebody who knows what they passed.

    Args:
      inner: Who is asked.
      guard: Of the same model, what stands in front of it.
    """

    def __init__(self, inner: ScoreTarget, guard: GuardedScores) -> None:
        super().__init__(inner.classes)
        self.inner, self.guard, self.notes = inner, guard, inner.notes

    def _predict_proba(self, records: Records) -> NDArray[np.float64]:
        return self.guard.undone(self.inner.predict_proba(records))


class LastAsked(ScoreTarget):
    """`ScoreTarget` that does not ask again what was asked last.

    Args:
      inner: The model.
    """

    def __init__(self, inner: ScoreTarget) -> None:
        super().__init__(inner.classes)
        self.inner, self.notes = inner, inner.notes
        self._last: tuple[Records, NDArray[np.float64]] | None = None

    def _predict_proba(self, records: Records) -> NDArray[np.float64]:
        if self._last is None or self._last[0] is not records:
            self._last = records, self.inner.predict_proba(records)
        return self._last[1].copy()


def _behind(target: Any, front: tuple[OutputDefense, ...]) -> Any:
    for defense in front:
        target = defense.protect(target)
    return target


def _asked(targets: list[Any], records: Records, repeats: int, seed: int) -> list[NDArray[np.float64]]:
    """Each target's answers about everyone; all of them are models of the same classes."""
    rows = np.flatnonzero(targets[0].knows(records.y))
    some = records.take(rows)
    told = []
    for target in targets:
        right = np.zeros(len(records))
        right[rows] = target.predict(some) == target.positions(some.y)
        told.append(right)
    votes = _votes(targets, some, [right[rows] for right in told], seed)
    made = []
    for target, right, share in zip(targets, told, votes, strict=True):
        margin, sure = _margins(target, records, right, repeats)
        whole = np.zeros(len(records))
        whole[rows] = share
        made.append(np.column_stack([margin, whole, right, sure]))
    return made


def _margins(
    target: Any, records: Records, right: NDArray[np.float64], repeats: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not isinstance(target, ScoreTarget):
        return 2 * right - 1, np.ones(len(records))
    source = averaged(target, repeats)
    assert isinstance(source, ScoreTarget)
    if isinstance(target, GuardedScores):
        source = Undone(source, target)
    return scaled_logit(source, records, unknown=True), target.predict_proba(records).max(axis=1)


def _votes(
    targets: list[Any], records: Records, right: list[NDArray[np.float64]], seed: int
) -> list[NDArray[np.float64]]:
    """Share of the record and its noisy copies whose label is the record's, of each target."""
    rng, label = np.random.default_rng([seed, 0x766F7465]), targets[0].positions(records.y)
    total = [own.copy() for own in right]
    try:
        for copy in _copies(records, rng):
            for votes, target in zip(total, targets, strict=True):
                votes += target.predict(copy) == label
    except NotApplicableError:
        return right
    return [votes / (1 + COPIES) for votes in total]


def _copies(records: Records, rng: np.random.Generator) -> Iterator[Records]:
    around = neighbors(records)
    for _ in range(COPIES // 2):
        yield around.noisy(rng, NOISE)
    yield from copies_of(records, COPIES - COPIES // 2, 2 * NOISE, rng)


def signal(repeats: int, seed: int) -> Signal:
    """What a store keeps of each model."""
    return Signal(f"harden 1, {repeats} questions, copies {COPIES} {NOISE} {seed}", Ask(repeats, seed))


def signal_behind(fronts: tuple[tuple[OutputDefense, ...], ...], seed: int) -> Signal:
    """What is asked where several rows share their models."""
    return Signal(f"harden 1 behind {len(fronts)} fronts, {seed}", AskBehind(fronts, seed))


@dataclass(frozen=True, eq=False)
class Said:
    """What the models of one fleet said about everyone. Models ``2i`` and ``2i + 1`` divide the records.

    Attributes:
      trained_on: ``(K, n)`` which model was trained on which record.
      margin: ``(K, n)`` scaled logit of the label; of a model that tells labels, 1 where it is right and -1 elsewhere.
      votes: ``(K, n)`` share of a record and its noisy copies that get the record's label.
      right: ``(K, n)`` whether the record gets its label.
      sure: ``(K, n)`` largest probability of the answer.
    """

    trained_on: NDArray[np.bool_]
    margin: NDArray[np.float64]
    votes: NDArray[np.float64]
    right: NDArray[np.bool_]
    sure: NDArray[np.float64]


def said_of(shadows: Shadows) -> Said:
    """What was stored of a fleet, in its parts."""
    margin, votes, right, sure = np.stack([np.asarray(row, dtype=np.float64) for row in shadows.signals]).T
    return Said(shadows.trained_on, margin.T, votes.T, right.T > 0.5, sure.T)
