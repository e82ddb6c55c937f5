"""Units of work, done by the engine in force; what is lost with a worker is done again."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any, TypeVar

from keepmum.errors import ConfigError, WorkerError
from keepmum.training.engines._seam import Shared, configured

U = TypeVar("U")
R = TypeVar("R")

PATIENCE = 3
"""Times in a row that workers may be lost without a unit being finished in between."""
LOST = frozenset(
    {
        "TerminatedWorkerError",
        "KilledWorker",
        "CancelledError",
        "FutureCancelledError",
        "CommClosedError",
        "RayActorError",
        "WorkerCrashedError",
        "NodeDiedError",
        "OutOfMemoryError",
    }
)
"""Names, also of base classes, of the errors by which joblib, Dask and Ray tell that a worker is gone."""
UNSENT = frozenset({"PicklingError", "BrokenProcessPool"})
"""Names of the errors by which joblib tells that work cannot be sent."""


def as_they_come(
    work: Callable[[Shared[Any], U], R], shared: Shared[Any], units: Sequence[U]
) -> Generator[tuple[int, R], None, None]:
    """Numbers of units and what came of them, in the order in which they are finished.

    Args:
      work: What to do with a unit; what comes of it must not depend on who does it.
      shared: What every unit needs.
      units: The units.

    Raises:
      WorkerError: Workers were lost again and again.
      ConfigError: The work cannot be sent to a worker.
    """
    waiting, lost = dict(enumerate(units)), 0
    while waiting:
        before = len(waiting)
        try:
            with closing(_submit(work, shared, waiting)) as results:
                for number, result in results:
                    del waiting[number]
                    yield number, result
        except Exception as err:
            if _is_any(err, UNSENT) and not _is_any(err, LOST):
                raise ConfigError(f"the recipe cannot be sent to a worker ({_first_line(err)}): use one job") from err
            if not _is_any(err, LOST):
                raise
            lost = 1 if len(waiting) < before else lost + 1
            if lost >= PATIENCE:
                raise WorkerError(
                    f"workers were lost {lost} times in a row ({type(err).__name__}), with {len(waiting)} of "
                    f"{len(units)} units of training left; the machine may be short of memory: use fewer --jobs"
                ) from err


def _submit(
    work: Callable[[Shared[Any], U], R], shared: Shared[Any], units: dict[int, U]
) -> Generator[tuple[int, R], None, None]:
    import joblib
    from joblib.parallel import SequentialBackend, get_active_backend

    with configured(shared) as at_hand:
        backend = get_active_backend()[0]
        streams = backend.supports_return_generator or isinstance(backend, SequentialBackend)
        parallel = joblib.Parallel(return_as="generator_unordered" if streams else "list", batch_size=1)
        tasks = [joblib.delayed(_numbered)(work, at_hand, number, unit) for number, unit in units.items()]
        results = parallel(tasks)
    try:
        yield from results
    finally:
        if streams:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # joblib warns of units that are no longer wanted
                results.close()


def _numbered(work: Callable[[Shared[Any], U], R], shared: Any, number: int, unit: U) -> tuple[int, R]:
    return number, work(shared, unit)


def _is_any(err: BaseException, names: frozenset[str]) -> bool:
    return any(kind.__name__ in names for kind in type(err).__mro__)


def _first_line(err: BaseException) -> str:
    return (str(err).strip().splitlines() or [type(err).__name__])[0][:200]
