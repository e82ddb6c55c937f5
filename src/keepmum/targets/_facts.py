"""What can be told about a model by looking at it, in numbers and names."""

from __future__ import annotations

from typing import Any

import numpy as np

from keepmum.targets._base import LabelTarget, Target
from keepmum.targets._trees import PREDICTOR, TREE
from keepmum.targets._walk import is_a, parts

_STORES = {
    "sklearn.svm._base.BaseLibSVM": ("support_vectors_", "support vectors"),
    "sklearn.neighbors._base.NeighborsBase": ("_fit_X", "all training rows"),
    "sklearn.gaussian_process._gpr.GaussianProcessRegressor": ("X_train_", "all training rows"),
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace": ("X_train_", "all training rows"),
    "sklearn.semi_supervised._label_propagation.BaseLabelPropagation": ("X_", "all training rows"),
    "sklearn.impute._knn.KNNImputer": ("_fit_X", "all training rows"),
}


def facts_of(target: Target) -> dict[str, Any]:
    """Plain facts, fit for JSON: access, classes, model, trees, min_leaf, stored."""
    facts: dict[str, Any] = {"access": target.access, "model": type(target).__name__}
    if isinstance(target, LabelTarget):
        facts["classes"] = [c.item() if isinstance(c, np.generic) else c for c in target.classes]
    if target.internals is None:
        return facts
    last = target.internals.steps[-1][1] if hasattr(target.internals, "steps") else target.internals
    facts["model"] = type(last).__name__
    trees, leaves, stored = 0, [], []
    for item in parts(target.internals):
        if is_a(item, TREE):
            nodes = item.__getstate__()["nodes"]
            leaves.append(int(nodes["n_node_samples"][nodes["left_child"] == -1].min()))
            trees += 1
        elif is_a(item, PREDICTOR):
            leaves.append(int(item.nodes["count"][item.nodes["is_leaf"] != 0].min()))
            trees += 1
        stored += [
            (type(item).__name__, what, int(np.shape(getattr(item, name))[0]))
            for owner, (name, what) in _STORES.items()
            if is_a(item, owner) and hasattr(item, name)
        ]
    facts |= {"trees": trees, "min_leaf": min(leaves, default=None), "stored": stored}
    return facts
