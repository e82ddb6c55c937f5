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
SUPPORTED = (
    "skops (.skops), ONNX (.onnx), XGBoost (.json, .ubj), LightGBM (.txt), or weights of a torch module (.safetensors)"
)
LONGEST_HEADER = 100_000_000
"""Bytes that the header of a safetensors file may have, as that library reads it."""


class Format(Enum):
    """What a model file is."""

    SKOPS = "skops archive"
    ONNX = "ONNX"
    XGBOOST = "XGBoost JSON or UBJ"
    LIGHTGBM = "LightGBM text"
    SAFETENSORS = "safetensors"
    TORCH = "PyTorch archive"
    TORCHSCRIPT = "TorchScript"
    EXPORTED = "torch.export"
    PICKLE = "pickle"

    @property
    def is_weights(self) -> bool:
        """Whether it holds the weights of a torch module, and not the module."""
        return self in (Format.SAFETENSORS, Format.TORCH)

    @property
    def runs_code(self) -> bool:
        """Whether loading or asking it runs what its author wrote, beyond arithmetic."""
        return self in (Format.PICKLE, Format.TORCHSCRIPT, Format.EXPORTED)


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
    if _is_safetensors(path, head):  # before pickles: the length of a header may begin like one
        return Format.SAFETENSORS
    if is_pickle(head) or (suffix in PICKLE_NAMES and not head.startswith(b"PK")):
        return Format.PICKLE
    found = _by_content(path, head)
    expected = {
        ".skops": Format.SKOPS,
        ".onnx": Format.ONNX,
        ".ubj": Format.XGBOOST,
        ".safetensors": Format.SAFETENSORS,
        ".pt2": Format.EXPORTED,
    }.get(suffix)
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


def _is_safetensors(path: Path, head: bytes) -> bool:
    """Eight bytes with the length of a JSON object, and then that object."""
    length = int.from_bytes(head[:8], "little")
    return 2 <= length <= min(LONGEST_HEADER, path.stat().st_size - 8) and head[8:9] == b"{"


def _archive(path: Path) -> Format | None:
    """A zip archive: skops, or what PyTorch writes."""
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
    except (BadZipFile, OSError, ValueError, NotImplementedError) as err:
        raise UnsafeFileError(f"{path.name} is a damaged or cut-off archive: copy it again, or save it again") from err
    if "schema.json" in names:
        return Format.SKOPS
    inside = {name.partition("/")[2] or name for name in names}
    if inside & {"archive_format", "models/model.json", "serialized_exported_program.json"}:
        return Format.EXPORTED
    if "constants.pkl" in inside or any(name.startswith("code/") for name in inside):
        return Format.TORCHSCRIPT
    return Format.TORCH if "data.pkl" in inside else None
