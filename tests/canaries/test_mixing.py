"""Canaries into data: everything that was there stays, in its order; canaries stand between, as often as they say."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from keepmum.canaries import make, mix
from keepmum.canaries._corpus import read_corpus
from keepmum.canaries.mixing import places
from keepmum.errors import ConfigError, DataError

ODD = ["plain words", 'with "quotes", commas; and\ttabs', "two\nlines", "Ünïcødé \u2028 ✓", "007", "", "NA", " edge "]
REGISTRY = make(("pin", "key", "text"), (1, 4), per_cell=2, seed=4)


def write(folder: Path, name: str) -> Path:
    """Documents in each form, with other columns beside them."""
    path = folder / name
    frame = pd.DataFrame({"id": [f"{i:03d}" for i in range(len(ODD))], "text": ODD, "score": np.arange(len(ODD))})
    if name.endswith(".parquet"):
        frame.to_parquet(path, index=False)
    elif name.endswith(".jsonl"):
        rows = frame.to_dict("records")
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8")
    elif name.endswith(".txt"):
        path.write_text("first paragraph\nsecond line\n\nsecond one\n\n\nthird one\n", encoding="utf-8")
    else:
        frame.to_csv(path, index=False, sep="\t" if name.endswith(".tsv") else ",")
    return path


FORMS = ["a.jsonl", "a.csv", "a.tsv", "a.parquet", "a.txt"]


@pytest.mark.parametrize("name", FORMS)
def test_what_was_there_stays_and_canaries_are_added(tmp_path: Path, name: str):
    source, out = write(tmp_path, name), tmp_path / f"mixed{Path(name).suffix}"
    before, raw = read_corpus(source).texts, source.read_bytes()
    mixed = mix(REGISTRY, source, out)
    after = read_corpus(out).texts
    new = set(REGISTRY.documents)
    assert tuple(text for text in after if text not in new) == before
    assert Counter(text for text in after if text in new) == Counter(REGISTRY.documents)
    assert source.read_bytes() == raw
    assert not {twin.text for twin in REGISTRY.twins} & set(after)
    assert sorted(tmp_path.iterdir()) == sorted([source, out])
    assert mixed.mixed is not None
    assert (mixed.mixed.documents, mixed.mixed.added) == (len(before), len(REGISTRY.documents))


@pytest.mark.parametrize("name", FORMS)
def test_the_same_again_is_the_same_file_and_other_data_are_refused(tmp_path: Path, name: str):
    source, suffix = write(tmp_path, name), Path(name).suffix
    mixed = mix(REGISTRY, source, tmp_path / f"one{suffix}")
    assert mix(mixed, source, tmp_path / f"two{suffix}").mixed != mixed.mixed  # the name differs, not the content
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()
    (tmp_path / "other.txt").write_text("something else\n")
    with pytest.raises(ConfigError, match=r"are in one.* already"):
        mix(mixed, tmp_path / "other.txt", tmp_path / "three.txt")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_tables_keep_every_cell(tmp_path: Path, name: str):
    source, out = write(tmp_path, name), tmp_path / f"mixed{Path(name).suffix}"
    mix(REGISTRY, source, out)
    separator = "\t" if name.endswith(".tsv") else ","
    asked = {"sep": separator, "dtype": str, "na_filter": False}
    old, new = pd.read_csv(source, **asked), pd.read_csv(out, **asked)
    kept = new[new["id"] != ""].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, old)


def test_lines_of_json_are_not_written_anew(tmp_path: Path):
    source, out = write(tmp_path, "a.jsonl"), tmp_path / "b.jsonl"
    mix(REGISTRY, source, out)
    lines = source.read_text(encoding="utf-8").split("\n")
    kept = [line for line in out.read_text(encoding="utf-8").split("\n") if '"id"' in line]
    assert kept == [line for line in lines if line]


def test_parquet_keeps_types_and_gives_empty_cells(tmp_path: Path):
    import pyarrow.parquet as pq

    source, out = write(tmp_path, "a.parquet"), tmp_path / "b.parquet"
    mix(REGISTRY, source, out)
    old, new = pq.read_table(source), pq.read_table(out)
    assert new.schema.types == old.schema.types
    frame = new.to_pandas()
    assert frame["score"].isna().sum() == len(REGISTRY.documents)
    assert frame["score"].dropna().tolist() == list(range(len(ODD)))


def test_plain_text_is_lines_or_paragraphs(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("one\ntwo\nthree\n")
    assert read_corpus(path).texts == ("one", "two", "three")
    assert read_corpus(path, lines=False).texts == ("one\ntwo\nthree",)
    path.write_text("one\ntwo\n\nthree\r\n\r\nfour")
    assert read_corpus(path).texts == ("one\ntwo", "three", "four")
    assert read_corpus(path, lines=True).texts == ("one", "two", "three", "four")


def test_places_are_uniform_and_the_order_is_random():
    found = places(1000, [f"new {i}" for i in range(400)], seed=1)
    assert [each for each in found if isinstance(each, int)] == list(range(1000))
    at, before = [], 0
    for each in found:
        if isinstance(each, int):
            before += 1
        else:
            at.append(before / 1000)
    assert kstest(at, "uniform").pvalue > 1e-3
    texts = [each for each in found if isinstance(each, str)]
    assert sorted(texts) == sorted(f"new {i}" for i in range(400)) != texts


@pytest.mark.parametrize("side", ["twins", "planted"])
def test_canaries_that_stand_in_the_data_already(tmp_path: Path, side: str):
    path, out = tmp_path / "a.txt", tmp_path / "b.txt"
    told = getattr(REGISTRY, side)
    key = next(secret for secret in told if secret.kind == "key")
    path.write_text(f"a line\nsome key {key.secret.strip()} without its owner\n")
    with pytest.raises(DataError, match=f"1 {side}.* stand in the data already, of the kind key"):
        mix(REGISTRY, path, out)
    path.write_text(f"a line\n{told[0].text}\n")
    with pytest.raises(DataError, match="of the kind pin"):
        mix(REGISTRY, path, out)
    path.write_text(f"a line\nthe number{told[0].secret} alone, by chance\n")
    mix(REGISTRY, path, out)


def test_mixed_data_are_not_mixed_into(tmp_path: Path):
    path = write(tmp_path, "a.txt")
    mix(REGISTRY, path, tmp_path / "b.txt")
    with pytest.raises(DataError, match="planted canaries stand in the data already"):
        mix(REGISTRY, tmp_path / "b.txt", tmp_path / "c.txt")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"txt": "y"}\n', "line 2 has no field 'text' among txt; did you mean 'txt'"),
        ("a.jsonl", b'{"text": 3}\n', "expected text in 'text' of line 1, got int"),
        ("a.jsonl", b"[1]\n", "expected an object in line 1"),
        ("a.jsonl", b"hello\n", "line 1 is no JSON"),
        ("a.jsonl", b'{"a":' * 100_000, "line 1 is no JSON"),
        ("a.jsonl", b"\n\n", "holds no documents"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"a,b\n1,2\n", "has no column 'text' among a, b: name it with --field"),
        ("a.csv", b"a,text\n1,2\n1,2,3\n", "no whole table"),
        ("a.csv", b"text\n", "holds no documents"),
        ("a.txt", b"\xff\xfe\x00", "no text in UTF-8"),
        ("a.txt", b"\n \n", "holds no documents"),
        ("a.parquet", b"PAR1", "no Parquet file"),
        ("a.doc", b"x", "ends in .doc"),
    ],
)
def test_files_that_are_no_documents(tmp_path: Path, name: str, content: bytes, message: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        mix(REGISTRY, tmp_path / name, tmp_path / f"out{Path(name).suffix}")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_parquet_column_that_is_no_text(tmp_path: Path):
    path = write(tmp_path, "a.parquet")
    with pytest.raises(DataError, match="expected text in the column 'score', got int64"):
        mix(REGISTRY, path, tmp_path / "b.parquet", field="score")


def test_files_that_are_not_written(tmp_path: Path):
    path = write(tmp_path, "a.txt")
    for out, message in (
        (path, "is there already"),
        (tmp_path / "b.csv", "expected a file .txt to write"),
        (tmp_path / "no" / "b.txt", "expected a folder to write into"),
    ):
        with pytest.raises(ConfigError, match=message):
            mix(REGISTRY, path, out)
    with pytest.raises(DataError, match="which is not there"):
        mix(REGISTRY, tmp_path / "none.txt", tmp_path / "b.txt")
    (tmp_path / "dir.txt").mkdir()
    with pytest.raises(DataError, match="which is a folder"):
        mix(REGISTRY, tmp_path / "dir.txt", tmp_path / "b.txt")
