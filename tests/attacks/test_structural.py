"""What stands in a model is found wherever it stands."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, KernelPCA
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.impute import KNNImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

import keepmum
from keepmum.attacks.structural._base import estimators
from keepmum.findings import Outcome

RNG = np.random.default_rng(8)
N = 100
FRAME = pd.DataFrame(RNG.normal(size=(2 * N, 3)), columns=["a", "b", "c"])
FRAME.loc[::7, "b"] = np.nan
FRAME["d"] = RNG.choice(["u", "v"], 2 * N)
NUMBERS = FRAME[["a", "b", "c"]].fillna(0).to_numpy()
Y = (FRAME["a"] + RNG.normal(size=2 * N) > 0).astype(int).to_numpy()


def columns(inner):
    return ColumnTransformer([("numbers", inner, ["a", "b", "c"]), ("text", OneHotEncoder(), ["d"])])


def examined(model, X, attack="structural/stored-records"):
    model.fit(X[:N], Y[:N])
    return keepmum.audit(model, (X[:N], Y[:N]), (X[N:], Y[N:]), attacks=attack, effort="quick")[attack]


@pytest.mark.parametrize(
    ("model", "X"),
    [
        (make_pipeline(KNNImputer(), LogisticRegression()), FRAME[["a", "b", "c"]]),
        (make_pipeline(columns(make_pipeline(StandardScaler(), KNNImputer())), LogisticRegression()), FRAME),
        (make_pipeline(StandardScaler(), Nystroem(n_components=60), LogisticRegression()), NUMBERS),
        (make_pipeline(FeatureUnion([("k", KernelPCA(2, kernel="rbf"))]), LogisticRegression()), NUMBERS),
        (CalibratedClassifierCV(SVC(), cv=3), NUMBERS),
        (BaggingClassifier(KNeighborsClassifier(), 3, max_features=2), NUMBERS),
    ],
    ids=["imputer", "column transformer", "nystroem", "union", "calibrated", "bagged columns"],
)
def test_records_stored_anywhere_in_a_model_are_found(model, X):
    finding = examined(model, X)
    assert finding.outcome is Outcome.LEAK
    assert finding.metrics["stored_share"].low > 0.3
    assert finding.control["stored_share"].value == 0


@pytest.mark.parametrize(
    ("model", "X"),
    [
        (make_pipeline(columns(StandardScaler()), PCA(2)), FRAME),
        (make_pipeline(StandardScaler(), PCA(3)), NUMBERS),
    ],
    ids=["column transformer", "components"],
)
def test_what_holds_no_records_is_not_accused(model, X):
    model.steps.append(("last", LogisticRegression()))
    assert examined(model, X.fillna({"b": 0}) if X is FRAME else X).outcome is Outcome.NOT_APPLICABLE


def test_the_model_proper_comes_before_its_preparation():
    model = make_pipeline(SelectFromModel(RandomForestClassifier(3)), RandomForestClassifier(7)).fit(NUMBERS, Y)
    assert next(part for part, _ in estimators(model, NUMBERS)) is model.steps[-1][1]
    assert examined(CalibratedClassifierCV(RandomForestClassifier(5), cv=2), NUMBERS, "structural/small-leaves").metrics


@pytest.mark.parametrize(
    ("model", "X"),
    [
        (RandomForestClassifier(5), FRAME[["a", "c"]]),
        (BaggingClassifier(n_estimators=5, max_features=2), NUMBERS),
        (BaggingClassifier(n_estimators=5), FRAME[["a", "c"]]),
    ],
    ids=["frame", "bagged columns", "bagged frame"],
)
def test_leaves_are_read_without_a_warning(model, X):
    finding = examined(model, X, "structural/small-leaves")
    assert finding.outcome in (Outcome.LEAK, Outcome.NO_LEAK_FOUND)
    assert finding.metrics["smallest_leaf"].value >= 1
