"""scikit-learn's networks trained in groups against one by one: CPU seconds on one thread, and agreement.

Run ``python benchmarks/networks.py`` for a table; with ``--json`` the last line is machine-readable; ``--quick`` takes
fewer repeats. A bar that is not reached stays in, with ``ok: false``.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from common import at_least, at_most, finish, parser, table

from keepmum.data import Records
from keepmum.shadows import balanced_pairs
from keepmum.training import SklearnTrainer
from keepmum.training._base import Trainer

# name: records, columns, classes, type, parameters of the network
CASES = {
    "30-64-2, batch 200": (1000, 30, 2, np.float64, {"hidden_layer_sizes": 64, "max_iter": 60}),
    "64-128-10, batch 50": (1797, 64, 10, np.float64, {"hidden_layer_sizes": 128, "max_iter": 15, "batch_size": 50}),
    "100-64-100, batch 64": (4000, 100, 100, np.float64, {"hidden_layer_sizes": 64, "max_iter": 4, "batch_size": 64}),
    "196-128-10, single": (4000, 196, 10, np.float32, {"hidden_layer_sizes": 128, "max_iter": 6, "batch_size": 50}),
    "196-128-10, double": (4000, 196, 10, np.float64, {"hidden_layer_sizes": 128, "max_iter": 6, "batch_size": 50}),
    "10-100-3, sgd, adaptive": (
        1000,
        10,
        3,
        np.float64,
        {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.1, "tol": 1e-2, "n_iter_no_change": 2},
    ),
}


def measure(name: str, repeats: int) -> tuple[float, float, float]:
    """CPU seconds of eight models one by one and together, medians; largest difference of a probability."""
    from sklearn.neural_network import MLPClassifier

    n, columns, classes, dtype, parameters = CASES[name]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, columns)).astype(dtype)
    y = np.digitize(X[:, 0] + rng.normal(size=n), np.linspace(-1, 1, classes - 1))
    records, trainer = Records(X, y, np.arange(n)), SklearnTrainer(MLPClassifier(**parameters))
    pairs = list(balanced_pairs(n, 4, 0))
    masks, seeds = np.concatenate([mask for mask, _ in pairs]), [seed for _, both in pairs for seed in both]
    times, models = np.empty((repeats, 2)), [[], []]
    for repeat in range(repeats):
        for way, fleet in enumerate((lambda *args: Trainer.train_fleet(trainer, *args), trainer.train_fleet)):
            began = time.process_time()
            models[way] = list(fleet(records, masks, seeds))
            times[repeat, way] = time.process_time() - began
    apart = [np.abs(a.predict_proba(records) - b.predict_proba(records)).max() for a, b in zip(*models, strict=True)]
    return (*np.median(times, axis=0).tolist(), float(max(apart)))


def main() -> None:
    chosen = parser(__doc__).parse_args()
    warnings.simplefilter("ignore")
    bars, rows = {}, []
    for name in CASES:
        alone, together, apart = measure(name, 1 if chosen.quick else 3)
        rows.append([name, alone, together, alone / together, apart])
        key = name.replace(",", "").replace(" ", "_").replace("-", "_")
        bars[f"network_{key}_faster"] = at_least(alone / together, 1.2)
        bars[f"network_{key}_apart"] = at_most(apart, 1e-6)
    table("Eight networks of scikit-learn", ["network", "alone, CPU s", "together", "faster", "apart"], rows)
    finish(bars, chosen.json)


if __name__ == "__main__":
    main()
