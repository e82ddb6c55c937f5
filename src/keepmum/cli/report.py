"""``keepmum report``: a finished audit in other formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from keepmum.cli._app import Exit
from keepmum.cli._runs import read_report
from keepmum.cli._terminal import DEFAULTS, Options


def report(
    run: Annotated[
        Path | None, Parameter(help="Run folder, report.json, or id of a run; the newest finished run unless said.")
    ] = None,
    /,
    *,
    output: Annotated[
        tuple[Path, ...],
        Parameter(
            name=["--output", "-o"],
            show_default=False,
            help="File to write; its ending names the format: .html .json .md .sarif .junit.xml .csv. May be repeated.",
        ),
    ] = (),
    schema: Annotated[
        bool, Parameter(show_default=False, help="Print the JSON Schema of report.json, and nothing else.")
    ] = False,
    common: Options = DEFAULTS,
) -> int:
    """Write the report of a finished audit in other formats, or show it in the terminal.

    Nothing is measured again.
    """
    terminal = common.terminal
    if schema:
        from keepmum.report._json import schema as describe

        terminal.data(json.dumps(describe()) if common.json else json.dumps(describe(), indent=2))
        return Exit.DONE
    found, _ = read_report(run)
    if output:
        from keepmum.report._save import FORMATS, write

        _check_endings(output, tuple(FORMATS))
        for path in output:
            terminal.say(f"Wrote {write(found, path)}")
    else:
        from keepmum.report._text import print_report

        print_report(found, terminal.result)
    if common.json:
        terminal.data(found.to_json())
    return Exit.DONE


def _check_endings(paths: tuple[Path, ...], endings: tuple[str, ...]) -> None:
    """All file names are checked before the first is written."""
    from keepmum.errors import ConfigError

    for path in paths:
        if not path.name.lower().endswith(endings):
            raise ConfigError(f"expected a file name that ends in {', '.join(endings)}, got {path.name!r}")
