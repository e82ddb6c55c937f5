"""Defenses of answers: whether rows stay probabilities, what averaging undoes, and what rounding hides from whom."""

from __future__ import annotations

from typing import Any

import numpy as np
from _defenses_tasks import Mlp, tabular
from common import Bars, about, at_least, at_most, table

from keepmum.attacks import Context
from keepmum.attacks.membership import Lira
from keepmum.data import Records, Split
from keepmum.defenses import OutputDefense, defended
from keepmum.defenses.bits import bits_per_answer, label_bits
from keepmum.defenses.output import (
    Abstain,
    Bins,
    HampSwap,
    KeyedNoise,
    LabelOnly,
    Noise,
    Rounding,
    Temperature,
    TopK,
)
from keepmum.shadows import ShadowStore
from keepmum.stats.area import auc
from keepmum.training import TorchTrainer

SECRET = b"of this benchmark only"
ASKED = 1000
JITTER = 1e-4
BITS = {"4 decimals": (4, 101.0), "2 decimals": (2, 42.0), "1 decimal": (1, 16.5)}


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    bars: Bars = {}
    tables = []
    for part in (rows, averaging, rounding, bits):
        found, shown = part(quick)
        bars |= found
        tables.append(shown)
        print(f"  {part.__name__}: " + ", ".join(f"{k} {v['value']}" for k, v in found.items()), flush=True)
    return bars, tables


def listed() -> list[OutputDefense]:
    secret = {"secret": SECRET}
    plain = [Bins(), KeyedNoise(**secret), HampSwap(**secret), LabelOnly(), Rounding(0), Rounding(1), Rounding(2)]
    return [*plain, Temperature(), TopK(), TopK(3), Abstain(), Noise()]


def rows(quick: bool) -> tuple[Bars, dict[str, Any]]:
    """20,000 random rows through every defense."""
    rng = np.random.default_rng(0)
    count = 2_000 if quick else 20_000
    given = np.vstack([rng.dirichlet(np.full(10, a), count // 4) for a in (0.05, 0.3, 1.0, 10.0)])
    shown, kept, off, apart = [], [], [], []
    for defense in listed():
        told = defense.answer(given)
        same = float((told.argmax(axis=1) == given.argmax(axis=1)).mean())
        sums = float(np.abs(told.sum(axis=1) - 1).max())
        order = rng.permutation(len(given))
        again = np.abs(defense.answer(given[order][:500]) - told[order][:500])
        moved = float(again.max()) if defense.repeatable else None
        if defense.keeps_label:
            kept.append(same)
        off.append(sums)
        apart.append(0.0 if moved is None else moved)
        shown.append([defense.name, f"{same:.2%}", f"{sums:.1e}", "drawn anew" if moved is None else f"{moved:.1e}"])
    bars = {
        "output_least_share_of_labels_kept": at_least(min(kept), 1.0),
        "output_rows_most_off_1": at_most(max(off), 1e-9),
        "output_most_changed_by_batch_or_order": at_most(max(apart), 0.0),
    }
    head = ["defense", "label kept", "rows off 1 by", "changed by batch and order"]
    note = f"{count:,} random rows of 10 classes. Abstaining and noise change labels, and say so."
    return bars, table("Rows behind each defense", head, shown, note)


def averaging(quick: bool) -> tuple[Bars, dict[str, Any]]:
    """1,000 questions with a jittered input each, averaged, against what the model would say without the defense."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    X = (bunch.data / 16).astype(np.float32)
    target = TorchTrainer(Mlp((64, 64, 10)), lr=2e-3, epochs=30).train(Records(X[:1400], bunch.target[:1400]), 0)
    rng, asked = np.random.default_rng(0), 100 if quick else ASKED
    people = Records(X[1400:1460], bunch.target[1400:1460])
    truth = target.predict_proba(people)
    shown, found = [], {}
    for defense in (Noise(0.05, seed=1), KeyedNoise(0.05, secret=SECRET), Rounding(1)):
        served, total, first = defense.protect(target), np.zeros_like(truth), 0.0
        for turn in range(asked):
            jitter = Records(people.X + rng.normal(0, JITTER, people.X.shape).astype(np.float32), people.y)
            total += served.predict_proba(jitter)
            if turn == 0:
                first = off(total, truth)
        mean = total / asked
        last = off(undone(mean, defense.scale) if isinstance(defense, Noise) else mean, truth)
        found[defense.id] = first, last
        shown.append([defense.id, f"{first:.4f}", f"{off(mean, truth):.4f}", f"{last:.4f}", f"{first / last:.1f}"])
    noise, keyed = found["output/noise"], found["output/keyed-noise"]
    bars = {
        "output_noise_averaged_away_times": at_least(noise[0] / noise[1], 3.0 if quick else 10.0),
        "output_keyed_noise_left_after_averaging": at_least(keyed[1] / keyed[0], 0.8),
    }
    note = (
        f"A net on digits; {asked:,} questions about each of 60 records, inputs jittered by {JITTER:g}. Noise is cut "
        "off at 0, which moves the mean; whoever knows how large it is takes that out again."
    )
    head = ["defense", "off after 1", f"mean of {asked:,}", "and cut undone", "times less"]
    return bars, table("Noise, asked again", head, shown, note)


def undone(mean: np.ndarray, scale: float) -> np.ndarray:
    """Probabilities whose noisy answers have this mean: of ``max(0, p + noise)``, made to sum to 1.

    ``E max(0, p + s Z) = p Phi(p / s) + s phi(p / s)`` is inverted by a table; the sum that answers were divided by is
    what makes probabilities sum to 1.
    """
    from scipy.stats import norm

    p = np.linspace(-4 * scale, 1, 20_001)
    cut = p * norm.cdf(p / scale) + scale * norm.pdf(p / scale)
    told = []
    for row in mean:
        low, high = 0.5, 5.0
        for _ in range(60):
            total = (low + high) / 2
            back = np.maximum(np.interp(total * row, cut, p), 0.0)
            low, high = (total, high) if back.sum() < 1 else (low, total)
        told.append(back)
    return np.array(told)


def off(told: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(((told - truth) ** 2).mean()))


def rounding(quick: bool) -> tuple[Bars, dict[str, Any]]:
    """LiRA through rounding, with shadow models that are rounded and with some that are not."""
    task = tabular(3, 1500 if quick else 3000)
    defense, count = Rounding(1), 8 if quick else 16
    pool = task.split.pool
    store = ShadowStore()
    plain = store.collect(task.trainer, pool, count, 0)
    adaptive = store.collect(defended(task.trainer, defense), pool, count, 0)
    target = task.trainer.train(task.split.members, 99)
    served = defense.protect(target)
    split = Split(task.split.members, task.split.nonmembers)
    told = {
        "no defense": area(target, split, plain),
        "rounded, shadow models not": area(served, split, plain),
        "rounded, shadow models too": area(served, split, adaptive),
    }
    naive, honest = told["rounded, shadow models not"], told["rounded, shadow models too"]
    bars = {
        "output_rounding_adaptive_above_naive_auc": at_least(honest.value - naive.value, 0.0),
        "output_rounding_adaptive_low_above_naive_high": at_least(honest.low - naive.high, 0.0),
    }
    note = f"LiRA with {count} shadow models on a table of {len(pool):,} records, answers rounded to one decimal."
    return bars, table("False comfort", ["who attacks", "AUC"], [[name, str(e)] for name, e in told.items()], note)


def area(target: Any, split: Split, shadows: Any) -> Any:
    """AUC of LiRA."""
    ctx = Context(shadows=shadows).lend("membership/lira")
    scores = Lira().score(target, split.pool, ctx)
    return auc(scores[split.is_member], scores[~split.is_member])


def bits(quick: bool) -> tuple[Bars, dict[str, Any]]:
    """What an answer of 10 classes can carry."""
    shown = [[name, f"{bits_per_answer(10, decimals):.1f}"] for name, (decimals, _) in BITS.items()]
    shown += [["the label", f"{label_bits(10):.1f}"], ["doubles, at the most", f"{bits_per_answer(10):.0f}"]]
    bars = {
        f"output_bits_{name.replace(' ', '_')}": about(bits_per_answer(10, decimals), goal, 0.5)
        for name, (decimals, goal) in BITS.items()
    }
    bars["output_bits_label"] = about(label_bits(10), 3.3, 0.05)
    return bars, table("Bits in an answer", ["answer of 10 classes", "bits"], shown, "")
