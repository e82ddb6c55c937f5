import json

import numpy as np
import pandas as pd
import pytest

from keepmum.data import Records
from keepmum.errors import TargetError, UnsafeFileError
from keepmum.targets import RegressionTarget, ScoreTarget
from keepmum.targets._formats import Format, sniff
from keepmum.targets._loaders import open_model

xgboost = pytest.importorskip("xgboost")
lightgbm = pytest.importorskip("lightgbm")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
Y = np.digitize(X[:, 0], [-0.5, 0.5])
RECORDS = Records(X, Y)


def opened(path, classes=None):
    return open_model(path, sniff(path), classes)


@pytest.mark.parametrize("suffix", ["json", "ubj"])
@pytest.mark.parametrize("labels", [Y, (Y > 1) * 1], ids=["three", "two"])
def test_xgboost_answers_as_its_own_classifier(tmp_path, suffix, labels):
    model = xgboost.XGBClassifier(n_estimators=4, max_depth=3).fit(X, labels)
    path = tmp_path / f"model.{suffix}"
    model.save_model(path)
    assert sniff(path) is Format.XGBOOST
    target = opened(path)
    assert isinstance(target, ScoreTarget)
    np.testing.assert_allclose(target.predict_proba(RECORDS), model.predict_proba(X), atol=1e-6)
    assert target.classes.tolist() == sorted(set(labels.tolist()))


@pytest.mark.parametrize("objective", ["multi:softmax", "multi:softprob"])
def test_xgboost_boosters_that_tell_labels_are_asked_for_margins(tmp_path, objective):
    data = xgboost.DMatrix(X, Y)
    booster = xgboost.train({"objective": objective, "num_class": 3, "max_depth": 2}, data, 3)
    booster.save_model(tmp_path / "model.json")
    answers = opened(tmp_path / "model.json").predict_proba(RECORDS)
    expected = xgboost.train({"objective": "multi:softprob", "num_class": 3, "max_depth": 2}, data, 3).predict(data)
    np.testing.assert_allclose(answers, expected, atol=1e-6)


def test_xgboost_on_frames_with_categories(tmp_path):
    frame = pd.DataFrame({"a": X[:, 0], "b": pd.Categorical(np.where(X[:, 1] > 0, "u", "v"))})
    model = xgboost.XGBClassifier(n_estimators=3, enable_categorical=True).fit(frame, (Y > 1) * 1)
    model.save_model(tmp_path / "model.json")
    target = opened(tmp_path / "model.json", ["low", "high"])
    np.testing.assert_allclose(target.predict_proba(Records(frame, Y)), model.predict_proba(frame), atol=1e-6)
    assert target.classes.tolist() == ["low", "high"]
    with pytest.raises(TargetError, match="could not answer"):
        target.predict_proba(Records(frame[["a"]], Y))


@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_xgboost_regressions(tmp_path, booster):
    model = xgboost.XGBRegressor(n_estimators=3, booster=booster).fit(X, X[:, 0])
    model.save_model(tmp_path / "model.json")
    target = opened(tmp_path / "model.json")
    assert isinstance(target, RegressionTarget)
    np.testing.assert_allclose(target.predict_value(RECORDS), model.predict(X), atol=1e-5)


def test_xgboost_rankings_are_neither(tmp_path):
    model = xgboost.XGBRanker(n_estimators=2).fit(X, Y, group=[60, 60])
    model.save_model(tmp_path / "model.json")
    with pytest.raises(TargetError, match="got the objective rank"):
        opened(tmp_path / "model.json")


def crafted_xgboost(path, change):
    xgboost.XGBClassifier(n_estimators=2, max_depth=3).fit(X, Y).save_model(path)
    content = json.loads(path.read_text())
    change(content["learner"])
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(("name", "value"), [("left_children", 999), ("right_children", 0), ("split_indices", 99)])
def test_crafted_xgboost_trees_never_reach_the_library(tmp_path, name, value):
    def change(learner):
        learner["gradient_booster"]["model"]["trees"][0][name][0] = value

    with pytest.raises(UnsafeFileError, match="damaged or crafted"):
        opened(crafted_xgboost(tmp_path / "model.json", change))


def test_xgboost_files_cut_short(tmp_path):
    model = xgboost.XGBClassifier(n_estimators=2).fit(X, Y)
    for suffix in ("json", "ubj"):
        path = tmp_path / f"model.{suffix}"
        model.save_model(path)
        path.write_bytes(path.read_bytes()[:-300])
        with pytest.raises(UnsafeFileError) as caught:
            opened(path)
        assert "\n" not in str(caught.value)


def test_classes_of_a_wrong_number(tmp_path):
    path = tmp_path / "model.json"
    xgboost.XGBClassifier(n_estimators=2).fit(X, Y).save_model(path)
    with pytest.raises(TargetError, match="3 classes of the model, got 2"):
        opened(path, ["a", "b"])


@pytest.mark.parametrize("labels", [Y, (Y > 1) * 1], ids=["three", "two"])
@pytest.mark.parametrize("objective", [None, "multiclassova"])
def test_lightgbm_answers_as_its_own_classifier(tmp_path, labels, objective):
    if objective is not None and len(set(labels.tolist())) == 2:
        objective = None  # one versus all needs three classes
    model = lightgbm.LGBMClassifier(n_estimators=4, objective=objective, verbose=-1).fit(X, labels)
    path = tmp_path / "model.txt"
    model.booster_.save_model(path)
    assert sniff(path) is Format.LIGHTGBM
    target = opened(path)
    expected = model.predict_proba(X)
    np.testing.assert_allclose(target.predict_proba(RECORDS), expected / expected.sum(axis=1, keepdims=True), atol=1e-9)


def test_lightgbm_with_categories_and_regression(tmp_path):
    codes = X.copy()
    codes[:, 3] = np.arange(len(X)) % 5
    wanted = np.isin(codes[:, 3], [1, 4]) * 9.0 + X[:, 0]
    model = lightgbm.LGBMRegressor(n_estimators=4, verbose=-1, min_child_samples=5, min_data_per_group=5)
    model.fit(codes, wanted, categorical_feature=[3])
    path = tmp_path / "model.txt"
    model.booster_.save_model(path)
    assert "num_cat=1" in path.read_text()
    target = opened(path)
    assert isinstance(target, RegressionTarget)
    np.testing.assert_allclose(target.predict_value(Records(codes, Y)), model.predict(codes))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\nend of trees", "", "cut-off"),
        ("\nleft_child=", "\nleft_child=99999 ", "damaged or crafted"),
        ("\nsplit_feature=", "\nsplit_feature=99999 ", "damaged or crafted"),
        ("objective=multiclass", "objective=lambdarank", "got the objective lambdarank"),
    ],
)
def test_crafted_lightgbm_files(tmp_path, old, new, message):
    path = tmp_path / "model.txt"
    lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(X, Y).booster_.save_model(path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises((UnsafeFileError, TargetError), match=message):
        opened(path)
