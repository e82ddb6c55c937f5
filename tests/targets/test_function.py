import numpy as np
import pytest

from keepmum.data import Records
from keepmum.errors import TargetError
from keepmum.targets import FunctionScores, from_callable
from keepmum.targets.function import infer_classes

X = np.linspace(0, 1, 8).reshape(-1, 1)
Y = np.tile([0, 1], 4)
P = np.column_stack([1 - X[:, 0], X[:, 0]])


@pytest.mark.parametrize("shape", [(8,), (8, 1)])
def test_one_column_is_the_second_class(shape):
    target = from_callable(lambda X: X.reshape(shape), labels=Y)
    np.testing.assert_allclose(target.predict_proba(Records(X, Y)), P)


@pytest.mark.parametrize(
    ("labels", "count", "classes"),
    [
        ([0, 1, 1], None, [0, 1]),
        ([0, 2], 4, [0, 1, 2, 3]),
        ([2.0, 0.0, 1.0], 3, [0, 1, 2]),
        ([True, False], 2, [0, 1]),
        ([1, 2, 3], 3, [1, 2, 3]),
        (["b", "a"], 2, ["a", "b"]),
        (["b", "a"], None, ["a", "b"]),
        ([-1, 1], 2, [-1, 1]),
    ],
)
def test_classes_are_inferred_where_labels_tell(labels, count, classes):
    assert infer_classes(labels, count).tolist() == classes


@pytest.mark.parametrize(("labels", "count"), [(["a", "b"], 3), ([1, 7], 3), ([5], None), ([1, "a"], 2)])
def test_classes_are_not_guessed(labels, count):
    with pytest.raises(TargetError, match=r"give classes="):
        infer_classes(np.asarray(labels, dtype=object), count)


def test_the_probe_tells_the_number_of_classes():
    asked = []

    def function(X):
        asked.append(len(X))
        return np.tile([0.5, 0.25, 0.25], (len(X), 1))

    target = from_callable(function, labels=np.array([0, 1]), probe=Records(X[:2], Y[:2]))
    assert target.classes.tolist() == [0, 1, 2]
    assert asked == [2]


def test_explicit_classes_win():
    target = from_callable(lambda X: P, classes=["no", "yes"], labels=Y)
    assert target.classes.tolist() == ["no", "yes"]
    assert target.predict(Records(X, Y)).tolist() == P.argmax(axis=1).tolist()


def test_a_class_is_named_once():
    with pytest.raises(TargetError, match="classes that differ"):
        from_callable(lambda X: P, classes=[0, 0.0])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (P * 3, "between 0 and 1"),
        (P / 3, "sum to 1"),
        (P[:4], "shape"),
        (np.full((8, 2), np.nan), "NaN"),
        ("text", "as numbers"),
        ([[0.5, 0.5], [1.0]], "as numbers"),
    ],
)
def test_answers_that_are_no_probabilities(answer, message):
    with pytest.raises(TargetError, match=message):
        FunctionScores(lambda X: answer, np.array([0, 1])).predict_proba(Records(X, Y))


def test_an_error_of_the_function_is_one_line():
    def function(X):
        raise ValueError("first\nsecond")

    with pytest.raises(TargetError, match="ValueError: first") as caught:
        FunctionScores(function, np.array([0, 1])).predict_proba(Records(X, Y))
    assert "\n" not in str(caught.value)


def test_no_labels_no_classes():
    with pytest.raises(TargetError, match="classes"):
        from_callable(lambda X: P)


@pytest.mark.parametrize("answer", [None, 0.5])
def test_one_value_for_everybody_is_no_answer(answer):
    with pytest.raises(TargetError, match=r"shape \(n, K\), got a single"):
        from_callable(lambda X: answer, labels=Y, probe=Records(X, Y))


def test_whatever_a_network_raises_is_one_line():
    def network(X):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied\n(8x1 and 4x2)")

    target = from_callable(network, classes=[0, 1])
    with pytest.raises(TargetError, match=r"could not answer .*RuntimeError: mat1 and mat2") as caught:
        target.predict_proba(Records(X, Y))
    assert "\n" not in str(caught.value)
