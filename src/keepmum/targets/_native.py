"""Other arrays that compiled code trusts: support vectors, neighbor trees, boosters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from keepmum.targets._trees import bad
from keepmum.targets._walk import is_a, parts

XGBOOST = "xgboost.core.Booster"
LIGHTGBM = "lightgbm.basic.Booster"
_SVM = "sklearn.svm._base.BaseLibSVM"
_NEIGHBORS = "sklearn.neighbors._base.NeighborsBase"


def check_native(model: Any) -> None:
    """Check or rebuild what compiled code would follow blindly.

    Raises:
      UnsafeFileError: Arrays that do not belong together, or trees that lead out of bounds.
    """
    for item in parts(model):
        if is_a(item, _SVM) and hasattr(item, "support_vectors_"):
            check_support_vectors(item)
        elif is_a(item, _NEIGHBORS) and getattr(item, "_tree", None) is not None:
            rebuild_neighbors(item)
        elif is_a(item, XGBOOST):
            check_xgboost(json.loads(bytes(item.save_raw("json"))))
        elif is_a(item, LIGHTGBM):
            check_lightgbm(item.model_to_string(num_iteration=-1))


def check_support_vectors(model: Any) -> None:
    """The shapes that libsvm takes for granted."""
    vectors, counts = model.support_vectors_, np.asarray(model._n_support)
    classes = len(counts)
    pairs = classes * (classes - 1) // 2 if model._impl in ("c_svc", "nu_svc") else 1
    rows = classes - 1 if model._impl in ("c_svc", "nu_svc") else 1
    total = int(counts.sum()) if model._impl in ("c_svc", "nu_svc") else vectors.shape[0]
    right = (
        counts.ndim == 1
        and (counts >= 0).all()
        and vectors.ndim == 2
        and vectors.shape[0] == total == model._dual_coef_.shape[1] == len(model.support_)
        and model._dual_coef_.shape[0] == rows
        and np.shape(model._intercept_) == (pairs,)
        and all(len(values) in (0, pairs) for values in (model._probA, model._probB))
        and vectors.shape[1] in (model.n_features_in_, 0, model.shape_fit_[0])
    )
    if not right:
        raise bad("support vectors whose shapes do not fit together")


def rebuild_neighbors(model: Any) -> None:
    """A stored neighbor tree is an index into memory; it is made anew from the rows, which are stored beside it."""
    from sklearn.neighbors import BallTree, KDTree

    kind = {"kd_tree": KDTree, "ball_tree": BallTree}.get(model._fit_method)
    if kind is None or not isinstance(model._fit_X, np.ndarray):
        raise bad("a neighbor tree of unknown kind")
    model._tree = kind(
        model._fit_X, model.leaf_size, metric=model.effective_metric_, **(model.effective_metric_params_ or {})
    )


def _check_links(left: Sequence[int], right: Sequence[int], nodes: int, what: str) -> None:
    """Inner nodes' children: in range, none with two parents, none of them the root; so there is no circle."""
    children = np.asarray([*left, *right], dtype=np.int64)
    if (children < 1).any() or (children >= nodes).any() or len(np.unique(children)) != len(children):
        raise bad(f"a {what} tree whose nodes lead out of range or in a circle")


def check_xgboost(content: Any) -> None:
    """Check the trees of an XGBoost model in its JSON form."""
    try:
        learner = content["learner"]
        width = int(learner["learner_model_param"]["num_feature"])
        booster = learner["gradient_booster"]
        if booster["name"] == "gblinear":
            return
        trees = booster.get("gbtree", booster)["model"]["trees"]  # dart keeps its trees one level below
        for tree in trees:
            _check_xgboost_tree(tree, width)
    except (KeyError, TypeError, ValueError, IndexError) as err:
        raise bad(f"an XGBoost model without {err}") from err


def _check_xgboost_tree(tree: Any, width: int) -> None:
    left, right = np.asarray(tree["left_children"]), np.asarray(tree["right_children"])
    feature, nodes = np.asarray(tree["split_indices"]), int(tree["tree_param"]["num_nodes"])
    if not len(left) == len(right) == len(feature) == len(tree["split_conditions"]) == nodes > 0:
        raise bad("an XGBoost tree with missing nodes")
    inner = left != -1
    if not np.array_equal(inner, right != -1):
        raise bad("an XGBoost node with one child")
    _check_links(left[inner].tolist(), right[inner].tolist(), nodes, "XGBoost")
    if (feature[inner] < 0).any() or (feature[inner] >= width).any():
        raise bad("an XGBoost node that splits on a feature that is not there")


def check_lightgbm(text: str) -> None:
    """Check the trees of a LightGBM model in its text form."""
    head, *trees = text.split("\nTree=")
    try:
        width = int(_fields(head)["max_feature_idx"]) + 1
        for tree in trees:
            _check_lightgbm_tree(_fields(tree.split("\nend of trees")[0]), width)
    except (KeyError, ValueError, IndexError) as err:
        raise bad(f"a LightGBM model without {err}") from err


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _numbers(fields: dict[str, str], name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.asarray([int(float(v)) for v in fields.get(name, "").split()], dtype=np.int64)


def _check_lightgbm_tree(fields: dict[str, str], width: int) -> None:
    leaves, categories = int(fields["num_leaves"]), int(fields.get("num_cat", "0"))
    if leaves < 1 or len(fields["leaf_value"].split()) < leaves:
        raise bad("a LightGBM tree with missing leaves")
    if leaves == 1:
        return
    left, right = _numbers(fields, "left_child"), _numbers(fields, "right_child")
    feature, decision = _numbers(fields, "split_feature"), _numbers(fields, "decision_type")
    if not len(left) == len(right) == len(feature) == len(decision) == leaves - 1:
        raise bad("a LightGBM tree with missing nodes")
    children = np.concatenate([left, right])
    if (children < -leaves).any():
        raise bad("a LightGBM node with a leaf that is not there")
    inner = children[children >= 0].tolist()
    _check_links(inner, [], leaves - 1, "LightGBM")
    if (feature < 0).any() or (feature >= width).any():
        raise bad("a LightGBM node that splits on a feature that is not there")
    split = (decision & 1).astype(bool)
    if split.any():
        _check_lightgbm_categories(fields, split, categories)
    if (_numbers(fields, "leaf_features") >= width).any():
        raise bad("a LightGBM leaf that reads a feature that is not there")


def _check_lightgbm_categories(fields: dict[str, str], split: Any, categories: int) -> None:
    index, bounds = _numbers(fields, "threshold")[split], _numbers(fields, "cat_boundaries")
    words = len(fields.get("cat_threshold", "").split())
    fits = len(bounds) == categories + 1 and bounds[0] == 0 and (np.diff(bounds) >= 0).all() and bounds[-1] <= words
    if not fits or (index < 0).any() or (index >= categories).any():
        raise bad("a LightGBM node with a set of categories that is not there")
