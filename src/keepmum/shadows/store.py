"""The store of signals: written as they come, found again by everything that decided them."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum import _version
from keepmum._encode import row_keys
from keepmum.data import Records
from keepmum.errors import ConfigError
from keepmum.shadows import _cabinet
from keepmum.shadows._fleet import Shadows
from keepmum.shadows._pairs import balanced_pairs
from keepmum.shadows._signal import SCALED_LOGIT, Signal
from keepmum.shadows._unit import Cost, Pair, Work, train_unit
from keepmum.training import Trainer
from keepmum.training.engines import Shared, as_they_come

VERSION = 3
"""Version of what is stored; a change makes everything stored before unknown."""
STALE = 24 * 3600.0
"""Seconds after which a file that was never finished is taken away."""

NOTABLE = 0.8
"""Share of the time noted for a recipe below which a shorter one is noted instead."""

Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class ShadowStore:
    """Signals of shadow models in a folder; models are never kept.

    One file holds one balanced pair: ``(2, n)`` scaled logits as float32, or ``(2, n, d)`` of another signal. Its name
    is made of SHA-256 digests of the signal's name, the trainer's key, the records, who was trained on whom, the seeds,
    and the versions of the store and of keepmum. A file is whole or absent, so that a killed audit goes on with what is
    missing, and two audits may share a folder.

    Attributes:
      folder: Where signals are kept, or None to keep them in memory only, as long as this object lives.
    """

    folder: Path | None = None
    _memory: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

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

        Fleets are trained where `keepmum.training.engine` or ``joblib.parallel_config`` says, one after another unless
        one is used, and kept in the order in which they are finished.

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
          WorkerError: Workers were lost again and again; what is finished is kept.
        """
        return self.collect_together(trainer, [(trainer, signal)], None, records, models, seed, tell)[0]

    def collect_together(
        self,
        trainer: Trainer,
        kept: Sequence[tuple[Trainer, Signal]],
        together: Callable[[Sequence[int]], Signal] | None,
        records: Records,
        models: int,
        seed: int,
        tell: Tell | None = None,
    ) -> list[Shadows]:
        """Several signals of the same shadow models, each trained once; see `collect`.

        Args:
          trainer: The recipe of the models that are trained.
          kept: The recipe and the signal under which each part is kept, as `collect` would find it.
          together: The signal that answers ``(parts, n, …)`` for some places in ``kept``; None where there is one part,
            whose own signal is asked.
          records: As for `collect`.
          models: As for `collect`.
          seed: As for `collect`.
          tell: As for `collect`.

        Returns:
          The shadows of each part.

        Raises:
          ConfigError: As for `collect`.
          TargetError: As for `collect`.
          WorkerError: As for `collect`.
        """
        if models < 2 or models % 2:
            raise ConfigError(f"expected an even number of shadow models, at least 2, got {models}")
        self._open()
        names = [self._named(recipe, records, models, seed, signal) for recipe, signal in kept]
        pairs = names[0][2]
        tell = tell or (lambda done, total: None)
        with ExitStack() as held:
            for name, _, _ in names:
                held.enter_context(self._in_use(name))
            found = [self._found(keys, len(records)) for _, keys, _ in names]
            open_ = [place for place, there in enumerate(found) if len(there) < len(pairs)]
            missing = [number for number in range(len(pairs)) if any(number not in found[place] for place in open_)]
            tell(2 * (len(pairs) - len(missing)), models)
            works = [Work(recipe, records, signal) for recipe, signal in kept]
            work = works[0] if together is None else Work(trainer, records, together(open_))
            each = max(1, trainer.fleet_size // 2)
            fleets = [missing[i : i + each] for i in range(0, len(missing), each)]
            units = [[pairs[i] for i in fleet] for fleet in fleets]
            ready = len(pairs) - len(missing)
            with closing(as_they_come(train_unit, Shared(work), units)) as trained:
                for done, unit in trained:
                    for row, place in enumerate(open_):
                        name, keys, _ = names[place]
                        self._label(name, works[place], unit.cost)
                        parts = unit.signals if together is None else unit.signals[:, :, row]
                        for number, pair in zip(fleets[done], parts, strict=True):
                            if number not in found[place]:
                                found[place][number] = self._keep(keys[number], np.ascontiguousarray(pair))
                    ready += len(fleets[done])
                    tell(2 * ready, models)
            for name, _, _ in names:
                self._touch(name)
        ids = np.arange(len(records)) if records.ids is None else records.ids
        masks = np.concatenate([mask for mask, _ in pairs])
        return [
            Shadows(ids, [there[number][side] for number in range(len(pairs)) for side in (0, 1)], masks, records.y)
            for there in found
        ]

    def at_hand(self, trainer: Trainer, records: Records, models: int, seed: int, signal: Signal = SCALED_LOGIT) -> int:
        """Shadow models that need not be trained: those before the first pair that is missing."""
        _, keys, _ = self._named(trainer, records, models, seed, signal)
        found = self._found(keys, len(records))
        return 2 * next((number for number in range(len(keys)) if number not in found), len(keys))

    def cost(self, trainer: Trainer, records: Records, seed: int, signal: Signal = SCALED_LOGIT) -> Cost | None:
        """What a shadow model of this recipe took when the first of them were trained; None if none were."""
        return self._cost(_fingerprint(trainer, records, seed, signal)[:16])

    def _named(
        self, trainer: Trainer, records: Records, models: int, seed: int, signal: Signal
    ) -> tuple[str, list[str], list[Pair]]:
        fingerprint = _fingerprint(trainer, records, seed, signal)
        pairs = list(balanced_pairs(len(records), models // 2, seed))
        return fingerprint[:16], [_key(fingerprint, mask, seeds) for mask, seeds in pairs], pairs

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

    def _in_use(self, name: str) -> AbstractContextManager[None]:
        return nullcontext() if self.folder is None else _cabinet.in_use(self.folder, name)

    def _touch(self, name: str) -> None:
        if self.folder is not None:
            _cabinet.touch(self.folder, name)

    def _found(self, keys: list[str], records: int) -> dict[int, NDArray[np.float32]]:
        return {number: kept for number, key in enumerate(keys) if (kept := self._load(key, records)) is not None}

    def _load(self, key: str, records: int) -> NDArray[np.float32] | None:
        if self.folder is None:
            there: NDArray[np.float32] | None = self._memory.get(key)
            return there
        try:
            kept = np.load(self.folder / f"{key}.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return kept if kept.shape[:2] == (2, records) and kept.dtype == np.float32 else None

    def _keep(self, key: str, signals: NDArray[np.float32]) -> NDArray[np.float32]:
        """Write one pair, whole or not at all, and return it as it is read."""
        if self.folder is None:
            self._memory[key] = signals
            return signals
        content = io.BytesIO()
        np.save(content, signals, allow_pickle=False)
        _cabinet.put(self.folder / f"{key}.npy", content.getbuffer())
        kept = self._load(key, signals.shape[1])
        return signals if kept is None else kept

    def _label(self, name: str, work: Work, cost: Cost) -> None:
        """Say in words what follows. The least time is the recipe's: the first fleet also pays for what it loads."""
        known = self._cost(name)
        if known is not None and cost.seconds > known.seconds * NOTABLE:
            return
        facts = {"recipe": _summary(work.trainer), "signal": work.signal.name, "records": len(work.records)}
        facts |= {"keepmum": _version.__version__, "seconds": round(cost.seconds, 6), "memory": cost.memory}
        facts["training"] = round(cost.training, 6)
        if self.folder is None:
            self._memory[name] = facts
        else:
            _cabinet.write_label(self.folder, name, facts)

    def _cost(self, name: str) -> Cost | None:
        label = self._memory.get(name) if self.folder is None else _cabinet.read_label(self.folder, name)
        try:
            if label is None:
                return None
            training = float(label.get("training", "nan"))  # labels of earlier versions do not tell it
            return Cost(float(label["seconds"]), int(label["memory"]), training)
        except (KeyError, TypeError, ValueError):
            return None


def _summary(trainer: Trainer) -> str:
    """What a recipe is called; its parameters may hold what is nobody's business, such as a vocabulary."""
    inner: Any = getattr(trainer, "estimator", None)
    steps = [step for _, step in inner.steps] if hasattr(inner, "steps") else [inner]
    parts = " + ".join(type(step).__name__ for step in steps if step is not None)
    return f"{type(trainer).__name__} {parts or getattr(trainer, 'name', '')}".strip()


def _fingerprint(trainer: Trainer, records: Records, seed: int, signal: Signal) -> str:
    seen = hashlib.sha256()
    for part in (f"store {VERSION}", _version.__version__, trainer.key, str(len(records)), str(seed), signal.name):
        seen.update(part.encode() + b"\0")
    seen.update(row_keys(records).tobytes())
    return seen.hexdigest()


def _key(fingerprint: str, mask: NDArray[np.bool_], seeds: tuple[int, int]) -> str:
    seen = hashlib.sha256(f"{fingerprint} {seeds}".encode())
    seen.update(np.packbits(mask).tobytes())
    return f"{fingerprint[:16]}-{seen.hexdigest()}"
