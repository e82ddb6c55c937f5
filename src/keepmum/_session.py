"""An audit under way. The one place that catches what an attack raises."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from keepmum import _version, _words, instrument
from keepmum._asked import Settings
from keepmum._encode import digest
from keepmum._exposure import assess, exposure, table
from keepmum._settle import doubts, overall, settle
from keepmum._shadowing import NONE_ASKED, Fleet, collect, planned
from keepmum._whole import write_whole
from keepmum.attacks import Attack, Context
from keepmum.attacks._base import Ledger
from keepmum.attacks.attribute import AttributeAttack, describe
from keepmum.data import Records, Split
from keepmum.errors import BudgetError, KeepmumError, MissingExtraError, NotApplicableError
from keepmum.findings import Check, Exposure, Finding, HiddenAttribute, Outcome
from keepmum.overlap import Overlap
from keepmum.report import Report
from keepmum.report._gallery import Pictures, Wall, wall
from keepmum.report._words import MEASURED
from keepmum.runs import RunFolder
from keepmum.shadows import ShadowStore
from keepmum.targets import LabelTarget, ScoreTarget, Target
from keepmum.targets._base import answers, labels_known
from keepmum.training import Trainer

Progress = Callable[[int, int, str], None]


@dataclass
class Session:
    """One audit under way."""

    target: Target
    split: Split
    settings: Settings
    attacks: list[Attack[Any]]
    source: dict[str, Any]
    overlap: Overlap | None
    sizes: dict[str, int]
    trainer: Trainer | str = NONE_ASKED.reason
    store: ShadowStore = field(default_factory=ShadowStore)
    fleet: Fleet = NONE_ASKED
    ledger: dict[str, Ledger] = field(default_factory=dict)
    pictures: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    walls: tuple[Wall, ...] = ()
    resumed: int = 0
    before: int = 0
    given: Records | None = None

    @cached_property
    def key(self) -> str:
        """Fingerprint of all that decides the findings; a changed answer, record, setting or version changes it."""
        seen = hashlib.sha256()
        sides = (self.split.members, self.split.nonmembers, self.split.population, self.given)
        people = [None if side is None else digest(side) for side in sides]
        for part in (_version.__version__, self._settings(), [repr(a) for a in self.attacks], people):
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
        asked = self.settings
        settings = {**asdict(asked), "effort": str(asked.effort), "shadows": self.shadows}
        if not asked.images:
            del settings["images"]
        return {**settings, "slices": list(asked.slices), "shadows_by": asked.shadows_by}

    def manifest(self) -> dict[str, Any]:
        """What the run folder says about this audit."""
        return {
            "keepmum_version": _version.__version__,
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
        self.fleet = self._train(progress, total)
        ctx = self._context(checks["blind_baseline"])
        findings = []
        for number, attack in enumerate(self.attacks):
            progress(number + 2 + self.shadows, total, attack.name)
            if attack.name in done:
                finding, scores, asked = done[attack.name]
                self.resumed += asked
                if scores is not None:
                    self.ledger[attack.name] = scores
                if folder is not None and attack.family == "inversion":
                    self.pictures[attack.name] = folder.pictures(attack.name)
            else:
                before = self._asked
                finding = self._play(attack, ctx, time.monotonic() - began)
                if folder is not None and finding.outcome not in (Outcome.SKIPPED, Outcome.ERROR):
                    scores, shown = self.ledger.get(attack.name), self._shown(finding)
                    took = self.seconds.get(attack.name)
                    folder.finish(finding, scores, self._asked - before, shown, took)
            findings.append(finding)
        exposed = self._exposure(folder)
        attributes = tuple(self._attribute(attack, ctx) for attack in self._one_for_each_attribute())
        progress(total, total, "done")
        report = replace(self._report(findings, self._checks(checks), exposed), attributes=attributes)
        self.walls = self._hang(report)
        if folder is not None and self.walls:
            from keepmum.report._html import render_gallery

            write_whole(folder.path / "restricted" / "gallery.html", render_gallery(self.walls))
        return report

    def _shown(self, finding: Finding) -> Pictures | None:
        """The pictures that an attack left, where it came to an end."""
        left = self.pictures.get(finding.id)
        return None if left is None or finding.outcome not in MEASURED else Pictures.of(left)

    def _hang(self, report: Report) -> tuple[Wall, ...]:
        """The pictures of every attack that made some, beside what it found."""
        if not isinstance(self.target, LabelTarget):
            return ()
        shown = [(finding, self._shown(finding)) for finding in report.findings]
        return tuple(wall(finding, left, self.target.classes) for finding, left in shown if left is not None)

    def _one_for_each_attribute(self) -> list[AttributeAttack[Any]]:
        """The first attack on each hidden attribute."""
        named = [(a.hidden.name, a) for a in self.attacks if isinstance(a, AttributeAttack) and a.hidden]
        return list(dict(reversed(named)).values())[::-1]

    def _attribute(self, attack: AttributeAttack[Any], ctx: Context) -> HiddenAttribute:
        """What is guessed of a hidden attribute without the model."""
        assert attack.hidden is not None
        try:
            return describe(attack.game(self._given_to(attack), ctx))
        except KeepmumError as err:
            return HiddenAttribute(attack.hidden.name, attack.hidden.columns, reason=str(err))
        except Exception as err:  # whatever one attribute does, the others are still reported
            return HiddenAttribute(attack.hidden.name, attack.hidden.columns, reason=f"{type(err).__name__}: {err}")

    def _context(self, blind: Check) -> Context:
        trained = isinstance(self.trainer, Trainer) and self.shadows > 0 and not self.fleet.unfinished
        return Context(
            seed=self.settings.seed,
            baseline={"auc": blind.metrics["auc"]} if blind.metrics else {},
            prior=self.settings.prior,
            delta=self.settings.delta,
            slices=self.settings.slices,
            overlap=self.overlap,
            shadows=self.fleet.shadows,
            without_shadows=self.fleet.reason,
            trainer=self.trainer if trained and isinstance(self.trainer, Trainer) else None,
            store=self.store,
            ledger=self.ledger,
            pictures=self.pictures,
            seconds=self.seconds,
            trained_on=self.given,
        )

    def _train(self, progress: Progress, total: int) -> Fleet:
        if not isinstance(self.trainer, Trainer) or not isinstance(self.target, ScoreTarget) or not self.shadows:
            return Fleet(reason=self.trainer if isinstance(self.trainer, str) else NONE_ASKED.reason)

        def tell(done: int) -> None:
            progress(2 + done, total, f"shadow model {min(done + 1, self.shadows)} of {self.shadows}")

        return collect(self.trainer, self.target, self.split, self.settings, self.store, tell)

    @property
    def _asked(self) -> int:
        """Rows that the model was asked about, also by attacks that an earlier run finished."""
        return int(getattr(self.target, "inner", self.target).queries) - self.before + self.resumed

    def _queries_left(self, attack: Attack[Any]) -> int | None:
        """Rows that an attack may have the model asked about: its share of what is left for those that need more."""
        if self.settings.max_queries is None:
            return None
        if isinstance(attack, AttributeAttack):  # the same people, however often the audit is taken up again
            purses = self._purses(self.attacks)
            others = self.split.population
            people = len(self.split.pool) + (0 if others is None else len(others))
            spare = self.settings.max_queries // self.settings.repeats - people
            return max(0, spare) // max(1, len(purses))
        later = self.attacks[self.attacks.index(attack) :]
        spare = max(0, self.settings.max_queries - self._asked)
        return spare // self.settings.repeats // max(1, len(self._purses(later)))

    def _given_to(self, attack: Attack[Any]) -> Split:
        """The people as an attack gets them: of the population only those whose labels the model knows, if it looks."""
        return self._labeled if attack.labels_of_others else self.split

    @cached_property
    def _labeled(self) -> Split:
        others = self.split.population
        if others is None:
            return self.split
        known = labels_known(self.target, others)
        if known.all():
            return self.split
        return replace(self.split, population=others.take(known) if known.any() else None)

    def _unplayable(self, attack: Attack[Any]) -> str | None:
        """Why an attack cannot be played on this model or on these records, or None."""
        return attack.inapplicable(self.target) or attack.unsuited(self.split.members)

    def _purses(self, attacks: list[Attack[Any]]) -> set[str]:
        """What is paid from, of these attacks, beyond the people's own answers."""
        playable = [attack for attack in attacks if self._unplayable(attack) is None]
        return {attack.purse for attack in playable if attack.per_record or attack.asks(self.target)}

    def _play(self, attack: Attack[Any], ctx: Context, elapsed: float) -> Finding:
        uses_shadows, limit = attack.by_recipe, self.settings.seconds
        if uses_shadows and self.fleet.unfinished:
            return _unplayed(attack, Outcome.SKIPPED, self.fleet.reason)
        if limit is not None and elapsed > limit:
            return _unplayed(attack, Outcome.SKIPPED, f"the budget of {limit:g} s was spent")
        reason = self._unplayable(attack)
        if reason is not None:
            return _unplayed(attack, Outcome.NOT_APPLICABLE, reason)
        try:
            finding = attack.run(self.target, self._given_to(attack), ctx.lend(attack.name, self._queries_left(attack)))
        except (NotApplicableError, MissingExtraError) as err:
            return _unplayed(attack, Outcome.NOT_APPLICABLE, str(err))
        except BudgetError as err:
            return _unplayed(attack, Outcome.SKIPPED, str(err))
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

    def _exposure(self, folder: RunFolder | None) -> Exposure | None:
        """Who is most exposed: aggregates for the report, single records for the closed folder."""
        shadows, members = self.fleet.shadows, len(self.split.members)
        if shadows is None:
            return None
        if self.fleet.doubt:
            return Exposure(len(shadows), members, reason=self.fleet.doubt)
        found = assess(shadows, self.split, self.settings.seed)
        if found is None:
            few = f"at least 4 shadow models are needed, there are {len(shadows)}"
            return Exposure(len(shadows), members, reason=few)
        if folder is not None:
            text = table(found, self.split, self.sizes["given_members"])
            write_whole(folder.path / "restricted" / "most-exposed.csv", text)
        return exposure(found, self.split, len(shadows), self.settings.slices)

    def _report(self, raw: list[Finding], checks: dict[str, Check], exposed: Exposure | None) -> Report:
        findings = settle(raw, doubts(checks))
        target = self.target
        return Report(
            outcome=overall(findings),
            verdict=_words.verdict(findings, checks),
            findings=tuple(findings),
            instrument=checks,
            coverage=_words.coverage(findings),
            exposure=exposed,
            target={
                "kind": _kind(target),
                "access": target.access,
                "classes": len(target.classes) if isinstance(target, LabelTarget) else 0,
                "queries": self._asked,
                "notes": list(target.notes),
            },
            sample=self._sample(),
            settings=self._settings(),
            limits=_words.LIMITS,
            reproducibility=self._reproducibility(),
            keepmum_version=_version.__version__,
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


def _unplayed(attack: Attack[Any], outcome: Outcome, reason: str) -> Finding:
    return Finding(attack.name, attack.family, outcome, attack.access, reason=reason, references=attack.references)
