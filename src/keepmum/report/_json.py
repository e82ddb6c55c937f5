"""The report as one line of JSON, and back."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any, TypeVar

import numpy as np

from keepmum.errors import DataError
from keepmum.findings import (
    Check,
    Coverage,
    Curve,
    ExposedGroup,
    Exposure,
    Finding,
    HiddenAttribute,
    Mark,
    Played,
    Slice,
    Trait,
)
from keepmum.report._report import SCHEMA_VERSION, Report
from keepmum.stats import Estimate

T = TypeVar("T")

_ESTIMATES = ("metrics", "baseline", "control")
_NESTED = "imputations"
_FIRST = ("schema_version", "keepmum_version")


def dumps(report: Report) -> str:
    """One line of JSON: fields in the order of the schema, keys of mappings sorted, infinite bounds as null.

    Raises:
      DataError: The report holds something that JSON cannot.
    """
    try:
        return json.dumps(as_data(report), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as err:
        raise DataError(f"expected a report of numbers, texts, lists and mappings, got one that is not: {err}") from err


def as_data(report: Report) -> dict[str, Any]:
    """The report as plain dicts, lists, texts and numbers."""
    data = plain(report)
    assert isinstance(data, dict)
    return {name: data[name] for name in (*_FIRST, *(n for n in data if n not in _FIRST))}


def plain(value: Any) -> Any:
    """Dataclasses, mappings, sequences, enums and numpy values as what JSON knows; infinite bounds as None."""
    if isinstance(value, Estimate):
        bounds = {name: _bound(getattr(value, name)) for name in ("value", "low", "high")}
        return {**bounds, "confidence": float(value.confidence)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist())
    return str(value) if isinstance(value, PurePath) else value


def _bound(value: float) -> float | None:
    return None if math.isinf(value) else float(value)


def loads(text: str | bytes) -> Report:
    """Read a report.

    Fields that this version does not know are passed over: a schema version only ever adds fields.

    Raises:
      DataError: The text is no report, is damaged, or comes from a newer schema.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise DataError(f"expected a keepmum report in JSON, got text that is damaged or cut off: {err}") from err
    if not isinstance(data, dict) or not isinstance(data.get("schema_version"), int):
        raise DataError("expected a keepmum report in JSON with a number at schema_version, got other JSON")
    if data["schema_version"] > SCHEMA_VERSION:
        raise DataError(
            f"expected a report of schema version {SCHEMA_VERSION} or older, got {data['schema_version']} "
            f"(written by keepmum {data.get('keepmum_version') or 'of unknown version'}): update keepmum"
        )
    return _build(data)


def _build(data: dict[str, Any]) -> Report:
    return _read(Report, data)


def finding(data: dict[str, Any]) -> Finding:
    """A finding from what `plain` made of it, exactly.

    Raises:
      DataError: It is damaged.
    """
    return _read(Finding, data)


def _read(kind: type[T], data: dict[str, Any]) -> T:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(_with_infinity(data))
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        more = f" (and {err.error_count() - 1} more)" if err.error_count() > 1 else ""
        raise DataError(f"expected a keepmum report, got a damaged one: {where}: {first['msg']}{more}") from err


def _with_infinity(value: Any, inside: bool = False) -> Any:
    """Give estimates back their infinite bounds; ``inside`` a mapping of estimates."""
    if isinstance(value, list):
        return [_with_infinity(item) for item in value]
    if not isinstance(value, dict):
        return value
    if inside:
        return {name: _estimate(item) for name, item in value.items()}
    return {
        name: {key: _with_infinity(part, True) for key, part in item.items()}
        if name == _NESTED and isinstance(item, dict)
        else _with_infinity(item, name in _ESTIMATES)
        for name, item in value.items()
    }


def _estimate(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    ends = {"value": math.inf, "low": -math.inf, "high": math.inf}
    return {k: ends[k] if v is None and k in ends else v for k, v in item.items()}


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of what `dumps` writes, with a description of each field."""
    from pydantic import TypeAdapter

    made = TypeAdapter(Report).json_schema(mode="serialization")
    parts = made["$defs"]
    for name in ("value", "low", "high"):
        parts["Estimate"]["properties"][name] = {"anyOf": [{"type": "number"}, {"type": "null"}]}
    kinds = (Estimate, Curve, Slice, Mark, Finding, Check, Played, Coverage)
    for kind in (*kinds, Exposure, ExposedGroup, HiddenAttribute, Trait):
        _describe(parts[kind.__name__], kind)
    _describe(made, Report)
    made["properties"]["schema_version"] |= {"minimum": 1, "maximum": SCHEMA_VERSION}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _describe(part: dict[str, Any], kind: type) -> None:
    """Everything is always written, so everything is required; words come from the docstring."""
    part["required"] = list(part["properties"])
    doc = kind.__doc__ or ""
    part["description"] = doc.split("\n\n", 1)[0]
    words = doc.partition("Attributes:\n")[2]
    for name, text in re.findall(r"^ {6}(\w+): (.*(?:\n {8}.*)*)", words, re.MULTILINE):
        if name in part["properties"]:
            part["properties"][name]["description"] = re.sub(r"\s+", " ", text)
    for field in part["properties"].values():
        field.pop("default", None)
