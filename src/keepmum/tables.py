"""Read records and recorded answers from CSV, TSV, Parquet, npz and npy files.

pandas reads the text and keeps types natural; nothing is ever unpickled.
"""

from __future__ import annotations

import csv
import difflib
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum._arrays import first_line, read_npy, read_npz
from keepmum.data import Records, Split, as_population
from keepmum.errors import DataError, MissingExtraError, TargetError
from keepmum.targets._base import check_probabilities
from keepmum.targets.function import infer_classes
from keepmum.targets.recorded import RecordedScores

LABEL = "label"
PREFIX = "p_"
_READABLE = ".csv, .tsv, .parquet or .npz, or .npy"
LABELS = ("y", "person")
"""Names that the array of labels goes by in an npz archive, besides that of the label column."""


def read_records(path: str | os.PathLike[str], label: str) -> Records:
    """Records from a table with a label column.

    Args:
      path: A ``.csv``, ``.tsv`` or ``.parquet`` table; an ``.npz`` with arrays ``X`` and ``y`` (or ``images``, or an
        ``x`` of more than one dimension; and ``person``, or an array named as the label), or with one array
        a column; or an ``.npy`` with X, beside which ``NAME.labels.npy`` has the labels.
      label: Name of the label column.

    Returns:
      Records whose X is a data frame (tables) or an array (npy, and npz with ``X``).

    Raises:
      DataError: No such file or column, or a file that is no such table.
      MissingExtraError: Parquet without pyarrow.
    """
    return _records(Path(path), label, labeled=True)


def read_population(path: str | os.PathLike[str], label: str) -> Records:
    """The attacker's own records, as `read_records` reads them; labels may be missing altogether.

    Raises:
      DataError: No such file, or a file that is no such table.
      MissingExtraError: Parquet without pyarrow.
    """
    return _records(Path(path), label, labeled=False)


def _records(file: Path, label: str, *, labeled: bool) -> Records:
    suffix = file.suffix.lower()
    if suffix in (".npz", ".npy"):
        arrays = read_npz(file) if suffix == ".npz" else read_npy(file, label, labeled=labeled)
        return _records_of_arrays(file, arrays, label, labeled=labeled)
    frame = _read_frame(file)
    if label not in frame.columns and not labeled:
        return as_population((frame, None))
    if label not in frame.columns:
        raise DataError(_no_column(file, label, [str(c) for c in frame.columns]))
    if frame.shape[1] == 1:
        raise DataError(f"{file.name} holds the label and nothing else: the records' columns are needed too")
    return _named(file, frame.drop(columns=label), frame[label].to_numpy())


def read_answers(members: str | os.PathLike[str], nonmembers: str | os.PathLike[str]) -> tuple[RecordedScores, Split]:
    """Answers of a model that is not at hand: labels, and one probability a class.

    A table has a column ``label`` and one column ``p_<class>`` for each class; further columns are the record's. An
    ``.npz`` has arrays ``probabilities`` ``(n, K)``, ``labels`` ``(n,)``, and may have ``classes`` ``(K,)`` and ``X``.

    Args:
      members: Answers about records that the model was trained on.
      nonmembers: Answers about records of the same kind that it was not trained on.

    Returns:
      A target that knows these records only, and the split; X is an ``(n, 0)`` array where there are no further
      columns.

    Raises:
      DataError: Files that cannot be read, do not match, or hold no probabilities.
    """
    files = Path(members), Path(nonmembers)
    first, second = (_answers_of(file) for file in files)
    if set(first.classes) != set(second.classes):
        odd = sorted(set(first.classes) ^ set(second.classes))
        raise DataError(
            f"{files[0].name} and {files[1].name} tell of different classes ({', '.join(odd[:5])} in one only): both "
            "files need the same columns"
        )
    order = [second.classes.index(name) for name in first.classes]
    classes = _as_labels(first.classes)
    pairs = ((files[0], first, first.answers), (files[1], second, second.answers[:, order]))
    checked = [_checked(file, answers) for file, _, answers in pairs]
    records = [_named(file, part.X, _match(file, part.labels, first.classes, classes)) for file, part, _ in pairs]
    _same_columns(files, records)
    _refuse_same(files, records, checked)
    return RecordedScores(np.concatenate(checked), classes), Split(records[0], records[1])


@dataclass(frozen=True)
class _Answers:
    """One file of recorded answers; classes are told as text."""

    X: Any
    labels: NDArray[Any]
    answers: NDArray[Any]
    classes: list[str]


def _answers_of(file: Path) -> _Answers:
    if file.suffix.lower() == ".npz":
        return _answers_of_arrays(file, read_npz(file))
    frame = _read_frame(file)
    names = [str(c) for c in frame.columns]
    if LABEL not in names:
        raise DataError(_no_column(file, LABEL, names))
    columns = [name for name in names if name.startswith(PREFIX) and len(name) > len(PREFIX)]
    if len(columns) < 2:
        got = f"only {columns[0]}" if columns else "none"
        raise DataError(f"{file.name}: expected one column {PREFIX}<class> for each class, got {got}")
    odd = [name for name in columns if frame[name].dtype.kind not in "fiub"]
    if odd:
        raise DataError(f"{file.name}: expected numbers in {odd[0]}, got {str(frame[odd[0]].iloc[0])!r}")
    rest = frame.drop(columns=[LABEL, *columns])
    X = rest if rest.shape[1] else np.empty((len(frame), 0))
    classes = [_text(name.removeprefix(PREFIX)) for name in columns]
    if len(set(classes)) != len(classes):
        raise DataError(f"{file.name}: two columns tell of one class among {', '.join(columns[:12])}")
    return _Answers(X, frame[LABEL].to_numpy(), frame[columns].to_numpy(dtype=np.float64), classes)


def _answers_of_arrays(file: Path, arrays: dict[str, NDArray[Any]]) -> _Answers:
    for name in ("probabilities", "labels"):
        if name not in arrays:
            raise DataError(_no_column(file, name, list(arrays), kind="array"))
    answers, labels = arrays["probabilities"], arrays["labels"].ravel()
    if answers.ndim == 1 or (answers.ndim == 2 and answers.shape[1] == 1):
        answers = np.column_stack([1 - answers.ravel(), answers.ravel()])
    if answers.ndim != 2 or answers.dtype.kind not in "fiub" or len(answers) != len(labels) or not len(labels):
        raise DataError(
            f"{file.name}: expected probabilities (n, K) as numbers and labels (n,), got {answers.shape} of "
            f"{answers.dtype} and {labels.shape}"
        )
    if "classes" in arrays and arrays["classes"].shape != (answers.shape[1],):
        raise DataError(f"{file.name}: expected {answers.shape[1]} classes, got {arrays['classes'].shape}")
    try:
        classes = arrays["classes"] if "classes" in arrays else infer_classes(labels, answers.shape[1])
    except TargetError as err:
        raise DataError(f"{file.name}: {err} (an array named classes)") from err
    X = arrays.get("X", np.empty((len(labels), 0)))
    return _Answers(X, labels, answers, [_text(name) for name in classes.tolist()])


def _checked(file: Path, answers: NDArray[Any]) -> NDArray[np.float64]:
    try:
        return check_probabilities(answers, len(answers), answers.shape[1])
    except TargetError as err:
        raise DataError(f"{file.name}: {err}") from err


def _match(file: Path, labels: NDArray[Any], names: list[str], classes: NDArray[Any]) -> NDArray[Any]:
    """Labels as the classes are written: 1, 1.0, "1" and TRUE are one label in two notations."""
    values, inverse = np.unique(labels.astype(str) if labels.dtype.kind == "O" else labels, return_inverse=True)
    place = {name: i for i, name in enumerate(names)}
    texts = [_text(value) for value in values.tolist()]
    unknown = [text for text in texts if text not in place]
    if unknown and unknown[0] in ("nan", "None", "<NA>"):
        raise DataError(f"{file.name}: some records have no label: drop those records first")
    if unknown:
        raise DataError(
            f"{file.name}: the label {unknown[0]!r} has no probability column among "
            f"{', '.join(PREFIX + name for name in names[:8])}{' …' if len(names) > 8 else ''}"
        )
    return np.asarray(classes[np.asarray([place[text] for text in texts], dtype=np.intp)[inverse]])


def _text(value: Any) -> str:
    """One spelling for a label: whole numbers without point, truth as R and Python write it as 1 and 0."""
    text = str(value).strip()
    if text.lower() in ("true", "false"):
        return str(int(text.lower() == "true"))
    return str(int(float(text))) if re.fullmatch(r"[+-]?\d{1,15}(\.0*)?", text) else text


def _as_labels(names: list[str]) -> NDArray[Any]:
    if all(re.fullmatch(r"-?\d{1,15}", name) for name in names):
        return np.asarray([int(name) for name in names])
    return np.asarray(names, dtype=object)


def _same_columns(files: tuple[Path, Path], records: list[Records]) -> None:
    first, second = (set(part.columns) if part.X.shape[1] else set() for part in records)
    if first != second:
        odd = sorted(first ^ second)
        raise DataError(
            f"{files[0].name} and {files[1].name} have different columns ({', '.join(odd[:5])} in one only): both "
            "files need the same columns"
        )


def _refuse_same(files: tuple[Path, Path], records: list[Records], answers: list[NDArray[np.float64]]) -> None:
    """Without record columns the same file given twice is known by its answers: in order, or as a set if they vary."""
    if records[0].X.shape[1] or len(records[0]) != len(records[1]):
        return
    labels = np.unique(np.concatenate([part.y for part in records]), return_inverse=True)[1]
    first, second = np.split(np.column_stack([np.concatenate(answers), labels]), 2)
    ordered = first[np.lexsort(first.T)], second[np.lexsort(second.T)]
    varied = len(np.unique(first, axis=0)) > len(first) / 2
    if np.array_equal(first, second) or (varied and np.array_equal(ordered[0], ordered[1])):
        raise DataError(
            f"{files[0].name} and {files[1].name} hold the same answers ({len(first):,} rows): give answers about "
            "records that the model was not trained on as non-members"
        )


def _named(file: Path, X: Any, y: NDArray[Any]) -> Records:
    """Records; what is wrong with them is told with the file's name."""
    try:
        return Records(X, y)
    except DataError as err:
        raise DataError(f"{file.name}: {err}") from err


def _no_column(file: Path, wanted: str, names: list[str], kind: str = "column") -> str:
    close = difflib.get_close_matches(wanted.lower(), [name.lower() for name in names], n=1)
    hint = next((f"; did you mean {name!r}?" for name in names if close and name.lower() == close[0]), "")
    shown = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
    return f"{file.name} has no {kind} {wanted!r} among {shown or 'none'}{hint}"


def _read_frame(file: Path) -> Any:
    """A table with at least one row."""
    suffix = file.suffix.lower()
    if not file.is_file():
        raise DataError(
            f"expected a file of records, got {file}, which {'is a folder' if file.is_dir() else 'is not there'}"
        )
    if suffix in (".parquet", ".pq"):
        frame = _read_parquet(file)
    elif suffix in (".csv", ".tsv", ".tab", ".txt"):
        frame = _read_text(file)
    else:
        raise DataError(f"{file.name}: expected {_READABLE}, got a name that ends in {suffix or 'nothing'}")
    if not len(frame):
        raise DataError(f"{file.name} holds no records, only {frame.shape[1]} column names")
    names = [str(c) for c in frame.columns]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise DataError(f"{file.name} has two columns named {min(twice)!r}")
    return frame


def _read_parquet(file: Path) -> Any:
    import pandas as pd

    try:
        import pyarrow
    except ImportError as err:
        raise MissingExtraError("pyarrow", "parquet") from err
    try:
        return pd.read_parquet(file, engine="pyarrow").reset_index(drop=True)
    except (pyarrow.ArrowException, OSError, ValueError) as err:
        raise DataError(f"{file.name} is no Parquet file that can be read ({first_line(err)})") from err


def _read_text(file: Path) -> Any:
    import pandas as pd

    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            head, second = text.readline(), text.readline()
        if "\0" in head:
            raise DataError(f"{file.name} is no text table: expected {_READABLE}")
        separator = _separator(file, head)
        comma = separator == ";" and re.search(r"\d,\d", second) and not re.search(r"\d\.\d", second)
        names = next(csv.reader([head], delimiter=separator), [])
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                file,
                sep=separator,
                decimal="," if comma else ".",
                encoding="utf-8-sig",
                index_col=False,
                low_memory=False,
            )
    except pd.errors.EmptyDataError as err:
        raise DataError(f"{file.name} is empty") from err
    except (pd.errors.ParserError, pd.errors.ParserWarning) as err:
        raise DataError(f"{file.name} is no whole table: rows of unequal length ({first_line(err)})") from err
    except (UnicodeDecodeError, csv.Error, ValueError) as err:
        raise DataError(f"{file.name} is no text table in UTF-8 ({first_line(err)})") from err
    except OSError as err:
        raise DataError(f"cannot read {file} ({err.strerror})") from err
    _check_duplicates(file, names)
    if frame.shape[1] and frame.iloc[:, -1].isna().any():
        _check_lengths(file, separator, frame.shape[1])
    if names and not names[0].strip() and frame.shape[1] == len(names) > 1:
        frame = frame.iloc[:, 1:]  # row names, as R's write.csv puts them first under an empty heading
    return frame


def _separator(file: Path, head: str) -> str:
    if file.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    return max((",", ";", "\t"), key=head.count)


def _check_duplicates(file: Path, names: list[str]) -> None:
    """Pandas would rename the second of two columns with one name."""
    twice = sorted({name for name in names if names.count(name) > 1 and name})
    if twice:
        raise DataError(f"{file.name} has two columns named {twice[0]!r}")


def _check_lengths(file: Path, separator: str, width: int) -> None:
    """Pandas fills short rows with missing values; a cut-off file must not pass for one with gaps."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        for number, row in enumerate(csv.reader(text, delimiter=separator), start=1):
            if row and len(row) != width:
                raise DataError(f"{file.name} is no whole table: row {number} has {len(row)} values, expected {width}")


def _records_of_arrays(file: Path, arrays: dict[str, NDArray[Any]], label: str, *, labeled: bool) -> Records:
    name = next((key for key in (label, *LABELS) if key in arrays), None)
    if name is None and labeled:
        raise DataError(_no_column(file, label, list(arrays), kind="array"))
    rest = {key: values for key, values in arrays.items() if key != name}
    y = None if name is None else arrays[name]
    X = rest.get("X", rest.get("images", rest.get("x")))
    if X is None or ("X" not in rest and X.ndim < 2):
        n = len(next(iter(rest.values()), ())) if y is None else len(y)
        if not rest or any(values.ndim != 1 or len(values) != n for values in rest.values()):
            raise DataError(f"{file.name}: expected an array X, or one array of shape (n,) for each column")
        import pandas as pd

        frame = pd.DataFrame(rest)
        return _nonempty(as_population((frame, None)) if y is None else _named(file, frame, y), file)
    return _nonempty(as_population((X, None)) if y is None else _named(file, X, y), file)


def _nonempty(records: Records, file: Path) -> Records:
    if not len(records):
        raise DataError(f"{file.name} holds no records")
    return records
