"""Run folders under ``.keepmum/runs``: naming, finding and taking up again."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keepmum.errors import ConfigError, DataError

if TYPE_CHECKING:
    from keepmum.report import Report

ROOT = Path(".keepmum") / "runs"
ANSWERS, REQUEST = "answers.jsonl", "request"
"""In the closed folder of a run: what a served model answered, and the fingerprint of what was asked for."""

QUALITIES = ("calm", "plain", "quiet", "steady", "bright", "early", "mild", "fair", "keen", "brisk", "clear", "still")
BIRDS = ("heron", "wren", "finch", "robin", "plover", "stork", "lark", "swift", "owl", "tern", "curlew", "dipper")


@dataclass(frozen=True)
class Run:
    """One audit on disk.

    Attributes:
      path: Its folder.
      manifest: What it says about itself.
      name: Its id, relative to where runs are kept.
    """

    path: Path
    manifest: Mapping[str, Any]
    name: str = ""

    @property
    def finished(self) -> bool:
        """Whether it holds a report."""
        return (self.path / "report.json").is_file()

    @property
    def saved(self) -> int:
        """Attacks that are finished and kept."""
        events = self.path / "events.jsonl"
        return sum(1 for line in events.read_bytes().splitlines() if line.strip()) if events.is_file() else 0


def all_runs(root: Path = ROOT) -> list[Run]:
    """Every run under a folder, newest first; a demo keeps two of them in one folder."""
    from keepmum.runs import read_manifest

    folders = [file.parent for pattern in ("*/manifest.json", "*/*/manifest.json") for file in root.glob(pattern)]
    names = {folder.relative_to(root).as_posix(): folder for folder in folders}
    return [
        Run(folder, manifest, name)
        for name, folder in sorted(names.items(), reverse=True)
        if (manifest := read_manifest(folder)) is not None
    ]


def new_run(root: Path = ROOT) -> Path:
    """A folder name that tells the time and can be spoken; nothing is made yet."""
    time = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return root / f"{time}-{secrets.choice(QUALITIES)}-{secrets.choice(BIRDS)}"


def unfinished(request: str, root: Path = ROOT) -> Path | None:
    """The newest interrupted run of the same request: same files, same settings."""
    for run in all_runs(root):
        if not run.finished and run.manifest.get("source", {}).get("request") == request:
            return run.path
    return None


def unanswered(request: str, root: Path = ROOT) -> Path | None:
    """The newest run of the same request on a served model where answers are missing, begun as little as it may be."""
    for told in sorted(root.glob(f"*/restricted/{REQUEST}"), reverse=True):
        folder = told.parent.parent
        if told.read_text(encoding="utf-8") != request:
            continue
        if not (folder / "report.json").is_file() or not is_whole(read_report(folder)[0]):
            return folder
    return None


def is_whole(report: Report) -> bool:
    """Whether everything that was asked for was played."""
    from keepmum.findings import Outcome

    return not any(finding.outcome in (Outcome.SKIPPED, Outcome.ERROR) for finding in report.findings)


def find_report(name: Path | None, root: Path = ROOT) -> Path:
    """The ``report.json`` of a run.

    Args:
      name: A run folder, a report file, the id of a run or the end of one; the newest finished run if None.
      root: Where runs are kept.

    Raises:
      ConfigError: There is none.
    """
    if name is None:
        newest = next((run for run in all_runs(root) if run.finished), None)
        if newest is None:
            raise ConfigError(f"there is no finished run in {root}: run keepmum audit first, or name a report.json")
        return newest.path / "report.json"
    if name.is_file():
        return name
    named = [run.path for run in all_runs(root) if run.name.endswith(str(name))]
    for folder in (name, *named):
        if (folder / "report.json").is_file():
            return folder / "report.json"
        if (folder / "manifest.json").is_file():
            raise ConfigError(f"{folder} is not finished: the command that began it continues it")
    raise ConfigError(f"no run {name}: give a run folder, a report.json, or an id that 'keepmum list runs' shows")


def read_report(name: Path | None) -> tuple[Report, Path]:
    """The report of a run, and the file that it came from.

    Raises:
      ConfigError: There is no such run.
      DataError: The file is no report.
    """
    from keepmum.report._json import loads

    path = find_report(name)
    try:
        return loads(path.read_bytes()), path
    except DataError as err:
        raise DataError(f"{path}: {err}") from err
