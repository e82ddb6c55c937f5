"""An audit of a language model under way: one game about documents, one about secrets, a report about both."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from keepmum import _version, _words, instrument
from keepmum._asked import Settings
from keepmum._encode import digest
from keepmum._settle import doubts, overall, settle
from keepmum._text_worklist import Worklist, revealed, worklist
from keepmum._whole import write_whole
from keepmum.attacks import Attack, Context
from keepmum.attacks._base import Ledger
from keepmum.attacks.extraction._measure import FEWEST as FEWEST_SECRETS
from keepmum.attacks.membership._measure import FEWEST as FEWEST_DOCUMENTS
from keepmum.data import Records, Split
from keepmum.errors import BudgetError, KeepmumError, MissingExtraError, NotApplicableError
from keepmum.findings import Check, Finding, Outcome
from keepmum.overlap import Overlap
from keepmum.report import Report
from keepmum.report._words import MEASURED
from keepmum.runs import RunFolder
from keepmum.targets import Target
from keepmum.targets._remembered_text import remembered_text
from keepmum.targets.text import FillTarget, TextTarget, at_most
from keepmum.texts import Secrets, are_documents, documents, repeats, secrets_of

Progress = Callable[[int, int, str], None]
SHORTEST = 8
"""Texts of fewer characters stand in anybody's words."""
LIMITS = (
    "No finding proves that a model gives nothing away: it speaks of the attacks listed, at the power stated.",
    "What looks like personal data in a model's output is mostly made up: only text that stood in the training data "
    "counts, and only beyond what twins that never stood there reach.",
    "Documents on both sides must come from one source, divided at random; secrets and their twins be drawn alike.",
    "An attacker who knows more of the context, asks more often, or has the weights may find more.",
)


@dataclass(frozen=True, eq=False)
class Part:
    """One split and the attacks that are played on it.

    Attributes:
      name: ``documents`` or ``secrets``.
      split: Members and non-members; planted secrets and twins.
      attacks: What is played.
      overlap: What stood on both sides and was taken out.
      secrets: The secrets with what is known of their kinds.
    """

    name: str
    split: Split
    attacks: tuple[Attack[Any], ...]
    overlap: Overlap | None = None
    secrets: Secrets | None = None

    @property
    def visible(self) -> Split:
        """What whoever never asks the model sees of both sides: texts, and not how often they were planted."""
        if self.secrets is None:
            return self.split
        sides = ([s.text for s in secrets_of(side)] for side in (self.split.members, self.split.nonmembers))
        return Split(*(documents(texts) for texts in sides))

    @property
    def everyone(self) -> list[Records]:
        """Both sides, and the attacker's own where there are any."""
        own = [] if self.split.population is None else [self.split.population]
        return [self.split.members, self.split.nonmembers, *own]

    @property
    def fewest(self) -> int:
        """Fewer than this on a side show nothing."""
        return FEWEST_DOCUMENTS if self.secrets is None else FEWEST_SECRETS


@dataclass
class TextSession:
    """One audit of a language model under way.

    Attributes:
      target: Who is asked, as far as the handshake believes it.
      parts: The games.
      settings: What was asked for.
      source: Where things came from.
      reference: A model like the target that never saw the members, or None.
      handshake: What was found out about the target's own words, by name.
      sizes: Counts for the report.
      voices: By what the target and the reference are known again.
      ledger: Scores that attacks gave.
      origin: The target as it was given, which counts all that it is asked; the target itself if None.
      resumed: Queries of attacks that an earlier run finished.
      before: Queries of the origin before the audit began.
    """

    target: Target
    parts: tuple[Part, ...]
    settings: Settings
    source: dict[str, Any]
    reference: Target | None = None
    handshake: dict[str, Check] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    voices: tuple[str, ...] = ()
    ledger: dict[str, Ledger] = field(default_factory=dict)
    origin: Target | None = None
    resumed: int = 0
    before: int = 0

    @cached_property
    def key(self) -> str:
        """Fingerprint of all that decides the findings; the model itself is known by what it said at the door.

        How much may be asked is no part of it: who raises it goes on where it ended.
        """
        seen = hashlib.sha256()
        people = [digest(side) for part in self.parts for side in part.everyone]
        kinds = [(s.spaces, s.alphabets, s.paired) for part in self.parts if (s := part.secrets)]
        names = [repr(attack) for part in self.parts for attack in part.attacks]
        said = [check.explanation for check in self.handshake.values()]
        model = [self.source.get("fingerprint", ""), said, self.voices]
        settings = replace(self.settings, max_queries=None)
        for block in (_version.__version__, settings, names, people, kinds, model):
            seen.update(json.dumps(block, sort_keys=True, default=str).encode())
        return seen.hexdigest()

    @property
    def attacks(self) -> list[tuple[Part, Attack[Any]]]:
        """Every attack with what it is played on."""
        return [(part, attack) for part in self.parts for attack in part.attacks]

    def manifest(self) -> dict[str, Any]:
        """What the run folder says about this audit."""
        return {
            "keepmum_version": _version.__version__,
            "settings": self._settings(),
            "source": self.source,
            "attacks": [attack.name for _, attack in self.attacks],
            "reproducibility": self._reproducibility(),
        }

    def run(self, folder: RunFolder | None, progress: Progress) -> Report:
        """Play every attack, test the instrument, settle the outcomes; a finished attack is kept at once."""
        done = folder.finished() if folder is not None else {}
        total = len(self.attacks) + 2
        progress(0, total, "blind baseline")
        blind = {p.name: instrument.blind_baseline(p.visible, self.settings.seed, 4_000) for p in self.parts}
        began, findings = time.monotonic(), []
        games: dict[str, dict[str, Any]] = {}
        for number, (part, attack) in enumerate(self.attacks):
            progress(number + 1, total, attack.name)
            if attack.name in done:
                finding, scores, asked = done[attack.name]
                self.resumed += asked
                if scores is not None:
                    self.ledger[attack.name] = scores
            else:
                before = self._asked
                ctx = self._context(part, blind[part.name], games.setdefault(part.name, {}))
                finding = self._play(part, attack, ctx, time.monotonic() - began)
                if folder is not None and finding.outcome not in (Outcome.SKIPPED, Outcome.ERROR):
                    folder.finish(finding, self.ledger.get(attack.name), self._asked - before)
            findings.append(finding)
        progress(total - 1, total, "instrument")
        report = self._report(findings, {p.name: self._checks(p, blind[p.name]) for p in self.parts})
        self._write_worklist(report, folder)
        progress(total, total, "done")
        return report

    @property
    def _asked(self) -> int:
        return int((self.origin or self.target).queries) - self.before + self.resumed

    @cached_property
    def _remembering(self) -> Target:
        return remembered_text(self.target) if isinstance(self.target, TextTarget) else self.target

    def _of(self, part: Part) -> Target:
        """Who is asked: about documents a model behind a memory, so that attacks share its scores.

        Attacks on secrets share what they ask by themselves, and have to see whether answers are noisy.
        """
        return self._remembering if part.secrets is None else self.target

    def _context(self, part: Part, blind: Check, games: dict[str, Any]) -> Context:
        return Context(
            seed=self.settings.seed,
            baseline={"auc": blind.metrics["auc"]} if blind.metrics else {},
            prior=self.settings.prior,
            overlap=part.overlap,
            ledger=self.ledger,
            reference=self.reference,
            secrets=part.secrets,
            games=games,
        )

    def _queries_left(self, attack: Attack[Any]) -> int | None:
        if self.settings.max_queries is None:
            return None
        names = [a.name for _, a in self.attacks]
        later = len(names) - names.index(attack.name)
        return max(0, self.settings.max_queries - self._asked) // later

    def _limited(self) -> AbstractContextManager[None]:
        """Let the model be asked no more than is left, what an earlier run asked included."""
        origin, most = self.origin or self.target, self.settings.max_queries
        assert isinstance(origin, (TextTarget, FillTarget))
        return at_most(origin, None if most is None else max(0, most - self._asked))

    def _play(self, part: Part, attack: Attack[Any], ctx: Context, elapsed: float) -> Finding:
        limit = self.settings.seconds
        if limit is not None and elapsed > limit:
            return _unplayed(attack, Outcome.SKIPPED, f"the budget of {limit:g} s was spent")
        reason = self._inapplicable(attack) or attack.unsuited(part.split.members)
        if reason is not None:
            return _unplayed(attack, Outcome.NOT_APPLICABLE, reason)
        try:
            with self._limited():
                return attack.run(self._of(part), part.split, ctx.lend(attack.name, self._queries_left(attack)))
        except (NotApplicableError, MissingExtraError) as err:
            return _unplayed(attack, Outcome.NOT_APPLICABLE, str(err))
        except BudgetError as err:
            return _unplayed(attack, Outcome.SKIPPED, str(err))
        except KeepmumError as err:
            return _unplayed(attack, Outcome.ERROR, str(err))
        except Exception as err:  # whatever one attack does, the others are still reported
            return _unplayed(attack, Outcome.ERROR, f"{type(err).__name__}: {_discreet(str(err), part)}")

    def _inapplicable(self, attack: Attack[Any]) -> str | None:
        """Why the model cannot be asked, with what the handshake found where that is the reason."""
        reason = attack.inapplicable(self.target)
        failed = [check.explanation for check in self.handshake.values() if check.passed is False]
        return reason if reason is None or not failed else f"{reason}: {failed[0]}"

    def _checks(self, part: Part, blind: Check) -> dict[str, Check]:
        ids = {attack.name for attack in part.attacks}
        ledger = {name: entry for name, entry in self.ledger.items() if name in ids}
        sizes = len(part.split.members), len(part.split.nonmembers)
        own = {}
        if part.secrets is None:
            own["positive_control"] = instrument.positive_control(part.split, self.settings.seed)
            own["overlap"] = instrument.overlap_check(part.overlap)
        return {
            **own,
            "negative_control": instrument.negative_control(ledger, self.settings.seed),
            "blind_baseline": blind,
            "direction": instrument.direction(ledger),
            "power": instrument.power_check(*sizes, len(ledger), part.fewest),
        }

    def _report(self, raw: list[Finding], checks: dict[str, dict[str, Check]]) -> Report:
        own = {name: doubts(found) for name, found in checks.items()}
        of = {attack.name: own[part.name] for part, attack in self.attacks}
        findings = settle(raw, (), of)
        named = self._named(checks)
        return Report(
            outcome=overall(findings),
            verdict=_words.verdict(findings, named),
            findings=tuple(findings),
            instrument=named,
            coverage=_words.coverage(findings, self._unplayed()),
            target={
                "kind": type(self.origin or self.target).__name__,
                "access": self.target.access,
                "classes": 0,
                "queries": self._asked,
                "notes": list(self.target.notes),
            },
            sample=self._sample(),
            settings=self._settings(),
            limits=LIMITS,
            reproducibility=self._reproducibility(),
            keepmum_version=_version.__version__,
        )

    def _unplayed(self) -> dict[str, str]:
        """Why a family was not played, where it is not that nobody asked for it."""
        of_documents = any(part.secrets is None for part in self.parts)
        told = {"attribute": "documents have no columns: what stands in them is asked for as secrets"}
        return told if of_documents else {**told, "membership": "no documents were named: members and nonmembers"}

    def _named(self, checks: dict[str, dict[str, Check]]) -> dict[str, Check]:
        """All checks in one: those of secrets beside documents carry the name of their part."""
        named = dict(self.handshake)
        for part in self.parts:
            for name, check in checks[part.name].items():
                end = "_of_secrets" if part.secrets is not None and len(self.parts) > 1 else ""
                named[f"{name}{end}"] = replace(check, name=f"{name}{end}")
        return named

    def _sample(self) -> dict[str, int]:
        first = self.parts[0].split
        counts = {"members": len(first.members), "nonmembers": len(first.nonmembers), **self.sizes}
        for part in self.parts:
            counts[f"{part.name}_in"] = len(part.split.members)
            counts[f"{part.name}_out"] = len(part.split.nonmembers)
        return counts

    def _settings(self) -> dict[str, Any]:
        asked = self.settings
        return {
            "seed": asked.seed,
            "effort": str(asked.effort),
            "prior": asked.prior,
            "max_queries": asked.max_queries,
            "seconds": asked.seconds,
            "reference": self.reference is not None,
        }

    def _reproducibility(self) -> dict[str, Any]:
        import platform

        digests = {
            f"{part.name}_digest": digest(part.split.members) + digest(part.split.nonmembers) for part in self.parts
        }
        return {
            "seed": self.settings.seed,
            "key": self.key,
            "python": platform.python_version(),
            **digests,
            **self.source,
        }

    def worklists(self, report: Report, key: bytes) -> Iterator[Worklist]:
        """What to do about each member that fares badly, game by game."""
        for part in self.parts:
            ids = {attack.name for attack in part.attacks}
            found = {f.id for f in report.findings if f.outcome in MEASURED and f.id in ids}
            ledger = {name: entry for name, entry in self.ledger.items() if name in found}
            if ledger and (part.secrets is not None or are_documents(part.split.members)):
                yield worklist(part.name, part.split, ledger, key)

    def reveal(self, folder: RunFolder) -> None:
        """Write what came out, in full, into a file of the closed folder that only its owner can read."""
        path, lines = folder.path / "restricted" / "revealed.jsonl", []
        for part in self.parts:
            lines += [json.dumps(entry, ensure_ascii=False) for entry in revealed(part.split, self.ledger)]
        write_whole(path, "".join(f"{line}\n" for line in lines), mode=0o600)

    def _write_worklist(self, report: Report, folder: RunFolder | None) -> None:
        if folder is not None:
            for found in self.worklists(report, _mask_key(folder)):
                write_whole(folder.path / "restricted" / f"worklist-{found.name}.csv", found.csv())


def _mask_key(folder: RunFolder) -> bytes:
    """The key of the run's masks: drawn once, and kept where only the owner reads."""
    import secrets

    path = folder.path / "restricted" / "mask.key"
    if not path.exists():
        write_whole(path, secrets.token_bytes(32), mode=0o600)
    return path.read_bytes()


def _discreet(said: str, part: Part) -> str:
    """The words of somebody else's error, unless they repeat a text: they stand in the report."""
    words = " ".join(said.split())
    texts = [str(text) for side in (part.visible.members, part.visible.nonmembers) for text in side.X.tolist()]
    told = any(repeats(words, text) for text in texts if len(text) >= SHORTEST)
    return "its words repeat a text and are left out" if told else said


def _unplayed(attack: Attack[Any], outcome: Outcome, reason: str) -> Finding:
    return Finding(attack.name, attack.family, outcome, attack.access, reason=reason, references=attack.references)
