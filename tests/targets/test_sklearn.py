import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from keepmum.data import Records
from keepmum.errors import DataError, TargetError
from keepmum.targets import LabelTarget, RegressionTarget, ScoreTarget, from_sklearn

RNG = np.random.default_rng(5)
X = RNG.normal(size=(90, 4))
Y = np.digitize(X[:, 0], [-0.5, 0.5])
WORDS = np.array(["low", "mid", "top"])[Y]


@pytest.mark.parametrize("labels", [Y, WORDS, WORDS.astype(object), Y > 0, Y.astype(float), (Y > 0) * 2 - 1])
def test_columns_are_in_the_order_of_the_classes(labels):
    model = LogisticRegression().fit(X, labels)
    target = from_sklearn(model)
    assert isinstance(target, ScoreTarget)
    answers = target.predict_proba(Records(X, labels))
    np.testing.assert_allclose(answers, model.predict_proba(X))
    assert (target.classes[answers.argmax(axis=1)] == model.predict(X)).all()
    assert (target.classes[target.positions(labels)] == labels).all()
    assert target.internals is model


def test_a_classifier_without_probabilities_is_asked_for_margins():
    for model in (SVC(), RidgeClassifier()):
        target = from_sklearn(model.fit(X, WORDS))
        answers = target.predict_proba(Records(X, WORDS))
        assert (target.classes[answers.argmax(axis=1)] == model.predict(X)).all()
        assert any("margins" in note for note in target.notes)


def test_pairwise_margins_and_bare_predictions_give_labels_only():
    for model in (
        SVC(decision_function_shape="ovo"),
        NearestCentroid(),
        make_pipeline(StandardScaler(), SVC(decision_function_shape="ovo")),
    ):
        model.fit(X, WORDS)
        target = from_sklearn(model)
        if isinstance(model, NearestCentroid) and isinstance(target, ScoreTarget):
            continue  # newer releases have margins
        assert type(target).__mro__[1] is LabelTarget
        assert (target.classes[target.predict(Records(X, WORDS))] == model.predict(X)).all()


def test_regressors_and_their_pipelines_give_values():
    for model in (LinearRegression(), make_pipeline(StandardScaler(), RandomForestRegressor(5))):
        target = from_sklearn(model.fit(X, X[:, 1] * 2))
        assert isinstance(target, RegressionTarget)
        np.testing.assert_allclose(target.predict_value(Records(X, Y)), model.predict(X))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LogisticRegression(), "before fit"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "before fit"),
        (LinearRegression(), "before fit"),
        (LogisticRegression, "the class LogisticRegression"),
        (object(), "got object"),
        (KMeans(2, n_init=1).fit(X), "no classes"),
        (RandomForestClassifier(3).fit(X, np.column_stack([Y, Y > 0])), "several"),
        (RandomForestRegressor(3).fit(X, X[:, :2]), "several"),
    ],
)
def test_what_cannot_be_audited_is_told_in_one_line(model, message):
    with pytest.raises(TargetError, match=message) as caught:
        from_sklearn(model)
    assert "\n" not in str(caught.value)


def test_wrong_columns_are_one_line():
    target = from_sklearn(LogisticRegression().fit(X, Y))
    with pytest.raises(TargetError, match="could not answer about these records"):
        target.predict_proba(Records(X[:, :2], Y))


def test_labels_that_the_model_does_not_know():
    target = from_sklearn(LogisticRegression().fit(X, WORDS))
    with pytest.raises(DataError, match="'high' was not seen in training"):
        target.positions(np.array(["high", "low"]))


def frames():
    data = {"a": X[:, 0], "b": np.where(X[:, 1] > 0, "u", "v"), "c": X[:, 2]}
    return [pd.DataFrame(data), pl.DataFrame(data)]


@pytest.mark.parametrize("frame", frames(), ids=["pandas", "polars"])
def test_pipelines_receive_the_frame_that_they_were_fitted_on(frame):
    from sklearn.compose import ColumnTransformer

    steps = ColumnTransformer([("n", StandardScaler(), ["a", "c"]), ("o", OneHotEncoder(), ["b"])])
    model = make_pipeline(steps, LogisticRegression()).fit(frame, Y)
    records = Records(frame, Y)
    np.testing.assert_allclose(from_sklearn(model).predict_proba(records), model.predict_proba(frame))
    few = records.take(np.array([5, 2]))
    np.testing.assert_allclose(from_sklearn(model).predict_proba(few), model.predict_proba(frame)[[5, 2]])


@pytest.mark.parametrize(
    "frame",
    [X, pd.DataFrame(X, columns=list("abcd")), pl.DataFrame(X, schema=list("abcd"))],
    ids=["numpy", "pandas", "polars"],
)
@pytest.mark.parametrize("name", ["xgboost", "lightgbm"])
def test_boosters_through_their_scikit_learn_interface(name, frame):
    library = pytest.importorskip(name)
    kind = (
        library.XGBClassifier(n_estimators=3)
        if name == "xgboost"
        else library.LGBMClassifier(n_estimators=3, verbose=-1)
    )
    if name == "lightgbm" and isinstance(frame, pl.DataFrame):
        frame = frame.to_pandas()  # LightGBM reads no polars
    model = kind.fit(frame, Y)
    target = from_sklearn(model)
    np.testing.assert_allclose(target.predict_proba(Records(frame, Y)), model.predict_proba(frame), atol=1e-6)
    with pytest.raises(TargetError, match="before fit"):
        from_sklearn(type(model)())
    few = frame[:, :2] if isinstance(frame, np.ndarray) else frame[["a", "b"]]
    with pytest.raises(TargetError, match="could not answer"):
        target.predict_proba(Records(few, Y))


def test_records_that_get_no_class_at_all_count_as_all_classes_alike():
    model = OneVsRestClassifier(DecisionTreeClassifier(random_state=0)).fit(X, RNG.integers(0, 3, 90))
    others = RNG.normal(size=(500, 4))
    silent = model.predict_proba(others).sum(axis=1) == 0
    target = from_sklearn(model)
    assert silent.any()
    answers = target.predict_proba(Records(others, np.zeros(500, int)))
    np.testing.assert_allclose(answers[silent], 1 / 3)
    np.testing.assert_allclose(answers[~silent], model.predict_proba(others)[~silent])
    target.predict_proba(Records(others, np.zeros(500, int)))
    assert len(target.notes) == 1


def test_a_model_that_only_behaves_like_a_classifier():
    class Duck:
        classes_ = np.arange(3)

        def fit(self):
            return self

        def predict(self, records):
            return np.zeros(len(records), int)

    target = from_sklearn(Duck())
    assert target.predict(Records(X, Y)).tolist() == [0] * 90


@pytest.mark.parametrize("labels", [np.where(np.arange(90) == 5, np.inf, X[:, 1]), WORDS, WORDS.astype(object)])
def test_labels_of_a_regression_are_finite_numbers(labels):
    target = from_sklearn(LinearRegression().fit(X, X[:, 1]))
    assert isinstance(target, RegressionTarget)
    np.testing.assert_array_equal(target.values(X[:, 1].astype(object)), X[:, 1])
    with pytest.raises(DataError, match="finite numbers as labels"):
        target.values(labels)
