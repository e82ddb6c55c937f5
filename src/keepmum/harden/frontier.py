"""What came of each defense, and which ones no other beats."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keepmum._version import __version__
from keepmum.data import Records
from keepmum.defenses import Defense, parse
from keepmum.errors import ConfigError
from keepmum.harden._chosen import named
from keepmum.harden._invert import Inversion
from keepmum.harden._verdict import LEAKS, Verdict, rate_of
from keepmum.stats import Estimate
from keepmum.training import Trainer

VERSION = 1
"""Of the written form; later ones add."""


@dataclass(frozen=True)
class Row:
    """One defense, or several together, or none.

    Attributes:
      name: Ids and settings; ``"none"`` without a defense.
      verdict: What it did.
      sentence: The same for a reader, with its price.
      metrics: ``accuracy`` on records not trained on, ``calibration_error``, and the leaks as
        ``population_tpr_at_fpr_0.01``, ``canary_…``, ``…_label_only_…``, ``…_auc``; 95 % intervals.
      differences: Of the same numbers to those without a defense, drawn together with them.
      models: So many were trained.
      cost: Processor time that a model takes to train, of that without a defense.
      bits: What one answer can carry at the most; None where nothing limits it.
      inversion: What came of each inversion attack that was asked for, by id.
      reason: Why it was not run.
      defenses: The defenses themselves.
      trainer: The recipe without them.
      members: Whom an exported model is trained on unless said.
      tried: Other settings that were trained on the same records, for a statement of privacy.
    """

    name: str
    verdict: Verdict
    sentence: str = ""
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    differences: Mapping[str, Estimate] = field(default_factory=dict)
    models: int = 0
    cost: float = math.nan
    bits: float | None = None
    inversion: Mapping[str, Inversion] = field(default_factory=dict)
    reason: str = ""
    defenses: tuple[Defense, ...] = field(default=(), repr=False, compare=False)
    trainer: Trainer | None = field(default=None, repr=False, compare=False)
    members: Records | None = field(default=None, repr=False, compare=False)
    tried: int | None = field(default=None, repr=False, compare=False)

    @property
    def leak(self) -> float:
        """The worst of its leaks: the largest TPR among people and canaries, by scores and by labels."""
        names = [rate_of(self.metrics, leak) for leak in LEAKS]
        return max((self.metrics[name].value for name in names if name), default=math.nan)

    @property
    def accuracy(self) -> float:
        """On records that a model was not trained on."""
        return self.metrics["accuracy"].value if "accuracy" in self.metrics else math.nan

    def export(self, path: str | Path, records: Records | None = None, seed: int = 0) -> Path:
        """Train the recipe with this defense on all records, and write the model into a folder.

        ``defense.json`` beside it tells what must stand in front of its answers, as ``keepmum audit --behind`` takes
        it. Private training draws its noise from the operating system, whatever the seed, and ``statement.md`` says
        what is guaranteed.

        Args:
          path: A new folder.
          records: Whom the model shall be trained on; the members of the split if None.
          seed: Of the training.

        Returns:
          The model file.

        Raises:
          ConfigError: The folder holds something, or the model is of a kind that keepmum does not write.
        """
        from keepmum.harden._export import write

        chosen = self.members if records is None else records
        if self.trainer is None or chosen is None:
            raise ConfigError(f"{self.name} was not run: nothing can be exported")
        return write(self.trainer, self.defenses, chosen, Path(path), seed, self.tried)


@dataclass(frozen=True)
class Frontier:
    """What each defense is worth for one recipe and its records.

    Attributes:
      rows: Without a defense, then each that was asked for.
      people: Records that were asked about as they are.
      canaries: Records with a wrong label.
      models: Models trained for each row.
      seed: Of everything random.
      notes: What a reader should know, one sentence each.
    """

    rows: tuple[Row, ...]
    people: int
    canaries: int
    models: int
    seed: int
    notes: tuple[str, ...] = ()

    @property
    def measured(self) -> tuple[Row, ...]:
        """Rows that were run."""
        return tuple(row for row in self.rows if row.metrics)

    @property
    def pareto(self) -> tuple[Row, ...]:
        """Rows that no other beats in accuracy and worst leak both, most accurate first."""
        rows = self.measured
        best = [r for r in rows if not any(_beats(other, r) for other in rows)]
        return tuple(sorted(best, key=lambda row: -row.accuracy))

    @property
    def best(self) -> Row:
        """The knee: of the rows on the frontier, the one furthest above the line between its ends.

        A combination gives way to one with fewer of its defenses that intervals do not tell from it.

        References:
          Satopää, Albrecht, Irwin, Raghavan. Finding a "Kneedle" in a Haystack. ICDCSW 2011.
        """
        knee = self._knee()
        parts = set(knee.name.split(" + "))
        fewer = [row for row in self.measured if set(row.name.split(" + ")) < parts and _as_good(row, knee)]
        return min([*fewer, knee], key=lambda row: (row.name.count(" + "), row.leak))

    def _knee(self) -> Row:
        rows = self.pareto
        first, last = rows[0], rows[-1]
        wide, high = first.leak - last.leak, first.accuracy - last.accuracy
        if len(rows) < 3 or wide <= 0 or high <= 0:
            return max(rows, key=lambda row: row.accuracy - row.leak)
        return max(rows, key=lambda r: (r.accuracy - last.accuracy) / high - (r.leak - last.leak) / wide)

    def row(self, name: str) -> Row:
        """The row of a name, or of a text that `harden` took for it: settings may be said that are the default.

        Raises:
          ConfigError: There is none.
        """
        asked = {name}
        with suppress(ConfigError):
            asked.add(named(parse(name)))
        found = next((row for row in self.rows if row.name in asked), None)
        if found is None:
            raise ConfigError(f"expected one of {', '.join(row.name for row in self.rows)}, got {name!r}")
        return found

    def frame(self) -> Any:
        """A pandas data frame: a line a row, value, low and high of each number a column."""
        import pandas as pd

        lines = []
        for row in self.rows:
            line: dict[str, Any] = {
                "defense": row.name,
                "verdict": str(row.verdict),
                "cost": row.cost,
                "bits": row.bits,
            }
            for name, estimate in row.metrics.items():
                line |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
            lines.append(line)
        return pd.DataFrame(lines)

    def plot(self, axes: Any = None) -> Any:
        """Accuracy against the worst leak, with intervals, as a matplotlib axes."""
        from keepmum.harden._plot import draw

        return draw(self, axes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `to_json` writes them."""
        return {
            "schema": VERSION,
            "keepmum_version": __version__,
            "people": self.people,
            "canaries": self.canaries,
            "models": self.models,
            "seed": self.seed,
            "notes": list(self.notes),
            "best": self.best.name if self.measured else None,
            "pareto": [row.name for row in self.pareto],
            "rows": [_told(row) for row in self.rows],
        }

    def to_json(self) -> str:
        """The whole as JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_markdown(self) -> str:
        """The table as Markdown."""
        from keepmum.harden._words import markdown

        return markdown(self)

    def save(self, folder: str | Path) -> Path:
        """Write ``harden.html``, ``harden.json`` and ``harden.md`` into a folder; returns the page."""
        from keepmum._whole import write_whole
        from keepmum.harden._page import page

        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        write_whole(place / "harden.json", self.to_json() + "\n")
        write_whole(place / "harden.md", self.to_markdown())
        write_whole(place / "harden.html", page(self))
        return place / "harden.html"

    def _repr_html_(self) -> str:
        from keepmum.harden._words import html_table

        return html_table(self)


def _beats(one: Row, other: Row) -> bool:
    as_good = one.accuracy >= other.accuracy and one.leak <= other.leak
    return as_good and (one.accuracy > other.accuracy or one.leak < other.leak)


def _as_good(one: Row, other: Row) -> bool:
    """Whether the one is within the other's intervals, or better."""
    leaks = [other.metrics[rate] for leak in LEAKS if (rate := rate_of(other.metrics, leak))]
    worst = max(leaks, key=lambda estimate: estimate.value)
    return one.leak <= worst.high and one.accuracy >= other.metrics["accuracy"].low


def _told(row: Row) -> dict[str, Any]:
    def ends(values: Mapping[str, Estimate]) -> dict[str, list[float]]:
        return {name: [round(v, 6) for v in (e.value, e.low, e.high)] for name, e in sorted(values.items())}

    return {
        "defense": row.name,
        "verdict": str(row.verdict),
        "sentence": row.sentence,
        "reason": row.reason,
        "models": row.models,
        "metrics": ends(row.metrics),
        "differences": ends(row.differences),
        "bits_per_answer": None if row.bits is None else round(row.bits, 3),
        "inversion": {name: each.to_dict() for name, each in row.inversion.items()},
    }
