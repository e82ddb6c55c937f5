"""The report: everything an audit says, as data, with ways to show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keepmum.findings import Check, Coverage, Exposure, Finding, HiddenAttribute, Outcome

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from keepmum.policy import Decision, Policy

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Report:
    """What an audit found, how sure it is, and what it did not look at.

    Attributes:
      schema_version: Version of this structure; fields are only ever added.
      keepmum_version: Version of the package that measured.
      outcome: ``leak`` if any finding says so, ``inconclusive`` if the instrument failed or the sample is too small,
        else ``no_leak_found``.
      verdict: One sentence that a lay person understands.
      findings: One for each attack asked for, always.
      instrument: The audit's tests of itself, by name.
      coverage: What became of each family of attacks, by name.
      exposure: How exposed single members are, in aggregates; None where no shadow models were trained.
      attributes: The hidden attributes that were asked about, and what is guessed of them without the model.
      target: What was attacked: ``kind``, ``access``, ``classes``, ``source``, ``notes``.
      sample: Sizes: ``members``, ``nonmembers``, ``removed_exact``, ``removed_near``, …
      settings: The settings of the audit.
      limits: What the audit cannot show, one sentence each.
      reproducibility: Seed, versions, hashes, command.
    """

    outcome: Outcome
    verdict: str
    findings: tuple[Finding, ...]
    instrument: Mapping[str, Check]
    coverage: Mapping[str, Coverage]
    exposure: Exposure | None = None
    attributes: tuple[HiddenAttribute, ...] = ()
    target: Mapping[str, Any] = field(default_factory=dict)
    sample: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    reproducibility: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    keepmum_version: str = ""

    def __getitem__(self, attack: str) -> Finding:
        """The finding of an attack by its id.

        Raises:
          KeyError: No such finding.
        """
        for finding in self.findings:
            if finding.id == attack:
                return finding
        raise KeyError(f"no finding {attack!r}; there are {', '.join(f.id for f in self.findings)}")

    def frame(self) -> pd.DataFrame:
        """One row a finding: id, outcome, access, queries, and each metric with its interval."""
        from keepmum.report._frame import frame

        return frame(self)

    def plot(self) -> Figure:
        """ROC curves on logarithmic axes beside the intervals of all attacks (matplotlib)."""
        from keepmum.report.plots import overview

        return overview(self)

    def to_json(self) -> str:
        """The report as one line of JSON, in the documented schema."""
        from keepmum.report._json import dumps

        return dumps(self)

    def to_html(self) -> str:
        """The report as one self-contained page."""
        from keepmum.report._html import render

        return render(self)

    def save(self, folder: str | Path) -> Path:
        """Write ``report.json`` and ``report.html`` into a folder, and return the path of the page."""
        from keepmum.report._save import save

        return save(self, Path(folder))

    def gate(self, policy: Policy | str | None = None) -> Decision:
        """Hold the report against a policy: pass, fail or inconclusive, with reasons."""
        from keepmum.policy import decide

        return decide(self, policy)

    def _repr_html_(self) -> str:
        from keepmum.report._html import card

        return card(self)
