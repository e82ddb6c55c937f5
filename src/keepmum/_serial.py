"""Findings as plain data for JSON, and back, exactly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from keepmum.findings import Curve, Finding, Outcome, Slice
from keepmum.stats import Estimate


def plain(value: Any) -> Any:
    """Dataclasses, mappings, tuples, enums and numpy scalars as JSON values; infinities and NaN as None."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def estimates(data: Mapping[str, Any]) -> dict[str, Estimate]:
    """Estimates by metric; a missing upper end is infinite."""
    return {
        name: Estimate(
            item["value"], item["low"], math.inf if item["high"] is None else item["high"], item.get("confidence", 0.95)
        )
        for name, item in data.items()
    }


def finding(data: Mapping[str, Any]) -> Finding:
    """A finding from what `plain` made of it."""
    curve = data.get("curve")
    return Finding(
        **{
            **{item.name: data[item.name] for item in fields(Finding) if item.name in data},
            "outcome": Outcome(data["outcome"]),
            "metrics": estimates(data.get("metrics", {})),
            "baseline": estimates(data.get("baseline", {})),
            "control": estimates(data.get("control", {})),
            "slices": tuple(
                Slice(**{**part, "metrics": estimates(part["metrics"])}) for part in data.get("slices", ())
            ),
            "curve": None if curve is None else Curve(**{name: tuple(values) for name, values in curve.items()}),
            "references": tuple(data.get("references", ())),
        }
    )
