import bz2
import gzip
import io
import lzma
import pickle
import zipfile
import zlib

import joblib
import numpy as np
import pytest

from keepmum.errors import TargetError, UnsafeFileError
from keepmum.targets._formats import Format, sniff
from keepmum.targets.files import load, pickle_refusal

MODEL = {"weights": np.arange(10.0), "name": "model"}


def compressed(method):
    buffer = io.BytesIO()
    joblib.dump(MODEL, buffer, compress=(method, 3))
    return buffer.getvalue()


PICKLES = {f"protocol {p}": pickle.dumps(MODEL, protocol=p) for p in range(6)}
PICKLES |= {f"list, protocol {p}": pickle.dumps([1, "a"], protocol=p) for p in range(6)}
PICKLES |= {f"joblib {m}": compressed(m) for m in ("zlib", "gzip", "bz2", "xz", "lzma")}
PICKLES |= {"gzip": gzip.compress(PICKLES["protocol 4"]), "bz2": bz2.compress(PICKLES["protocol 4"])}
PICKLES |= {"zlib": zlib.compress(PICKLES["protocol 4"], 9), "xz": lzma.compress(PICKLES["protocol 4"])}
PICKLES |= {"os.system": b"cos\nsystem\n(S'touch gone'\ntR."}


@pytest.mark.parametrize("name", ["model.skops", "model.onnx", "model.json", "model.txt", "model.pkl", "model"])
@pytest.mark.parametrize("kind", PICKLES)
def test_a_pickle_is_known_under_every_name(tmp_path, name, kind):
    path = tmp_path / name
    path.write_bytes(PICKLES[kind])
    assert sniff(path) is Format.PICKLE


@pytest.mark.parametrize("suffix", ["pkl", "pickle", "joblib", "sav", "PKL"])
def test_by_name_where_the_content_does_not_tell(tmp_path, suffix):
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(b"anything")
    assert sniff(path) is Format.PICKLE


def test_the_refusal_tells_the_command(tmp_path):
    path = tmp_path / "model.joblib"
    path.write_bytes(compressed("zlib"))
    with pytest.raises(UnsafeFileError) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    command = "python -c \"import joblib, skops.io; skops.io.dump(joblib.load('model.joblib'), 'model.skops')\""
    assert command in str(caught.value)
    renamed = tmp_path / "model.skops"
    renamed.write_bytes(path.read_bytes())
    assert "whatever its name says" in pickle_refusal(renamed)


def test_a_name_cannot_break_out_of_the_command(tmp_path):
    text = pickle_refusal(tmp_path / "x'); import os; os.system('true.pkl")
    assert "joblib.load('model.pkl')" in text


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("model.onnx", b"just text", UnsafeFileError, "no ONNX file"),
        ("model.skops", b"just text", UnsafeFileError, "no skops archive file"),
        ("model.skops", b"PK\x03\x04 and no more", UnsafeFileError, "cut-off archive"),
        ("model.ubj", b"{}", UnsafeFileError, "no XGBoost"),
        ("model.skops", b'{"learner": 1}', UnsafeFileError, "its content is XGBoost"),
        ("model.skops", b"", UnsafeFileError, "is empty"),
        ("model.bin", b"\x00\x01\x02", TargetError, "no format that keepmum reads"),
        ("model.json", b'{"a": 1}', TargetError, "no format that keepmum reads"),
        ("model.h5", b"\x89HDF\r\n", TargetError, "expected skops"),
    ],
)
def test_what_is_none_of_these(tmp_path, name, content, error, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(error, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_pytorch_archive_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02.")
    with pytest.raises(UnsafeFileError, match="PyTorch"):
        load(path)


def test_folders_and_missing_files(tmp_path):
    with pytest.raises(TargetError, match="the folder"):
        load(tmp_path)
    with pytest.raises(TargetError, match="cannot read the model file"):
        load(tmp_path / "nothing.skops")
