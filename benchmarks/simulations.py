"""Games with a known answer, played many times: do the intervals cover, do the tests keep their level?

Shared by `validity.py`, which plays them at full size, and by the tests, which play fewer rounds.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from keepmum.attacks import Context, default_attacks
from keepmum.attacks.membership import Loss, MembershipAttack
from keepmum.data import Records, Split
from keepmum.errors import NotApplicableError
from keepmum.stats import Estimate
from keepmum.stats.epsilon import epsilon_lower_bound
from keepmum.stats.intervals import clopper_pearson, difference, wilson
from keepmum.stats.multiple import holm
from keepmum.stats.null import membership_p_value
from keepmum.stats.power import detectable_auc
from keepmum.stats.roc import advantage, auc, crossed_thresholds, precision, threshold_at_fpr, tpr_at_fpr
from keepmum.targets import FunctionScores

Rng = np.random.Generator
Floats = NDArray[np.float64]
LEVEL = 0.05
MASTER_SEED = 20260


@dataclass(frozen=True)
class Row:
    """One line of the table: what was seen, against the bar less (or plus) so many standard errors."""

    quantity: str
    setting: str
    n: str
    runs: int
    observed: float
    bar: float
    at_least: bool
    errors: float = 2.0

    @property
    def allowed(self) -> float:
        slack = self.errors * math.sqrt(self.bar * (1 - self.bar) / self.runs) if self.runs else 0.0
        return self.bar - slack if self.at_least else self.bar + slack

    @property
    def ok(self) -> bool:
        return bool(self.observed >= self.allowed if self.at_least else self.observed <= self.allowed)

    @property
    def name(self) -> str:
        return f"{self.quantity} | {self.setting} | n = {self.n}"


@dataclass(frozen=True)
class Game:
    """Members and non-members whose score distributions are known.

    Attributes:
      above: ``above(threshold) -> (tpr, fpr)``, strictly above.
      cut: ``cut(fpr)``: smallest threshold that at most that share of non-members exceeds.
    """

    name: str
    area: float
    draw: Callable[[Rng, int, int], tuple[Floats, Floats]]
    above: Callable[[float], tuple[float, float]]
    cut: Callable[[float], float]


def binormal(area: float, spread: float = 1.0) -> Game:
    shift = float(ndtri(area)) * math.hypot(1.0, spread)
    return Game(
        f"normal scores, AUC {area:g}" + ("" if spread == 1 else f", members {spread:g} times as spread"),
        area,
        lambda rng, m, n: (rng.normal(shift, spread, m), rng.normal(size=n)),
        lambda t: (float(ndtr((shift - t) / spread)), float(ndtr(-t))),
        lambda fpr: float(-ndtri(fpr)),
    )


def levels(shares: Floats, other_shares: Floats, name: str) -> Game:
    """Scores 0, 1, 2 … with these shares."""
    tpr, fpr = (np.maximum(0.0, 1 - np.cumsum(p)) for p in (shares, other_shares))
    values = np.arange(len(shares), dtype=float)

    def above(t: float) -> tuple[float, float]:
        return (float(tpr[int(t)]), float(fpr[int(t)])) if t <= values[-1] else (0.0, 0.0)

    return Game(
        name,
        float(shares @ (np.cumsum(other_shares) - other_shares / 2)),
        lambda rng, m, n: (rng.choice(values, m, p=shares), rng.choice(values, n, p=other_shares)),
        above,
        lambda rate: float(values[np.flatnonzero(fpr <= rate + 1e-12)[0]]),
    )


def rounded(area: float, count: int) -> Game:
    """Normal scores rounded to a few levels."""
    shift, edges = float(ndtri(area)) * math.sqrt(2), np.linspace(-1.5, 2.5, count - 1)
    shares, others = (np.diff(np.r_[0.0, ndtr(edges - s), 1.0]) for s in (shift, 0.0))
    return levels(shares, others, f"{count} distinct scores, AUC {area:g} before rounding")


def right(members: float, nonmembers: float) -> Game:
    """A model that tells labels only: right about these shares."""
    shares = (np.array([1 - p, p]) for p in (members, nonmembers))
    return levels(*shares, f"right or wrong, accuracy {members:g} and {nonmembers:g}")


Trial = Callable[[Rng], tuple[Estimate, float]]


def covers(trial: Trial, rng: Rng, runs: int) -> float:
    hits = 0
    for _ in range(runs):
        estimate, truth = trial(rng)
        hits += estimate.low - 1e-12 <= truth <= estimate.high + 1e-12
    return hits / runs


def play_auc(game: Game, m: int, n: int, rng: Rng) -> tuple[Estimate, float]:
    return auc(*game.draw(rng, m, n)), game.area


def play_tpr(game: Game, m: int, n: int, rng: Rng, fpr: float) -> tuple[Estimate, float]:
    return tpr_at_fpr(*game.draw(rng, m, n), fpr), game.above(game.cut(fpr))[0]


def play_advantage(game: Game, m: int, n: int, rng: Rng) -> tuple[Estimate, float]:
    members, nonmembers = (np.sort(side) for side in game.draw(rng, m, n))
    seed = int(rng.integers(2**32))
    truth = 0.0
    for cut, judged, others in crossed_thresholds(members, nonmembers, np.random.default_rng(seed)):
        tpr, fpr = game.above(cut)
        truth += tpr * judged.sum() / m - fpr * others.sum() / n
    return advantage(members, nonmembers, np.random.default_rng(seed)), truth


def play_precision(game: Game, m: int, n: int, rng: Rng, fpr: float, prior: float = 0.1) -> tuple[Estimate, float]:
    members, nonmembers = game.draw(rng, m, n)
    tpr, alarms = game.above(threshold_at_fpr(nonmembers, fpr))
    accused = prior * tpr + (1 - prior) * alarms
    return precision(members, nonmembers, fpr, prior), prior * tpr / accused if accused else prior


def exact_coverage(interval: Callable[[int, int], Estimate], n: int, truths: Floats) -> Floats:
    """Coverage at each true proportion, summed over all counts: no simulation."""
    ends = np.array([(e.low, e.high) for e in (interval(k, n) for k in range(n + 1))])
    return np.array(
        [binom.pmf(np.arange(n + 1), n, p)[(ends[:, 0] <= p) & (p <= ends[:, 1])].sum() for p in truths], dtype=float
    )


def coverage_rows(runs: int, n: int) -> Iterator[Row]:
    games = [binormal(a) for a in (0.5, 0.6, 0.8, 0.95, 0.99)] + [binormal(0.6, 3), binormal(0.9, 3)]
    tied = [rounded(0.6, 5), rounded(0.95, 5), right(0.9, 0.8), right(0.97, 0.97), right(0.99, 0.98)]
    plan: list[tuple[str, Game, int, int, Callable[..., tuple[Estimate, float]]]] = []
    plan += [("auc", g, n, n, play_auc) for g in games + tied]
    plan += [("auc", g, n // 2, n * 2, play_auc) for g in (games[1], games[3], tied[0], tied[3])]
    plan += [("auc", g, n * 2, n // 2, play_auc) for g in (games[1], games[3], tied[0], tied[3])]
    for fpr in (0.1, 0.01) if n == 1000 else (0.1,):
        some = [binormal(0.5), binormal(0.8), binormal(0.99), rounded(0.8, 20), right(0.97, 0.95)]
        plan += [(f"tpr_at_fpr_{fpr:g}", g, n, n, partial(play_tpr, fpr=fpr)) for g in some]
        plan += [(f"precision at fpr {fpr:g}", g, n, n, partial(play_precision, fpr=fpr)) for g in some]
    some = [binormal(0.5), binormal(0.6), binormal(0.9), binormal(0.99), rounded(0.8, 5), right(0.99, 0.9)]
    plan += [("advantage", g, n, n, play_advantage) for g in some]
    for quantity, game, m, k, play in plan:
        seen = covers(partial(_bind, play, game, m, k), stream(quantity, game.name, m, k), runs)
        yield Row(quantity, game.name, f"{m}" if m == k else f"{m} + {k}", runs, seen, 0.95, at_least=True)


def _bind(play: Callable[..., tuple[Estimate, float]], game: Game, m: int, n: int, rng: Rng) -> tuple[Estimate, float]:
    return play(game, m, n, rng)


def exact_coverage_of_difference(p: float, q: float, n: int) -> float:
    """Coverage of `difference` with Wilson's limits, summed over all pairs of counts that happen at all."""
    first, second = (binom.pmf(np.arange(n + 1), n, truth) for truth in (p, q))
    ends = [wilson(k, n) for k in range(n + 1)]
    total = 0.0
    for i in np.flatnonzero(first > 1e-9):
        for j in np.flatnonzero(second > 1e-9):
            estimate = difference(ends[i], ends[j])
            total += first[i] * second[j] * (estimate.low <= p - q <= estimate.high)
    return float(total)


def proportion_rows() -> Iterator[Row]:
    """Sums over all counts instead of simulation; 94 % is asked of the approximate methods."""
    truths = np.linspace(0.001, 0.999, 999)
    for n in (100, 1000):
        worst = float(exact_coverage(clopper_pearson, n, truths).min())
        yield Row("clopper_pearson", "worst of 999 proportions", f"{n}", 0, worst, 0.95, at_least=True)
        mean = float(exact_coverage(wilson, n, truths).mean())
        yield Row("wilson", "mean of 999 proportions, approximate method", f"{n}", 0, mean, 0.94, at_least=True)
        for p, q in ((0.5, 0.5), (0.9, 0.8), (0.99, 0.9), (0.05, 0.02)):
            seen, setting = exact_coverage_of_difference(p, q, n), f"proportions {p:g} and {q:g}, approximate method"
            yield Row("difference", setting, f"{n}", 0, seen, 0.94, at_least=True)


def gaussian_epsilon(delta: float, sigma: float = 1.0) -> float:
    """Exact epsilon of the Gaussian mechanism of sensitivity 1 (Balle, Wang 2018, theorem 8)."""

    def excess(eps: float) -> float:
        half = 1 / (2 * sigma)
        return float(ndtr(half - eps * sigma) - math.exp(eps) * ndtr(-half - eps * sigma)) - delta

    return float(brentq(excess, 0.0, 50.0))


def epsilon_rows(runs: int) -> Iterator[Row]:
    """How often the bound exceeds an epsilon that is known."""
    for n in (100, 1000):
        mechanisms = []
        for eps in (0.0, 0.5, 1.0, 2.0):
            told = math.exp(eps) / (1 + math.exp(eps))
            mechanisms.append((f"randomized response, epsilon {eps:g}", right(told, 1 - told), eps, 0.0))
        for delta in (1e-5, 0.01):
            truth = gaussian_epsilon(delta)
            name = f"Gaussian mechanism, sigma 1, delta {delta:g}, epsilon {truth:.2f}"
            mechanisms.append((name, binormal(float(ndtr(1 / math.sqrt(2)))), truth, delta))
        for name, game, truth, delta in mechanisms:
            rng = stream("epsilon", name, n)
            bounds = [epsilon_lower_bound(*game.draw(rng, n, n), delta).value for _ in range(runs)]
            above = float(np.mean([bound > truth + 1e-12 for bound in bounds]))
            yield Row("epsilon_lower_bound above the truth", name, f"{n}", runs, above, LEVEL, at_least=False)


def null_rows(runs: int, n: int) -> Iterator[Row]:
    """Scores that know nothing: how often is a leak, or a privacy loss, seen?"""
    games = [
        binormal(0.5),
        rounded(0.5, 5),
        right(0.9, 0.9),
        right(0.98, 0.98),
        levels(np.ones(1), np.ones(1), "constant"),
    ]
    for m, k in ((n, n), (n, 1100 - n)):
        for game in games:
            rng = stream("null", game.name, m, k)
            draws = [game.draw(rng, m, k) for _ in range(runs)]
            size = f"{m}" if m == k else f"{m} + {k}"
            leaks = float(np.mean([membership_p_value(*d) <= LEVEL for d in draws]))
            yield Row("false leak, one attack", f"no leak: {game.name}", size, runs, leaks, LEVEL, at_least=False)
            losses = float(np.mean([epsilon_lower_bound(*d).value > 0 for d in draws]))
            yield Row("epsilon_lower_bound above 0", f"no leak: {game.name}", size, runs, losses, LEVEL, at_least=False)


def power_rows(runs: int) -> Iterator[Row]:
    """At the effect called detectable, is it detected as often as promised?"""
    from keepmum.stats.null import rank_sum_p_value

    for n in (100, 1000):
        game = binormal(detectable_auc(n, n))
        rng = stream("power", n)
        found = float(np.mean([rank_sum_p_value(*game.draw(rng, n, n)) <= LEVEL for _ in range(runs)]))
        yield Row(
            "power of the rank test",
            f"normal scores, AUC {game.area:.3f}, said to be found in 80 %",
            f"{n}",
            runs,
            found,
            0.8,
            at_least=True,
        )


def innocent(n: int, classes: int, votes: int | None, rng: Rng) -> tuple[FunctionScores, Split]:
    """A fair classifier that saw none of these people; labels are imbalanced, one class rare.

    Args:
      n: People on each side.
      classes: Number of labels.
      votes: Answers are shares of so many votes, as a small forest's; None for continuous ones.
      rng: Randomness.
    """
    shares = 0.6 ** np.arange(classes)
    y = rng.choice(classes, 2 * n, p=shares / shares.sum())
    y[:classes] = y[n : n + classes] = np.arange(classes)
    tilt = np.full((2 * n, classes), 0.5)
    tilt[np.arange(2 * n), y] += 2.0
    weights = rng.gamma(tilt)
    answers = weights / weights.sum(axis=1, keepdims=True)
    if votes is not None:
        answers = np.array([rng.multinomial(votes, p) for p in answers]) / votes
    split = Split(Records(answers[:n], y[:n]), Records(answers[n:], y[n:]))
    return FunctionScores(lambda X: X, np.arange(classes)), split


def family_rows(runs: int, n: int, classes: int, votes: int | None) -> Iterator[Row]:
    """All default attacks on an innocent target, paid for by Holm: any leak?"""
    rng, alarms, count = stream("family", n, classes, votes), 0, 0
    for seed in range(runs):
        target, split = innocent(n, classes, votes, rng)
        p_values = np.array(list(_p_values(target, split, seed)))
        alarms += bool((holm(p_values) <= LEVEL).any())
        count = len(p_values)
    name = f"{count} attacks, {classes} classes, {f'{votes} votes' if votes else 'continuous'}"
    yield Row("false leak, whole audit", name, f"{n}", runs, alarms / runs, LEVEL, at_least=False)


def _p_values(target: FunctionScores, split: Split, seed: int) -> Iterator[float]:
    """Play every default attack that can be played here; the target knows the answers about its own people alone."""
    for attack in default_attacks():
        if attack.inapplicable(target) is None and not attack.per_record and not attack.asks(target):
            with contextlib.suppress(NotApplicableError):
                finding = attack.run(target, split, Context(seed=seed, attack=attack.name))
                if finding.p_value is not None:
                    yield finding.p_value


def crossed_rows(runs: int) -> Iterator[Row]:
    """The cross-fit that lends half of the non-members to attacks with thresholds by class."""
    attack: MembershipAttack[FunctionScores] = Loss(per_class=True)
    for n in (100, 1000):
        for classes, votes in ((2, None), (10, None), (10, 10)):
            rng, alarms, losses = stream("crossed", n, classes, votes), 0, 0
            for seed in range(runs):
                target, split = innocent(n, classes, votes, rng)
                _, is_member, scores = attack.scores(target, split, Context(seed=seed, attack=attack.name))
                sides = scores[is_member], scores[~is_member]
                alarms += membership_p_value(*sides) <= LEVEL
                losses += epsilon_lower_bound(*sides).value > 0
            name = f"loss by class, {classes} classes, {'10 votes' if votes else 'continuous'}"
            yield Row("false leak, cross-fit by class", name, f"{n}", runs, alarms / runs, LEVEL, at_least=False)
            yield Row("epsilon above 0, cross-fit by class", name, f"{n}", runs, losses / runs, LEVEL, at_least=False)


def stream(*key: object) -> Rng:
    """Randomness of one row, whatever other rows are played."""
    return np.random.default_rng([MASTER_SEED, *repr(key).encode()])
