"""A Dask cluster, by joblib's own backend."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from importlib.util import find_spec
from typing import Any

from keepmum.errors import ConfigError, MissingExtraError
from keepmum.training.engines._seam import Engine, Shared

PATIENCE = "30s"
"""How long a scheduler may take to answer."""


def prepare(address: str | None, jobs: int | None) -> Engine:
    """The cluster at the address, or one on this machine with so many workers of one thread each.

    Raises:
      MissingExtraError: Dask is not installed.
      ConfigError: What was given is no address.
    """
    if find_spec("distributed") is None:
        raise MissingExtraError("distributed", "dask")
    if address is not None:
        _check(address)

    def connect(closing: ExitStack) -> Any:
        from distributed import Client, LocalCluster

        if address is None:
            where: Any = closing.enter_context(
                LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None, silence_logs=50)
            )
        else:
            where = address
        try:
            return closing.enter_context(Client(where, timeout=PATIENCE, set_as_default=False))
        except (OSError, ValueError) as err:
            raise ConfigError(
                f"no Dask scheduler answers at {address} ({type(err).__name__}): check --address"
            ) from err

    def parameters(client: Any, shared: Shared[Any] | None) -> tuple[dict[str, Any], Any]:
        from joblib import register_parallel_backend

        register_parallel_backend("keepmum-dask", _backend())
        scatter = None if shared is None else [shared]
        return {"backend": "keepmum-dask", "client": client, "scatter": scatter, "n_jobs": -1}, shared

    return Engine(connect, parameters)


def _check(address: str) -> None:
    """Refuse what is no address here: a client that is begun with it leaves a traceback, and a minute of waiting."""
    from distributed.comm import get_address_host_port

    try:
        if not address.startswith("inproc://"):
            get_address_host_port(address if "://" in address else f"tcp://{address}", strict=True)
    except ValueError as err:
        raise ConfigError(f"expected an address such as tcp://10.0.0.1:8786 for Dask, got {address!r} ({err})") from err


@cache
def _backend() -> Any:
    from joblib._dask import DaskDistributedBackend

    class Reporting(DaskDistributedBackend):  # type: ignore[misc]
        """joblib's backend, which waits forever for a unit that was lost with its workers; this one reports it."""

        def __init__(self, *, scatter: list[Any] | None = None, **others: Any) -> None:
            super().__init__(**others)
            # every worker gets a copy, so that none is lost with one worker; hash=False, as the same key given up and
            # taken again at once is a race
            if scatter:
                self._scatter = scatter
                sent = self.client.scatter(scatter, broadcast=True, hash=False)
                self.data_futures = {id(value): future for value, future in zip(scatter, sent, strict=True)}

        async def _collect(self) -> None:
            import asyncio

            while self._continue:
                async for future, result in self.waiting_futures:
                    done = self._results.pop(future)
                    outcome = result[1] if future.status == "error" else result
                    done.set_result(outcome)
                    self._callbacks.pop(future)(outcome)
                await asyncio.sleep(0.01)

    return Reporting
