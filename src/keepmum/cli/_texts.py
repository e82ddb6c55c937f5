"""An audit of a language model from the command line: a folder or an address, documents, canaries."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keepmum.cli._app import command
from keepmum.errors import ConfigError

if TYPE_CHECKING:
    from keepmum.cli._terminal import Terminal
    from keepmum.settings import Settings
    from keepmum.texts import Secrets

READING = "reading the model and the documents"
UNUSED = {
    "target": ("allow_pickle", "classes", "factory", "gives"),
    "audit": ("repeats", "delta", "shadows", "shadow_store", "engine", "address", "include_restricted"),
    "attribute": ("known", "tolerance"),
    "images": ("persons", "shape", "pixels", "prior", "components", "classes", "queries"),
}
"""Settings, by section, that an audit of a language model has no use for."""
ONLY_TABLES = ("label", "slices")


def is_about_texts(settings: Settings) -> bool:
    """Whether a language model is to be audited: an address, a folder, a GGUF file, or secrets were named."""
    text, model = settings.text, settings.target.model
    if text.url is not None or text.secrets is not None or text.reference is not None:
        return True
    return model is not None and (model.is_dir() or model.suffix == ".gguf")


def audit_texts(settings: Settings, terminal: Terminal) -> int:
    """Measure, keep what was measured, and tell.

    Raises:
      UsageError: Something is missing, or cannot be used.
    """
    from keepmum.cli._inputs import cores
    from keepmum.cli._runs import is_whole
    from keepmum.cli.audit import interrupted, tell

    _refuse_others(settings)
    with terminal.progress() as ticker:
        ticker(0, 0, READING)
        asked = _asked_about(settings)
        source = _source(settings)
    out = settings.audit.out or _folder(settings, source["request"], terminal)
    terminal.detail(f"run folder {out}")
    with cores(settings.audit):
        try:
            report = _measure(settings, asked, source, out, terminal)
        except KeyboardInterrupt:
            return interrupted(out, terminal)
    for name in ("secrets", "documents"):
        worklist = out / "restricted" / f"worklist-{name}.csv"
        if worklist.is_file():
            terminal.show(f"Worklist of {name}, masked: {worklist}", whole=True)
    revealed = out / "restricted" / "revealed.jsonl"
    if settings.text.reveal and revealed.is_file():
        terminal.show(f"What came out, in full, for your eyes alone: {revealed}", whole=True)
    code = tell(report, out, terminal)
    if settings.text.url is not None and not is_whole(report):
        terminal.say("Answers are missing. The same command asks for those alone, also with a limit that was raised.")
    return code


def _folder(settings: Settings, request: str, terminal: Terminal) -> Path:
    """A run of the same request that is not whole, or a new one."""
    from keepmum.cli._runs import unanswered
    from keepmum.cli.audit import run_folder

    begun = unanswered(request) if settings.text.url is not None else None
    if begun is None:
        return run_folder(request, terminal)
    terminal.say(f"Continuing {begun}, where answers are missing; --out FOLDER begins anew.")
    return begun


def _measure(settings: Settings, asked: dict[str, Any], source: dict[str, Any], out: Path, terminal: Terminal) -> Any:
    from keepmum.audit_text import audit_text

    audit = settings.audit
    with terminal.progress() as ticker:
        return audit_text(
            _model(settings, source["request"], out),
            reference=settings.text.reference,
            attacks=list(audit.attacks) or None,
            seed=audit.seed,
            effort=audit.effort.value,
            prior=audit.prior,
            max_queries=audit.max_queries,
            seconds=audit.budget,
            out=out,
            reveal=settings.text.reveal,
            progress=ticker,
            source=source,
            **asked,
        )


def _refuse_others(settings: Settings) -> None:
    """Settings that mean nothing here would be lost silently."""
    text, model = settings.text, settings.target.model
    if (text.url is None) == (model is None):
        raise ConfigError("expected the MODEL folder of a language model, or --url and --served-model of a served one")
    if (text.url is None) != (text.served is None):
        raise ConfigError("--url and --served-model go together: the address, and the name of the model there")
    if len(text.price) not in (0, 2):
        raise ConfigError(f"--price: expected two numbers, READ,WRITTEN, as in 0.5,1.5, got {len(text.price)}")
    if text.key_env not in ("", type(text)().key_env) and text.key_env not in os.environ:
        raise ConfigError(
            "--key-env: expected the name of an environment variable that is set, got another one (not repeated here, "
            "since it could be the key)"
        )
    if settings.target.behind is not None:
        raise ConfigError("--behind: output defenses change probabilities of classes; this is a language model")
    odd = [name for name in ONLY_TABLES if getattr(settings.data, name)]
    odd += [name for name in ("hidden",) if getattr(settings.attribute, name)]
    if odd:
        raise ConfigError(f"--{odd[0].removesuffix('s')} is about records with columns; language models read documents")
    for section, names in UNUSED.items():
        given = getattr(settings, section)
        for name in names:
            if getattr(given, name) != type(given).model_fields[name].default:
                raise ConfigError(f"{_flag(section, name)} means nothing for a language model: leave it out")


def _flag(section: str, name: str) -> str:
    """A setting as the command line calls it."""
    searched = section == "images" and name in ("prior", "components", "classes", "queries")
    return f"--{'image-' * searched}{name.replace('_', '-')}"


def _model(settings: Settings, request: str, out: Path) -> Any:
    """What is asked: a folder, or a served model whose answers are kept in the run folder.

    Raises:
      ConfigError: The folder of the run holds something else; nothing was asked then.
    """
    text = settings.text
    if text.url is None:
        return settings.target.model
    from keepmum._whole import write_whole
    from keepmum.cli._runs import ANSWERS, REQUEST
    from keepmum.runs import check_free, read_manifest
    from keepmum.targets.openai import Quota, from_url

    if read_manifest(out) is None:
        check_free(out)
    read, written = text.price or (0.0, 0.0)
    quota = Quota(text.per_minute, settings.audit.max_queries, text.max_cost, (read, written))
    closed = out / "restricted"
    closed.mkdir(parents=True, exist_ok=True)
    closed.chmod(0o700)
    write_whole(closed / REQUEST, request)
    return from_url(text.url, str(text.served), key_env=text.key_env, quota=quota, cassette=closed / ANSWERS)


def _asked_about(settings: Settings) -> dict[str, Any]:
    """Documents and secrets.

    Raises:
      ConfigError: Neither was named.
    """
    data, found = settings.data, {}
    for side in ("members", "nonmembers", "population"):
        path = getattr(data, side)
        if path is not None:
            found[side] = _documents(path, settings.text.field)
    secrets = None if settings.text.secrets is None else _secrets(settings.text.secrets)
    if not found and secrets is None:
        raise ConfigError("expected documents (--members and --nonmembers), canaries (--secrets REGISTRY), or both")
    return {**found, "secrets": secrets}


def _documents(path: Path, field: str) -> list[str]:
    from keepmum.canaries._corpus import read_corpus

    return list(read_corpus(path, field).texts)


def _secrets(path: Path) -> Secrets:
    from keepmum.canaries import load_registry

    return load_registry(path).secrets


def _source(settings: Settings) -> dict[str, Any]:
    """Where things came from, with the fingerprint of all that was asked for; limits are no part of it."""
    import keepmum
    from keepmum.cli._inputs import _sha256

    text, data = settings.text, settings.data
    named = {side: getattr(data, side) for side in ("members", "nonmembers", "population")}
    files = {name: path for name, path in {**named, "secrets": text.secrets}.items() if path is not None}
    model = f"{text.served} at {text.url}" if text.url else str(settings.target.model)
    asked = {
        "audit": settings.audit.model_dump(mode="json", exclude={"out", "jobs", "include_restricted", "max_queries"}),
        "text": settings.text.model_dump(mode="json", exclude={"key_env", "reveal", "per_minute", "max_cost", "price"}),
        "model": model,
        "weights": _weights(settings.target.model),
        "keepmum": keepmum.__version__,
        "files": {name: _sha256(path) for name, path in files.items()},
    }
    request = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    told = {"command": command(), "model": model, **{name: str(path) for name, path in files.items()}}
    return {**told, "fingerprint": asked["weights"], "request": request}


def _weights(model: Path | None) -> str:
    """Fingerprint of the files of a model, by names, sizes and, of those that are small, contents."""
    if model is None:
        return ""
    from keepmum.cli._inputs import _sha256

    files = sorted(file for file in model.rglob("*") if file.is_file()) if model.is_dir() else [model]
    seen = [(file.name, file.stat().st_size, _sha256(file)) for file in files if file.is_file()]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()
