"""Run attacks against a target and report what came of them. The one place that catches what an attack raises."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from keepmum import _words, instrument
from keepmum._asked import Settings, asked
from keepmum._encode import digest
from keepmum._plan import Plan, Training, draw_up
from keepmum._settle import doubts, overall, settle
from keepmum._shadowing import NONE_ASKED, Fleet, Recipe, collect, planned, seconds_per_model
from keepmum.attacks import Attack, Context, choose
from keepmum.attacks._base import Ledger
from keepmum.attacks.membership import ShadowAttack
from keepmum.data import Records, Split, as_records
from keepmum.errors import KeepmumError, MissingExtraError, NotApplicableError
from keepmum.findings import Check, Finding, Outcome
from keepmum.overlap import Overlap, remove_overlap
from keepmum.report import Report
from keepmum.runs import RunFolder
from keepmum.targets import LabelTarget, RegressionTarget, ScoreTarget, Target, as_target
from keepmum.targets._base import answers
from keepmum.targets._remembered import remembered
from keepmum.training import Trainer

Progress = Callable[[int, int, str], None]


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
    trainer: Any = None,
    shadows: int | None = None,
    shadow_store: str | Path | None = None,
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
      trainer: How the model was trained, for shadow models: an estimator or a `keepmum.training.Trainer`; the
        model itself if it is an estimator.
      shadows: Shadow models to train, an even number; by effort if None: none, none, 16.
      shadow_store: Folder where what shadow models say is kept; in the run folder unless given.
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
    settings = asked(
        effort, slices, seed=seed, prior=prior, delta=delta, max_queries=max_queries, seconds=seconds, shadows=shadows
    )
    chosen = choose(attacks)
    split = _split(members, nonmembers, population)
    target = as_target(model, split.pool.y, classes, probe=split.pool)
    recipe = Recipe(trainer, None if shadow_store is None else Path(shadow_store))
    under_way = _prepare(target, split, settings, chosen, dict(source or {}), recipe)
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
    effort: str = "standard",
    trainer: Any = None,
    shadows: int | None = None,
) -> Plan:
    """Tell what `audit` would do with these arguments: attacks, queries, time, and what the sample can resolve.

    The model is asked about a few rows, to learn how long an answer takes; of shadow models, one is
    trained.
    """
    chosen = choose(attacks)
    split = _split(members, nonmembers, population)
    target = as_target(model, split.pool.y, classes, probe=split.pool)
    settings = asked(effort, (), seed=seed, max_queries=max_queries, shadows=shadows)
    clean = _fit_queries(remove_overlap(split)[0], settings)
    recipe = Recipe(trainer).resolve(target, settings)
    models = planned(chosen, settings, recipe)
    each = seconds_per_model(recipe, clean, seed) if isinstance(recipe, Trainer) and models else 0.0
    return draw_up(target, clean, chosen, Training(models, each, recipe if isinstance(recipe, str) else ""))


def _split(members: Any, nonmembers: Any, population: Any) -> Split:
    others = None if population is None else as_records(population, "population")
    return Split(as_records(members, "members"), as_records(nonmembers, "nonmembers"), others)


def _prepare(
    target: Target,
    split: Split,
    settings: Settings,
    attacks: list[Attack[Any]],
    source: dict[str, Any],
    recipe: Recipe,
) -> _Audit:
    """Clean the split, fit it to the query limit, and ask once: what is wrong is said before anything is written."""
    for name in settings.slices:
        split.members.column(name)
    clean, overlap = remove_overlap(split)
    sizes = {"given_members": len(split.members), "given_nonmembers": len(split.nonmembers)}
    clean = _fit_queries(clean, settings)
    known = remembered(target)
    trainer = recipe.resolve(known, settings)
    if isinstance(known, LabelTarget):
        known.positions(clean.pool.y)
    if isinstance(known, RegressionTarget):
        known.values(split.pool.y)
    answers(known, clean.pool)
    if clean.population is not None:
        answers(known, clean.population)
    comparable = overlap if len(clean.members.columns) else None
    return _Audit(known, clean, settings, attacks, source, comparable, sizes, trainer, recipe.folder)


def _fit_queries(split: Split, settings: Settings) -> Split:
    total = len(split.members) + len(split.nonmembers)
    if settings.max_queries is None or total <= settings.max_queries:
        return split
    rng = np.random.default_rng([settings.seed, 0x71756572])
    share = settings.max_queries / total

    def some(records: Records) -> Records:
        return records.take(np.sort(rng.permutation(len(records))[: max(1, int(share * len(records)))]))

    return Split(some(split.members), some(split.nonmembers), split.population)


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
    trainer: Trainer | str = NONE_ASKED.reason
    store: Path | None = None
    fleet: Fleet = NONE_ASKED
    ledger: dict[str, Ledger] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """Fingerprint of all that decides the findings; a changed answer, record, setting or version changes it."""
        import keepmum

        seen = hashlib.sha256()
        for part in (keepmum.__version__, self._settings(), [repr(a) for a in self.attacks], digest(self.split.pool)):
            seen.update(json.dumps(part, sort_keys=True, default=str).encode())
        seen.update(answers(self.target, self.split.pool).tobytes())
        if self.shadows:
            seen.update(self.trainer.key.encode() if isinstance(self.trainer, Trainer) else b"")
        return seen.hexdigest()

    @property
    def shadows(self) -> int:
        """Shadow models that will be trained."""
        return planned(self.attacks, self.settings, self.trainer)

    def _settings(self) -> dict[str, Any]:
        settings = {**asdict(self.settings), "effort": str(self.settings.effort), "shadows": self.shadows}
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
        total = len(self.attacks) + 2 + self.shadows
        progress(0, total, "blind baseline")
        split, settings = self.split, self.settings
        checks = {"blind_baseline": instrument.blind_baseline(split, settings.seed, settings.effort.blind_records)}
        progress(1, total, "positive control")
        checks["positive_control"] = instrument.positive_control(split, settings.seed)
        began = time.monotonic()
        self.fleet = self._train(folder, progress, total)
        ctx = self._context(checks["blind_baseline"])
        findings = []
        for number, attack in enumerate(self.attacks):
            progress(number + 2 + self.shadows, total, attack.name)
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

    def _context(self, blind: Check) -> Context:
        return Context(
            seed=self.settings.seed,
            baseline={"auc": blind.metrics["auc"]} if blind.metrics else {},
            prior=self.settings.prior,
            delta=self.settings.delta,
            slices=self.settings.slices,
            overlap=self.overlap,
            shadows=self.fleet.shadows,
            without_shadows=self.fleet.reason,
            ledger=self.ledger,
        )

    def _train(self, folder: RunFolder | None, progress: Progress, total: int) -> Fleet:
        if not isinstance(self.trainer, Trainer) or not isinstance(self.target, ScoreTarget) or not self.shadows:
            return Fleet(reason=self.trainer if isinstance(self.trainer, str) else NONE_ASKED.reason)
        inside = None if folder is None else folder.path / "restricted" / "shadows"

        def tell(done: int) -> None:
            progress(2 + done, total, f"shadow model {min(done + 1, self.shadows)} of {self.shadows}")

        return collect(self.trainer, self.target, self.split, self.settings, self.store or inside, tell)

    def _play(self, attack: Attack[Any], ctx: Context, elapsed: float) -> Finding:
        uses_shadows, limit = isinstance(attack, ShadowAttack), self.settings.seconds
        if uses_shadows and self.fleet.out_of_time:
            return _unplayed(attack, Outcome.SKIPPED, self.fleet.reason)
        if limit is not None and elapsed > limit:
            return _unplayed(attack, Outcome.SKIPPED, f"the budget of {limit:g} s was spent")
        reason = attack.inapplicable(self.target)
        if reason is not None:
            return _unplayed(attack, Outcome.NOT_APPLICABLE, reason)
        try:
            finding = attack.run(self.target, self.split, ctx.lend(attack.name))
        except (NotApplicableError, MissingExtraError) as err:
            return _unplayed(attack, Outcome.NOT_APPLICABLE, str(err))
        except KeepmumError as err:
            return _unplayed(attack, Outcome.ERROR, str(err))
        except Exception as err:  # whatever one attack does, the others are still reported
            return _unplayed(attack, Outcome.ERROR, f"{type(err).__name__}: {err}")
        if uses_shadows and self.fleet.doubt:
            return replace(finding, outcome=Outcome.INCONCLUSIVE, reason=self.fleet.doubt)
        return finding

    def _checks(self, checks: dict[str, Check]) -> dict[str, Check]:
        from keepmum.attacks.membership._measure import FEWEST

        members, nonmembers = len(self.split.members), len(self.split.nonmembers)
        shadows = {} if self.fleet.check is None else {"shadow_fidelity": self.fleet.check}
        return {
            "positive_control": checks["positive_control"],
            "negative_control": instrument.negative_control(self.ledger, self.settings.seed),
            "blind_baseline": checks["blind_baseline"],
            "overlap": instrument.overlap_check(self.overlap),
            "direction": instrument.direction(self.ledger),
            "power": instrument.power_check(members, nonmembers, len(self.ledger), FEWEST),
            **shadows,
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
