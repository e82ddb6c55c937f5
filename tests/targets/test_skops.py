import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import skops.io
from crafted import array_named, nodes_of, rewrite
from sklearn import (
    calibration,
    compose,
    ensemble,
    feature_selection,
    gaussian_process,
    impute,
    linear_model,
    model_selection,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn.base import BaseEstimator

from keepmum.data import Records
from keepmum.errors import UnsafeFileError
from keepmum.targets import RegressionTarget, ScoreTarget
from keepmum.targets._formats import Format, sniff
from keepmum.targets._loaders import open_model

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
Y = np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.5])
FRAME = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "u", "v"), "c": X[:, 2]})
CATEGORIES = FRAME.astype({"b": "category"})
TREE = tree.DecisionTreeClassifier(max_depth=3, random_state=0)


def prepared(*steps):
    columns = compose.ColumnTransformer(
        [
            ("n", pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler()), ["a", "c"]),
            ("o", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["b"]),
        ]
    )
    return pipeline.make_pipeline(columns, *steps)


def selected(model):
    pick = compose.make_column_selector
    return pipeline.make_pipeline(
        compose.make_column_transformer(
            (preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["b"]),
            (pipeline.make_pipeline(impute.KNNImputer(), preprocessing.RobustScaler()), pick(dtype_include="number")),
        ),
        model,
    )


MODELS = [
    linear_model.LogisticRegression(),
    linear_model.SGDClassifier(loss="log_loss"),
    svm.SVC(probability=False),
    svm.NuSVC(nu=0.2),
    svm.LinearSVC(),
    neighbors.KNeighborsClassifier(algorithm="kd_tree"),
    neighbors.KNeighborsClassifier(algorithm="ball_tree", metric="manhattan"),
    neighbors.KNeighborsClassifier(algorithm="brute"),
    gaussian_process.GaussianProcessClassifier(
        1.0 * gaussian_process.kernels.RBF() + gaussian_process.kernels.WhiteKernel()
    ),
    naive_bayes.GaussianNB(),
    TREE,
    ensemble.RandomForestClassifier(5),
    ensemble.ExtraTreesClassifier(5),
    ensemble.GradientBoostingClassifier(n_estimators=3),
    ensemble.HistGradientBoostingClassifier(max_iter=3),
    ensemble.BaggingClassifier(TREE, 3, max_features=0.5),
    ensemble.AdaBoostClassifier(n_estimators=3),
    ensemble.VotingClassifier([("t", TREE), ("l", linear_model.LogisticRegression())], voting="soft"),
    ensemble.StackingClassifier([("t", TREE), ("l", linear_model.LogisticRegression())], cv=3),
    calibration.CalibratedClassifierCV(TREE, cv=3),
    calibration.CalibratedClassifierCV(TREE, cv=3, method="isotonic"),
    neural_network.MLPClassifier(4, max_iter=20),
    neural_network.MLPClassifier(4, solver="sgd", max_iter=20),
    model_selection.GridSearchCV(TREE, {"max_depth": [1, 2]}, cv=3),
    pipeline.make_pipeline(
        feature_selection.SelectKBest(k=2), preprocessing.QuantileTransformer(n_quantiles=10), naive_bayes.GaussianNB()
    ),
    pipeline.make_pipeline(
        preprocessing.FunctionTransformer(np.tanh),
        preprocessing.PolynomialFeatures(2),
        preprocessing.PowerTransformer(),
        linear_model.LogisticRegression(),
    ),
]


def named(models):
    return [pytest.param(model, id=f"{type(model).__name__}-{i}") for i, model in enumerate(models)]


def round_trip(model, X, path):
    skops.io.dump(model, path)
    assert sniff(path) is Format.SKOPS
    target = open_model(path, Format.SKOPS)
    records = Records(X, Y)
    if isinstance(target, RegressionTarget):
        np.testing.assert_allclose(target.predict_value(records), model.predict(X))
    elif isinstance(target, ScoreTarget) and hasattr(model, "predict_proba"):
        np.testing.assert_allclose(target.predict_proba(records), model.predict_proba(X), atol=1e-6)
    else:
        assert (target.classes[target.predict(records)] == model.predict(X)).all()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", named(MODELS))
def test_usual_models_load_and_answer_alike(model, tmp_path):
    round_trip(model.fit(X, Y), X, tmp_path / "model.skops")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "model",
    named(
        [
            prepared(linear_model.LogisticRegression()),
            prepared(ensemble.RandomForestClassifier(5)),
            selected(ensemble.HistGradientBoostingClassifier(max_iter=3)),
        ]
    ),
)
def test_pipelines_on_frames(model, tmp_path):
    round_trip(model.fit(FRAME, Y), FRAME, tmp_path / "model.skops")


def test_histogram_boosting_with_categories(tmp_path):
    model = ensemble.HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype").fit(CATEGORIES, Y)
    round_trip(model, CATEGORIES, tmp_path / "model.skops")


@pytest.mark.parametrize(
    "model",
    named(
        [
            ensemble.RandomForestRegressor(5),
            ensemble.HistGradientBoostingRegressor(max_iter=3),
            ensemble.GradientBoostingRegressor(n_estimators=3),
            svm.SVR(),
            neighbors.KNeighborsRegressor(),
        ]
    ),
)
def test_regressors(model, tmp_path):
    round_trip(model.fit(X, X[:, 1]), X, tmp_path / "model.skops")


@pytest.mark.parametrize(
    "name", ["XGBClassifier", "XGBRFClassifier", "XGBRegressor", "LGBMClassifier", "LGBMRegressor"]
)
def test_boosters(name, tmp_path):
    library = pytest.importorskip("xgboost" if name.startswith("XGB") else "lightgbm")
    extra = {} if name.startswith("XGB") else {"verbose": -1}
    model = getattr(library, name)(n_estimators=3, **extra)
    round_trip(model.fit(X, Y), X, tmp_path / "model.skops")


class Stranger(BaseEstimator):
    """A type that keepmum does not know."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(ensemble.RandomForestClassifier(3, max_depth=3, random_state=0).fit(X, Y), path)
    return path


def refused(path, message):
    with pytest.raises(UnsafeFileError, match=message) as caught:
        open_model(path, sniff(path))
    assert "\n" not in str(caught.value)


def test_unknown_types_are_named(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(pipeline.make_pipeline(preprocessing.StandardScaler(), Stranger()).fit(X, Y), path)
    refused(path, r"types that keepmum does not load: .*Stranger; export the model to ONNX")


def test_a_type_that_the_file_renames_is_named(archive):
    def call_system(schema, files):
        schema["__class__"], schema["__module__"] = "system", "os"

    refused(rewrite(archive, call_system), r"does not load: os\.system")


def test_a_function_that_could_be_called_is_refused(archive):
    def call_system(schema, files):
        schema["content"] = {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"}

    refused(rewrite(archive, call_system), r"does not load: os\.system")


@pytest.mark.parametrize("loader", ["MethodNode", "OperatorFuncNode", "QuantileForestNode", "Nothing"])
def test_building_blocks_that_models_do_not_need_are_refused(archive, loader):
    def use(schema, files):
        next(n for n in nodes_of(schema) if n["__loader__"] == "JsonNode")["__loader__"] = loader

    refused(rewrite(archive, use), loader)


@pytest.mark.parametrize("loader", ["ConstructorFromReduceNode", "ObjectNode", "TypeNode", "FunctionNode"])
def test_a_tree_is_built_as_a_tree_or_not_at_all(archive, loader):
    def use(schema, files):
        next(n for n in nodes_of(schema) if n["__loader__"] == "TreeNode")["__loader__"] = loader

    refused(rewrite(archive, use), "not built as one")


def test_one_id_cannot_mean_two_things(archive):
    """Skops builds the first part with an id; the check must not be shown another."""

    def swap(schema, files):
        tree_node = next(n for n in nodes_of(schema) if n["__loader__"] == "TreeNode")
        good = tree_node["content"]["content"]["nodes"]
        schema["content"]["content"]["n_features_in_"] = dict(good, file="evil.npy")
        files["evil.npy"] = files[good["file"]]

    refused(rewrite(archive, swap), "two parts with one id")


def test_a_file_cut_short(archive):
    archive.write_bytes(archive.read_bytes()[:-200])
    refused(archive, "cut-off archive")


def test_a_damaged_entry(archive):
    content = archive.read_bytes()
    place = content.index(b"NUMPY") + 300
    archive.write_bytes(content[:place] + b"\xff" * 40 + content[place + 40 :])
    refused(archive, "damaged")


@pytest.mark.parametrize("text", ["[]", "{", "null", '{"protocol": 2}', '{"protocol": 99}', '{"__class__": 1}'])
def test_a_schema_that_is_none(tmp_path, text):
    path = tmp_path / "model.skops"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("schema.json", text)
    refused(path, "damaged|without a model")


def test_a_missing_array(archive):
    def drop(schema, files):
        del files[array_named(schema, "classes_")["file"]]

    refused(rewrite(archive, drop), "damaged or crafted")


def test_an_array_of_objects_is_never_unpickled(archive):
    import io

    def put(schema, files):
        buffer = io.BytesIO()
        np.save(buffer, np.array([print], dtype=object), allow_pickle=True)
        files[array_named(schema, "classes_")["file"]] = buffer.getvalue()

    refused(rewrite(archive, put), "damaged or crafted")


def test_a_zip_bomb(tmp_path):
    path = tmp_path / "model.skops"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("schema.json", json.dumps({"protocol": 2}))
        file.writestr("zeros.npy", bytes(20 << 20))
    refused(path, "zip bomb")


def test_entries_with_one_name(archive):
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(archive, "a") as file:
        file.writestr("schema.json", "{}")
    refused(archive, "repeated")


def test_another_version_of_scikit_learn_is_a_note(archive):
    def older(schema, files):
        for node in nodes_of(schema):
            content = node.get("content")
            if isinstance(content, dict) and "_sklearn_version" in content:
                content["_sklearn_version"]["content"] = '"1.0.0"'
                content["_sklearn_version"].pop("__id__")

    target = open_model(rewrite(archive, older), Format.SKOPS)
    assert ["saved with scikit-learn 1.0.0" in note for note in target.notes] == [True]
