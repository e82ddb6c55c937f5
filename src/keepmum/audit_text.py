"""Ask a language model what it remembers of its training data, and report what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from keepmum._asked import Settings, asked
from keepmum._text_session import Part, Progress, TextSession
from keepmum.attacks import Attack, choose
from keepmum.attacks.extraction import ExtractionAttack
from keepmum.choices import Effort
from keepmum.data import Records, Split
from keepmum.errors import ConfigError
from keepmum.findings import Check
from keepmum.overlap import remove_overlap
from keepmum.report import Report
from keepmum.report._save import save
from keepmum.runs import RunFolder
from keepmum.targets import Target
from keepmum.targets.handshake import PROBES, believed, handshake
from keepmum.targets.text import FillTarget, TextTarget, at_most
from keepmum.targets.text_function import as_text_target
from keepmum.texts import Secrets, documents

OWN, LONGEST = 4, 300
"""Documents that the model never saw that a handshake asks about, and their characters at most."""


def audit_text(
    model: Any,
    members: Iterable[str] | None = None,
    nonmembers: Iterable[str] | None = None,
    *,
    secrets: Secrets | None = None,
    reference: Any = None,
    population: Iterable[str] | None = None,
    attacks: Sequence[str | Attack[Any]] | None = None,
    seed: int = 0,
    effort: str = "standard",
    prior: float = 0.1,
    max_queries: int | None = None,
    seconds: float | None = None,
    out: str | Path | None = None,
    reveal: bool = False,
    progress: Progress | None = None,
    source: Mapping[str, Any] | None = None,
) -> Report:
    """Measure what a language model gives away of the texts that it was trained on.

    Audit only models that you own or may test.

    Args:
      model: A language model: a `keepmum.targets.text.TextTarget` or `FillTarget`, a folder with weights and tokenizer,
        a pair of a transformers model and its tokenizer, or a function from prompts to texts.
      members: Documents that it was trained on.
      nonmembers: Documents of the same source, divided at random from the members, that it was not trained on.
      secrets: Canaries or pieces of the training data, with twins that never stood there.
      reference: A model like it that never saw the members: the base model of a fine-tuned one, say. Of an adapter it
        is the base unless said.
      population: Documents of the attacker's own.
      attacks: Ids or patterns, or attacks; all that fit a language model by default.
      seed: The same seed gives the same report.
      effort: "quick", "standard" or "thorough".
      prior: Declared share of members among the documents that an attacker asks about.
      max_queries: Most texts that the model may be asked about, the handshake included. An attack that would go beyond
        it is skipped; a reference is not counted.
      seconds: No further attack is begun after this time.
      out: Run folder. What is finished is kept there, and the same call goes on where it stopped.
      reveal: Write what came out, in full, into a file of the closed folder that only its owner can read; needs
        ``out``. Everything else tells it masked.
      progress: Called with units done, units in all, and what is done next.
      source: Where things came from (files, command), for the report.

    Returns:
      A finding for each attack asked for, the audit's tests of itself, and what was not looked at.

    Raises:
      DataError: Documents or secrets cannot be used.
      TargetError: The model cannot be asked.
      ConfigError: A setting cannot be used, or neither documents nor secrets were given.
      BudgetError: Not even the handshake can be paid from ``max_queries``.
    """
    if reveal and out is None:
        raise ConfigError("reveal writes what came out into the closed folder: give a run folder with out")
    settings = asked(effort, (), seed=seed, prior=prior, max_queries=max_queries, seconds=seconds)
    target = as_text_target(model)
    split, sizes, overlap = _documents(members, nonmembers, population)
    parts = _parts(split, overlap, secrets, _chosen(attacks, settings, target), None if attacks else settings.effort)
    progress = progress or (lambda done, total, what: None)
    progress(0, 0, "getting ready")
    assert isinstance(target, (TextTarget, FillTarget))
    with at_most(target, max_queries):
        before = target.queries
        heard, checks, voice = _heard(target, parts, seed)
        base = getattr(target, "base", None) if reference is None else as_text_target(reference)
        other, _, its = (None, None, "") if base is None else _heard(base, parts, seed)
        session = TextSession(
            heard, parts, settings, dict(source or {}), other, checks, sizes, (voice, its), origin=target, before=before
        )
        folder = None if out is None else RunFolder(Path(out), session.key)
        if folder is not None:
            folder.open(session.manifest())
        report = session.run(folder, progress)
        if folder is not None:
            save(report, folder.path)
            if reveal:
                session.reveal(folder)
        return report


def _documents(members: Any, nonmembers: Any, population: Any) -> tuple[Split | None, dict[str, int], Any]:
    """The split of documents without what stands on both sides, what was given, and what was taken out."""
    if members is None and nonmembers is None:
        return None, {}, None
    if members is None or nonmembers is None:
        lacking = "members" if members is None else "nonmembers"
        raise ConfigError(f"expected documents on both sides, got no {lacking}: hold some out, divided at random")
    sides = [side if isinstance(side, Records) else documents(side) for side in (members, nonmembers)]
    others = None if population is None else documents(population)
    clean, overlap = remove_overlap(Split(sides[0], sides[1], others))
    return clean, {"given_members": len(sides[0]), "given_nonmembers": len(sides[1])}, overlap


def _chosen(wanted: Sequence[str | Attack[Any]] | None, settings: Settings, target: Target) -> list[Attack[Any]]:
    """The attacks on language models among those asked for, at the pace of the effort."""
    about_texts = [a for a in choose(wanted) if issubclass(a.needs, (TextTarget, FillTarget))]
    if not about_texts:
        raise ConfigError("the patterns leave no attack on language models: see keepmum list attacks")
    kind = FillTarget if isinstance(target, FillTarget) else TextTarget
    if wanted is None:
        about_texts = [attack for attack in about_texts if issubclass(attack.needs, kind)]
    return [attack.paced(settings.effort) for attack in about_texts]


def _parts(
    split: Split | None,
    overlap: Any,
    secrets: Secrets | None,
    attacks: list[Attack[Any]],
    effort: Effort | None,
) -> tuple[Part, ...]:
    """The games: documents, secrets, or both; each with the attacks that are about such.

    Where an effort is told, only attacks that an audit of this effort plays by itself.

    Raises:
      ConfigError: Neither was given, or no attack is left for what was.
    """
    if split is None and secrets is None:
        raise ConfigError("expected documents (members and nonmembers), secrets, or both, got neither")
    parts = []
    if split is not None:
        mine = tuple(a for a in attacks if not isinstance(a, ExtractionAttack))
        parts.append(Part("documents", split, mine, overlap))
    if secrets is not None:
        mine = tuple(a for a in attacks if isinstance(a, ExtractionAttack))
        parts.append(Part("secrets", secrets.split, mine, None, secrets))
    if effort is not None:
        parts = [replace(p, attacks=tuple(a for a in p.attacks if a.fits(p.split.members, effort))) for p in parts]
    kept = tuple(part for part in parts if part.attacks)
    if not kept:
        names = " or ".join(part.name for part in parts)
        if effort is None:
            raise ConfigError(f"the patterns leave no attack on {names}")
        raise ConfigError(
            f"no attack on {names} fits such a model: masked models are asked about secrets, as canaries are"
        )
    return kept


def _spread(texts: list[str]) -> list[str]:
    """Some of the texts, from all over: neighbors are often of one kind, and begin alike."""
    step = max(1, len(texts) // OWN)
    return texts[::step][:OWN]


def _heard(target: Target, parts: tuple[Part, ...], seed: int) -> tuple[Target, dict[str, Check], str]:
    """The target as far as it can be believed, what the handshake saw, and by what the model is known again."""
    assert isinstance(target, (TextTarget, FillTarget))
    sides = [part.split.nonmembers.X.tolist() for part in parts if part.secrets is None]
    probes = [str(text)[:LONGEST] for side in sides for text in _spread(side)]
    shaken = handshake(target, (*probes, *PROBES), seed)  # secrets begin alike, and tell nothing of a model
    found = {}
    for check in shaken.checks:
        name = f"handshake_{check.name.replace(' ', '_')}"
        found[name] = Check(name, check.passed, check.explanation)
    return believed(target, shaken), found, shaken.voice
