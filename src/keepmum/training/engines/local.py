"""Processes on this machine, by joblib's loky."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from keepmum.training.engines._seam import Engine, Shared


def prepare(jobs: int | None) -> Engine:
    """Workers of one thread each: with more, threads wait for each other, which was seen to cost 15 times the work."""

    def connect(closing: ExitStack) -> int:
        return jobs or 1

    def parameters(workers: int, shared: Shared[Any] | None) -> tuple[dict[str, Any], Any]:
        if workers == 1:
            return {"n_jobs": 1}, shared
        return {"backend": "loky", "n_jobs": workers, "inner_max_num_threads": 1}, shared

    return Engine(connect, parameters)
