"""Crafted trees: compiled code would follow their indices out of memory or in a circle."""

import numpy as np
import pandas as pd
import pytest
import skops.io
from crafted import array_named, change_array, change_number, nodes_of, rewrite
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from keepmum.errors import UnsafeFileError
from keepmum.targets._formats import Format
from keepmum.targets._loaders import open_model
from keepmum.targets._trees import check_trees

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
Y = np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.5])
HUGE = 2**40


def saved(model, path, X=X):
    skops.io.dump(model.fit(X, Y), path)
    return path


@pytest.fixture
def tree(tmp_path):
    return saved(DecisionTreeClassifier(max_depth=4, random_state=0), tmp_path / "model.skops")


def refused(path, message="damaged or crafted"):
    with pytest.raises(UnsafeFileError, match=message) as caught:
        open_model(path, Format.SKOPS)
    assert "\n" not in str(caught.value)


def setting(field, place, value):
    def change(nodes):
        nodes[field][place] = value

    return change


@pytest.mark.parametrize(
    ("field", "place", "value", "message"),
    [
        ("left_child", 0, HUGE, "out of range"),
        ("right_child", 0, HUGE, "out of range"),
        ("left_child", 0, -5, "out of range or"),
        ("left_child", 1, 0, "circle"),
        ("left_child", 0, 0, "circle"),
        ("right_child", 0, -1, "one child"),
        ("right_child", 0, 1, "two parents"),
        ("feature", 0, 4, "feature that is not there"),
        ("feature", 0, HUGE, "feature that is not there"),
        ("feature", 0, -2, "feature that is not there"),
    ],
)
def test_nodes_that_lead_astray(tree, field, place, value, message):
    refused(change_array(tree, "nodes", setting(field, place, value)), message)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v[:-1],
        lambda v: v[:, :, :1],
        lambda v: v.astype(np.float32) * np.nan,
        lambda v: v[:, 0],
        lambda v: v[:0],
    ],
    ids=["short", "narrow", "nan", "flat", "empty"],
)
def test_values_that_do_not_fit(tree, change):
    refused(change_array(tree, "values", change))


@pytest.mark.parametrize("change", [lambda n: n[:1], lambda n: n[:0], lambda n: n["feature"]])
def test_nodes_that_do_not_fit(tree, change):
    refused(change_array(tree, "nodes", change))


@pytest.mark.parametrize("value", [0, -1, HUGE, "many", 2.5, None, True])
@pytest.mark.parametrize("name", ["node_count", "max_depth"])
def test_counts_that_do_not_fit(tree, name, value):
    refused(change_number(tree, name, value))


@pytest.mark.parametrize(("place", "value"), [(0, 3), (0, 5), (0, HUGE), (0, -1), (2, 2), (2, HUGE), (2, 0)])
def test_arguments_that_do_not_fit(tree, place, value):
    """Features, classes, outputs: the constructor of a tree reads as many classes as it is told."""

    def edit(schema, files):
        node = next(n for n in nodes_of(schema) if n["__loader__"] == "TreeNode")
        node["__reduce__"]["args"]["content"][place] = {
            "__class__": "str",
            "__module__": "builtins",
            "__loader__": "JsonNode",
            "content": str(value),
        }

    refused(rewrite(tree, edit))


def test_a_tree_of_more_features_than_its_model_takes(tmp_path):
    """The forest checks the rows' width once, against itself, and its trees trust it."""
    path = saved(RandomForestClassifier(2, max_depth=3, random_state=0), tmp_path / "model.skops")
    wide = saved(RandomForestClassifier(2, max_depth=3, random_state=0), tmp_path / "wide.skops", np.hstack([X, X]))

    def narrow(schema, files):
        for node in nodes_of(schema):
            content = node.get("content")
            if isinstance(content, dict) and "n_features_in_" in content and "estimators_" in content:
                content["n_features_in_"] = {
                    "__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "4",
                }  # fmt: skip

    open_model(path, Format.SKOPS)
    refused(rewrite(wide, narrow), "does not take 4 features")


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(3, random_state=0),
        BaggingClassifier(ExtraTreeClassifier(random_state=0), 2, random_state=0),
        GradientBoostingClassifier(n_estimators=2, random_state=0),
        make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_trees_are_found_wherever_they_hide(model, tmp_path):
    path = saved(model, tmp_path / "model.skops")
    refused(change_array(path, "nodes", setting("left_child", 0, HUGE)), "out of range")


def test_gradient_boosting_with_columns_of_trees_missing(tmp_path):
    """Its compiled code writes one column for each tree of a step."""
    model = GradientBoostingClassifier(n_estimators=2).fit(X, Y)
    check_trees(model)
    model.estimators_ = np.hstack([model.estimators_, model.estimators_])
    with pytest.raises(UnsafeFileError, match="trees of shape"):
        check_trees(model)


@pytest.fixture
def histogram(tmp_path):
    return saved(HistGradientBoostingClassifier(max_iter=2, random_state=0), tmp_path / "model.skops")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("left", 2**31, "out of range"),
        ("right", 0, "circle"),
        ("feature_idx", 4, "feature that is not there"),
        ("feature_idx", -1, "feature that is not there"),
        ("is_categorical", 1, "not categorical"),
        ("value", np.nan, "not numbers"),
        ("num_threshold", np.nan, "not numbers"),
    ],
)
def test_histogram_nodes_that_lead_astray(histogram, field, value, message):
    refused(change_array(histogram, "nodes", setting(field, 0, value)), message)


@pytest.fixture
def categorical(tmp_path):
    frame = pd.DataFrame({"a": X[:, 0], "b": pd.Categorical(np.where(X[:, 1] > 0, "u", "v"))})
    labels = (X[:, 1] > 0) ^ (X[:, 0] > 1)
    model = HistGradientBoostingClassifier(max_iter=2, categorical_features="from_dtype").fit(frame, labels)
    nodes = model._predictors[0][0].nodes
    assert nodes["is_categorical"].any()
    path = tmp_path / "model.skops"
    skops.io.dump(model, path)
    return path


def test_a_set_of_categories_that_is_not_there(categorical):
    def far(nodes):
        nodes["bitset_idx"][nodes["is_categorical"] != 0] = 2**31

    refused(change_array(categorical, "nodes", far), "set of categories")


@pytest.mark.parametrize("name", ["raw_left_cat_bitsets", "binned_left_cat_bitsets"])
def test_sets_of_categories_that_are_too_small(categorical, name):
    refused(change_array(categorical, name, lambda bits: bits[:, :2]), "sets of categories")
    refused(change_array(categorical, name, lambda bits: np.zeros((0, 8), dtype=np.uint32)), "set of categories")


def test_bins_for_fewer_features(histogram):
    refused(change_array(histogram, "is_categorical_", lambda flags: flags[:2]), "another number of features")


def test_a_category_beyond_256(categorical):
    def edit(schema, files):
        import io

        node = array_named(schema, "bin_thresholds_", "ListNode")
        buffer = io.BytesIO()
        np.save(buffer, np.array([0.0, 1e6]))
        files["far.npy"] = buffer.getvalue()
        node["content"][0] = dict(array_named(schema, "is_categorical_"), file="far.npy", __id__=1)

    refused(rewrite(categorical, edit), "category outside")


def test_how_many_trees():
    assert check_trees(RandomForestClassifier(7).fit(X, Y)) == 7
    assert check_trees(HistGradientBoostingClassifier(max_iter=2).fit(X, Y)) == 6
    assert check_trees(StandardScaler().fit(X)) == 0
