"""Crafted arrays of models that compiled code trusts."""

import numpy as np
import pytest
import skops.io
from crafted import change_array
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, SVR

from keepmum.data import Records
from keepmum.errors import UnsafeFileError
from keepmum.targets._formats import Format
from keepmum.targets._loaders import open_model
from keepmum.targets._native import check_lightgbm, check_xgboost

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
Y = np.digitize(X[:, 0], [-0.5, 0.5])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("support_vectors_", lambda v: v[:3]),
        ("support_vectors_", lambda v: v[:, :2]),
        ("_n_support", lambda v: v + 1000),
        ("_n_support", lambda v: v * np.array([1, -1, 1], dtype=v.dtype)),
        ("_dual_coef_", lambda v: v[:1]),
        ("_dual_coef_", lambda v: v[:, :2]),
        ("_intercept_", lambda v: v[:1]),
        ("_probA", lambda v: np.ones(1)),
        ("support_", lambda v: v[:1]),
    ],
)
def test_support_vectors_that_do_not_fit(tmp_path, name, change):
    path = tmp_path / "model.skops"
    skops.io.dump(SVC().fit(X, Y), path)
    open_model(path, Format.SKOPS)
    with pytest.raises(UnsafeFileError, match="support vectors"):
        open_model(change_array(path, name, change), Format.SKOPS)


def test_support_vectors_of_a_regression(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(SVR().fit(X, X[:, 0]), path)
    open_model(path, Format.SKOPS)
    with pytest.raises(UnsafeFileError, match="support vectors"):
        open_model(change_array(path, "support_vectors_", lambda v: v[:3]), Format.SKOPS)


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
def test_a_neighbor_tree_of_the_file_is_not_used(tmp_path, algorithm):
    model = KNeighborsClassifier(algorithm=algorithm).fit(X, Y)
    expected = model.predict_proba(X)
    crafted = list(model._tree.__getstate__())
    crafted[1] = np.full_like(np.asarray(crafted[1]), 10**9)  # indices of rows
    model._tree.__setstate__(tuple(crafted))
    path = tmp_path / "model.skops"
    skops.io.dump(model, path)
    target = open_model(path, Format.SKOPS)
    np.testing.assert_allclose(target.predict_proba(Records(X, Y)), expected)


LEAVES = "num_leaves=3\nnum_cat=0\nsplit_feature=1 0\ndecision_type=2 2\nleft_child=1 -1\nright_child=-2 -3\n"
TEXT = f"tree\nmax_feature_idx=3\n\nTree=0\n{LEAVES}threshold=0.5 1e-35\nleaf_value=1 2 3\n\nend of trees\n"


def test_a_sound_lightgbm_text():
    check_lightgbm(TEXT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("left_child=1 -1", "left_child=7 -1"),
        ("left_child=1 -1", "left_child=0 -1"),
        ("left_child=1 -1", "left_child=1 0"),
        ("left_child=1 -1", "left_child=1 -9"),
        ("left_child=1 -1", "left_child=1"),
        ("split_feature=1 0", "split_feature=1 4"),
        ("split_feature=1 0", "split_feature=-1 0"),
        ("num_leaves=3", "num_leaves=300"),
        ("num_leaves=3", "num_leaves=x"),
        ("num_leaves=3", "leaves=3"),
        ("decision_type=2 2", "decision_type=1 2"),
        ("leaf_value=1 2 3", "leaf_value=1 2"),
        ("max_feature_idx=3", "max_feature_idx=0"),
        ("max_feature_idx=3\n", ""),
    ],
)
def test_a_lightgbm_text_that_leads_astray(old, new):
    assert old in TEXT
    with pytest.raises(UnsafeFileError, match="LightGBM"):
        check_lightgbm(TEXT.replace(old, new))


def xgboost_model(**changes):
    tree = {
        "left_children": [1, -1, -1],
        "right_children": [2, -1, -1],
        "split_indices": [0, 0, 0],
        "split_conditions": [0.5, 1.0, 2.0],
        "tree_param": {"num_nodes": "3"},
    } | changes
    model = {"trees": [tree]}
    return {
        "learner": {"learner_model_param": {"num_feature": "2"}, "gradient_booster": {"name": "gbtree", "model": model}}
    }


def test_a_sound_xgboost_model():
    check_xgboost(xgboost_model())


@pytest.mark.parametrize(
    "changes",
    [
        {"left_children": [9, -1, -1]},
        {"left_children": [0, -1, -1]},
        {"left_children": [2, -1, -1]},
        {"left_children": [-1, -1, -1]},
        {"left_children": [1, -1]},
        {"split_indices": [2, 0, 0]},
        {"split_indices": [-1, 0, 0]},
        {"tree_param": {"num_nodes": "300"}},
        {"tree_param": {}},
        {"left_children": "text"},
    ],
)
def test_an_xgboost_model_that_leads_astray(changes):
    with pytest.raises(UnsafeFileError, match="XGBoost"):
        check_xgboost(xgboost_model(**changes))


@pytest.mark.parametrize("content", [{}, [], {"learner": 1}, None])
def test_a_thing_that_is_no_xgboost_model(content):
    with pytest.raises(UnsafeFileError, match="XGBoost"):
        check_xgboost(content)
