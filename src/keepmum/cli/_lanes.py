"""Small language models, trained beside each other in processes of their own and kept in a folder."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from keepmum import _version
from keepmum.errors import ConfigError, KeepmumError, TargetError, WorkerError

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from keepmum.targets.transformers import HFCausal, HFMasked

FACTS = "keepmum.json"
POLL = 1.0
"""Seconds between two looks at the processes."""


@dataclass(frozen=True)
class Job:
    """A model that is to be trained.

    Attributes:
      name: What it is called; its folder.
      texts: What it is trained on; a text that is given twice is read twice as often.
      heldout: Texts that it never sees, on which its loss is measured.
      recipe: Changes to the recipe, name and value.
      seed: Of weights and order.
      words: Texts that its tokenizer is learned from; its own texts if there are none.
      masked: Whether it fills in, instead of writing.
    """

    name: str
    texts: tuple[str, ...]
    heldout: tuple[str, ...] = ()
    recipe: tuple[tuple[str, Any], ...] = ()
    seed: int = 0
    words: tuple[str, ...] = ()
    masked: bool = False

    @cached_property
    def key(self) -> str:
        """Fingerprint of all that decides the weights."""
        content = json.dumps([_version.__version__, asdict(self)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Trained:
    """A model in its folder.

    Attributes:
      path: The folder, with safetensors and tokenizer.
      key: Of the job that it came from.
      loss: Mean loss on the held-out texts, in nats a token, of a model that writes.
      seconds: CPU seconds that its training took.
    """

    path: Path
    key: str
    loss: float | None
    seconds: float

    @cached_property
    def fingerprint(self) -> str:
        """Of the weights."""
        return hashlib.sha256((self.path / "model.safetensors").read_bytes()).hexdigest()


class Lanes:
    """Trains jobs, a few beside each other; what was trained before is taken from the folder.

    Args:
      jobs: In the order in which they are begun.
      folder: Where the models are kept, each in a folder of its name.
      width: How many at once.

    Raises:
      ConfigError: The folder holds models of other data or recipes.
    """

    def __init__(self, jobs: Sequence[Job], folder: Path, width: int = 2) -> None:
        self._folder, self._width = folder, width
        self._waiting = [job for job in jobs if not self._kept(job)]
        self._running: dict[str, tuple[SpawnProcess, Connection]] = {}
        self._names = [job.name for job in jobs]

    def __enter__(self) -> Lanes:
        self._begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None) -> None:
        for process, pipe in self._running.values():
            process.terminate()
            process.join()
            pipe.close()
        self._running.clear()

    @property
    def done(self) -> int:
        """Models that are trained."""
        return len(self._names) - len(self._waiting) - len(self._running)

    def wait(self, name: str, tick: Callable[[int, int, str], None]) -> Trained:
        """The model of a job, once it is trained.

        Raises:
          KeepmumError: It could not be trained.
        """
        tick(self.done, len(self._names), f"training the {name} model")
        while name in self._running or any(job.name == name for job in self._waiting):
            wait([process.sentinel for process, _ in self._running.values()], POLL)
            before = self.done
            self._collect()
            self._begin()
            if self.done > before:
                tick(self.done, len(self._names), f"training the {name} model")
        return read(self._folder / name)

    def _kept(self, job: Job) -> bool:
        place = self._folder / job.name
        if not (place / FACTS).is_file():
            return False
        if read(place).key != job.key:
            raise ConfigError(
                f"{place} holds a model of another demo (other seed or version): choose another folder, or remove it"
            )
        return True

    def _begin(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        while self._waiting and len(self._running) < self._width:
            job = self._waiting.pop(0)
            mine, theirs = spawn.Pipe(duplex=False)
            process = spawn.Process(target=_work, args=(job, self._folder, theirs), daemon=True)
            process.start()
            theirs.close()
            self._running[job.name] = (process, mine)

    def _collect(self) -> None:
        """Take what has ended; what failed is told as it was told there."""
        for name, (process, pipe) in list(self._running.items()):
            if process.is_alive():
                continue
            del self._running[name]
            process.join()
            said = pipe.recv() if pipe.poll() else f"its process ended with {process.exitcode}: is memory short?"
            pipe.close()
            if said:
                raise WorkerError(f"the {name} model could not be trained: {said}")


def read(place: Path) -> Trained:
    """A model that was trained before.

    Raises:
      TargetError: It is not whole.
    """
    try:
        facts = json.loads((place / FACTS).read_text(encoding="utf-8"))
        return Trained(place, facts["key"], facts["loss"], facts["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        raise TargetError(f"expected a model in {place}, got none that is whole: remove the folder") from None


def make(job: Job, folder: Path) -> Trained:
    """Train a model and put it into its folder, whole or not at all."""
    from keepmum.training.text import train_causal, train_masked, train_tokenizer

    recipe, began = dict(job.recipe), time.process_time()
    size = recipe.get("vocabulary", 1024)
    tokenizer = train_tokenizer(job.words, size, masked=job.masked) if job.words else None
    model: HFCausal | HFMasked
    if job.masked:
        model, loss = train_masked(job.texts, seed=job.seed, tokenizer=tokenizer, **recipe), None
    else:
        model = train_causal(job.texts, seed=job.seed, tokenizer=tokenizer, **recipe)
        loss = loss_on(model, job.heldout)
    part = folder / f".{job.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    model.save(part)
    facts = {"key": job.key, "loss": loss, "seconds": round(time.process_time() - began, 1)}
    (part / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    part.replace(folder / job.name)
    return read(folder / job.name)


def loss_on(model: Any, texts: Sequence[str]) -> float | None:
    """Mean loss of texts, in nats a token; None without texts."""
    from keepmum.attacks.membership.text._windows import read as read_in_windows

    scored = read_in_windows(model, list(texts)) if texts else []
    tokens = sum(len(each.log_probs) for each in scored)
    return -sum(each.total for each in scored) / tokens if tokens else None


def _work(job: Job, folder: Path, pipe: Connection) -> None:
    """In a process of its own, on one core, until the terminal's Ctrl-C has ended the one that began it."""
    import signal

    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    try:
        make(job, folder)
        pipe.send("")
    except KeepmumError as err:
        pipe.send(str(err))
