import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from keepmum.data import Records
from keepmum.errors import TargetError
from keepmum.targets import FunctionScores, ScoreTarget, as_target

X = np.arange(12.0).reshape(6, 2)
Y = np.array([0, 1, 0, 1, 1, 0])


def test_one_door():
    target = as_target(LogisticRegression().fit(X, Y), Y)
    assert isinstance(target, ScoreTarget)
    assert as_target(target, Y) is target
    assert isinstance(as_target(lambda X: X[:, 0] / 20, Y), FunctionScores)
    three = as_target(lambda X: np.full((len(X), 3), 1 / 3), Y, probe=Records(X, Y))
    assert three.classes.tolist() == [0, 1, 2]


@pytest.mark.parametrize("model", [3, None, {}])
def test_anything_else(model):
    with pytest.raises(TargetError, match="expected a fitted model, a function"):
        as_target(model, Y)


def test_a_missing_file(tmp_path):
    with pytest.raises(TargetError, match="cannot read the model file"):
        as_target(tmp_path / "nothing.skops", Y)
