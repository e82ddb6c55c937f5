"""Analytic shadows of logistic regression against LiRA with 16 refits: power and CPU seconds.

Run ``python benchmarks/analytic.py`` for tables; with ``--json`` the last line is machine-readable; ``--quick`` takes
fewer targets. A bar that is not reached stays in, with ``ok: false``.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from common import at_least, at_most, finish, parser

from keepmum.attacks.membership._shadow import log_normal
from keepmum.attacks.membership.lira import Lira
from keepmum.data import Records
from keepmum.shadows import ShadowStore
from keepmum.shadows.analytic import disagreement, expected
from keepmum.stats.roc import auc_value, roc_curve
from keepmum.training import SklearnTrainer

REFITS, CHECKS = 16, 4


def digits(columns: int, rows: int, classes: int, wrong: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Handwritten digits, as random features where there are more than 64 columns."""
    from sklearn.datasets import load_digits
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    X, y = load_digits(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    if columns > 64:
        X = np.maximum(X @ rng.normal(size=(64, columns)) / 8 + rng.normal(size=columns) / 2, 0)
    y = y if classes == 10 else (y >= 5).astype(int)
    kept = np.sort(rng.permutation(len(y))[:rows])
    X, y = X[kept], y[kept]
    return X, np.where(rng.random(len(y)) < wrong, (y + 1) % classes, y)


def cancer() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(return_X_y=True)


def adult() -> tuple[np.ndarray, np.ndarray]:
    """2,000 people of the Adult data, every column as numbers: about 100 of them."""
    import pandas as pd

    from keepmum.datasets import load_adult

    X, y = load_adult(2000)
    return pd.get_dummies(X).to_numpy(dtype=np.float64), np.asarray(y)


TASKS = {
    "digits_196_c1": (lambda: digits(196, 1797, 2), 1.0),
    "digits_196_c001": (lambda: digits(196, 1797, 2), 0.01),
    "cancer_c1": (cancer, 1.0),
    "adult_c1": (adult, 1.0),
    "digits_ten_classes_c1": (lambda: digits(64, 1797, 10), 1.0),
    "digits_5_rows_a_column_c1": (lambda: digits(196, 980, 2, 0.1), 1.0),
    "digits_5_rows_a_column_c10": (lambda: digits(196, 980, 2, 0.1), 10.0),
}
MUST_FALL_BACK = "digits_5_rows_a_column_c10"
"""Halves of this one can nearly be told apart by a line."""


def measure(name: str, targets: int) -> tuple[dict[str, float], str]:
    """Mean power over targets, CPU seconds of both, and why the analytic one fell back."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    make, strength = TASKS[name]
    X, y = make()
    records = Records(X, y, np.arange(len(y)))
    trainer = SklearnTrainer(make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000)))
    real = ShadowStore().collect(trainer, records, targets, seed=1)
    ShadowStore().collect(trainer, records, 2, seed=2)  # what is loaded once is loaded
    began = time.process_time()
    refits = ShadowStore().collect(trainer, records, REFITS, seed=0)
    Lira().infer(real.row(0), refits, np.random.default_rng(0))
    cost = time.process_time() - began
    began = time.process_time()
    checks = ShadowStore().collect(trainer, records, CHECKS, seed=0)
    trained = time.process_time() - began
    found = expected(trainer, records, checks)
    reason = disagreement(found, checks)
    mine = time.process_time() - began + (cost - trained if reason else 0.0)
    powers = []
    for target in range(targets):
        heard, member = real.row(target), real.trained_on[target]
        if reason:
            score = Lira().infer(refits.clip(heard), refits, np.random.default_rng(0))
        else:
            score = log_normal(heard, *found.inside) - log_normal(heard, *found.outside)
        lira = Lira().infer(refits.clip(heard), refits, np.random.default_rng(0))
        powers.append([*power(score, member), *power(lira, member)])
    names = ("auc", "tpr", "lira_auc", "lira_tpr")
    result = dict(zip(names, np.mean(powers, axis=0).tolist(), strict=True))
    return {**result, "seconds": mine, "check": trained, "lira_seconds": cost, "share": mine / cost}, reason


def power(scores: np.ndarray, member: np.ndarray) -> tuple[float, float]:
    """AUC, and TPR at 1 % FPR."""
    fpr, tpr = roc_curve(scores[member], scores[~member])
    return auc_value(scores[member], scores[~member]), float(tpr[fpr <= 0.01].max())


def main() -> None:
    chosen = parser(__doc__).parse_args()
    warnings.simplefilter("ignore")
    bars = {}
    head = f"AUC / TPR at 1 % FPR; CPU s with {CHECKS} fits as a check"
    print(f"{'':24}{head:>48}{f'LiRA, {REFITS} refits':>26}{'share':>8}")
    for name in TASKS:
        found, reason = measure(name, 16 if chosen.quick else 32)
        print(
            f"{name:24}{found['auc']:>30.3f}/{found['tpr']:.3f} {found['seconds']:>6.2f} s"
            f"{found['lira_auc']:>12.3f}/{found['lira_tpr']:.3f} {found['lira_seconds']:>6.2f} s"
            f"{found['share']:>8.2f}   {f'fell back: {reason}' if reason else ''}"
        )
        if name == MUST_FALL_BACK:
            bars[f"{name}_falls_back"] = at_least(float(bool(reason)), 1.0)
            continue
        bars[f"{name}_auc_less_lira_{REFITS}"] = at_least(found["auc"] - found["lira_auc"], 0.0)
        bars[f"{name}_tpr_at_1_percent_less_lira_{REFITS}"] = at_least(found["tpr"] - found["lira_tpr"], 0.0)
        bars[f"{name}_share_of_cpu_of_lira_{REFITS}"] = at_most(found["share"], 1 / 3)
        without = (found["seconds"] - found["check"]) / found["lira_seconds"]
        bars[f"{name}_share_of_cpu_beyond_the_check"] = at_most(without, 1 / 3)
    finish(bars, chosen.json)


if __name__ == "__main__":
    main()
