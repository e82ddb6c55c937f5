"""Tell a model file's format from its content; the name decides only where the content cannot."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from keepmum.errors import TargetError, UnsafeFileError

PICKLE_NAMES = frozenset({".pkl", ".pickle", ".joblib", ".sav", ".p", ".dill"})
_COMPRESSED: tuple[bytes, ...] = (
    b"\x78\x01",
    b"\x78\x5e",
    b"\x78\x9c",
    b"\x78\xda",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"\x5d\x00\x00",
)
_COMPRESSED += (b"\x04\x22\x4d\x18", b"ZF")  # lz4, and joblib before 0.10
SUPPORTED = "skops (.skops), ONNX (.onnx), XGBoost (.json, .ubj), LightGBM (.txt)"


class Format(Enum):
    """What a model file is."""

    SKOPS = "skops archive"
    ONNX = "ONNX"
    XGBOOST = "XGBoost JSON or UBJ"
    LIGHTGBM = "LightGBM text"
    PICKLE = "pickle"


def sniff(path: Path) -> Format:
    """The format of a model file.

    Raises:
      TargetError: No such file, or a format that keepmum does not read.
      UnsafeFileError: A file that is not what its name says.
    """
    if path.is_dir():
        raise TargetError(f"expected a model file, got the folder {path}")
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as err:
        raise TargetError(f"cannot read the model file {path} ({err.strerror}): check the path") from err
    if not head:
        raise UnsafeFileError(f"{path.name} is empty: copy it again, or save it again")
    suffix = path.suffix.lower()
    if is_pickle(head) or (suffix in PICKLE_NAMES and not head.startswith(b"PK")):
        return Format.PICKLE
    found = _by_content(path, head)
    expected = {".skops": Format.SKOPS, ".onnx": Format.ONNX, ".ubj": Format.XGBOOST}.get(suffix)
    if suffix == ".onnx" and found is None and head[:1] in (b"\x08", b"\x0a", b"\x3a", b"\x42"):
        return Format.ONNX  # protocol buffers have no magic number; the first field is one of ModelProto's
    if expected is not None and found is not expected:
        raise UnsafeFileError(
            f"{path.name} is no {expected.value} file (its content is "
            f"{found.value if found else 'of another kind, or damaged'}): copy it again, or save it again"
        )
    if found is None:
        raise TargetError(f"{path.name} is of no format that keepmum reads: expected {SUPPORTED}")
    return found


def is_pickle(head: bytes) -> bool:
    """Whether a file's first bytes are those of a pickle, or of a compressed one as joblib writes it."""
    if head.startswith(_COMPRESSED):
        return True
    if head[:1] == b"\x80" and len(head) > 1 and 2 <= head[1] <= 5:
        return True
    text = head[:256]
    return head[:1] in b"(c]}" and _looks_like_protocol_0(text)


def _looks_like_protocol_0(text: bytes) -> bool:
    """Protocol 0 and 1: ``c`` module line, name line; or a container that begins with a mark."""
    first = text.split(b"\n", 2)
    if text[:1] == b"c":
        return len(first) == 3 and first[0][1:].replace(b"_", b"").replace(b".", b"").isalnum()
    return text.startswith((b"]q", b"}q", b"(lp", b"(dp", b"(i", b"(c", b"ccopy_reg", b"(S'"))


def _by_content(path: Path, head: bytes) -> Format | None:
    if head.startswith(b"PK"):
        return _archive(path)
    text = head.lstrip()
    if text.startswith(b"{") and b'"learner"' in head:
        return Format.XGBOOST
    if head[:1] == b"{" and head[1:2] in (b"L", b"l", b"I", b"i", b"U") and b"learner" in head[:64]:
        return Format.XGBOOST
    if head.startswith((b"tree\n", b"tree\r\n")):
        return Format.LIGHTGBM
    return None


def _archive(path: Path) -> Format | None:
    """A zip archive: skops, or what PyTorch and Keras write."""
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
    except (BadZipFile, OSError, ValueError, NotImplementedError) as err:
        raise UnsafeFileError(f"{path.name} is a damaged or cut-off archive: copy it again, or save it again") from err
    if "schema.json" in names:
        return Format.SKOPS
    if any(name.endswith("data.pkl") for name in names):
        raise UnsafeFileError(f"{path.name} is a PyTorch archive, which holds a pickle: export the model to ONNX")
    return None
