"""A static look at a model file: what it is, whether it may be loaded, what it holds. No question is asked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from keepmum.errors import MissingExtraError, TargetError, UnsafeFileError
from keepmum.targets._formats import Format, sniff
from keepmum.targets._sandbox import Limits
from keepmum.targets.files import code_refusal, facts_in_worker, pickle_refusal

SMALL_LEAF = 5
"""Fewest people in a leaf below which the leaf itself speaks of individuals; the rule of thumb of SACRO-ML."""


class Severity(StrEnum):
    """What a finding about a file means for handing the model out."""

    STOP = "stop"
    AGAINST = "against"
    FOR = "for"
    INFO = "info"


@dataclass(frozen=True)
class FileFinding:
    """One thing seen in a model file.

    Attributes:
      code: Stable id, such as ``file/pickle``.
      severity: What it means for handing the model out.
      text: What was seen, one sentence.
      remedy: What to do about it; empty where there is nothing to do.
    """

    code: str
    severity: Severity
    text: str
    remedy: str = ""


def inspect(path: str | os.PathLike[str], *, limits: Limits | None = None) -> list[FileFinding]:
    """Look at a model file. It is loaded in a worker process only, and asked nothing.

    Returns:
      Findings, most severe first; a file that cannot be loaded yields one that says why.
    """
    file = Path(path)
    try:
        kind = sniff(file)
        if kind is Format.PICKLE:
            text, _, remedy = pickle_refusal(file).partition(": ")
            return [FileFinding("file/pickle", Severity.STOP, f"{text}.", remedy)]
        if kind.runs_code:
            text, _, remedy = code_refusal(file, kind).partition(": ")
            return [FileFinding("file/code", Severity.STOP, f"{text}.", remedy)]
        found = [FileFinding("file/format", Severity.INFO, f"{file.name} is a {kind.value} file.")]
        if kind is Format.SKOPS:
            found.append(_types(file))
        found += _about(file, facts_in_worker(file, kind, None, limits or Limits()))
    except UnsafeFileError as err:
        return [FileFinding("file/unsafe", Severity.STOP, str(err), "Ask for the model again, in a safe format.")]
    except (TargetError, MissingExtraError) as err:
        return [FileFinding("file/unreadable", Severity.INFO, str(err), "")]
    order = list(Severity)
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _types(path: Path) -> FileFinding:
    from keepmum.targets._skops import read_schema, type_names

    names = sorted(name for name in type_names(read_schema(path)) if not name.startswith(("builtins.", "numpy.")))
    return FileFinding("file/types", Severity.INFO, f"It holds {len(names)} kinds of objects: {', '.join(names)}.")


def _about(path: Path, facts: dict[str, Any]) -> list[FileFinding]:
    if "tensors" in facts:
        text = f"Weights alone: {facts['tensors']:,} tensors, {facts['numbers']:,} numbers; nothing that runs."
        remedy = "Say which function builds the module: --factory pkg.module:function."
        return [FileFinding("file/weights", Severity.FOR, text, remedy)]
    found = [FileFinding("file/model", Severity.INFO, f"{facts['model']}, offering {facts['access']} access.")]
    for owner, what, rows in facts.get("stored", []):
        text = (
            f"{owner} in {path.name} stores {what} verbatim ({rows:,} rows): whoever holds the file holds the people."
        )
        found.append(FileFinding("file/stored-records", Severity.STOP, text, "Use a model that keeps no records."))
    if "stored" in facts and not facts["stored"]:
        found.append(FileFinding("file/no-stored-records", Severity.FOR, "No part known to store records verbatim."))
    if facts.get("trees"):
        text = f"{facts['trees']:,} trees, every node index checked."
        found.append(FileFinding("file/trees", Severity.FOR, text))
    if facts.get("min_leaf") is not None:
        found.append(_leaves(int(facts["min_leaf"])))
    return found


def _leaves(smallest: int) -> FileFinding:
    text = f"The smallest leaf holds {smallest:,} training {'record' if smallest == 1 else 'records'}."
    if smallest < SMALL_LEAF:
        return FileFinding("file/small-leaves", Severity.AGAINST, text, f"Train with min_samples_leaf >= {SMALL_LEAF}.")
    return FileFinding("file/leaves", Severity.FOR, text)
