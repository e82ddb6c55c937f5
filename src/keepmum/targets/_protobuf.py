"""Read the few fields of an ONNX file that matter for safety and labels, without the onnx package.

ONNX is a protocol buffer: fields of (number, wire type, value). Numbers are those of ``onnx.proto``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_BELOW = {  # message -> field number -> message that it holds
    "model": {_MODEL_GRAPH: "graph", _MODEL_FUNCTIONS: "function"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_OPERATOR = 4
_ATTRIBUTE_NAME, _ATTRIBUTE_INTS, _ATTRIBUTE_STRINGS = 1, 8, 9
_MAX_DEPTH = 100


@dataclass
class Scan:
    """What was found.

    Attributes:
      external: Whether a tensor lies in another file.
      labels: Operator and class labels of each node that tells some.
    """

    external: bool = False
    labels: list[tuple[str, list[Any]]] = field(default_factory=list)


def scan(content: bytes) -> Scan:
    """Walk through an ONNX model.

    Raises:
      ValueError: The bytes are no protocol buffer.
    """
    found = Scan()
    waiting: list[tuple[str, memoryview, int, str]] = [("model", memoryview(content), 0, "")]
    while waiting:
        kind, data, depth, operator = waiting.pop()
        if depth > _MAX_DEPTH:
            raise ValueError("nested beyond measure")
        fields = list(_fields(data))
        if kind == "tensor":
            found.external |= any(n == _EXTERNAL_DATA or (n == _DATA_LOCATION and v == 1) for n, v in fields)
        if kind == "node":
            operator = next((bytes(v).decode("utf-8", "replace") for n, v in fields if n == _OPERATOR), "")
        if kind == "attribute":
            _labels(fields, operator, found)
        for number, value in fields:
            below = _BELOW.get(kind, {}).get(number)
            if below is not None:
                if not isinstance(value, memoryview):
                    raise ValueError(f"field {number} of {kind} is no message")
                waiting.append((below, value, depth + 1, operator))
    return found


def _labels(fields: list[tuple[int, Any]], operator: str, found: Scan) -> None:
    name = next((bytes(v) for n, v in fields if n == _ATTRIBUTE_NAME and isinstance(v, memoryview)), b"")
    if not name.startswith(b"classlabels_"):
        return
    ints: list[Any] = []
    for number, value in fields:
        if number == _ATTRIBUTE_INTS:
            ints.extend(_packed(value) if isinstance(value, memoryview) else [_signed(value)])
    texts = [bytes(v).decode("utf-8", "replace") for n, v in fields if n == _ATTRIBUTE_STRINGS]
    if ints or texts:
        found.labels.append((operator, ints or texts))


def _packed(data: memoryview) -> list[int]:
    values, place = [], 0
    while place < len(data):
        value, place = _varint(data, place)
        values.append(_signed(value))
    return values


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, place = _varint(data, place)
            yield number, value
            continue
        if wire == 2:
            size, place = _varint(data, place)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if place + size > len(data):
            raise ValueError("cut off")
        yield number, data[place : place + size]
        place += size


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise ValueError("cut off")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number that is too long")
