import numpy as np
import pytest

from keepmum.data import Records, Split
from keepmum.errors import TargetError
from keepmum.targets import RecordedScores

P = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])


def test_answers_follow_the_record_wherever_it_goes():
    split = Split(Records(np.empty((2, 0)), np.array([0, 1])), Records(np.empty((1, 0)), np.array([0])))
    target = RecordedScores(P, np.array([0, 1]))
    records, _ = split.mixed(3)
    np.testing.assert_array_equal(target.predict_proba(records), P[records.ids])
    assert target.queries == 3


@pytest.mark.parametrize("ids", [None, np.array([3]), np.array([-1])])
def test_unknown_records_need_the_model(ids):
    target = RecordedScores(P, np.array([0, 1]))
    with pytest.raises(TargetError, match="needs the model itself"):
        target.predict_proba(Records(np.zeros((1, 1)), np.array([0]), ids))


def test_what_was_recorded_is_checked_at_once():
    with pytest.raises(TargetError, match="NaN"):
        RecordedScores(np.array([[np.nan, 1.0]]), np.array([0, 1]))
