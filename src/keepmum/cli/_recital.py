"""The demo on a language model: what it recites, without duplicates, and when training stops early."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keepmum.canaries import Registry, make
from keepmum.cli._app import Exit, command
from keepmum.cli._inputs import cores
from keepmum.cli._lanes import Job, Lanes, Trained
from keepmum.cli._terminal import Terminal

if TYPE_CHECKING:
    from keepmum.findings import Finding
    from keepmum.report import Report
    from keepmum.settings import EffortSettings
    from keepmum.texts import Secrets

SOURCE = "paragraphs of Jane Austen's novels, in the public domain, and made-up secrets of nobody"
NAMES = {"leaky": "as it comes", "deduplicated": "no text twice", "early": "stopped early"}


@dataclass(frozen=True)
class Scale:
    """How large the demo is.

    Attributes:
      documents: Paragraphs that the models are trained on; as many are held out, and a reference is trained on others.
      per_cell: Canaries of each kind and number of repeats.
      kinds: Of canaries.
      repeats: How often a canary stands among the paragraphs.
      epochs: Passes over the texts.
      early: The same where training is stopped early.
      others: Secrets that each is compared with where not all can be.
      samples: Drawn for each secret.
      recipe: Changes to the recipe of the models, name and value.
    """

    documents: int = 350
    per_cell: int = 3
    kinds: tuple[str, ...] = ("pin", "phone", "e-mail", "key")
    repeats: tuple[int, ...] = (1, 4, 16, 64)
    epochs: int = 4
    early: int = 1
    others: int = 63
    samples: int = 8
    recipe: tuple[tuple[str, Any], ...] = (("batch", 2),)


SCALE = Scale()


@dataclass(frozen=True)
class World:
    """Texts by what becomes of them.

    Attributes:
      members: Paragraphs that the models are trained on.
      heldout: As many that they never see.
      public: Others, for the tokenizer and the reference model.
      registry: Canaries, and their twins.
    """

    members: tuple[str, ...]
    heldout: tuple[str, ...]
    public: tuple[str, ...]
    registry: Registry

    @property
    def once(self) -> Secrets:
        """The secrets as they stand where no text stands twice."""
        secrets = self.registry.secrets
        return replace(secrets, planted=tuple(replace(each, repeats=1) for each in secrets.planted))


def drawn(scale: Scale, seed: int) -> World:
    """Divide the paragraphs at random, and draw the canaries."""
    from keepmum.datasets import load_prose

    size = scale.documents
    texts = tuple(load_prose(3 * size, seed))
    registry = make(scale.kinds, scale.repeats, scale.per_cell, seed)
    return World(texts[:size], texts[size : 2 * size], texts[2 * size :], registry)


def jobs(world: World, scale: Scale, seed: int) -> tuple[Job, ...]:
    """The models, longest first: the reference reads other paragraphs and no canaries."""
    common: dict[str, Any] = {"heldout": world.heldout, "words": world.public, "seed": seed}
    full = (("epochs", scale.epochs), *scale.recipe)
    planted = world.members + world.registry.documents
    once = world.members + tuple(secret.text for secret in world.registry.planted)
    return (
        Job("leaky", planted, recipe=full, **common),
        Job("reference", world.public, recipe=full, words=world.public, seed=seed + 1),
        Job("deduplicated", once, recipe=full, **common),
        Job("early", planted, recipe=(("epochs", scale.early), *scale.recipe), **common),
    )


def attacks(scale: Scale) -> list[Any]:
    """Those that show most within a minute."""
    from keepmum.attacks.extraction import Exposure, Greedy, NPDiscoverable, Sampled
    from keepmum.attacks.membership.text import Ez, TextLoss, TextReference

    secrets = [Exposure(others=scale.others), Greedy(), NPDiscoverable(), Sampled(samples=scale.samples)]
    return [TextLoss(), TextReference(), Ez(), *secrets]


def demo_text(folder: Path, how: EffortSettings, terminal: Terminal) -> int:
    """Train a model as it comes, one without duplicates and one that stops early; audit each; show them side by side.

    Raises:
      MissingExtraError: transformers is not installed.
    """
    from keepmum.targets._hub import import_transformers

    import_transformers()
    scale, world = SCALE, drawn(SCALE, how.seed)
    size = sum(map(len, world.members)) // 1000
    terminal.say(
        f"Training four small language models, two at a time: on {size} kB of prose with "
        f"{len(world.registry.planted)} canaries, each {either(scale.repeats)} times in it …"
    )
    reports: dict[str, Report] = {}
    models: dict[str, Trained] = {}
    width = min(2, how.jobs or 2)
    with cores(how), one_thread(), Lanes(jobs(world, scale, how.seed), folder / "models", width) as lanes:
        for name, words in NAMES.items():
            with terminal.progress() as ticker:
                models |= {each: lanes.wait(each, ticker) for each in (name, "reference")}
            terminal.say(f"Auditing the {name} model: {words} …")
            reports[name] = _measured(name, models, world, folder, how, terminal)
    page = _compare(reports, folder)
    show(reports, models, scale, terminal)
    terminal.show(f"Reports: {', '.join(str(folder / name / 'report.html') for name in reports)}", whole=True)
    terminal.show(f"Side by side: {page}", whole=True)
    if terminal.options.json:
        told = [f'"{name}":{report.to_json()}' for name, report in reports.items()]
        losses = ",".join(f'"{name}":{models[name].loss:.4f}' for name in reports)
        terminal.data("{" + ",".join([*told, f'"loss":{{{losses}}}']) + "}")
    return Exit.DONE


def either(numbers: Sequence[int]) -> str:
    """Some numbers in words: 1, 4 or 16."""
    *some, last = map(str, numbers)
    return f"{', '.join(some)} or {last}" if some else last


@contextmanager
def one_thread() -> Iterator[None]:
    """Small models are asked fastest by one thread: several wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _measured(
    name: str, models: Mapping[str, Trained], world: World, folder: Path, how: EffortSettings, terminal: Terminal
) -> Report:
    from keepmum.audit_text import audit_text
    from keepmum.targets.transformers import HFCausal

    with terminal.progress() as ticker:
        return audit_text(
            HFCausal(models[name].path),
            world.members,
            world.heldout,
            secrets=world.once if name == "deduplicated" else world.registry.secrets,
            reference=HFCausal(models["reference"].path),
            attacks=attacks(SCALE),
            seed=how.seed,
            effort=how.effort.value,
            seconds=how.budget,
            out=folder / name,
            progress=ticker,
            source={
                "command": command(),
                "data": SOURCE,
                "model": f"{name}: {NAMES[name]}",
                "fingerprint": models[name].fingerprint,
            },
        )


def _compare(reports: Mapping[str, Report], folder: Path) -> Path:
    from keepmum.cli.compare import write_page

    return write_page(list(reports.items()), folder / "comparison.html")


def show(reports: Mapping[str, Report], models: Mapping[str, Trained], scale: Scale, terminal: Terminal) -> None:
    """The models side by side, and what changed in a sentence each."""
    from rich.table import Table

    table = Table("", *(f"{name}: {NAMES[name]}" for name in reports), box=None, pad_edge=False)
    for label, cells in rows(reports, models, scale):
        table.add_row(label, *cells)
    terminal.result.print(table)
    for line in changes(reports, models, scale):
        terminal.show(line)


def rows(
    reports: Mapping[str, Report], models: Mapping[str, Trained], scale: Scale
) -> Iterator[tuple[str, Sequence[str]]]:
    """Lines of the table: what it says, and a cell for each model."""
    every = list(reports.values())
    yield "the audit says", [report.outcome.replace("_", " ") for report in every]
    yield "loss on prose that it never read, nats a token", [f"{models[name].loss:.2f}" for name in reports]
    for times in scale.repeats:
        yield f"exposure of canaries that stand there {times} ×, bits", [_bits(report, str(times)) for report in every]
    yield "exposure of twins, which never stood there, bits", [_side(report, "control", "exposure") for report in every]
    for attack, words in (("greedy", "came out at first asking"), ("sampled", f"came out in {scale.samples} samples")):
        yield words, [_count(_found(report, f"extraction/{attack}"), "planted") for report in every]
    yield (
        f"twins that came out in {scale.samples} samples",
        [_count(_found(r, "extraction/sampled"), "twins") for r in every],
    )
    yield "paragraphs trained on told from others, AUC", [_area(report) for report in every]


def changes(reports: Mapping[str, Report], models: Mapping[str, Trained], scale: Scale) -> Iterator[str]:
    """A sentence for each remedy: what it took from the attacker, and what it cost."""
    said = {
        "deduplicated": f"With each canary once instead of up to {max(scale.repeats)} times",
        "early": f"With {scale.early} instead of {scale.epochs} epochs",
    }
    leaky, before = reports["leaky"], models["leaky"].loss
    for name, words in said.items():
        report = reports[name]
        out = [_count(_found(each, "extraction/sampled"), "planted") for each in (leaky, report)]
        yield (
            f"{words}, {out[1]} came out in samples, and not {out[0]}; paragraphs are told from others with an AUC of "
            f"{_area(report)}, and not {_area(leaky)}; the loss on unread prose is {models[name].loss:.2f}, and not "
            f"{before:.2f}."
        )


def _found(report: Report, attack: str) -> Finding:
    return report[attack]


def _bits(report: Report, repeats: str) -> str:
    """Mean exposure of the canaries that stood there so often."""
    parts = _found(report, "extraction/exposure").slices
    part = next((s for s in parts if (s.column, s.value) == ("repeats", repeats)), None)
    return "–" if part is None or "exposure" not in part.metrics else f"{part.metrics['exposure'].value:.1f}"


def _side(report: Report, side: str, metric: str) -> str:
    value = getattr(_found(report, "extraction/exposure"), side).get(metric)
    return "–" if value is None else f"{value.value:.1f}"


def _count(finding: Finding, side: str) -> str:
    """How many of how many secrets came out."""
    slices = [s for s in finding.slices if s.column == "kind"]
    planted = side == "planted"
    count = sum(s.members if planted else s.nonmembers for s in slices)
    share = (finding.metrics if planted else finding.control).get("extracted")
    return "–" if share is None else f"{round(share.value * count)} of {count}"


def _area(report: Report) -> str:
    value = _found(report, "membership/ez").metrics.get("auc")
    return "–" if value is None else f"{value.value:.2f}"
