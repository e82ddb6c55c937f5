"""The store of signals: written as they come, found again by everything that decided them."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum import _version
from keepmum._encode import row_keys
from keepmum.data import Records
from keepmum.errors import ConfigError
from keepmum.shadows._fleet import Shadows
from keepmum.shadows._pairs import balanced_pairs
from keepmum.shadows._signal import SCALED_LOGIT, Signal
from keepmum.training import Trainer

VERSION = 2
"""Version of what is stored; a change makes everything stored before unknown."""
STALE = 24 * 3600.0
"""Seconds after which a file that was never finished is taken away."""

Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class ShadowStore:
    """Signals of shadow models in a folder; models are never kept.

    One file holds one balanced pair: ``(2, n)`` scaled logits as float32, or ``(2, n, d)`` of another signal. Its name
    is the SHA-256 of the signal's name, the trainer's key, the records, who was trained on whom, the seeds, and the
    versions of the store and of keepmum. A file is whole or absent, so that a killed audit goes on with what is
    missing, and two audits may share a folder.

    Attributes:
      folder: Where signals are kept, or None to keep them in memory only.
    """

    folder: Path | None = None

    def collect(
        self,
        trainer: Trainer,
        records: Records,
        models: int,
        seed: int,
        tell: Tell | None = None,
        signal: Signal = SCALED_LOGIT,
    ) -> Shadows:
        """Signals of so many shadow models, training those that are missing.

        Pairs are trained by joblib: ``joblib.parallel_config`` decides where, one after another unless it is used.

        Args:
          trainer: The recipe.
          records: Those who are audited; each model is trained on half of them.
          models: Number of shadow models, even.
          seed: Seed of halves and models.
          tell: Called with models done and models in all, after each fleet.
          signal: What is kept of each model's answers; each row of `Shadows.signals` has its shape.

        Raises:
          ConfigError: An odd number of models, or a folder that cannot be written.
          TargetError: Training failed.
        """
        if models < 2 or models % 2:
            raise ConfigError(f"expected an even number of shadow models, at least 2, got {models}")
        self._open()
        fingerprint = _fingerprint(trainer, records, seed, signal)
        pairs = list(balanced_pairs(len(records), models // 2, seed))
        keys = [_key(fingerprint, mask, seeds) for mask, seeds in pairs]
        found = {number: kept for number, key in enumerate(keys) if (kept := self._load(key, len(records))) is not None}
        missing = [number for number in range(len(pairs)) if number not in found]
        tell = tell or (lambda done, total: None)
        tell(2 * len(found), models)
        each = max(1, trainer.fleet_size // 2)
        fleets = [missing[i : i + each] for i in range(0, len(missing), each)]
        trained = _train(trainer, records, [[pairs[i] for i in fleet] for fleet in fleets], signal)
        for fleet, signals in zip(fleets, trained, strict=True):
            for number, pair in zip(fleet, signals, strict=True):
                found[number] = self._keep(keys[number], pair)
            tell(2 * len(found), models)
        ids = np.arange(len(records)) if records.ids is None else records.ids
        rows = [found[number][side] for number in range(len(pairs)) for side in (0, 1)]
        return Shadows(ids, rows, np.concatenate([mask for mask, _ in pairs]), records.y)

    def _open(self) -> None:
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for left in self.folder.glob("*.partial"):
                if time.time() - left.stat().st_mtime > STALE:
                    left.unlink(missing_ok=True)
        except OSError as err:
            raise ConfigError(f"cannot write the folder of shadow signals {self.folder} ({err.strerror})") from err

    def _load(self, key: str, records: int) -> NDArray[np.float32] | None:
        if self.folder is None:
            return None
        try:
            kept = np.load(self.folder / f"{key}.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return kept if kept.shape[:2] == (2, records) and kept.dtype == np.float32 else None

    def _keep(self, key: str, signals: NDArray[np.float32]) -> NDArray[np.float32]:
        """Write one pair, whole or not at all."""
        if self.folder is None:
            return signals
        path = self.folder / f"{key}.npy"
        partial = self.folder / f"{key}-{secrets.token_hex(4)}.partial"
        try:
            with partial.open("wb") as file:
                np.save(file, signals, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as err:
            raise ConfigError(f"cannot keep shadow signals in {self.folder} ({err.strerror})") from err
        return signals


def _fingerprint(trainer: Trainer, records: Records, seed: int, signal: Signal) -> str:
    seen = hashlib.sha256()
    for part in (f"store {VERSION}", _version.__version__, trainer.key, str(len(records)), str(seed), signal.name):
        seen.update(part.encode() + b"\0")
    seen.update(row_keys(records).tobytes())
    return seen.hexdigest()


def _key(fingerprint: str, mask: NDArray[np.bool_], seeds: tuple[int, int]) -> str:
    seen = hashlib.sha256(f"{fingerprint} {seeds}".encode())
    seen.update(np.packbits(mask).tobytes())
    return seen.hexdigest()


Pair = tuple[NDArray[np.bool_], tuple[int, int]]


def _train(trainer: Trainer, records: Records, fleets: list[list[Pair]], signal: Signal) -> Any:
    """Signals of each fleet, as they come, in order."""
    if not fleets:
        return iter(())
    import joblib

    parallel = joblib.Parallel(return_as="generator")
    return parallel(joblib.delayed(train_fleet)(trainer, records, fleet, signal) for fleet in fleets)


def train_fleet(
    trainer: Trainer, records: Records, fleet: list[Pair], signal: Signal = SCALED_LOGIT
) -> NDArray[np.float32]:
    """Train some pairs and ask the models about everybody: ``(pairs, 2, n)`` scaled logits, or ``(pairs, 2, n, d)``."""
    masks = np.concatenate([mask for mask, _ in fleet])
    seeds = [seed for _, pair in fleet for seed in pair]
    models = trainer.train_fleet(records, masks, seeds)
    rows = np.stack([signal.ask(model, records).astype(np.float32) for model in models])
    return rows.reshape(len(fleet), 2, *rows.shape[1:])
