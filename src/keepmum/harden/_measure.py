"""From what a fleet said to leakage and utility, with intervals that know that models and records were both drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.membership._shadow import log_normal
from keepmum.harden._answers import Said
from keepmum.shadows import Shadows
from keepmum.stats import Estimate
from keepmum.stats.intervals import clopper_pearson

Floats = NDArray[np.float64]
DRAWS = 200
"""Times that models and records are drawn anew."""
FPRS = (0.001, 0.01, 0.05, 0.1)
BINS = 15
FEWEST = 6
"""Models below which no likelihood ratio can be had without the target and its partner."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A number, and what it is when models and records are drawn anew.

    Attributes:
      value: The number.
      draws: ``(DRAWS,)`` the same, each from other models and records; one draw is the same for every defense.
      people: Records that it rests on.
    """

    value: float
    draws: Floats
    people: int

    def estimate(self) -> Estimate:
        """Middle 95 % of the draws; where these do not differ, what so many records can tell of a share."""
        low, high = np.quantile(self.draws, [0.025, 0.975])
        if high - low < 1e-12 and 0 <= self.value <= 1:
            exact = clopper_pearson(round(self.value * self.people), self.people)
            low, high = min(low, exact.low), max(high, exact.high)
        return Estimate(self.value, float(min(low, self.value)), float(max(high, self.value)))

    def beyond(self, other: Drawn) -> Estimate:
        """How far it is above another number, drawn by drawn."""
        low, high = np.quantile(self.draws - other.draws, [0.025, 0.975])
        gap = self.value - other.value
        return Estimate(gap, float(min(low, gap)), float(max(high, gap)))


@dataclass(frozen=True, eq=False)
class Lots:
    """Which models and records are drawn how often.

    Attributes:
      models: ``(DRAWS + 1, K)`` weights, both models of a pair alike; the first row is 1.
      people: ``(DRAWS + 1, n)`` weights of people, then of canaries, each drawn among themselves.
    """

    models: Floats
    people: Floats

    @classmethod
    def of(cls, models: int, people: int, canaries: int, seed: int) -> Lots:
        """Pairs of models, people and canaries, each drawn with replacement (Owen's pigeonhole bootstrap).

        References:
          Owen. The pigeonhole bootstrap. Annals of Applied Statistics 1 (2007), 386–411.
        """
        rng = np.random.default_rng([seed, 0x6C6F7473])
        parts = [rng.multinomial(size, np.full(size, 1 / size), DRAWS) for size in (models // 2, people, canaries)]
        first, ours, theirs = (np.concatenate([np.ones((1, p.shape[1])), p]).astype(np.float64) for p in parts)
        return cls(np.repeat(first, 2, axis=1), np.concatenate([ours, theirs], axis=1))

    def mean(self, values: Floats, people: int) -> Drawn:
        """Mean over models of ``(DRAWS + 1, K)`` values."""
        whole = (values * self.models).sum(axis=1) / self.models.sum(axis=1)
        return Drawn(float(whole[0]), whole[1:], people)


def lira(signal: Floats, trained_on: NDArray[np.bool_]) -> Floats:
    """LiRA scores of each model as the target, the others but its partner as shadow models, ``(K, n)``.

    Variances are one for all records on each side, since a few models tell little of a record's own.

    References:
      Carlini, Chien, Nasr, Song, Terzis, Tramèr. S&P 2022, arXiv:2112.03570, algorithm 1 with fixed variance.
    """
    rows, scores = signal.astype(np.float32), np.empty(signal.shape)
    for first in range(0, len(rows), 2):
        rest = [model for model in range(len(rows)) if model // 2 != first // 2]
        others = Shadows(np.arange(signal.shape[1]), [rows[model] for model in rest], trained_on[rest])
        fit = [(others.sums.mean(s), max(others.sums.pooled_variance(s), 1e-12)) for s in ("inside", "outside")]
        for model in (first, first + 1):
            inside, outside = (log_normal(others.clip(rows[model]), *of) for of in fit)
            scores[model] = inside - outside
    return scores


def rates(scores: Floats, inside: NDArray[np.bool_], weights: Floats) -> dict[str, Floats]:
    """TPR at each FPR and AUC of one target, for each row of weights; groups of equal scores are taken whole.

    Returns:
      ``{"tpr_at_fpr_…": (rows,), "auc": (rows,)}``; the highest threshold that keeps to the FPR counts.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, mine = scores[order], inside[order]
    ends = np.append(ordered[1:] != ordered[:-1], True)
    drawn = weights[:, order]
    hits = np.cumsum(drawn * mine, axis=1)[:, ends]
    alarms = np.cumsum(drawn * ~mine, axis=1)[:, ends]
    of, among = np.maximum(hits[:, -1], 1e-12), np.maximum(alarms[:, -1], 1e-12)
    found: dict[str, Floats] = {}
    for fpr in FPRS:
        last = (alarms <= fpr * among[:, None] + 1e-9).sum(axis=1)
        taken = np.take_along_axis(hits, np.maximum(last - 1, 0)[:, None], axis=1)[:, 0]
        found[_name(fpr)] = np.where(last > 0, taken, 0.0) / of
    zero = np.zeros((len(weights), 1))
    tpr, fpr_ = np.hstack([zero, hits]) / of[:, None], np.hstack([zero, alarms]) / among[:, None]
    found["auc"] = ((tpr[:, 1:] + tpr[:, :-1]) / 2 * np.diff(fpr_, axis=1)).sum(axis=1)
    return found


def _name(fpr: float) -> str:
    return f"tpr_at_fpr_{fpr:g}"


def measure(said: Said, groups: Mapping[str, NDArray[np.intp]], lots: Lots) -> Mapping[str, Drawn]:
    """All numbers of one fleet: leakage of people and canaries, by scores and by labels; accuracy and calibration.

    A rate is left out where half of the records cannot resolve it: nothing below 1/n is claimed.

    Args:
      said: What the models said.
      groups: Places of the ``population``, which comes first among the records, and of kinds of canaries.
      lots: What is drawn.
    """
    found: dict[str, Drawn] = {}
    people = len(groups["population"])
    for how, signal in (("", said.margin), ("label_only_", said.votes)):
        scores = lira(signal, said.trained_on)
        for who, part in groups.items():
            played = [
                rates(own[part], mask[part], lots.people[:, part])
                for own, mask in zip(scores, said.trained_on, strict=True)
            ]
            count = scores[:, part].shape[1]
            for name in played[0]:
                fpr = float(name.removeprefix("tpr_at_fpr_")) if name != "auc" else 1.0
                if fpr * (count // 2) >= 1:
                    values = np.stack([each[name] for each in played], axis=1)
                    found[f"{who}_{how}{name}"] = lots.mean(values, count)
    outside = ~said.trained_on[:, :people]
    weights = lots.people[:, :people]
    told = {
        "accuracy": _over(lambda k: said.right[k, :people].astype(np.float64), outside, weights),
        "train_accuracy": _over(lambda k: said.right[k, :people].astype(np.float64), ~outside, weights),
    }
    found |= {name: lots.mean(values, people) for name, values in told.items()}
    off = np.array([calibration_error(s[o], r[o]) for s, r, o in _each(said, people, outside)])
    found["calibration_error"] = lots.mean(np.broadcast_to(off, (len(lots.models), len(off))), people)
    return found


def _over(values: Callable[[int], Floats], mask: NDArray[np.bool_], weights: Floats) -> Floats:
    """Weighted means of each model's values over its records of a mask, ``(DRAWS + 1, K)``."""
    columns = []
    for model, own in enumerate(mask):
        some = weights[:, own]
        columns.append(some @ values(model)[own] / np.maximum(some.sum(axis=1), 1e-12))
    return np.stack(columns, axis=1)


def _each(said: Said, people: int, outside: NDArray[np.bool_]) -> list[tuple[Floats, NDArray[np.bool_], Floats]]:
    return [(said.sure[k, :people], said.right[k, :people], outside[k]) for k in range(len(outside))]


def calibration_error(sure: Floats, right: NDArray[np.bool_]) -> float:
    """Expected calibration error: mean gap between how sure answers are and how often they are right, over 15 bins.

    References:
      Guo, Pleiss, Sun, Weinberger. On Calibration of Modern Neural Networks. ICML 2017, arXiv:1706.04599.
    """
    place = np.minimum((sure * BINS).astype(np.intp), BINS - 1)
    gaps = np.bincount(place, right.astype(np.float64) - sure, BINS)
    return float(np.abs(gaps).sum() / max(1, len(sure)))
