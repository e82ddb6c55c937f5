"""Tree nodes are indices that compiled code follows without checks: they are checked here, before any use.

scikit-learn's trees and histogram trees are plain arrays of child and feature indices; a crafted file can point
them outside of memory or in a circle. See https://github.com/scikit-learn/scikit-learn/pull/34558.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import UnsafeFileError
from keepmum.targets._walk import is_a, parts

TREE = "sklearn.tree._tree.Tree"
PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
_HIST = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.BaseHistGradientBoosting"
_BOOSTING = "sklearn.ensemble._gb.BaseGradientBoosting"
_FOREST = "sklearn.ensemble._forest.BaseForest"
_SINGLE = "sklearn.tree._classes.BaseDecisionTree"
_LEAF = -1


def bad(what: str) -> UnsafeFileError:
    """The error for a part that cannot be right."""
    return UnsafeFileError(f"the model file is damaged or crafted ({what}): ask for it again from who trained it")


def check_trees(model: Any) -> int:
    """Check every tree that hides in the model.

    Returns:
      How many trees there were.

    Raises:
      UnsafeFileError: A tree whose nodes would lead outside of its arrays, or in a circle.
    """
    count, held = 0, set()
    for item in parts(model):
        if is_a(item, _SINGLE) and hasattr(item, "tree_"):
            check_tree(item.tree_, _width(item))
            held.add(id(item.tree_))
        elif is_a(item, _FOREST, _BOOSTING) and hasattr(item, "estimators_"):
            _check_ensemble(item)
        elif is_a(item, _HIST) and hasattr(item, "_predictors"):
            count += _check_hist(item, held)
        if is_a(item, TREE):
            count += 1
            if id(item) not in held:
                check_tree(item, int(item.n_features))
        elif is_a(item, PREDICTOR) and id(item) not in held:
            raise bad("a histogram tree outside of a histogram gradient boosting model")
    return count


def _width(model: Any) -> int:
    width = getattr(model, "n_features_in_", None)
    if not isinstance(width, (int, np.integer)) or width < 1:
        raise bad(f"{type(model).__name__} does not tell its number of features")
    return int(width)


def _check_ensemble(model: Any) -> None:
    """Forests and boosting hand their rows to the trees without a second check of the width."""
    width = _width(model)
    members = np.asarray(model.estimators_, dtype=object)
    for member in members.flat:
        if not is_a(member, _SINGLE) or not hasattr(member, "tree_") or _width(member) != width:
            raise bad(f"a tree of {type(model).__name__} does not take {width} features")
    if is_a(model, _BOOSTING) and (members.ndim != 2 or members.shape[1] != _boosting_columns(model)):
        raise bad(f"{type(model).__name__} holds trees of shape {members.shape}")


def _boosting_columns(model: Any) -> int:
    classes = len(model.classes_) if hasattr(model, "classes_") else 1
    return classes if classes > 2 else 1


def check_tree(tree: Any, width: int) -> None:
    """Check one ``sklearn.tree._tree.Tree`` against the number of features that it will be given."""
    if not is_a(tree, TREE):
        raise bad(f"a {type(tree).__name__} in the place of a tree")
    if tree.node_count > tree.capacity:
        raise bad("a tree with more nodes than stored")
    state = tree.__getstate__()
    check_nodes(state, int(tree.n_features), np.asarray(tree.n_classes), int(tree.n_outputs))
    if tree.n_features != width:
        raise bad(f"a tree of {tree.n_features} features in a model of {width}")


def check_nodes(state: dict[str, Any], n_features: int, n_classes: NDArray[Any], n_outputs: int) -> None:
    """Check the stored state of a tree: ``max_depth``, ``node_count``, ``nodes``, ``values``.

    A child comes after its parent in every tree that scikit-learn grows, so an order that goes forward only rules
    out circles.
    """
    nodes, values, count = state.get("nodes"), state.get("values"), state.get("node_count")
    if not isinstance(nodes, np.ndarray) or not isinstance(values, np.ndarray) or type(count) is not int:
        raise bad("a tree without node arrays")
    if nodes.ndim != 1 or nodes.dtype.names is None or not 0 < count == len(nodes):
        raise bad(f"a tree of {count} nodes with {nodes.shape} stored")
    if n_features < 1 or n_outputs < 1 or n_classes.shape != (n_outputs,) or n_classes.dtype.kind not in "iu":
        raise bad("a tree with impossible numbers of features, outputs or classes")
    if n_classes.min() < 1 or values.shape != (count, n_outputs, int(n_classes.max())):
        raise bad(f"a tree of {count} nodes with values of shape {values.shape}")
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        raise bad("a tree with values that are not finite numbers")
    try:
        left, right, feature = (nodes[name] for name in ("left_child", "right_child", "feature"))
    except ValueError as err:
        raise bad("a tree with unknown node fields") from err
    leaf = left == _LEAF
    if not np.array_equal(leaf, right == _LEAF):
        raise bad("a node with one child")
    _check_links(left, right, ~leaf)
    depth, least = state.get("max_depth"), _depth(left, right, ~leaf)
    if not isinstance(depth, int) or isinstance(depth, bool) or not least <= depth < count:
        raise bad(f"a tree of {count} nodes and depth {depth}, where {least} is right")
    if (feature[~leaf] < 0).any() or (feature[~leaf] >= n_features).any():
        raise bad("a node that splits on a feature that is not there")


def _check_links(left: NDArray[Any], right: NDArray[Any], inner: NDArray[np.bool_]) -> None:
    place = np.flatnonzero(inner)
    children = np.concatenate([left[inner], right[inner]]).astype(np.int64)
    if (children >= len(left)).any() or (children <= np.tile(place, 2)).any():
        raise bad("a node whose child is out of range or leads in a circle")
    if len(np.unique(children)) != len(children):
        raise bad("a node with two parents")


def _depth(left: NDArray[Any], right: NDArray[Any], inner: NDArray[np.bool_]) -> int:
    """Levels below the root; compiled code makes its buffers by the depth that is stored."""
    level, depth = np.flatnonzero(inner[:1]), 0
    while len(level):
        below = np.concatenate([left[level], right[level]])
        level, depth = below[inner[below]], depth + 1
    return depth


def _check_hist(model: Any, held: set[int]) -> int:
    """Check a histogram gradient boosting model; returns its number of trees."""
    width, mapper = _width(model), getattr(model, "_bin_mapper", None)
    categorical = np.asarray(getattr(mapper, "is_categorical_", None))
    if categorical.shape != (width,) or categorical.dtype.kind not in "bu" or getattr(model, "_in_fit", False):
        raise bad("histogram bins for another number of features")
    _check_categories(mapper, categorical)
    if getattr(model, "_preprocessor", None) is not None:
        _check_preprocessor(model._preprocessor, width)
    count = 0
    for step in model._predictors:
        for tree in step:
            if not is_a(tree, PREDICTOR):
                raise bad(f"a {type(tree).__name__} in the place of a histogram tree")
            check_predictor(tree, categorical.astype(bool))
            held.add(id(tree))
            count += 1
    if any(len(step) != model.n_trees_per_iteration_ for step in model._predictors):
        raise bad("boosting steps with a wrong number of trees")
    return count


def _check_categories(mapper: Any, categorical: NDArray[Any]) -> None:
    """Known categories become bits of a 256-bit set."""
    thresholds = getattr(mapper, "bin_thresholds_", [])
    if len(thresholds) != len(categorical):
        raise bad("histogram bins for another number of features")
    for values in (np.asarray(thresholds[i]) for i in np.flatnonzero(categorical)):
        if values.dtype.kind not in "fiu" or not ((values >= 0) & (values < 256)).all():
            raise bad("a category outside of 0 … 255")


def _check_preprocessor(preprocessor: Any, width: int) -> None:
    """The model's own encoder of categories has to hand on as many columns as it is given."""
    steps = getattr(preprocessor, "transformers_", [])
    if not is_a(preprocessor, "sklearn.compose._column_transformer.ColumnTransformer"):
        raise bad("an unknown encoder of categories")
    taken = np.zeros(width, dtype=int)
    for name, step, columns in steps:
        if name == "remainder" and not len(columns):
            continue
        mask = np.asarray(columns)
        if mask.shape != (width,) or mask.dtype != bool:
            raise bad("an encoder of categories for another number of features")
        kind = "_encoders.OrdinalEncoder" if name == "encoder" else "_function_transformer.FunctionTransformer"
        if not is_a(step, f"sklearn.preprocessing.{kind}") and step != "passthrough" and mask.any():
            raise bad("an unknown encoder of categories")
        taken += mask
    if (taken != 1).any():
        raise bad("an encoder of categories that drops or repeats features")


def check_predictor(tree: Any, categorical: NDArray[np.bool_]) -> None:
    """Check one histogram tree; ``categorical`` tells for each feature whether it is one."""
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    nodes = getattr(tree, "nodes", None)
    if not isinstance(nodes, np.ndarray) or nodes.ndim != 1 or nodes.dtype != PREDICTOR_RECORD_DTYPE or not len(nodes):
        raise bad("a histogram tree without nodes")
    inner = nodes["is_leaf"] == 0
    _check_links(nodes["left"], nodes["right"], inner)
    feature, split = nodes["feature_idx"][inner], nodes["is_categorical"][inner] != 0
    if (feature < 0).any() or (feature >= len(categorical)).any():
        raise bad("a node that splits on a feature that is not there")
    if not np.isfinite(nodes["value"]).all() or np.isnan(nodes["num_threshold"][inner]).any():
        raise bad("a histogram tree with values that are not numbers")
    if not categorical[feature[split]].all():
        raise bad("a categorical split on a feature that is not categorical")
    for name in ("raw_left_cat_bitsets", "binned_left_cat_bitsets"):
        bits = getattr(tree, name, None)
        if not isinstance(bits, np.ndarray) or bits.ndim != 2 or bits.shape[1] != 8 or bits.dtype != np.uint32:
            raise bad("a histogram tree without its sets of categories")
        if (nodes["bitset_idx"][inner][split] >= len(bits)).any():
            raise bad("a node with a set of categories that is not there")
