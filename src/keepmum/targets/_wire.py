"""Records and answers as bytes, without pickle: a JSON header and plain numpy arrays, in one ``.npz``.

What cannot be told in these terms is refused, never guessed at.
"""

from __future__ import annotations

import io
import json
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import DataError

Arrays = dict[str, NDArray[Any]]
_PLAIN_KINDS = "biufcUmM"


def pack(header: dict[str, Any], arrays: Arrays | None = None) -> bytes:
    """One message."""
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(buffer, allow_pickle=False, header=text, **(arrays or {}))
    return buffer.getvalue()


def unpack(payload: bytes) -> tuple[dict[str, Any], Arrays]:
    """The header and the arrays of one message.

    Raises:
      ValueError: The bytes are no message.
    """
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop("header").tobytes())
    except (BadZipFile, OSError, KeyError, EOFError, AttributeError, NotImplementedError) as err:
        raise ValueError(f"not a message ({type(err).__name__})") from err
    if not isinstance(header, dict):
        raise ValueError("not a message: the header is no table")
    return header, arrays


def pack_records(records: Records, verb: str) -> bytes:
    """A question about records.

    Raises:
      DataError: A column of a type that cannot be passed on.
    """
    X, arrays = records.X, {}
    header: dict[str, Any] = {"verb": verb, "rows": len(records)}
    if hasattr(X, "tocsr"):
        matrix = X.tocsr()
        arrays = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr}
        header |= {"kind": "sparse", "shape": list(matrix.shape)}
    elif isinstance(X, np.ndarray):
        spec, arrays["x"] = _encode(X.ravel() if X.dtype.kind == "O" else X, "the records")
        header |= {"kind": "array", "spec": spec, "shape": list(X.shape)}
    else:
        library = "polars" if type(X).__module__.startswith("polars") else "pandas"
        columns = []
        for i, name in enumerate(X.columns):
            spec, arrays[f"c{i}"] = _encode_column(X.iloc[:, i] if library == "pandas" else X[name], str(name))
            columns.append({"name": name if isinstance(name, (str, int)) else str(name), **spec})
        header |= {"kind": library, "columns": columns}
    return pack(header, arrays)


def unpack_records(header: dict[str, Any], arrays: Arrays) -> Any:
    """The records' X, as it was on the other side."""
    kind = header["kind"]
    if kind == "sparse":
        from scipy import sparse

        return sparse.csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=tuple(header["shape"]))
    if kind == "array":
        return _decode(header["spec"], arrays["x"]).reshape(header["shape"])
    columns = [(spec["name"], spec, arrays[f"c{i}"]) for i, spec in enumerate(header["columns"])]
    if kind == "polars":
        import polars as pl

        return pl.DataFrame([_polars_column(pl, name, spec, values) for name, spec, values in columns])
    import pandas as pd

    series = [_pandas_column(pd, spec, values) for _, spec, values in columns]
    frame = pd.concat(series, axis=1) if series else pd.DataFrame(index=range(header["rows"]))
    frame.columns = pd.Index([name for name, _, _ in columns])
    return frame


def _encode(values: NDArray[Any], what: str) -> tuple[dict[str, Any], NDArray[Any]]:
    """A plain array as it is; objects (texts, numbers, missing) as JSON."""
    if values.dtype.kind in _PLAIN_KINDS:
        return {"as": "array"}, values
    if values.dtype.kind != "O":
        raise DataError(f"cannot pass {what} of type {values.dtype} to the worker process: convert to numbers or text")
    return {"as": "json"}, _as_json(values.tolist(), what)


def _as_json(values: list[Any], what: str) -> NDArray[Any]:
    plain = [v.item() if isinstance(v, np.generic) else v for v in values]
    try:
        text = json.dumps([None if _is_null(v) else v for v in plain])
    except TypeError as err:
        raise DataError(f"cannot pass {what} to the worker process ({err}): convert to numbers or text") from err
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _is_null(value: Any) -> bool:
    return type(value).__name__ in ("NAType", "NaTType")


def _decode(spec: dict[str, Any], values: NDArray[Any]) -> NDArray[Any]:
    if spec["as"] == "array":
        return values
    items = json.loads(values.tobytes())
    result = np.empty(len(items), dtype=object)
    result[:] = items
    return result


def _encode_column(column: Any, name: str) -> tuple[dict[str, Any], NDArray[Any]]:
    dtype = str(column.dtype)
    if hasattr(column, "cat") and dtype == "category":
        levels = column.cat.categories
        return (
            {
                "as": "category",
                "levels": [v.item() if isinstance(v, np.generic) else v for v in levels.tolist()],
                "ordered": bool(column.cat.ordered),
                "levels_dtype": str(levels.dtype),
            },
            column.cat.codes.to_numpy(),
        )
    whole = isinstance(column.dtype, np.dtype) if hasattr(column, "iloc") else column.null_count() == 0
    values = np.asarray(column.to_numpy()) if whole else np.empty(0, dtype=object)
    if whole and values.dtype.kind in _PLAIN_KINDS:
        return {"as": "array", "dtype": dtype}, values
    return {"as": "json", "dtype": dtype}, _as_json(column.to_list(), f"column {name!r}")


def _pandas_column(pd: Any, spec: dict[str, Any], values: NDArray[Any]) -> Any:
    if spec["as"] == "category":
        levels = pd.Index(spec["levels"], dtype=spec["levels_dtype"])
        return pd.Series(pd.Categorical.from_codes(values, categories=levels, ordered=spec["ordered"]))
    return pd.Series(_decode(spec, values), dtype=spec["dtype"])


def _polars_column(pl: Any, name: str, spec: dict[str, Any], values: NDArray[Any]) -> Any:
    dtype = getattr(pl, spec["dtype"].split("(")[0], None)
    return pl.Series(name, values if spec["as"] == "array" else json.loads(values.tobytes()), dtype=dtype)
