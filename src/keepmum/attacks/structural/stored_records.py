"""Records that stand verbatim inside the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.structural._base import Examination, StructuralAttack, dense_rows, estimators, model_of
from keepmum.data import Split
from keepmum.errors import NotApplicableError
from keepmum.stats.intervals import clopper_pearson
from keepmum.targets._base import Target


@dataclass(frozen=True)
class StoredRecords(StructuralAttack):
    """Stored-records check.

    Support vector machines, nearest neighbors, Gaussian processes and exemplar models carry training records inside
    them. Whoever gets the file reads them out; no attack is needed. Rows are compared after the pipeline's own
    transformation, as 32-bit floats.

    References:
      ICO. Guidance on AI and data protection, "How should we assess security and data minimisation in AI?", on models
      that contain training data by design; Smith et al. SACRO-ML, instance-based models (2024).
    """

    id: ClassVar[str] = "structural/stored-records"
    references: ClassVar[tuple[str, ...]] = ("ICO guidance on AI and data protection", "arXiv:2212.01233")

    def examine(self, target: Target, data: Split, ctx: Context) -> Examination:
        """Count members, and as a control non-members, whose row the model holds."""
        from scipy.stats import hypergeom

        m, n = len(data.members), len(data.nonmembers)
        held = np.zeros(m + n, dtype=bool)
        rows_held = 0
        for estimator, X in estimators(model_of(target), data.pool.X):
            rows = dense_rows(X)
            if rows is None:
                continue
            stored = [_keys(array) for array in _stored(estimator, rows.shape[1])]
            rows_held += sum(len(keys) for keys in stored)
            for keys in stored:
                held |= np.isin(_keys(rows), keys)
        if not rows_held:
            raise NotApplicableError("the model holds no rows of the size of a record")
        found, chance = int(held[:m].sum()), int(held[m:].sum())
        return Examination(
            explanation=(
                f"The model holds {rows_held:,} rows of the size of a record; {found:,} of {m:,} members stand in it "
                f"word for word, and {chance:,} of {n:,} people it never saw."
            ),
            p_value=float(hypergeom.sf(found - 1, m + n, m, found + chance)),
            metrics={"stored_share": clopper_pearson(found, m)},
            control={"stored_share": clopper_pearson(chance, n)},
        )


def _stored(estimator: Any, width: int) -> list[NDArray[np.float32]]:
    """Arrays of an estimator with as many columns as a record and at least two rows, coefficients left out."""
    arrays = []
    for name, value in sorted(vars(estimator).items() if hasattr(estimator, "__dict__") else ()):
        sampled = name == "components_" and hasattr(estimator, "component_indices_")  # Nystroem keeps training rows
        if (
            name in ("coef_", "theta_", "var_", "means_", "centroids_", "feature_log_prob_", "components_")
            and not sampled
        ):
            continue
        if getattr(value, "ndim", 0) == 2 and value.shape[1] == width and value.shape[0] > 1:
            rows = dense_rows(value)
            if rows is not None:
                arrays.append(rows)
    return arrays


def _keys(rows: NDArray[np.float32]) -> NDArray[np.uint64]:
    """A 64-bit key for each row of bytes."""
    import pandas as pd

    words = rows.view(np.uint32)
    keys = np.full(len(rows), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in words.T:
        keys = (keys ^ pd.util.hash_array(np.ascontiguousarray(column))) * np.uint64(0x100000001B3)
        keys ^= keys >> np.uint64(29)
    return keys
