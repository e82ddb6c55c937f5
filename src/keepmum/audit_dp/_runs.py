"""Many training runs, half of them with one canary, and the least epsilon that they prove."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keepmum.audit_dp._audit import DpAudit, mislabelled
from keepmum.data import Records
from keepmum.errors import ConfigError
from keepmum.shadows import scaled_logit
from keepmum.stats.epsilon import epsilon_lower_bound
from keepmum.stats.f_dp import gaussian_epsilon_lower_bound
from keepmum.training import Trainer, as_trainer

FEWEST = 20


def audit_dp_runs(
    trainer: Any,
    records: Records,
    *,
    epsilon: float | None = None,
    delta: float = 1e-5,
    runs: int = 200,
    canary: Records | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> DpAudit:
    """Audit a claim of differential privacy with many training runs, through the answers about one canary.

    Every other run is trained on the canary, too; whoever sees a model's answer about it guesses which. Here runs are
    what is independent, so that nothing has to be assumed about canaries in one model; the price is time.

    Args:
      trainer: The recipe: a `keepmum.training.Trainer` or a scikit-learn estimator.
      records: Whom all models are trained on.
      epsilon: The claim, if there is one: for adding or removing one record.
      delta: Of the claim, at least 0, below 1.
      runs: Models in all, even, at least 20; the bound cannot be larger than so many allow.
      canary: One record, the harder to fit the better; a copy of a record with another label if None.
      seed: Of the canary and of training.
      progress: Called with runs done and runs in all.

    Returns:
      The bound by exact (Clopper–Pearson) intervals of both rates; ``gaussian`` is the one for Gaussian mechanisms.

    Raises:
      ConfigError: A number out of range, or several canaries.
      DataError: Fewer than two classes.
      TargetError: Training failed.

    References:
      Jagielski, Ullman, Oprea. NeurIPS 2020, arXiv:2006.07709 (many runs, exact intervals); Nasr et al. USENIX Security
      2023, arXiv:2302.07956 (Gaussian mechanisms).
    """
    if runs < FEWEST or runs % 2 or not 0 <= delta < 1 or (epsilon is not None and epsilon < 0):
        raise ConfigError(
            f"expected an even number of runs, at least {FEWEST}, a delta from 0 up to 1 and an epsilon of 0 or more, "
            f"got {runs}, {delta} and {epsilon}"
        )
    if canary is not None and len(canary) != 1:
        raise ConfigError(f"expected one canary, got {len(canary)}: in each run a single record makes the difference")
    recipe: Trainer = as_trainer(trainer)
    one = mislabelled(records, 1, seed) if canary is None else Records(canary.X, canary.y)
    everyone = Records(records.X, records.y).join(one)
    masks = np.ones((runs, len(everyone)), dtype=bool)
    masks[1::2, -1] = False
    seeds = [int(each) >> 1 for each in np.random.SeedSequence([seed, 0x72756E73]).generate_state(runs, np.uint64)]
    scores = np.empty(runs)
    for number, target in enumerate(recipe.train_fleet(everyone, masks, seeds)):
        scores[number] = scaled_logit(target, one, unknown=True)[0]
        if progress is not None:
            progress(number + 1, runs)
    inside, outside = scores[::2], scores[1::2]
    best = np.ones(runs // 2)
    return DpAudit(
        claimed=epsilon,
        delta=delta,
        epsilon=epsilon_lower_bound(inside, outside, delta),
        gaussian=gaussian_epsilon_lower_bound(inside, outside, max(delta, 1e-12)),
        ceiling=epsilon_lower_bound(best, -best, delta).value,
        canaries=runs,
        guesses=None,
        view="black box, many runs",
    )
