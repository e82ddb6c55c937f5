"""The report as a table: one row a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keepmum.report._report import Report
from keepmum.report._words import METRICS

if TYPE_CHECKING:
    import pandas as pd


def frame(report: Report) -> pd.DataFrame:
    """One row a finding.

    Columns: ``id``, ``family``, ``outcome``, ``access``, ``queries``, ``p_value``, ``adjusted_p_value``,
    ``subject`` and ``verdict``, which are empty for findings about records; each metric
    as ``auc``, ``auc_low``, ``auc_high``; its ``baseline_auc`` and ``control_auc`` where there are any;
    ``explanation`` and ``reason`` last. Metrics that were not measured are missing values.
    """
    import pandas as pd

    rows = []
    for finding in report.findings:
        row: dict[str, object] = {
            "id": finding.id,
            "family": finding.family,
            "outcome": finding.outcome.value,
            "access": finding.access,
            "queries": finding.queries,
            "p_value": finding.p_value,
            "adjusted_p_value": finding.adjusted_p_value,
            "subject": finding.subject,
            "verdict": finding.verdict,
        }
        for name in metric_names(report):
            for prefix, numbers in (
                ("", finding.metrics),
                ("baseline_", finding.baseline),
                ("control_", finding.control),
            ):
                if name in numbers:
                    row[prefix + name] = numbers[name].value
                    row[f"{prefix}{name}_low"] = numbers[name].low
                    row[f"{prefix}{name}_high"] = numbers[name].high
        rows.append(row | {"explanation": finding.explanation, "reason": finding.reason})
    table = pd.DataFrame(rows)
    last = [name for name in ("explanation", "reason") if name in table]
    return table[[name for name in table if name not in last] + last]


def metric_names(report: Report) -> list[str]:
    """Names of all metrics of the report, the well-known ones first."""
    seen = {name for f in report.findings for part in (f.metrics, f.baseline, f.control) for name in part}
    return [name for name in METRICS if name in seen] + sorted(seen - set(METRICS))
