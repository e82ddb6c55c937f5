"""The run folder: every finished unit of work is written at once, so that nothing finished is ever lost.

manifest.json   what is being audited, with which versions and settings, and the key that resuming checks
events.jsonl    one line a finished attack, append-only; what resuming reads
report.json     the report, once it is whole
report.html     the same as a page
restricted/     mode 0700: scores per record, reconstructed pictures
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from keepmum._whole import write_whole
from keepmum.attacks._base import Ledger
from keepmum.errors import ConfigError
from keepmum.findings import Finding
from keepmum.report._gallery import Pictures


@dataclass(frozen=True)
class RunFolder:
    """Where one audit keeps what it has finished.

    Attributes:
      path: The folder.
      key: Fingerprint of everything that decides the findings: records, answers, settings, versions.
    """

    path: Path
    key: str

    def open(self, manifest: Mapping[str, Any]) -> None:
        """Make the folder, or take up the same audit where it stopped.

        Raises:
          ConfigError: The folder holds something else, or cannot be written.
        """
        known = read_manifest(self.path)
        if known is not None and known.get("key") != self.key:
            raise ConfigError(
                f"{self.path} holds another audit (other model, records or settings): choose another folder, or "
                "remove it"
            )
        if known is None:
            check_free(self.path)
        try:
            (self.path / "restricted").mkdir(parents=True, exist_ok=True)
            (self.path / "restricted").chmod(0o700)
            if known is None:
                write_whole(self.path / "manifest.json", json.dumps({**manifest, "key": self.key}, indent=2))
        except OSError as err:
            raise ConfigError(
                f"cannot write the run folder {self.path} ({err.strerror}): choose another with out"
            ) from err

    def seconds(self) -> dict[str, float]:
        """How long the search for one class took, by the id of the attack, as far as attacks told."""
        return {event["finding"]["id"]: float(event["seconds"]) for event in self._events() if "seconds" in event}

    def finished(self) -> dict[str, tuple[Finding, Ledger | None, int]]:
        """Attacks that were finished earlier, their scores, and the rows that they had the model asked about.

        A line that was cut off is not counted.
        """
        from keepmum.report._json import finding as finding_from

        done: dict[str, tuple[Finding, Ledger | None, int]] = {}
        for event in self._events():
            finding = finding_from(event["finding"])
            scores = self._scores(finding.id) if event["scores"] else None
            if (event["scores"] and scores is None) or (event.get("pictures") and self.pictures(finding.id) is None):
                continue
            done[finding.id] = finding, scores, int(event.get("asked", 0))
        return done

    def finish(
        self,
        finding: Finding,
        ledger: Ledger | None,
        asked: int = 0,
        pictures: Pictures | None = None,
        seconds: float | None = None,
    ) -> None:
        """Keep one finished attack: scores or pictures first, then the event that says so.

        Args:
          finding: What it found.
          ledger: The scores that it gave.
          asked: Rows that it had the model asked about.
          pictures: What it reconstructed.
          seconds: How long the search for one class took; it stands here alone, since it differs from run to run.
        """
        from keepmum.report._json import plain

        if ledger is not None:
            path = self._file(finding.id)
            content = io.BytesIO()
            came_out: dict[str, Any] = {} if ledger.extracted is None else {"extracted": ledger.extracted}
            np.savez(content, ids=ledger.ids, is_member=ledger.is_member, scores=ledger.scores, **came_out)
            write_whole(path, content.getbuffer())
        if pictures is not None:
            write_whole(self._file(finding.id), pictures.to_bytes())
        event = {"finding": plain(finding), "scores": ledger is not None, "asked": asked}
        more: dict[str, Any] = {} if pictures is None else {"pictures": True}
        more.update({} if seconds is None else {"seconds": round(seconds, 4)})
        line = json.dumps({**event, **more}, sort_keys=True)
        events = self.path / "events.jsonl"
        cut_off = events.exists() and not events.read_bytes().endswith(b"\n")
        with events.open("a", encoding="utf-8") as file:
            file.write(("\n" if cut_off else "") + line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _events(self) -> Iterator[dict[str, Any]]:
        """What was finished, in this order; a line that was cut off is left out."""
        events = self.path / "events.jsonl"
        for line in events.read_text(encoding="utf-8").splitlines() if events.exists() else ():
            with suppress(json.JSONDecodeError):
                yield json.loads(line)

    def pictures(self, attack: str) -> Pictures | None:
        """What an attack reconstructed, or None where nothing is kept that can be read."""
        try:
            return Pictures.from_bytes(self._file(attack).read_bytes())
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None

    def _file(self, attack: str) -> Path:
        return self.path / "restricted" / (attack.replace("/", "-").replace(":", "-") + ".npz")

    def _scores(self, attack: str) -> Ledger | None:
        path = self._file(attack)
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as stored:
            extracted = stored["extracted"] if "extracted" in stored.files else None
            return Ledger(stored["ids"], stored["is_member"], stored["scores"], extracted)


def check_free(path: Path) -> None:
    """Make sure that an audit may begin here.

    The first shadow models may be there already: they are trained before the audit knows how many will fit.

    Raises:
      ConfigError: The folder holds something else.
    """
    if path.is_dir() and any(inside.name != "restricted" for inside in path.iterdir()):
        raise ConfigError(f"{path} is not empty and holds no audit: choose another folder")


def read_manifest(path: Path) -> dict[str, Any] | None:
    """The manifest of a run folder, or None where there is none that can be read."""
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None
