"""A Ray cluster, by Ray's own joblib backend."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from keepmum.errors import ConfigError, MissingExtraError
from keepmum.training.engines._seam import Engine, Shared

STORE = 200 << 20
"""Bytes of shared memory that a cluster on this machine takes."""


class Put(Shared[Any]):
    """A value in the object store of Ray, fetched once by each machine."""

    def get(self) -> Any:
        """The value, where the work is done."""
        import ray

        return ray.get(self.value).value


def prepare(address: str | None, jobs: int | None) -> Engine:
    """The cluster at the address, or one on this machine with so many workers.

    Raises:
      MissingExtraError: Ray is not installed.
    """
    if find_spec("ray") is None:
        raise MissingExtraError("ray", "ray")

    def connect(closing: ExitStack) -> int:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray

        if not ray.is_initialized():
            _begin(ray, address, jobs, closing)
        return jobs or -1

    def parameters(workers: int, shared: Shared[Any] | None) -> tuple[dict[str, Any], Any]:
        import ray
        from joblib import register_parallel_backend

        register_parallel_backend("keepmum-ray", _backend())
        stands_for = None if shared is None else Put(ray.put(shared))
        return {"backend": "keepmum-ray", "n_jobs": workers}, stands_for

    return Engine(connect, parameters)


def _begin(ray: Any, address: str | None, jobs: int | None, closing: ExitStack) -> None:
    import logging
    from tempfile import TemporaryDirectory

    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is not None:
        try:
            ray.init(address=address, **quiet)
        except (OSError, ValueError, RuntimeError) as err:
            raise ConfigError(f"no Ray cluster answers at {address} ({type(err).__name__}): check --address") from err
    else:
        # sessions of Ray leave what they were given on the disk; paths of its sockets must be short, as in /tmp
        place = "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108
        folder = closing.enter_context(TemporaryDirectory(prefix="keepmum-ray-", dir=place, ignore_cleanup_errors=True))
        options = {"include_dashboard": False, "object_store_memory": STORE, "_temp_dir": folder}
        ray.init(num_cpus=jobs, **options, **quiet)
    closing.callback(ray.shutdown)


@cache
def _backend() -> Any:
    from ray.util.joblib.ray_backend import RayBackend

    class Streaming(RayBackend):  # type: ignore[misc]
        """Ray's backend, with results as they come: it reports each by a callback, which is all that is needed."""

        supports_return_generator = True

    return Streaming
