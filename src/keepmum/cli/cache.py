"""``keepmum cache``: what shadow models said that is kept on the disk, and taking it away."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from keepmum._values import Switch
from keepmum.cli._app import Exit
from keepmum.cli._terminal import DEFAULTS, Options, Terminal, size
from keepmum.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from keepmum.shadows._cabinet import Kept

DAY = 24 * 3600.0


def cache(
    action: Annotated[Literal["list", "prune"], Parameter(help="What to do.")] = "list",
    /,
    *folders: Annotated[Path, Parameter(help="Stores to look at besides those of the runs here and of keepmum.toml.")],
    older_than: Annotated[
        str | None, Parameter(metavar="AGE", help="Prune what was not used for so long, such as 30d or 12h.")
    ] = None,
    all: Annotated[Switch, Parameter(help="Prune everything that is not in use.")] = False,
    yes: Annotated[
        Switch, Parameter(name=["--yes", "-y"], help="Take it away; else prune tells what it would do.")
    ] = False,
    common: Options = DEFAULTS,
) -> int:
    """List or take away the signals of shadow models.

    Only what was not used for an hour, and that no audit uses now, is ever taken away; reports stay as they are. An
    audit that would need it trains its shadow models again.
    """
    if action == "list" and (older_than or all or yes):
        raise ConfigError("expected --older-than, --all and --yes with prune, not with list")
    terminal = common.terminal
    kept = _everything(_stores(folders, common.config))
    if action == "list":
        _show(kept, terminal, "signals of shadow models")
        told: Any = [_told(one) for one in kept]
    else:
        told = _prune(kept, _age(older_than, everything=all), terminal, really=yes)
    if common.json:
        terminal.data(json.dumps(told))
    return Exit.DONE


def _age(older_than: str | None, *, everything: bool) -> float:
    """Seconds after which signals are old."""
    from keepmum._values import seconds

    if everything == (older_than is not None):
        raise ConfigError("expected one of --older-than AGE and --all")
    if older_than is None:
        return 0.0
    text = older_than.strip().lower()
    try:
        return float(text[:-1]) * DAY if text.endswith("d") else float(seconds(text))
    except ValueError:
        raise ConfigError(f"--older-than: expected an age such as 30d or 12h, got {older_than!r}") from None


def _stores(folders: Sequence[Path], config: Path | None) -> list[Path]:
    """Folders that may hold signals: those of the runs here, of the settings, and those that were given."""
    from keepmum.cli._runs import ROOT
    from keepmum.settings import load

    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        raise ConfigError(f"expected folders, got {missing[0]}, which is not one")
    runs = [path for pattern in ("*", "*/*") for path in ROOT.glob(f"{pattern}/restricted/shadows")]
    named = load(config=config).audit.shadow_store
    inside = [folder / "restricted" / "shadows" for folder in folders]
    found = [*sorted(runs), *([] if named is None else [named]), *folders, *inside]
    return list({folder.resolve(): folder for folder in reversed(found) if folder.is_dir()}.values())[::-1]


def _everything(stores: Sequence[Path]) -> list[Kept]:
    from keepmum.shadows._cabinet import kept

    return [one for store in stores for one in kept(store)]


def _prune(kept: Sequence[Kept], age: float, terminal: Terminal, *, really: bool) -> dict[str, Any]:
    now = time.time()
    busy = [one for one in kept if one.in_use]
    old = [one for one in kept if not one.in_use and now - one.used >= age]
    if busy:
        terminal.say(f"Left alone: {len(busy)} that an audit uses, or used within the last hour.")
    if not old:
        terminal.show("Nothing to take away.")
        return {"pruned": [], "bytes": 0}
    _show(old, terminal, "to be taken away" if not really else "taken away")
    gone = [one for one in old if one.remove()] if really else []
    if not really:
        terminal.show("Nothing was taken away yet: the same command with --yes does.")
    return {"pruned": [_told(one) for one in gone], "bytes": sum(one.size for one in gone)}


def _show(kept: Sequence[Kept], terminal: Terminal, what: str) -> None:
    if not kept:
        terminal.show("No signals of shadow models here.")
        return
    terminal.show(f"{size(sum(one.size for one in kept))} {what}")
    for folder in dict.fromkeys(one.folder for one in kept):
        terminal.show(f"{folder}:", whole=True)
        terminal.result.print(_table([one for one in kept if one.folder == folder]))


def _table(kept: Sequence[Kept]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column, side in (
        ("models", "right"),
        ("size", "right"),
        ("used", "left"),
        ("recipe", "left"),
        ("folder", "left"),
    ):
        table.add_column(column, justify=side, overflow="fold")  # type: ignore[arg-type]
    for one in kept:
        told = _told(one)
        recipe = f"{told['recipe']}, {told['records']} records" if one.label else "unknown"
        table.add_row(str(one.models), size(one.size), _when(one), recipe)
    return table


def _when(one: Kept) -> str:
    day = datetime.fromtimestamp(one.used).astimezone().strftime("%Y-%m-%d")
    return f"{day}, in use" if one.in_use else day


def _told(one: Kept) -> dict[str, Any]:
    label = {key: one.label.get(key) for key in ("recipe", "signal", "records", "keepmum", "made")}
    facts = {"folder": str(one.folder), "models": one.models, "bytes": one.size, "used": round(one.used)}
    return {**facts, **label, "in_use": one.in_use}
