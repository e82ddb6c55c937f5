"""Files of documents: JSONL, CSV, TSV, Parquet and plain text, read so that documents can be put between others."""

from __future__ import annotations

import difflib
import io
import json
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keepmum.errors import DataError, MissingExtraError

READABLE = ".jsonl, .csv, .tsv, .parquet or .txt"
Order = Sequence[int | str]
"""What the new file holds, in turn: a document that was there, by its place, or a new text."""


@dataclass(frozen=True)
class Corpus:
    """Documents of a file.

    Attributes:
      texts: The documents.
      render: The bytes of a file of the same form that holds documents in another order, and new ones.
    """

    texts: tuple[str, ...]
    render: Callable[[Order], bytes]


def read_corpus(path: Path, field: str = "text", lines: bool | None = None) -> Corpus:
    """Read documents; everything else that a row holds is kept, and is empty in new rows.

    Args:
      path: JSONL, CSV, TSV, Parquet or plain text.
      field: Field or column that holds the document.
      lines: Plain text only: whether each line is a document (else what stands between empty lines); None takes
        what the file looks like.

    Raises:
      DataError: No such file or field, a file of another form, or without documents.
      MissingExtraError: Parquet without pyarrow.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise DataError(f"expected a file of documents ({READABLE}), got {path}, which {what}")
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".pq"):
        corpus = _parquet(path, field)
    elif suffix in (".jsonl", ".ndjson"):
        corpus = _jsonl(path, field)
    elif suffix in (".csv", ".tsv"):
        corpus = _table(path, field)
    elif suffix in (".txt", ".text"):
        corpus = _plain(path, lines)
    else:
        raise DataError(f"{path.name}: expected {READABLE}, got a name that ends in {suffix or 'nothing'}")
    if not corpus.texts:
        raise DataError(f"{path.name} holds no documents")
    return corpus


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise DataError(f"{path.name} is no text in UTF-8 ({err.reason} at byte {err.start})") from None


def _jsonl(path: Path, field: str) -> Corpus:
    rows = [line.rstrip("\r") for line in _text(path).split("\n")]
    kept = [(number, line) for number, line in enumerate(rows, 1) if line.strip()]
    texts = tuple(_document(path, number, line, field) for number, line in kept)

    def render(order: Order) -> bytes:
        made = [
            kept[each][1] if isinstance(each, int) else json.dumps({field: each}, ensure_ascii=False) for each in order
        ]
        return ("\n".join(made) + "\n").encode()

    return Corpus(texts, render)


def _document(path: Path, number: int, line: str, field: str) -> str:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as err:
        raise DataError(f"{path.name}: line {number} is no JSON ({err})") from None
    if not isinstance(row, dict):
        raise DataError(f"{path.name}: expected an object in line {number}, as in {{{field!r}: …}}")
    if field not in row:
        raise DataError(f"{path.name}: line {number} {_missing('field', field, [str(name) for name in row])}")
    if not isinstance(row[field], str):
        raise DataError(f"{path.name}: expected text in {field!r} of line {number}, got {type(row[field]).__name__}")
    return str(row[field])


def _missing(what: str, field: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(field, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ": name it with --field, or --text-field of keepmum audit"
    return f"has no {what} {field!r} among {', '.join(names[:12]) or 'none'}{' …' if len(names) > 12 else ''}{hint}"


def _table(path: Path, field: str) -> Corpus:
    import pandas as pd

    text = _text(path)
    head = text.partition("\n")[0]
    separator = "\t" if path.suffix.lower() == ".tsv" else max((",", ";", "\t"), key=head.count)
    frame = _strings(path, text, separator)
    names = [str(name) for name in frame.iloc[0]] if len(frame) else []
    if field not in names:
        raise DataError(f"{path.name} {_missing('column', field, names)}")
    place = names.index(field)

    def render(order: Order) -> bytes:
        rows = pd.DataFrame("", index=range(len(order) + 1), columns=frame.columns, dtype=object)
        old = [(to, each + 1) for to, each in enumerate(order, 1) if isinstance(each, int)]
        rows.iloc[[0, *(to for to, _ in old)]] = frame.iloc[[0, *(at for _, at in old)]].to_numpy(dtype=object)
        new = {to: each for to, each in enumerate(order, 1) if isinstance(each, str)}
        rows.iloc[list(new), place] = list(new.values())
        return str(rows.to_csv(None, sep=separator, header=False, index=False, lineterminator="\n")).encode()

    return Corpus(tuple(frame.iloc[1:, place].tolist()), render)


def _strings(path: Path, text: str, separator: str) -> Any:
    """Every cell as it is written, the heading first."""
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.StringIO(text), sep=separator, header=None, index_col=False, dtype=str, na_filter=False
            ).fillna("")
    except pd.errors.EmptyDataError:
        raise DataError(f"{path.name} is empty") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as err:
        raise DataError(f"{path.name} is no whole table: rows of unequal length ({err})") from None


def _parquet(path: Path, field: str) -> Corpus:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as err:
        raise MissingExtraError("pyarrow", "parquet") from err
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError, ValueError) as err:
        raise DataError(f"{path.name} is no Parquet file that can be read ({str(err).splitlines()[0]})") from None
    if field not in table.column_names:
        raise DataError(f"{path.name} {_missing('column', field, table.column_names)}")
    kind = table.schema.field(field).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(f"{path.name}: expected text in the column {field!r}, got {kind}")

    def render(order: Order) -> bytes:
        new = [each for each in order if isinstance(each, str)]
        schema = pa.schema([each.with_nullable(True) for each in table.schema], metadata=table.schema.metadata)
        columns = [pa.array(new if each.name == field else [None] * len(new), type=each.type) for each in schema]
        both = pa.concat_tables([table.cast(schema), pa.Table.from_arrays(columns, schema=schema)])
        fresh = iter(range(len(table), len(both)))
        rows = [each if isinstance(each, int) else next(fresh) for each in order]
        sink = io.BytesIO()
        pq.write_table(both.take(rows), sink)
        return sink.getvalue()

    return Corpus(tuple(text or "" for text in table.column(field).to_pylist()), render)


def _plain(path: Path, lines: bool | None) -> Corpus:
    text = _text(path).replace("\r\n", "\n")
    if lines is None:
        lines = re.search(r"\n[ \t]*\n", text.strip()) is None
    parts = text.split("\n") if lines else re.split(r"\n(?:[ \t]*\n)+", text)
    texts = tuple(part.strip("\n") for part in parts if part.strip())
    between = "\n" if lines else "\n\n"

    def render(order: Order) -> bytes:
        return (between.join(texts[each] if isinstance(each, int) else each for each in order) + "\n").encode()

    return Corpus(texts, render)
