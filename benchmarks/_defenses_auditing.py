"""Audits of private training: power, level, canaries in gradients, a model without privacy, and planted faults."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from typing import Any

import numpy as np
from _defenses_tasks import Mlp
from common import Bars, at_least, at_most, table

from keepmum.audit_dp import audit_dp, check_mechanism, watch_canaries
from keepmum.data import Records
from keepmum.stats.coins import (
    ceiling,
    epsilon_from_coins,
    gaussian_epsilon_from_coins,
    guesses_for,
)
from keepmum.stats.epsilon import epsilon_lower_bound
from keepmum.stats.f_dp import epsilon_of, gaussian_epsilon_lower_bound
from keepmum.training import Mechanism, PrivateTrainer, TorchTrainer

DELTA = 1e-5
POWER = {1_000: (1.64, 2.49), 10_000: (2.29, 3.03), 100_000: (2.66, 3.36)}
"""Canaries, and what others' implementation finds on the idealized mechanism: any mechanism, Gaussian ones."""
ENOUGH = 0.97


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    bars: Bars = {}
    tables = []
    for part in (power, level, gradients, bare, faults):
        found, shown = part(quick)
        bars |= found
        tables.append(shown)
        print(f"  {part.__name__}: " + ", ".join(f"{k} {v['value']}" for k, v in found.items()), flush=True)
    return bars, tables


def power(quick: bool) -> tuple[Bars, dict[str, Any]]:
    """The idealized Gaussian mechanism: each canary's score is its coin plus noise of standard deviation 1."""
    bars: Bars = {}
    rows, most = [], 0.0
    runs = {1_000: 40, 10_000: 20, 100_000: 10}
    for m in (1_000,) if quick else POWER:
        made = guesses_for(1.0, m, DELTA), guesses_for(1.0, m, DELTA, gaussian=True)
        found: list[tuple[float, float, float]] = []
        for seed in range(runs[m]):
            rng = np.random.default_rng(seed)
            included = rng.random(m) < 0.5
            scores = included + rng.normal(size=m)
            found.append(
                (
                    epsilon_from_coins(scores, included, DELTA, guesses=made[0]).value,
                    gaussian_epsilon_from_coins(scores, included, DELTA, guesses=made[1]).value,
                    epsilon_from_coins(scores, included, DELTA).value,
                )
            )
        means = np.mean(found, axis=0)
        most = max(most, float(np.max(found)))
        for name, mean, other in zip(("any", "gaussian"), means, POWER[m], strict=False):
            bars[f"auditing_power_{name}_{m}"] = at_least(float(mean) / other, ENOUGH)
        rows.append([f"{m:,}", *made, *(f"{mean:.2f}" for mean in means), f"{ceiling(made[0]):.2f}"])
    bars["auditing_idealized_most_bound"] = at_most(most, epsilon_of(1.0, DELTA))
    head = ["canaries", "guesses", "guesses, Gaussian", "any mechanism", "Gaussian", "any, looking often", "ceiling"]
    note = (
        f"Idealized Gaussian mechanism, epsilon {epsilon_of(1.0, DELTA):.2f} at delta {DELTA:g}; means of 40, 20 and "
        "10 runs. The number of guesses is chosen from the claim before scores are seen. Bars: share of what others "
        "find."
    )
    return bars, table("Power of one run", head, rows, note)


def level(quick: bool) -> tuple[Bars, dict[str, Any]]:
    """How often bounds are above the truth: randomized response, a Laplace pair, and Gaussian pairs."""
    runs = 200 if quick else 1000
    bars: Bars = {}
    rows = []
    for epsilon in (0.0, 1.0, 2.0):
        seen = {"coins": 0, "coins, 50 guesses": 0, "coins, Gaussian": 0, "many runs": 0, "many runs, Gaussian": 0}
        mu = mu_of(epsilon)
        rng = np.random.default_rng(int(10 * epsilon))
        for _ in range(runs):
            included = rng.random(200) < 0.5
            true = rng.random(200) < 1 / (1 + math.exp(-epsilon))
            told = np.where(true, included, ~included) + 1e-6 * rng.random(200)
            seen["coins"] += epsilon_from_coins(told, included).value > epsilon + 1e-3
            seen["coins, 50 guesses"] += epsilon_from_coins(told, included, guesses=50).value > epsilon + 1e-3
            normal = mu * included + rng.normal(size=200)
            bound = gaussian_epsilon_from_coins(normal, included, DELTA, guesses=50).value
            seen["coins, Gaussian"] += bound > epsilon + 1e-3
            ours, theirs = (rng.laplace(size=500) + (epsilon if inside else 0) for inside in (True, False))
            seen["many runs"] += epsilon_lower_bound(ours, theirs).value > epsilon + 1e-3
            ours, theirs = rng.normal(mu, 1, 500), rng.normal(0, 1, 500)
            seen["many runs, Gaussian"] += gaussian_epsilon_lower_bound(ours, theirs, DELTA).value > epsilon + 1e-3
        rows.append([epsilon, *(f"{100 * count / runs:.1f} %" for count in seen.values())])
        worst = max(seen.values()) / runs
        bars[f"auditing_false_alarms_epsilon_{epsilon:g}"] = at_most(worst, 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs))
    head = ["true epsilon", *seen]
    return bars, table(
        "How often a bound is above the truth", head, rows, f"{runs:,} runs each; at most 5 % are allowed."
    )


def mu_of(epsilon: float) -> float:
    """Gaussian mechanism of an epsilon at the delta of this benchmark."""
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if epsilon_of(middle, DELTA) <= epsilon else (low, middle)
    return low


NOISE = {1: 2.789, 2: 1.623, 4: 1.057, 8: 0.770, 16: 0.595}
"""Theoretical epsilon, and the noise for it at rate 0.025 in 800 steps."""
SEEN = {1: (0.19, 0.26), 2: (0.39, 0.52), 4: (0.99, 1.31), 8: (1.85, 2.61), 16: (2.82, 4.16)}
"""What others find with likelihood ratios: any mechanism, Gaussian ones."""


def gradients(quick: bool) -> tuple[Bars, dict[str, Any]]:
    """Canaries in the gradients of a real DP-SGD, by likelihood ratios and by sums."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 800)
    records = Records((rng.normal(size=(800, 20)) + 2 * np.eye(20)[y]).astype(np.float32), y)
    inner = TorchTrainer(Mlp((20, 40, 10)), optimizer="sgd", lr=0.1, epochs=20)
    rows, above, gain, near = [], 0, [], []
    for epsilon, noise in ({4: 1.057} if quick else NOISE).items():
        trainer = PrivateTrainer(inner, noise=noise, batch=20)
        truth = trainer.statement(len(records)).epsilon
        found: dict[str, list[tuple[float, float]]] = {}
        for score in ("likelihood", "sum"):
            for seed in range(2 if quick else 4):
                told = watch_canaries(trainer, records, canaries=1000, seed=seed, score=score)
                found.setdefault(score, []).append((told.epsilon.value, told.gaussian.value))
                above += max(told.epsilon.value, told.gaussian.value) > truth
        means = {score: np.mean(values, axis=0) for score, values in found.items()}
        gain.append(means["likelihood"][1] - means["sum"][1])
        near.append(float(means["likelihood"][1]) / SEEN[epsilon][1])
        rows.append([f"{truth:.2f}", noise, *(f"{v:.2f}" for score in ("sum", "likelihood") for v in means[score])])
    bars = {
        "auditing_white_box_bounds_above_theory": at_most(above, 0),
        "auditing_white_box_least_gain_of_likelihoods": at_least(min(gain), 0.0),
    }
    if not quick:
        bars["auditing_white_box_mean_of_what_others_find"] = at_least(statistics.mean(near), 0.75)
    head = ["epsilon", "noise", "sum: any", "sum: Gaussian", "likelihood: any", "likelihood: Gaussian"]
    note = (
        "DP-SGD, rate 0.025, 800 steps, 1,000 canaries of one coordinate each; means of 4 runs, several looks paid for."
    )
    return bars, table("Whoever sees every step", head, rows, note)


def bare(quick: bool) -> tuple[Bars, dict[str, Any]]:
    """A net that is trained without privacy, and one with, seen through answers alone."""
    rng = np.random.default_rng(1)
    size = 1500 if quick else 6000
    centers = rng.normal(size=(10, 60))
    y = rng.integers(0, 10, size)
    records = Records((centers[y] + 1.6 * rng.normal(size=(size, 60))).astype(np.float32), y)
    plain = TorchTrainer(Mlp((60, 512, 10)), lr=2e-3, epochs=40 if quick else 60, batch_size=64)
    canaries = 300 if quick else 1000
    rows, found = [], []
    for seed in range(1 if quick else 3):
        told = audit_dp(plain, records, canaries=canaries, guesses=canaries // 2, seed=seed)
        found.append((told.epsilon.value, told.gaussian.value))
        rows.append(["without privacy", seed, *(f"{v:.2f}" for v in found[-1]), f"{told.ceiling:.2f}"])
    private = PrivateTrainer(replace(plain, optimizer="sgd", lr=0.5, epochs=10), epsilon=4.0, batch=256)
    told = audit_dp(private, records, epsilon=4.0, canaries=canaries, guesses=canaries // 2)
    rows.append(
        ["DP-SGD, epsilon 4", 0, f"{told.epsilon.value:.2f}", f"{told.gaussian.value:.2f}", f"{told.ceiling:.2f}"]
    )
    means = np.mean(found, axis=0)
    goals = (2.0, 3.0) if quick else (3.0, 4.5)
    bars = {
        "auditing_without_privacy_any": at_least(float(means[0]), goals[0]),
        "auditing_without_privacy_gaussian": at_least(float(means[1]), goals[1]),
        "auditing_private_claims_refuted": at_most(float(told.refuted), 0),
    }
    head = ["training", "seed", "any mechanism", "Gaussian", "ceiling"]
    note = f"{canaries:,} mislabelled canaries among {size:,} records, by the loss; half of them are guessed."
    return bars, table("Through answers alone", head, rows, note)


class Silent(Mechanism):
    def noise(self, size: int, sd: float, generator: Any) -> Any:
        return super().noise(size, 0.0, generator)


class Faint(Mechanism):
    def noise(self, size: int, sd: float, generator: Any) -> Any:
        return super().noise(size, sd / 10, generator)


class Unclipped(Mechanism):
    def clipped_sum(self, module: Any, X: Any, y: Any, clip: float) -> Any:
        return super().clipped_sum(module, X, y, 1e9)


class Together(Mechanism):
    def clipped_sum(self, module: Any, X: Any, y: Any, clip: float) -> Any:
        whole = super().clipped_sum(module, X, y, 1e9)
        return whole * min(1.0, clip / max(float(whole.norm()), 1e-12))


class ByDrawn(Mechanism):
    def normalizer(self, expected: float, drawn: int) -> float:
        return float(max(1, drawn))


class Shuffled(Mechanism):
    def __init__(self) -> None:
        self.order = np.empty(0, dtype=np.intp)

    def sample(self, n: int, rate: float, rng: np.random.Generator) -> Any:
        count = round(n * rate)
        if len(self.order) < count:
            self.order = rng.permutation(n)
        batch, self.order = self.order[:count], self.order[count:]
        return batch


FAULTS = {
    "no noise": Silent,
    "a tenth of the noise": Faint,
    "no clipping": Unclipped,
    "clipping after adding up": Together,
    "divided by how many were drawn": ByDrawn,
    "shuffled batches": Shuffled,
}


def faults(quick: bool) -> tuple[Bars, dict[str, Any]]:
    """Planted faults, each found or not; and a sound mechanism, many times."""
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, 150)
    records = Records((rng.normal(size=(150, 8)) + 2 * np.eye(8)[y]).astype(np.float32), y)
    inner = TorchTrainer(Mlp((8, 24, 3)), optimizer="sgd", lr=0.2, epochs=4)
    rows, caught = [], 0
    for name, bug in FAULTS.items():
        checks = check_mechanism(PrivateTrainer(inner, noise=1.0, batch=30, mechanism=bug()), records)
        failed = [check.name for check in checks if not check.passed]
        caught += bool(failed)
        rows.append([name, ", ".join(failed) or "nothing"])
    alarms, runs = 0, 10 if quick else 50
    for seed in range(runs):
        checks = check_mechanism(PrivateTrainer(inner, noise=1.0, batch=30), records, seed=seed)
        alarms += not all(check.passed for check in checks)
    rows.append([f"none, {runs} runs", f"{alarms} alarms"])
    bars = {
        "auditing_planted_faults_caught": at_least(caught, len(FAULTS)),
        "auditing_alarms_on_a_sound_mechanism": at_most(alarms, 0),
    }
    note = "Noise, sensitivity, clipping, draws, divisor and control flow are looked at in the steps themselves."
    return bars, table("Planted faults", ["fault", "tests that fail"], rows, note)
