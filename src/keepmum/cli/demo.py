"""``keepmum demo``: models on bundled data, audited: a leaky and a tight one, a face recognizer, language models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from keepmum.cli._app import Exit, command
from keepmum.cli._inputs import Case, cores
from keepmum.cli._runs import new_run
from keepmum.cli._terminal import DEFAULTS, Options, Terminal
from keepmum.cli.audit import measure
from keepmum.settings import EffortSettings

if TYPE_CHECKING:
    from keepmum.report import Report

PEOPLE = 20_000
SHOWN = "membership/loss:per-class"
NO_HOW = EffortSettings()
NAMES = {"leaky": "overfit random forest", "tight": "logistic regression"}


def demo(
    what: Annotated[Literal["people", "faces", "text", "mask"], Parameter(help="What to demonstrate.")] = "people",
    /,
    *,
    data: Annotated[
        Literal["drawn", "orl"],
        Parameter(help="Faces: drawn by rule, of nobody; or the AT&T (ORL) photos of keepmum\\[orl]."),
    ] = "drawn",
    out: Annotated[Path | None, Parameter(help="Folder to write into; .keepmum/runs/… unless said.")] = None,
    how: Annotated[EffortSettings, Parameter(name="*", group=Group("How", sort_key=3))] = NO_HOW,
    common: Options = DEFAULTS,
) -> int:
    """Audit models of bundled data: a leaky and a tight one, a face recognizer, or language models.

    people: 20,000 people of the UCI Adult census data; half of them, drawn at random, train both models, which are
    shown side by side. Shadow models, which find more, are only trained if --effort says so.

    faces: a recognizer of 25 persons is trained, and pictures of them are drawn from it: with its weights, with its
    probabilities, and with labels alone.

    text: a small language model is trained on prose with made-up secrets in it, up to 64 times each; then the same
    without duplicates, and with fewer epochs. Who recites?

    mask: a small masked model is trained on made-up clinic notes, and asked to fill in who has what.

    No network is used for any of them.
    """
    terminal = common.terminal
    folder = out or new_run()
    if what == "faces":
        from keepmum.cli._faces import demo_faces

        return demo_faces(data, folder, how, terminal)
    if what == "text":
        from keepmum.cli._recital import demo_text

        return demo_text(folder, how, terminal)
    if what == "mask":
        from keepmum.cli._notes import demo_mask

        return demo_mask(folder, how, terminal)
    with cores(how):
        terminal.say(f"Training two models on {PEOPLE // 2:,} of {PEOPLE:,} people (UCI Adult, CC BY 4.0) …")
        members, others, models = train(how.seed)
        reports: dict[str, Report] = {}
        for name, model in models.items():
            terminal.say(f"Auditing the {name} model: {NAMES[name]} …")
            options = {"seed": how.seed, "effort": how.effort.value, "seconds": how.budget}
            if "effort" not in how.model_fields_set:
                options["shadows"] = 0  # a demo is seen within a minute
            source = {"command": command(), "data": "UCI Adult, doi:10.24432/C5XW20, CC BY 4.0", "model": NAMES[name]}
            case = Case(model, members, others, None, source, options)
            reports[name] = measure(case, folder / name, terminal)
    page = _compare(reports, folder)
    _show(reports, terminal)
    terminal.show(f"Reports: {folder / 'leaky' / 'report.html'}, {folder / 'tight' / 'report.html'}", whole=True)
    terminal.show(f"Side by side: {page}", whole=True)
    if common.json:
        terminal.data("{" + ",".join(f'"{name}":{report.to_json()}' for name, report in reports.items()) + "}")
    return Exit.DONE


def train(seed: int, people: int = PEOPLE) -> tuple[Any, Any, dict[str, Any]]:
    """Members and non-members, divided at random, and a leaky and a tight model of the members."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from keepmum.data import Records
    from keepmum.datasets import load_adult

    X, y = load_adult(people, seed)
    half = len(y) // 2
    labels = y.to_numpy()
    members, others = Records(X[:half], labels[:half]), Records(X[half:], labels[half:])
    models = {}
    for name, last in {
        "leaky": RandomForestClassifier(random_state=seed),
        "tight": LogisticRegression(C=0.05, max_iter=1000),
    }.items():
        columns = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", min_frequency=20), make_column_selector(dtype_exclude="number")),
            (StandardScaler(), make_column_selector(dtype_include="number")),
        )
        models[name] = make_pipeline(columns, last).fit(members.X, members.y)
    return members, others, models


def _compare(reports: dict[str, Report], folder: Path) -> Path:
    from keepmum.cli.compare import write_page

    return write_page(list(reports.items()), folder / "comparison.html")


def _show(reports: dict[str, Report], terminal: Terminal) -> None:
    """Both models, line by line: attack, what one could guess without the model, what the attack does to strangers."""
    from rich.table import Table

    table = Table(
        "", *(f"{name}: {NAMES[name]}" for name in reports), box=None, title=f"Attack {SHOWN}", title_justify="left"
    )
    found = {name: report[SHOWN] for name, report in reports.items()}
    table.add_row("the audit says", *(report.outcome.replace("_", " ") for report in reports.values()))
    rows = (
        ("attack, AUC", "metrics", "auc"),
        ("baseline, without the model", "baseline", "auc"),
        ("control, on strangers", "control", "auc"),
        ("found at 1 % false alarms", "metrics", "tpr_at_fpr_0.01"),
    )
    for label, part, metric in rows:
        table.add_row(label, *(str(getattr(finding, part).get(metric, "")) for finding in found.values()))
    terminal.result.print(table)
    for name, report in reports.items():
        terminal.show(f"{name}: {report.verdict}")
