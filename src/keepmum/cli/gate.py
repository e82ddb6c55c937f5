"""``keepmum gate``: may this model pass?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from keepmum.cli._runs import read_report
from keepmum.cli._terminal import DEFAULTS, Common, Options
from keepmum.policy import POLICIES, Policy, from_settings, named

SHOWN = 6


def gate(
    run: Annotated[
        Path | None, Parameter(help="Run folder, report.json, or id of a run; the newest finished run unless said.")
    ] = None,
    /,
    *,
    policy: Annotated[
        str | None, Parameter(help="Name of a policy (default, tre), or a TOML file with a table [policy].")
    ] = None,
    common: Options = DEFAULTS,
) -> int:
    """Hold a finished audit against a policy: passed (exit 0), failed (1) or inconclusive (3).

    Intervals are judged, not values: a limit is broken when the whole interval lies above it, kept when the whole
    interval lies at or below it, and otherwise the gate is inconclusive.
    """
    from keepmum.policy import decide

    rules = _policy(policy, common)
    report, path = read_report(run)
    decision = decide(report, rules)
    terminal = common.terminal
    terminal.detail(f"{path} against policy {decision.policy}")
    terminal.show(f"{decision.outcome.upper()} ({decision.policy})")
    shown = decision.reasons if common.verbose else decision.reasons[:SHOWN]
    for reason in shown:
        terminal.show(f"  {reason}")
    if len(shown) < len(decision.reasons):
        terminal.show(f"  and {len(decision.reasons) - len(shown)} more reasons (-v shows all)")
    if common.json:
        said = {"outcome": decision.outcome, "policy": decision.policy, "reasons": decision.reasons}
        terminal.data(json.dumps({**said, "exit_code": decision.exit_code, "report": str(path)}))
    return decision.exit_code


def _policy(name: str | None, common: Common) -> Policy:
    """The policy named, the one in the file named, or the one of the project file."""
    from keepmum.settings import load

    if name is None:
        return from_settings(load(config=common.config).policy)
    if name not in POLICIES and Path(name).is_file():
        return from_settings(load(config=Path(name), environ={}).policy)
    return named(name)
