"""Values as people write them in flags, variables and files: durations, lists, numbers."""

from __future__ import annotations

import re
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import BeforeValidator, Field

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(value: Any) -> Any:
    """Seconds of a duration such as ``"90"``, ``"15m"`` or ``"1h30m"``; other values pass for pydantic to judge.

    Raises:
      ValueError: A text that is no duration.
    """
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d+)?[hms])+", text):
        raise ValueError(f"expected a duration such as 90s, 15m or 1h30m, got {value!r}")
    return sum(float(n) * UNITS[unit] for n, unit in re.findall(r"([\d.]+)([hms])", text))


def parts(value: Any) -> Any:
    """Numbers as a command line or a variable writes them: ``"40,32"``."""
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, (tuple, list)):
        return value
    return tuple(part for text in texts for part in (text.split(",") if isinstance(text, str) else (text,)))


def listed(value: Any) -> Any:
    """One text in a place where a project file may hold a list."""
    return (value,) if isinstance(value, str) else value


Limit = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Texts = Annotated[tuple[str, ...], BeforeValidator(listed), Parameter(show_default=False)]
Sides = Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(parts)]
Ends = Annotated[tuple[Annotated[float, Field(allow_inf_nan=False)], ...], BeforeValidator(parts)]
Switch = Annotated[bool, Parameter(show_default=False)]
