"""The worker process: loads a file that may crash or misbehave, within limits, and answers over pipes.

Started as ``python -m keepmum.targets._worker`` with one JSON argument; see `_sandbox` for the other side. The audit
hook and the limits stop carelessness and simple malice. They are no prison: a pickle that was made to break out of a
Python process can.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from keepmum.data import Records
from keepmum.errors import KeepmumError, MissingExtraError, UnsafeFileError
from keepmum.targets._wire import Arrays, pack, unpack, unpack_records

_FORBIDDEN = (
    "os.system os.exec os.posix_spawn os.spawn os.fork os.forkpty os.startfile os.remove os.rename os.mkdir os.rmdir "
    "os.link os.symlink os.chmod os.chown os.truncate os.kill os.killpg pty.spawn subprocess.Popen "
    "socket.connect socket.bind socket.sendto socket.getaddrinfo shutil.rmtree shutil.move shutil.copyfile "
    "webbrowser.open"
)
_FORBIDDEN_EVENTS = frozenset(_FORBIDDEN.split())
_FORBIDDEN_SYMBOLS = ("system", "popen", "exec", "fork", "vfork", "posix_spawn", "syscall", "unlink", "connect")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def limit(memory: int, cpu_seconds: int, open_files: int) -> None:
    """Bind this process, for good: address space, CPU time, open files; no core dump, no byte into any file."""
    try:
        import resource
    except ImportError:  # not a POSIX system; the audit hook remains
        return
    wanted = (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    )
    for what, value in wanted:
        _, hard = resource.getrlimit(what)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(what, (value, value))
        except (ValueError, OSError) as err:  # macOS knows no address space limit
            sys.stderr.write(f"no limit {what}: {err}\n")


def forbid(event: str, args: tuple[Any, ...]) -> None:
    """Audit hook: no other program, no network, no writing, no deleting."""
    if event in _FORBIDDEN_EVENTS:
        raise PermissionError(f"the model file tried {event}")
    writes = event == "open" and len(args) > 2 and isinstance(args[2], int) and args[2] & _WRITING
    if writes and args[0] != os.devnull:
        raise PermissionError(f"the model file tried to write {args[0]!r}")
    if event == "ctypes.dlsym" and str(args[1]).startswith(_FORBIDDEN_SYMBOLS):
        raise PermissionError(f"the model file tried {args[1]}")


def load_code(order: dict[str, Any]) -> Any:
    """The target in a file that runs code when it is loaded or asked."""
    from keepmum.targets._formats import Format

    kind = Format[order["format"]]
    if kind is not Format.PICKLE:
        return load_program(order, kind is Format.EXPORTED)
    import joblib

    from keepmum.targets.sklearn import from_sklearn

    return from_sklearn(joblib.load(order["path"]))


def load_program(order: dict[str, Any], exported: bool) -> Any:
    """The target in a TorchScript file or a torch.export archive; its answers alone can be had."""
    import torch

    from keepmum.targets._program import as_module
    from keepmum.targets.torch import TorchTarget

    path = order["path"]
    try:
        module = torch.export.load(path).module() if exported else _scripted(path)
    except PermissionError:
        raise
    except Exception as err:  # torch raises what its reader met: there is no list of it
        first = (str(err).strip().splitlines() or ["no reason given"])[0][:200]
        raise UnsafeFileError(f"{Path(path).name} cannot be loaded ({type(err).__name__}: {first})") from err
    return TorchTarget(as_module(module), order["classes"], device="cpu", gives=order["gives"])


def _scripted(path: str) -> Any:
    import torch

    return torch.jit.load(path, map_location="cpu").eval()  # type: ignore[no-untyped-call]


def try_out(order: dict[str, Any]) -> dict[str, Any]:
    """Load a file of a safe format, tell facts about it, and forget it."""
    from keepmum.targets._facts import facts_of
    from keepmum.targets._formats import Format
    from keepmum.targets._loaders import open_model

    path, kind = Path(order["path"]), Format[order["format"]]
    if kind.is_weights:
        from keepmum.targets._weights import read_weights

        held = read_weights(path, kind)
        return {"tensors": len(held), "numbers": sum(int(value.numel()) for value in held.values())}
    return facts_of(open_model(path, kind, order["classes"]))


def describe(target: Any) -> dict[str, Any]:
    """What the other side needs to stand in for the target."""
    classes = getattr(target, "classes", None)
    from keepmum.targets._base import ScoreTarget

    access = ScoreTarget.access if isinstance(target, ScoreTarget) else target.access  # gradients stay in here
    return {"access": access, "notes": target.notes, "classes": None if classes is None else classes.tolist()}


def answer(target: Any, payload: bytes) -> tuple[dict[str, Any], Arrays]:
    """One answer to one question."""
    header, arrays = unpack(payload)
    X = unpack_records(header, arrays)
    records = Records(X, np.zeros(header["rows"], dtype=np.int8))
    ask = {"scores": "predict_proba", "labels": "predict", "values": "predict_value"}[header["verb"]]
    told = getattr(target, ask)(records)
    return {"notes": target.notes}, {"answer": told}


def attempt(send: Callable[[bytes], None], work: Callable[[], tuple[dict[str, Any], Arrays]]) -> bool:
    """Send what came of the work, or the error in one line."""
    try:
        header, arrays = work()
    except MissingExtraError as err:
        send(pack({"error": type(err).__name__, "message": str(err), "extra": err.extra}))
        return False
    except KeepmumError as err:
        send(pack({"error": type(err).__name__, "message": str(err)}))
        return False
    send(pack(header, arrays))
    return True


def serve(order: dict[str, Any], inbox: BinaryIO, send: Callable[[bytes], None]) -> None:
    """Load the file, then answer until the other side closes."""
    held: list[Any] = []

    def load() -> tuple[dict[str, Any], Arrays]:
        held.append(load_code(order))
        return describe(held[0]), {}

    if not attempt(send, load):
        return
    while size := inbox.read(8):
        payload = inbox.read(int.from_bytes(size, "big"))
        attempt(send, partial(answer, held[0], payload))


def prepare(kind: str) -> None:
    """Import before the limits what reads the file: the import is ours, what follows is the file's."""
    if kind in ("SAFETENSORS", "TORCH", "TORCHSCRIPT", "EXPORTED"):
        with contextlib.suppress(ImportError):  # told later, in one line
            import torch

            if kind == "EXPORTED":
                import tempfile

                import torch.export.passes

                tempfile.gettempdir()  # it tries to write there, once
            torch.set_num_threads(1)
        return
    import sklearn  # noqa: F401


def main() -> None:
    """Entry point."""
    order = json.loads(sys.argv[1])
    outbox = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a model prints must not land among the answers

    def send(payload: bytes) -> None:
        outbox.write(len(payload).to_bytes(8, "big") + payload)
        outbox.flush()

    prepare(order["format"])

    limit(order["memory"], order["cpu_seconds"], order["open_files"])
    sys.addaudithook(forbid)
    if order["mode"] == "serve":
        serve(order, sys.stdin.buffer, send)
    else:
        attempt(send, lambda: (try_out(order), {}))


if __name__ == "__main__":
    main()
