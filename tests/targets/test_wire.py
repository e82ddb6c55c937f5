import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from keepmum.data import Records
from keepmum.errors import DataError
from keepmum.targets._wire import pack, pack_records, unpack, unpack_records


def there_and_back(X):
    rows = X.shape[0]
    header, arrays = unpack(pack_records(Records(X, np.zeros(rows)), "scores"))
    assert header["verb"] == "scores"
    assert header["rows"] == rows
    return unpack_records(header, arrays)


@pytest.mark.parametrize(
    "X",
    [
        np.arange(6.0).reshape(3, 2),
        np.arange(6, dtype=np.int16).reshape(3, 2),
        np.array([[True], [False]]),
        np.zeros((2, 3, 4), dtype=np.float32),
        np.array(["ä", "b b", ""]),
        np.array([["a", 1, None], ["b", 2.5, True]], dtype=object),
        np.array(["2020-01-01", "NaT"], dtype="datetime64[s]"),
        np.empty((2, 0)),
    ],
    ids=lambda X: f"{X.dtype}{X.shape}",
)
def test_arrays(X):
    back = there_and_back(X)
    np.testing.assert_array_equal(back, X)
    assert back.dtype == X.dtype


def test_sparse_matrices():
    X = sparse.random(5, 7, density=0.3, format="csr", rng=np.random.default_rng(0))
    back = there_and_back(X)
    assert (back != X).nnz == 0


def test_pandas_columns_keep_their_types():
    frame = pd.DataFrame(
        {
            "n": [1.5, np.nan, 3],
            "i": np.array([1, 2, 3], dtype=np.int8),
            "t": ["a", None, "ü"],
            "b": [True, False, True],
            "c": pd.Categorical(["x", None, "y"], categories=["y", "x", "z"], ordered=True),
            "k": pd.Categorical([3, 1, 3]),
            "I": pd.array([1, None, 3], dtype="Int64"),
            "d": pd.to_datetime(["2020-01-01", None, "2021-05-05"]),
            "o": pd.Series(["a", 1, None], dtype=object),
        },
        index=[5, 6, 9],
    )
    back = there_and_back(frame)
    pd.testing.assert_frame_equal(back, frame.reset_index(drop=True))


def test_pandas_columns_with_numbers_for_names():
    frame = pd.DataFrame(np.eye(2))
    assert there_and_back(frame).columns.tolist() == [0, 1]


def test_polars_columns():
    frame = pl.DataFrame({"n": [1.5, None], "i": [1, 2], "t": ["a", None], "b": [True, None]})
    back = there_and_back(frame)
    assert back.equals(frame)
    assert back.schema == frame.schema


@pytest.mark.parametrize("X", [np.array([[object()]], dtype=object), np.array([[1j]]).astype([("a", "c16")])])
def test_what_cannot_be_told_is_refused(X):
    with pytest.raises(DataError, match="to the worker process"):
        pack_records(Records(X, np.zeros(1)), "scores")


@pytest.mark.parametrize("payload", [b"", b"no archive", pack({})[:-9], b"\x80\x04."])
def test_bytes_that_are_no_message(payload):
    with pytest.raises(ValueError, match=r".+"):
        unpack(payload)
