"""Run attacks against a target and report what came of them. The one place that catches what an attack raises."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from keepmum import _words, instrument
from keepmum._encode import digest
from keepmum._plan import Plan, draw_up
from keepmum._settle import doubts, overall, settle
from keepmum.attacks import Attack, Context, choose
from keepmum.attacks._base import Ledger
from keepmum.choices import Effort
from keepmum.data import Records, Split, as_records
from keepmum.errors import ConfigError, KeepmumError, MissingExtraError, NotApplicableError
from keepmum.findings import Check, Finding, Outcome
from keepmum.overlap import Overlap, remove_overlap
from keepmum.report import Report
from keepmum.runs import RunFolder
from keepmum.targets import LabelTarget, RegressionTarget, ScoreTarget, Target, as_target
from keepmum.targets._remembered import remembered

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Settings:
    """What decides the findings, besides the model and the records.

    Attributes:
      seed: Seed of everything random.
      effort: How much work may be done.
      prior: Declared share of members among the people an attacker asks about, between 0 and 1.
      delta: Delta of the privacy claim that `epsilon_lower_bound` speaks about, 0 … 1.
      slices: Columns to report groups by.
      max_queries: Rows that the model may be asked about, or None; people are sampled to fit.
      seconds: Time after which no further attack is begun, or None.
    """

    seed: int = 0
    effort: Effort = Effort.STANDARD
    prior: float = 0.1
    delta: float = 0.0
    slices: tuple[str, ...] = ()
    max_queries: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.prior < 1:
            raise ConfigError(f"expected prior between 0 and 1, got {self.prior}")
        if not 0 <= self.delta < 1:
            raise ConfigError(f"expected delta of at least 0 and below 1, got {self.delta}")
        if self.seed < 0:
            raise ConfigError(f"expected a seed of at least 0, got {self.seed}")
        if self.max_queries is not None and self.max_queries < 2:
            raise ConfigError(f"expected max_queries of at least 2, got {self.max_queries}")


def audit(
    model: Any,
    members: Any,
    nonmembers: Any,
    *,
    population: Any = None,
    attacks: Sequence[str | Attack[Any]] | None = None,
    seed: int = 0,
    effort: str = "standard",
    prior: float = 0.1,
    delta: float = 0.0,
    slices: Sequence[str] = (),
    classes: Sequence[Any] | None = None,
    max_queries: int | None = None,
    seconds: float | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    source: Mapping[str, Any] | None = None,
) -> Report:
    """Measure what a model gives away about the people that it was trained on.

    Audit only models that you own or may test.

    Args:
      model: A fitted scikit-learn classifier, regressor or pipeline (also XGBoost, LightGBM), a function from records
        to ``(n, K)`` probabilities, a path to a model file, or a `Target`.
      members: ``(X, y)`` that the model was trained on. X may be a numpy array, a pandas or polars frame, a pyarrow
        table, a sparse matrix or a list of texts.
      nonmembers: ``(X, y)`` of people like the members that the model was not trained on.
      population: ``(X, y)`` that the attacker has of their own; where there is none, attacks that need some take
        non-members for it, each half for the other.
      attacks: Ids or patterns (``"membership/*"``, ``"-membership/entropy"`` takes out), or attacks; all by default.
      seed: The same seed gives the same report.
      effort: "quick", "standard" or "thorough".
      prior: Declared share of members among the people that an attacker asks about, for the precision.
      delta: Delta of the privacy claim that ``epsilon_lower_bound`` speaks about.
      slices: Columns whose groups are reported apart.
      classes: Labels in the order of the probabilities, for a function.
      max_queries: Most rows that the model may be asked about; people are sampled to fit.
      seconds: No further attack is begun after this time.
      out: Run folder. What is finished is kept there, and the same call goes on where it stopped.
      progress: Called with units done, units in all, and what is done next.
      source: Where things came from (files, command), for the report.

    Returns:
      A finding for each attack asked for, the audit's tests of itself, and what was not looked at.

    Raises:
      DataError: Records or labels cannot be used.
      TargetError: The model cannot be asked, or its answers are no answers.
      ConfigError: A setting cannot be used.
      UnsafeFileError: A model file is refused.
    """
    settings = _settings(seed, effort, prior, delta, slices, max_queries, seconds)
    chosen = choose(attacks)
    split = _split(members, nonmembers, population)
    target = as_target(model, split.pool.y, classes, probe=split.pool)
    under_way = _prepare(target, split, settings, chosen, dict(source or {}))
    folder = None if out is None else RunFolder(Path(out), under_way.key)
    if folder is not None:
        folder.open(under_way.manifest())
    report = under_way.run(folder, progress or (lambda done, total, what: None))
    if folder is not None:
        report.save(folder.path)
    return report


def plan(
    model: Any,
    members: Any,
    nonmembers: Any,
    *,
    population: Any = None,
    attacks: Sequence[str | Attack[Any]] | None = None,
    seed: int = 0,
    classes: Sequence[Any] | None = None,
    max_queries: int | None = None,
) -> Plan:
    """Tell what `audit` would do with these arguments: attacks, queries, time, and what the sample can resolve.

    The model is asked about a few rows, to learn how long an answer takes.
    """
    chosen = choose(attacks)
    split = _split(members, nonmembers, population)
    target = as_target(model, split.pool.y, classes, probe=split.pool)
    clean = _fit_queries(remove_overlap(split)[0], Settings(seed=seed, max_queries=max_queries))
    return draw_up(target, clean, chosen)


def _settings(
    seed: int,
    effort: str,
    prior: float,
    delta: float,
    slices: Sequence[str],
    max_queries: int | None,
    seconds: float | None,
) -> Settings:
    if effort not in list(Effort):
        raise ConfigError(f"expected effort quick, standard or thorough, got {effort!r}")
    columns = (slices,) if isinstance(slices, str) else tuple(slices)
    return Settings(seed, Effort(effort), prior, delta, columns, max_queries, seconds)


def _split(members: Any, nonmembers: Any, population: Any) -> Split:
    others = None if population is None else as_records(population, "population")
    return Split(as_records(members, "members"), as_records(nonmembers, "nonmembers"), others)


def _prepare(
    target: Target, split: Split, settings: Settings, attacks: list[Attack[Any]], source: dict[str, Any]
) -> _Audit:
    """Clean the split, fit it to the query limit, and ask once: what is wrong is said before anything is written."""
    for name in settings.slices:
        split.members.column(name)
    clean, overlap = remove_overlap(split)
    sizes = {"given_members": len(split.members), "given_nonmembers": len(split.nonmembers)}
    clean = _fit_queries(clean, settings)
    asked = remembered(target)
    if isinstance(asked, LabelTarget):
        asked.positions(clean.pool.y)
    if isinstance(asked, RegressionTarget):
        asked.values(split.pool.y)
    _ask(asked, clean.pool)
    if clean.population is not None:
        _ask(asked, clean.population)
    comparable = overlap if len(clean.members.columns) else None
    return _Audit(asked, clean, settings, attacks, source, comparable, sizes)


def _fit_queries(split: Split, settings: Settings) -> Split:
    total = len(split.members) + len(split.nonmembers)
    if settings.max_queries is None or total <= settings.max_queries:
        return split
    rng = np.random.default_rng([settings.seed, 0x71756572])
    share = settings.max_queries / total

    def some(records: Records) -> Records:
        return records.take(np.sort(rng.permutation(len(records))[: max(1, int(share * len(records)))]))

    return Split(some(split.members), some(split.nonmembers), split.population)


def _ask(target: Target, records: Records) -> None:
    if isinstance(target, ScoreTarget):
        target.predict_proba(records)
    elif isinstance(target, LabelTarget):
        target.predict(records)
    elif isinstance(target, RegressionTarget):
        target.predict_value(records)


@dataclass
class _Audit:
    """One audit under way."""

    target: Target
    split: Split
    settings: Settings
    attacks: list[Attack[Any]]
    source: dict[str, Any]
    overlap: Overlap | None
    sizes: dict[str, int]
    ledger: dict[str, Ledger] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """Fingerprint of all that decides the findings; a changed answer, record, setting or version changes it."""
        import keepmum

        seen = hashlib.sha256()
        for part in (keepmum.__version__, self._settings(), [repr(a) for a in self.attacks], digest(self.split.pool)):
            seen.update(json.dumps(part, sort_keys=True, default=str).encode())
        seen.update(self._answers().tobytes())
        return seen.hexdigest()

    def _answers(self) -> Any:
        target, pool = self.target, self.split.pool
        if isinstance(target, ScoreTarget):
            return target.predict_proba(pool)
        if isinstance(target, LabelTarget):
            return target.predict(pool)
        return target.predict_value(pool) if isinstance(target, RegressionTarget) else np.empty(0)

    def _settings(self) -> dict[str, Any]:
        settings = {**asdict(self.settings), "effort": str(self.settings.effort)}
        return {**settings, "slices": list(self.settings.slices)}

    def manifest(self) -> dict[str, Any]:
        """What the run folder says about this audit."""
        return {
            "keepmum_version": _version(),
            "settings": self._settings(),
            "source": self.source,
            "attacks": [a.name for a in self.attacks],
            "reproducibility": self._reproducibility(),
        }

    def run(self, folder: RunFolder | None, progress: Progress) -> Report:
        """Play every attack, then test the instrument, then settle the outcomes."""
        done = folder.finished() if folder is not None else {}
        total = len(self.attacks) + 2
        progress(0, total, "blind baseline")
        split, settings = self.split, self.settings
        checks = {"blind_baseline": instrument.blind_baseline(split, settings.seed, settings.effort.blind_records)}
        progress(1, total, "positive control")
        checks["positive_control"] = instrument.positive_control(split, settings.seed)
        ctx = Context(
            seed=settings.seed,
            baseline={"auc": checks["blind_baseline"].metrics["auc"]} if checks["blind_baseline"].metrics else {},
            prior=settings.prior,
            delta=settings.delta,
            slices=settings.slices,
            overlap=self.overlap,
            ledger=self.ledger,
        )
        findings, began = [], time.monotonic()
        for number, attack in enumerate(self.attacks):
            progress(number + 2, total, attack.name)
            if attack.name in done:
                finding, scores = done[attack.name]
                if scores is not None:
                    self.ledger[attack.name] = scores
            else:
                finding = self._play(attack, ctx, time.monotonic() - began)
                if folder is not None and finding.outcome not in (Outcome.SKIPPED, Outcome.ERROR):
                    folder.finish(finding, self.ledger.get(attack.name))
            findings.append(finding)
        progress(total, total, "done")
        return self._report(findings, self._checks(checks))

    def _play(self, attack: Attack[Any], ctx: Context, elapsed: float) -> Finding:
        limit = self.settings.seconds
        if limit is not None and elapsed > limit:
            return _unplayed(attack, Outcome.SKIPPED, f"the budget of {limit:g} s was spent")
        reason = attack.inapplicable(self.target)
        if reason is not None:
            return _unplayed(attack, Outcome.NOT_APPLICABLE, reason)
        try:
            return attack.run(self.target, self.split, ctx.lend(attack.name))
        except (NotApplicableError, MissingExtraError) as err:
            return _unplayed(attack, Outcome.NOT_APPLICABLE, str(err))
        except KeepmumError as err:
            return _unplayed(attack, Outcome.ERROR, str(err))
        except Exception as err:  # whatever one attack does, the others are still reported
            return _unplayed(attack, Outcome.ERROR, f"{type(err).__name__}: {err}")

    def _checks(self, checks: dict[str, Check]) -> dict[str, Check]:
        from keepmum.attacks.membership._measure import FEWEST

        members, nonmembers = len(self.split.members), len(self.split.nonmembers)
        return {
            "positive_control": checks["positive_control"],
            "negative_control": instrument.negative_control(self.ledger, self.settings.seed),
            "blind_baseline": checks["blind_baseline"],
            "overlap": instrument.overlap_check(self.overlap),
            "direction": instrument.direction(self.ledger),
            "power": instrument.power_check(members, nonmembers, len(self.ledger), FEWEST),
        }

    def _report(self, raw: list[Finding], checks: dict[str, Check]) -> Report:
        findings = settle(raw, doubts(checks))
        target = self.target
        return Report(
            outcome=overall(findings),
            verdict=_words.verdict(findings, checks),
            findings=tuple(findings),
            instrument=checks,
            coverage=_words.coverage(findings),
            target={
                "kind": _kind(target),
                "access": target.access,
                "classes": len(target.classes) if isinstance(target, LabelTarget) else 0,
                "queries": getattr(target, "inner", target).queries,
                "notes": list(target.notes),
            },
            sample=self._sample(),
            settings=self._settings(),
            limits=_words.LIMITS,
            reproducibility=self._reproducibility(),
            keepmum_version=_version(),
        )

    def _sample(self) -> dict[str, int]:
        taken = (
            {}
            if self.overlap is None
            else {
                "removed_exact": self.overlap.exact_members + self.overlap.exact_nonmembers,
                "removed_near": self.overlap.near_members + self.overlap.near_nonmembers,
                "removed_repeated": self.overlap.repeated_members + self.overlap.repeated_nonmembers,
            }
        )
        return {"members": len(self.split.members), "nonmembers": len(self.split.nonmembers), **self.sizes, **taken}

    def _reproducibility(self) -> dict[str, Any]:
        import platform
        from importlib.metadata import version

        packages = {name: version(name) for name in ("numpy", "scipy", "scikit-learn")}
        return {
            "seed": self.settings.seed,
            "key": self.key,
            "members_digest": digest(self.split.members),
            "nonmembers_digest": digest(self.split.nonmembers),
            "python": platform.python_version(),
            **packages,
            **self.source,
        }


def _kind(target: Target) -> str:
    """What was attacked, as a reader knows it: the estimator's name where it is at hand, else the kind of target."""
    model = target.internals
    if model is None:
        return type(getattr(target, "inner", target)).__name__
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    return type(last).__name__


def _version() -> str:
    import keepmum

    return keepmum.__version__


def _unplayed(attack: Attack[Any], outcome: Outcome, reason: str) -> Finding:
    return Finding(attack.name, attack.family, outcome, attack.access, reason=reason, references=attack.references)
