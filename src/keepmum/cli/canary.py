"""``keepmum canary``: made-up secrets for training data, and their registry."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from keepmum.cli._app import Exit
from keepmum.cli._terminal import DEFAULTS, Options, Terminal
from keepmum.errors import ConfigError

if TYPE_CHECKING:
    from keepmum.canaries import Registry

MAKES = ("kind", "repeats", "per_cell", "seed")
MIXES = ("registry", "field", "documents")
AUDITS = ("registry",)


def canary(
    action: Annotated[Literal["make", "mix", "audit"], Parameter(help="What to do.")],
    data: Annotated[
        Path | None,
        Parameter(
            help="mix: training data, .jsonl, .csv, .tsv, .parquet or .txt; it is left as it is. audit: folder of the "
            "model that was trained on the mixed data."
        ),
    ] = None,
    /,
    *,
    out: Annotated[
        Path | None,
        Parameter(name=["--out", "-o"], help="What to write: the registry, the mixed data, or the run folder."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        Parameter(help="make: kinds of secrets, such as pin,phone; may be repeated; all unless said."),
    ] = None,
    repeats: Annotated[
        str | None, Parameter(metavar="N,N", help="make: how often canaries stand in the data; 1,4,16,64 unless said.")
    ] = None,
    per_cell: Annotated[
        int | None, Parameter(help="make: pairs for each kind and each number of repeats; 6 unless said.")
    ] = None,
    seed: Annotated[int | None, Parameter(help="make: seed of everything random; drawn unless said.")] = None,
    registry: Annotated[Path | None, Parameter(help="mix, audit: the registry that make wrote.")] = None,
    field: Annotated[
        str | None, Parameter(help="mix: field or column that holds the document; text unless said.")
    ] = None,
    documents: Annotated[
        Literal["lines", "paragraphs"] | None,
        Parameter(help="mix: what a document is in plain text; as the file looks unless said."),
    ] = None,
    common: Options = DEFAULTS,
) -> int:
    """Make canaries, mix them into training data, and audit a model for them.

    make draws made-up secrets in pairs, of ranges that belong to nobody; of each pair a coin decides which is planted
    and which is its twin. mix writes the training data anew with the planted ones between its documents. Keep the
    registry away from the training: whoever has it knows the canaries. audit asks the model for them and for their
    twins; it is keepmum audit MODEL --secrets REGISTRY, where documents and more can be set.
    """
    given: dict[str, Any] = {"kind": kind, "repeats": repeats, "per_cell": per_cell, "seed": seed}
    given |= {"registry": registry, "field": field, "documents": documents}
    _refuse_others(action, data, given)
    if action == "audit":
        return _audit(data, registry, out, common)
    if out is None:
        raise ConfigError(f"expected --out FILE, for {'the registry' if action == 'make' else 'the mixed data'}")
    if action == "make":
        made = _make(out, kind, repeats, per_cell, seed, common.terminal)
    else:
        made = _mix(data, registry, out, field or "text", documents, common.terminal)
    if common.json:
        common.terminal.data(json.dumps(_told(made, out)))
    return Exit.DONE


def _refuse_others(action: str, data: Path | None, given: dict[str, Any]) -> None:
    """Options that this action does not know would be lost silently."""
    known = {"make": MAKES, "mix": MIXES, "audit": AUDITS}
    odd = [name for name, value in given.items() if value is not None and name not in known[action]]
    if odd:
        others = " or ".join(other for other, names in known.items() if odd[0] in names)
        raise ConfigError(f"--{odd[0].replace('_', '-')} goes with keepmum canary {others}, not with {action}")
    if action == "make" and data is not None:
        raise ConfigError(f"expected no data with make, got {data}: keepmum canary mix puts canaries into data")
    if action == "mix" and (data is None or given["registry"] is None):
        raise ConfigError("expected keepmum canary mix DATA --registry FILE --out FILE")
    if action == "audit" and (data is None or given["registry"] is None):
        raise ConfigError("expected keepmum canary audit MODEL --registry FILE")


def _audit(model: Path | None, registry: Path | None, out: Path | None, common: Any) -> int:
    from keepmum.canaries import load_registry
    from keepmum.cli._inputs import configured
    from keepmum.cli._texts import audit_texts
    from keepmum.settings import AuditSettings, TargetSettings, TextSettings

    assert registry is not None
    if load_registry(registry).mixed is None:
        common.terminal.say(f"{registry} was never mixed into data: no model can know its canaries.")
    how = AuditSettings() if out is None else AuditSettings(out=out)
    sections = {"target": TargetSettings(), "audit": how, "text": TextSettings(secrets=registry)}
    return audit_texts(configured(model, sections, common.config), common.terminal)


def _make(
    out: Path, kind: list[str] | None, repeats: str | None, per_cell: int | None, seed: int | None, terminal: Terminal
) -> Registry:
    from keepmum.canaries import KINDS, make
    from keepmum.canaries.registry import REPEATS

    if seed is not None and seed < 0:
        raise ConfigError(f"--seed: expected 0 or more, got {seed}")
    registry = make(
        tuple(KINDS) if kind is None else [each.strip() for given in kind for each in given.split(",")],
        REPEATS if repeats is None else _numbers(repeats),
        6 if per_cell is None else per_cell,
        secrets.randbits(32) if seed is None else seed,
    )
    registry.save(out)
    count, added = len(registry.planted), len(registry.documents)
    terminal.show(f"{count} canaries to plant and as many twins: {', '.join(registry.kinds)}; {added:,} documents.")
    terminal.show(f"Registry, for your eyes alone: {out}", whole=True)
    return registry


def _mix(
    data: Path | None, registry: Path | None, out: Path, field: str, documents: str | None, terminal: Terminal
) -> Registry:
    from keepmum.canaries import load_registry, mix

    assert data is not None
    assert registry is not None
    lines = None if documents is None else documents == "lines"
    mixed = mix(load_registry(registry), data, out, field, lines)
    mixed.save(registry, anew=False)
    assert mixed.mixed is not None
    added, before = mixed.mixed.added, mixed.mixed.documents
    terminal.show(f"{added:,} documents with canaries among the {before:,} of {data.name}: {out}", whole=True)
    terminal.show("Train on that file, then audit the model with the registry.")
    return mixed


def _numbers(text: str) -> list[int]:
    try:
        return [int(each) for each in text.split(",")]
    except ValueError:
        raise ConfigError(f"--repeats: expected whole numbers, as in 1,4,16,64, got {text!r}") from None


def _told(registry: Registry, out: Path) -> dict[str, Any]:
    """Counts and places; no secret."""
    from dataclasses import asdict

    return {
        "out": str(out),
        "kinds": list(registry.kinds),
        "planted": len(registry.planted),
        "twins": len(registry.twins),
        "documents": len(registry.documents),
        "mixed": None if registry.mixed is None else asdict(registry.mixed),
    }
