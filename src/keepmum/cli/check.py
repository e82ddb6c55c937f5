"""``keepmum check``: look at model files without loading them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from keepmum.cli._app import Exit
from keepmum.cli._terminal import DEFAULTS, Options, Terminal
from keepmum.errors import ConfigError

if TYPE_CHECKING:
    from keepmum.targets.inspection import FileFinding

UNREADABLE = "file/unreadable"


def check(
    path: Annotated[Path, Parameter(name="PATH", help="Model file, or a folder of them.")],
    /,
    *,
    common: Options = DEFAULTS,
) -> int:
    """Look at model files without loading them.

    Tells whether each may be loaded safely, and whether it holds records or leaves of few people. Files are opened in a
    worker process with limits, and the model is asked nothing. Exits with 1 if anything says stop, with 3 if no file
    is a model that can be read.
    """
    from keepmum.targets.inspection import Severity, inspect

    found = {file: inspect(file) for file in _files(path)}
    _show(found, common.terminal)
    if common.json:
        rows = [{"file": str(file), **asdict(finding)} for file, findings in found.items() for finding in findings]
        common.terminal.data(json.dumps(rows))
    said = [finding for findings in found.values() for finding in findings]
    if any(finding.severity is Severity.STOP for finding in said):
        return Exit.GATE_FAILED
    read = any(finding.code != UNREADABLE for finding in said)
    return Exit.DONE if read else Exit.INCONCLUSIVE


def _files(path: Path) -> list[Path]:
    """The file, or all files of a folder that are not hidden and not empty.

    Raises:
      ConfigError: There is none.
    """
    if path.is_dir():
        inside = sorted(file for file in path.rglob("*") if file.is_file() and file.stat().st_size)
        files = [f for f in inside if not any(part.startswith(".") for part in f.relative_to(path).parts)]
        if not files:
            raise ConfigError(f"expected model files in {path}, got an empty folder")
        return files
    if not path.is_file():
        raise ConfigError(f"expected a model file or a folder, got {path}, which is not there")
    return [path]


def _show(found: Mapping[Path, Sequence[FileFinding]], terminal: Terminal) -> None:
    models = {f: said for f, said in found.items() if len(found) == 1 or any(s.code != UNREADABLE for s in said)}
    for file, findings in models.items():
        terminal.show(str(file))
        for finding in findings:
            terminal.show(f"  {finding.severity:<8}{finding.text}")
            if finding.remedy:
                terminal.show(f"          {finding.remedy}", whole=True)
    if len(models) < len(found):
        terminal.show(f"{len(found) - len(models)} other files are no models that keepmum reads.")
