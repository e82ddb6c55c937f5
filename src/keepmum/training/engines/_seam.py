"""The engine that is in use: begun when the first model is trained, ended with the block that chose it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

from keepmum.choices import EngineName
from keepmum.errors import ConfigError

T = TypeVar("T")
LARGE = 1 << 20
"""Size in bytes that a shared value tells of itself: enough that no engine sends it with every unit of work."""


class Shared(Generic[T]):
    """A value that many units of work need; an engine sends it to each worker once, not with each unit.

    Attributes:
      value: The value.
    """

    def __init__(self, value: T) -> None:
        self.value = value

    def __sizeof__(self) -> int:
        return LARGE

    def get(self) -> T:
        """The value, where the work is done."""
        return self.value


Connect = Callable[[ExitStack], Any]
Parameters = Callable[[Any, Shared[Any] | None], tuple[dict[str, Any], Any]]


@dataclass
class Engine:
    """An engine that was chosen, and may have begun.

    Attributes:
      connect: Begins it; what ends it is pushed on the stack.
      parameters: From what `connect` returned and a shared value, what ``joblib.parallel_config`` takes and what stands
        for the shared value in units of work.
    """

    connect: Connect
    parameters: Parameters
    closing: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def connected(self) -> Any:
        """What the engine needs to be spoken to; begins it at the first use."""
        return self.connect(self.closing)


CHOSEN: ContextVar[Engine | None] = ContextVar("CHOSEN", default=None)


@contextmanager
def engine(name: str = "local", address: str | None = None, jobs: int | None = None) -> Iterator[None]:
    """Train shadow models inside the block with this engine.

    It begins when the first model is to be trained, and ends with the block. Everything else stays where it is.
    Findings are the same, bit for bit, from every engine and any number of workers, as long as these have the same
    versions of the libraries and the same kind of processor.

    Args:
      name: ``"local"``: processes on this machine; ``"dask"`` or ``"ray"``: a cluster.
      address: The cluster's scheduler, such as ``"tcp://10.0.0.1:8786"`` for Dask or ``"10.0.0.1:6379"`` for Ray; a
        cluster on this machine unless given.
      jobs: Workers; 1 for ``"local"`` and all cores for a cluster unless given. A Dask cluster that has an address
        decides for itself.

    Raises:
      ConfigError: No such engine, or one that takes no address.
      MissingExtraError: The engine's package is not installed.
    """
    chosen = _choose(name, address, jobs)
    token = CHOSEN.set(chosen)
    try:
        with chosen.closing:
            yield
    finally:
        CHOSEN.reset(token)


def _choose(name: str, address: str | None, jobs: int | None) -> Engine:
    if jobs is not None and jobs < 1:
        raise ConfigError(f"expected at least 1 job, got {jobs}")
    if name == EngineName.LOCAL:
        from keepmum.training.engines import local

        if address is not None:
            raise ConfigError(f"expected no address for the local engine, got {address}: choose engine dask or ray")
        return local.prepare(jobs)
    if name == EngineName.DASK:
        from keepmum.training.engines import dask

        return dask.prepare(address, jobs)
    if name == EngineName.RAY:
        from keepmum.training.engines import ray

        return ray.prepare(address, jobs)
    raise ConfigError(f"expected engine local, dask or ray, got {name!r}")


@contextmanager
def configured(shared: Shared[T] | None = None) -> Iterator[Any]:
    """``joblib.Parallel`` inside the block uses the engine; yields what stands for the shared value in units of work.

    Without an engine, whatever ``joblib.parallel_config`` is in force stays so.
    """
    import joblib

    chosen = CHOSEN.get()
    if chosen is None:
        yield shared
        return
    parameters, stands_for = chosen.parameters(chosen.connected, shared)
    config: AbstractContextManager[Any] = joblib.parallel_config(**parameters) if parameters else nullcontext()
    with config:
        yield stands_for


def workers() -> int:
    """Units of work that are done at the same time, with the engine or the joblib configuration in force."""
    from joblib.parallel import get_active_backend

    with configured():
        backend, jobs = get_active_backend()
        jobs = backend.default_n_jobs if jobs is None else jobs
        return max(1, int(backend.effective_n_jobs(jobs)))
