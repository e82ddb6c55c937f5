"""The terminal: one file per verb. stdout is data, stderr is prose and progress.

Exit codes: 0 done or gate passed, 1 gate failed, 2 usage, configuration or unsafe input, 3 incomplete or inconclusive,
4 internal error, 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    import sys

    from keepmum.cli._app import run

    return run([*(sys.argv[1:] if argv is None else argv)])  # `list` is the verb's module in this namespace
