"""The public names: sorted, importable, documented, and the same as yesterday.

When a change is meant, renew the snapshot: python tests/contracts/test_api.py > tests/contracts/api.txt
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType

import pytest

MODULES = (
    "keepmum",
    "keepmum.attacks",
    "keepmum.attacks.attribute",
    "keepmum.attacks.extraction",
    "keepmum.attacks.inversion",
    "keepmum.attacks.membership",
    "keepmum.attacks.structural",
    "keepmum.audit_dp",
    "keepmum.datasets",
    "keepmum.defenses",
    "keepmum.defenses.output",
    "keepmum.defenses.training",
    "keepmum.detectors",
    "keepmum.report",
    "keepmum.shadows",
    "keepmum.stats",
    "keepmum.synthetic",
    "keepmum.targets",
    "keepmum.training",
)
SNAPSHOT = Path(__file__).with_name("api.txt")
REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def public(module: ModuleType) -> Iterator[tuple[str, object]]:
    for name in module.__all__:
        yield name, getattr(module, name)


def described(name: str, value: object) -> str:
    """One line about a public name: parameters and members, without annotations, which tools may spell differently."""
    if isinstance(value, type) and issubclass(value, Enum):
        return f"{name}: {', '.join(f'{member.name}={member.value!r}' for member in value)}"
    if inspect.isclass(value):
        fields = [f.name for f in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []
        own = [n for n in dir(value) if not n.startswith("_") and n not in fields]
        return f"{name}({', '.join(fields)}): {', '.join(own)}"
    if inspect.isroutine(value):
        parameters = inspect.signature(value).parameters.values()
        told = ", ".join(str(p.replace(annotation=p.empty)) for p in parameters)
        return f"{name}({re.sub(' at 0x[0-9a-f]+', '', told)})"
    return f"{name} = {re.sub(' at 0x[0-9a-f]+', '', repr(value))}"


def snapshot() -> str:
    lines = []
    for module in map(importlib.import_module, MODULES):
        lines.append(f"[{module.__name__}]")
        lines += [described(name, value) for name, value in public(module)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", MODULES)
def test_all_is_complete_and_importable(name: str) -> None:
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, public_name) for public_name in module.__all__)


def test_what_keepmum_exports_is_sorted_and_no_more_than_documented() -> None:
    module = importlib.import_module("keepmum")
    assert module.__all__ == sorted(module.__all__)
    page = (REFERENCE / "api.md").read_text(encoding="utf-8")
    missing = [name for name in module.__all__ if f":: keepmum.{name}\n" not in page]
    assert not missing, f"without an entry in docs/reference/api.md: {missing}"


@pytest.mark.parametrize("name", MODULES)
def test_every_public_class_and_function_has_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    silent = [n for n, v in public(module) if (inspect.isclass(v) or inspect.isfunction(v)) and not v.__doc__]
    assert not silent


def test_the_public_names_are_those_of_the_snapshot() -> None:
    assert snapshot().splitlines() == SNAPSHOT.read_text(encoding="utf-8").splitlines(), __doc__


if __name__ == "__main__":
    print(snapshot(), end="")
