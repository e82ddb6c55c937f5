"""Tests of a private mechanism that need no statistics of attacks: same randomness, neighboring data.

An audit by canaries needs a large fault to see one. What the mechanism does in a step can be looked at instead: these
tests find noise that is too small, records that count for more than they may, draws that are not independent, and
divisors that tell how many were drawn.

References:
  Cebere et al. Re:cord-play, 2026: the idea of replaying a mechanism with recorded randomness on neighboring data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from keepmum.data import Records
from keepmum.errors import DataError
from keepmum.findings import Check
from keepmum.training.private import PrivateTrainer, Step

RARE = 1e-7
"""P-value below which a test fails; a sound mechanism fails one of them in a million audits."""
CLOSE = 1e-3
"""Relative error that single precision may make in a norm."""
DRAWS = 400
LOUD = 1e4
"""Factor that makes gradients far larger than any clipping norm."""


def check_mechanism(trainer: PrivateTrainer, records: Records, *, seed: int = 0) -> tuple[Check, ...]:
    """Look at what a private recipe does in its steps.

    Args:
      trainer: The recipe, with the mechanism that is tested.
      records: At least 20, of the kind that it trains on.
      seed: Of the training that is watched.

    Returns:
      A check for each thing that must hold.

    Raises:
      DataError: Too few records.
    """
    if len(records) < 20:
        raise DataError(f"expected at least 20 records, got {len(records)}")
    steps: list[Step] = []
    classes = tuple(np.unique(records.y).tolist())
    trainer.train_watched(records, seed, steps.append, classes)
    return (
        _noise(steps, trainer.noise_for(len(records)) * trainer.clip),
        *_sensitivity(trainer, records, seed),
        _sampling(trainer, len(records), seed),
        _normalizer(trainer, steps, len(records)),
        _flow(trainer, records, seed, steps),
    )


def _noise(steps: list[Step], wanted: float) -> Check:
    """Standard deviation of what is added, by a chi-square test of both sides."""
    from scipy.stats import chi2

    added = np.concatenate([(s.released - s.clipped).double().cpu().numpy()[:20_000] for s in steps[:200]])
    if wanted == 0:
        return Check("noise", True, "no noise was asked for")
    squares, count = float((added**2).sum() / wanted**2), len(added)
    p_value = 2 * min(chi2.cdf(squares, count), chi2.sf(squares, count))
    seen = float(np.sqrt((added**2).mean()))
    told = f"standard deviation {seen:.4g}, {wanted:.4g} was asked for (p = {p_value:.2g}, {count:,} numbers)"
    return Check("noise", bool(p_value > RARE), told)


def _sensitivity(trainer: PrivateTrainer, records: Records, seed: int) -> Iterator[Check]:
    """What one record adds to a sum, alone and among others, and whether sums are sums of such parts."""
    import torch

    from keepmum.training._torch_data import built, device_named, fresh, pool_of

    device = device_named(trainer.inner.device)
    pool = pool_of(records, fresh(trainer.inner.build)[0], trainer.inner.classes, device)
    module = built(trainer.inner.build, seed).to(device).eval()  # dropout would be another one for each sum
    X, y = pool.batch(torch.as_tensor(np.random.default_rng(seed).permutation(len(records))[:12], device=device))
    worst, gap = 0.0, 0.0
    for loud in (1.0, LOUD):
        scaled = X * loud if X.is_floating_point() else X
        whole = _sum(trainer, module, scaled, y)
        parts = [_sum(trainer, module, scaled[i : i + 1], y[i : i + 1]) for i in range(len(y))]
        worst = max([worst, *(float(part.norm()) for part in parts)])
        for out in range(len(y)):
            keep = [i for i in range(len(y)) if i != out]
            worst = max(worst, float((whole - _sum(trainer, module, scaled[keep], y[keep])).norm()))
        total = sum(parts)
        gap = max(gap, float((whole - total).norm()) / max(float(total.norm()), 1e-12))
    limit = trainer.clip
    told = f"one record more or less changes a sum by up to {worst:.4g}; {limit:.4g} is allowed"
    yield Check("sensitivity", bool(worst <= limit * (1 + CLOSE)), told)
    told = f"a sum differs from the sum of its records' parts by {gap:.2g}, relatively"
    yield Check("clipping record by record", gap <= CLOSE, told)


def _sum(trainer: PrivateTrainer, module: Any, X: Any, y: Any) -> Any:
    return trainer.in_use.clipped_sum(module, X, y, trainer.clip).detach().double()


def _sampling(trainer: PrivateTrainer, n: int, seed: int) -> Check:
    """Whether records are drawn independently: how many there are, and who comes twice in a row."""
    from scipy.stats import binom, chi2

    rate = trainer.rate(n)
    if rate == 1:
        whole = all(len(trainer.in_use.sample(n, 1.0, np.random.default_rng(s))) == n for s in range(3))
        return Check("sampling", whole, "everyone is drawn in each step")
    rng = np.random.default_rng([seed, 0x73616D70])
    drawn = np.zeros((DRAWS, n), dtype=bool)
    for row in drawn:
        row[trainer.in_use.sample(n, rate, rng)] = True
    sizes, again = drawn.sum(axis=1), int((drawn[1:] & drawn[:-1]).sum())
    spread = float(((sizes - n * rate) ** 2).sum() / (n * rate * (1 - rate)))
    tests = {
        "how many are drawn in all": _both(binom, int(sizes.sum()), (DRAWS * n, rate)),
        "how far their number varies": 2 * min(chi2.cdf(spread, DRAWS), chi2.sf(spread, DRAWS)),
        "who is drawn twice in a row": _both(binom, again, ((DRAWS - 1) * n, rate**2)),
    }
    found = min(tests, key=lambda name: tests[name])
    told = f"{found}: p = {tests[found]:.2g}; {sizes.mean():.4g} are drawn on average, {n * rate:.4g} were expected"
    return Check("sampling", bool(tests[found] > RARE), told)


def _both(law: Any, seen: int, parameters: tuple[float, ...]) -> float:
    return float(min(1.0, 2 * min(law.cdf(seen, *parameters), law.sf(seen - 1, *parameters))))


def _normalizer(trainer: PrivateTrainer, steps: list[Step], n: int) -> Check:
    """Whether sums are divided by one number, whatever was drawn."""
    expected = trainer.rate(n) * n
    asked = {float(trainer.in_use.normalizer(expected, drawn)) for drawn in (0, 1, int(expected), n)}
    used = {float(step.normalizer) for step in steps} | asked
    right = used == {expected} or (len(used) == 1 and abs(used.copy().pop() - expected) < 1e-9 * max(1.0, expected))
    told = f"sums are divided by {', '.join(f'{value:.4g}' for value in sorted(used)[:4])}; {expected:.4g} was expected"
    return Check("normalizer", right, told)


def _flow(trainer: PrivateTrainer, records: Records, seed: int, steps: list[Step]) -> Check:
    """Whether draws and noise hang on the seed alone: the same with one record replaced by a copy of another."""
    if trainer.secure:
        return Check("control flow", True, "not tested: randomness is the operating system's")
    place = np.arange(len(records))
    place[0] = 1
    other: list[Step] = []
    classes = tuple(np.unique(records.y).tolist())
    trainer.train_watched(Records(records.take(place).X, records.y[place]), seed, other.append, classes)
    same = len(steps) == len(other)
    for one, two in zip(steps, other, strict=False):
        alike = np.array_equal(one.rows, two.rows) and one.normalizer == two.normalizer and one.sd == two.sd
        apart = float(((one.released - one.clipped) - (two.released - two.clipped)).abs().max())
        same = bool(same and alike and apart <= CLOSE * max(one.sd, 1e-9) + 1e-4 * float(one.clipped.abs().max()))
    return Check(
        "control flow",
        same,
        "draws, steps and noise are the same on neighboring records"
        if same
        else "draws, steps or noise hang on the records",
    )
