import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from keepmum.data import Records
from keepmum.errors import DataError, TargetError, UnsafeFileError
from keepmum.targets import LabelTarget, RegressionTarget, ScoreTarget
from keepmum.targets._formats import Format, sniff
from keepmum.targets._loaders import open_model

onnx = pytest.importorskip("onnx")
skl2onnx = pytest.importorskip("skl2onnx")
pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4)).astype(np.float32)
Y = np.digitize(X[:, 0], [-0.5, 0.5])
WORDS = np.array(["low", "mid", "top"])[Y]
FRAME = pd.DataFrame({"a": X[:, 0].astype(float), "b": np.where(X[:, 1] > 0, "u", "v"), "n": np.arange(90)})


def exported(path, model, options=None, kinds=None):
    from skl2onnx.common.data_types import FloatTensorType

    kinds = kinds or [("input", FloatTensorType([None, 4]))]
    result = skl2onnx.to_onnx(model, initial_types=kinds, options=options, target_opset=17)
    path.write_bytes(result.SerializeToString())
    return path


def opened(path, classes=None):
    assert sniff(path) is Format.ONNX
    return open_model(path, Format.ONNX, classes)


@pytest.mark.parametrize("zipmap", [True, False, "columns"])
@pytest.mark.parametrize("labels", [Y, WORDS, (Y > 0) * 1], ids=["int", "text", "two"])
def test_probabilities_as_dictionaries_and_as_tensors(tmp_path, labels, zipmap):
    model = LogisticRegression().fit(X, labels)
    path = exported(tmp_path / "model.onnx", model, {id(model): {"zipmap": zipmap}})
    target = opened(path)
    assert isinstance(target, ScoreTarget)
    assert target.classes.tolist() == model.classes_.tolist()
    np.testing.assert_allclose(target.predict_proba(Records(X, labels)), model.predict_proba(X), atol=1e-5)


def test_forests_in_batches(tmp_path):
    model = RandomForestClassifier(4, random_state=0).fit(X, WORDS)
    target = opened(exported(tmp_path / "model.onnx", model, {"zipmap": False}))
    many = np.tile(X, (250, 1))
    answers = target.predict_proba(Records(many, np.tile(WORDS, 250)))
    np.testing.assert_allclose(answers, np.tile(model.predict_proba(X), (250, 1)), atol=1e-5)


def test_one_input_a_column(tmp_path):
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    steps = ColumnTransformer([("n", StandardScaler(), ["a", "n"]), ("o", OneHotEncoder(), ["b"])])
    model = make_pipeline(steps, LogisticRegression()).fit(FRAME, Y)
    kinds = [("a", FloatTensorType([None, 1])), ("b", StringTensorType([None, 1])), ("n", Int64TensorType([None, 1]))]
    target = opened(exported(tmp_path / "model.onnx", model, None, kinds))
    expected = model.predict_proba(FRAME)
    shuffled = FRAME[["n", "b", "a"]]
    for frame in (FRAME, shuffled, FRAME.rename(columns={"a": "x", "b": "y", "n": "z"})):
        np.testing.assert_allclose(target.predict_proba(Records(frame, Y)), expected, atol=1e-4)
    with pytest.raises(DataError, match=r"takes 3 columns \(a, b, n\), the records have 2"):
        target.predict_proba(Records(FRAME[["a", "n"]], Y))


def test_regressions(tmp_path):
    model = RandomForestRegressor(3, random_state=0).fit(X, X[:, 1])
    target = opened(exported(tmp_path / "model.onnx", model))
    assert isinstance(target, RegressionTarget)
    np.testing.assert_allclose(target.predict_value(Records(X, Y)), model.predict(X), atol=1e-5)


def made(path, outputs, initializers=(), nodes=None):
    """A model of two columns: y = x."""
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = nodes or [helper.make_node("Identity", ["x"], ["y"])]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", kinds.FLOAT, [None, 2])], outputs, list(initializers)
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def value(name, kind, shape):
    return onnx.helper.make_tensor_value_info(name, kind, shape)


def test_a_network_without_labels_has_classes_from_0(tmp_path):
    path = made(tmp_path / "model.onnx", [value("y", onnx.TensorProto.FLOAT, [None, 2])])
    P = np.array([[0.25, 0.75], [1, 0]])
    assert opened(path).classes.tolist() == [0, 1]
    target = opened(path, ["no", "yes"])
    assert target.classes.tolist() == ["no", "yes"]
    np.testing.assert_allclose(target.predict_proba(Records(P, np.array([0, 1]))), P)
    with pytest.raises(TargetError, match="softmax"):
        target.predict_proba(Records(P * 5 - 1, np.array([0, 1])))


def test_labels_only(tmp_path):
    nodes = [onnx.helper.make_node("ArgMax", ["x"], ["y"], axis=1, keepdims=0)]
    path = made(tmp_path / "model.onnx", [value("y", onnx.TensorProto.INT64, [None])], nodes=nodes)
    with pytest.raises(TargetError, match="does not tell its classes"):
        opened(path)
    target = opened(path, [0, 1])
    assert type(target).__mro__[1] is LabelTarget
    assert target.predict(Records(np.array([[0.2, 0.8], [3, 1]]), np.array([0, 1]))).tolist() == [1, 0]


@pytest.mark.parametrize("place", ["/etc/hostname", "../secret.bin", "weights.bin"])
@pytest.mark.parametrize("where", ["initializer", "attribute"])
def test_numbers_in_other_files_are_refused(tmp_path, place, where):
    (tmp_path / "weights.bin").write_bytes(np.ones(2, dtype=np.float32).tobytes())
    tensor = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [2], [1.0, 1.0])
    tensor.ClearField("float_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    output = [value("y", onnx.TensorProto.FLOAT, [None, 2])]
    add = onnx.helper.make_node("Add", ["x", "w"], ["y"])
    path = tmp_path / "model.onnx"
    if where == "initializer":
        made(path, output, [tensor], [add])
    else:
        made(path, output, nodes=[onnx.helper.make_node("Constant", [], ["w"], value=tensor), add])
    with pytest.raises(UnsafeFileError, match="other files"):
        opened(path)


def test_damaged_files(tmp_path):
    path = exported(tmp_path / "model.onnx", RandomForestClassifier(3).fit(X, Y))
    content = path.read_bytes()
    for part in (content[: len(content) // 2], content[:200], b"\x08\x08" + b"\xff" * 50, b"\x08\x08"):
        path.write_bytes(part)
        with pytest.raises(UnsafeFileError) as caught:
            opened(path)
        assert "\n" not in str(caught.value)


def test_records_of_another_kind(tmp_path):
    target = opened(exported(tmp_path / "model.onnx", LogisticRegression().fit(X, Y)))
    with pytest.raises(DataError, match="takes 4 columns, the records have 2"):
        target.predict_proba(Records(X[:, :2], Y))
    with pytest.raises(DataError, match="hold something else"):
        target.predict_proba(Records(np.full((1, 4), "text"), np.array([0])))


def test_several_outputs_that_could_be_meant(tmp_path):
    nodes = [onnx.helper.make_node("Identity", ["x"], [name]) for name in ("first", "second")]
    outputs = [value(name, onnx.TensorProto.FLOAT, [None, 2]) for name in ("first", "second")]
    path = made(tmp_path / "model.onnx", outputs, nodes=nodes)
    with pytest.raises(TargetError, match="got first, second"):
        opened(path)
