"""``keepmum audit``: measure, keep what was measured, and tell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from keepmum.cli._app import Exit, command
from keepmum.cli._inputs import READING, Case, configured, cores, read_case
from keepmum.cli._runs import ANSWERS, Run, is_whole, new_run, unfinished
from keepmum.cli._terminal import DEFAULTS, Options, Terminal
from keepmum.cli._texts import audit_texts, is_about_texts
from keepmum.errors import ConfigError
from keepmum.settings import (
    AttributeSettings,
    AuditSettings,
    DataSettings,
    ImageSettings,
    TargetSettings,
    TextSettings,
)

Model = Annotated[
    Path | None,
    Parameter(
        help="Model file: .skops, .onnx, XGBoost .ubj or .json, LightGBM .txt, torch .safetensors with --factory; "
        "folder of a language model; or set it in keepmum.toml."
    ),
]
Scores = Annotated[
    tuple[Path, Path] | None,
    Parameter(
        help="Recorded answers about members and about non-members instead of a model: columns label and p_CLASS.",
    ),
]
Target = Annotated[TargetSettings, Parameter(name="*", group=Group("What is audited", sort_key=1))]
Data = Annotated[DataSettings, Parameter(name="*", group=Group("Whose records", sort_key=2))]
How = Annotated[AuditSettings, Parameter(name="*", group=Group("How", sort_key=3))]
Attribute = Annotated[AttributeSettings, Parameter(name="*", group=Group("Hidden attributes", sort_key=4))]
Images = Annotated[ImageSettings, Parameter(name="*", group=Group("Pictures", sort_key=5))]
Text = Annotated[TextSettings, Parameter(name="*", group=Group("Language models", sort_key=6))]
NO_IMAGES, NO_TEXT = ImageSettings(), TextSettings()
NO_TARGET, NO_DATA, NO_HOW, NO_ATTRIBUTE = TargetSettings(), DataSettings(), AuditSettings(), AttributeSettings()


def audit(
    model: Model = None,
    /,
    *,
    scores: Scores = None,
    target: Target = NO_TARGET,
    data: Data = NO_DATA,
    how: How = NO_HOW,
    attribute: Attribute = NO_ATTRIBUTE,
    images: Images = NO_IMAGES,
    text: Text = NO_TEXT,
    common: Options = DEFAULTS,
) -> int:
    """Measure what a model gives away about the people that it was trained on.

    Everything finished is kept in a run folder at once. Stop it with Ctrl-C and give the same command again: it goes
    on where it stopped. Exits with 0 when it measured what it planned, whatever it found, and with 3 when nothing can
    be said or a part is missing. Audit only models that you own or may test.
    """
    if scores is not None and (model is not None or target.model is not None):
        raise ConfigError("expected a MODEL or --scores, got both: recorded answers stand in for the model")
    terminal = common.terminal
    sections = {"target": target, "data": data, "audit": how, "attribute": attribute, "images": images, "text": text}
    settings = configured(model, sections, common.config)
    if scores is None and is_about_texts(settings):
        return audit_texts(settings, terminal)
    with terminal.progress() as ticker:
        ticker(0, 0, READING)
        case = read_case(settings, scores)
    out = settings.audit.out or run_folder(case.source["request"], terminal)
    terminal.detail(f"{len(case.members):,} members, {len(case.nonmembers):,} non-members; run folder {out}")
    with cores(settings.audit):
        try:
            report = measure(case, out, terminal)
        except KeyboardInterrupt:
            return interrupted(out, terminal)
    return tell(report, out, terminal)


def measure(case: Case, out: Path, terminal: Terminal) -> Any:
    """Run the audit with progress, and return its report."""
    from keepmum.audit import audit

    with terminal.progress() as ticker:
        return audit(
            case.model,
            case.members,
            case.nonmembers,
            population=case.population,
            out=out,
            progress=ticker,
            source=case.source,
            **case.options,
        )


def tell(report: Any, out: Path, terminal: Terminal) -> int:
    """Show the verdict and where the page is; with ``--json`` the report is the last line of stdout."""
    from keepmum.findings import Outcome
    from keepmum.report._text import print_report

    print_report(report, terminal.result)
    gallery = out / "restricted" / "gallery.html"
    if gallery.is_file():
        terminal.show(f"Pictures, with people of the data: {gallery}", whole=True)
    terminal.show(f"Report: {out / 'report.html'}", whole=True)
    if terminal.options.json:
        terminal.data(report.to_json())
    return Exit.DONE if is_whole(report) and report.outcome is not Outcome.INCONCLUSIVE else Exit.INCONCLUSIVE


def run_folder(request: str, terminal: Terminal) -> Path:
    """The interrupted run of the same request, or a new one."""
    begun = unfinished(request)
    if begun is None:
        return new_run()
    terminal.say(f"Continuing {begun}, which was interrupted.")
    return begun


def interrupted(out: Path, terminal: Terminal) -> int:
    """Tell what is kept and how to go on."""
    from keepmum.runs import read_manifest

    manifest = read_manifest(out)
    if manifest is None:
        kept = f"answers are kept in {out}; the same command continues:\n  {command()}"
        said = kept if (out / "restricted" / ANSWERS).is_file() else "nothing was written"
        line = f"keepmum: interrupted before the first attack; {said}"
        terminal.prose.print(line, markup=False, highlight=False, soft_wrap=True)
        return Exit.INTERRUPTED
    saved, planned = Run(out, manifest).saved, len(manifest.get("attacks", ()))
    models = 2 * len(list((out / "restricted" / "shadows").glob("*.npy")))
    trained = f" and {models} shadow models" if models else ""
    kept = f"saved {saved} of {planned} attacks{trained} in {out}"
    line = f"keepmum: interrupted: {kept}; the same command continues:\n  {command()}"
    terminal.prose.print(line, markup=False, highlight=False, soft_wrap=True)
    return Exit.INTERRUPTED
