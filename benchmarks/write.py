"""From what the benchmarks printed to docs/benchmarks/shadows.md and its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Results = dict[str, dict[str, Any]]
LINES = {
    "membership/learned": "#b3402a",
    "membership/pooled": "#2a6fb3",
    "membership/lira:per-record-variance": "#444444",
    "membership/lira:fixed-variance": "#999999",
    "membership/rmia": "#2f8f5b",
    "membership/rmia-offline": "#8fc9a8",
    "membership/lira-offline": "#d9b44a",
}
TITLES = {
    "fleets": "Fleets against one model after another",
    "power": "Power against the number of shadow models",
    "peers": "Other tools, same work",
    "networks": "Networks of scikit-learn in groups",
    "queries": "Attacks without shadow models",
    "store": "Scoring, keeping, kills",
    "analytic": "Analytic shadows",
    "null_shadows": "Silence where there is nothing to find",
    "engines": "Engines",
    "endtoend": "A whole audit",
}
INTRODUCTION = """\
Written by `make benchmarks` (`python benchmarks/shadows.py --peers --write`) from what the scripts in `benchmarks/`
printed; do not edit by hand. Every figure that has a goal is listed, also those that miss it. CPU seconds are those of
one thread of a machine that others use as well: ratios within one run can be trusted, seconds less so.
"""
PEERS = """\
Asked, and not compared:

* **leakpro** on PyPI is version 0.0.1, a placeholder of about one kilobyte; the tool itself is in its repository only,
  and its import needs torchvision, transformers and more.
* **privacy-meter** on PyPI is version 1.0.1 of 2023; it declares no requirements and its import fails for lack of
  tensorflow (`ModuleNotFoundError`). Version 2 is in its repository only.
* **tensorflow-privacy** 0.9.0 installs, and its module for membership inference cannot be imported with the TensorFlow
  that comes with it (`cannot import name 'estimator_training'`).
"""
PICTURES = {
    "power": "![AUC and true positive rate by number of shadow models](power.svg)\n",
    "peers": "![CPU seconds by tool](peers.svg)\n",
}
TEXTS = {"peers": PEERS}


def write(folder: Path, results: Results, machine: dict[str, Any]) -> None:
    """Write the page and those pictures that there are results for."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = set()
    if results.get("power", {}).get("curves"):
        draw_power(results["power"]["curves"], folder / "power.svg")
        drawn.add("power")
    if results.get("peers", {}).get("cpu"):
        draw_cpu(results["peers"]["cpu"], folder / "peers.svg")
        drawn.add("peers")
    (folder / "shadows.md").write_text(page(results, machine, drawn), encoding="utf-8")


def page(results: Results, machine: dict[str, Any], drawn: set[str]) -> str:
    """The page as Markdown."""
    bars = {name: bar for result in results.values() for name, bar in result["bars"].items()}
    missed = [name for name, bar in bars.items() if not bar["ok"]]
    verdict = f"{len(bars) - len(missed)} of {len(bars)} figures reach their goal"
    verdict += f"; missed: {', '.join(f'`{name}`' for name in missed)}." if missed else "."
    about = ", ".join(f"{key} {value}" for key, value in machine.items())
    parts = ["# Shadow models, measured\n", INTRODUCTION, f"**{verdict}** Machine: {about}.\n"]
    for name, result in results.items():
        parts.append(f"## {TITLES.get(name, name)}\n")
        if name in drawn:
            parts.append(PICTURES[name])
        for shown in result.get("tables", ()):
            parts += [f"### {shown['title']}\n", markdown(shown["head"], shown["rows"])]
            if shown.get("note"):
                parts.append(shown["note"] + "\n")
        if name in TEXTS:
            parts.append(TEXTS[name])
        if result["bars"]:
            parts += ["### Goals\n", markdown(["figure", "value", "goal", "reached"], goals(result["bars"]))]
    return "\n".join(parts).rstrip() + "\n"


def goals(bars: dict[str, dict[str, Any]]) -> list[list[str]]:
    """A line for each bar."""
    return [[f"`{n}`", f"{b['value']:g}", f"{b['goal']:g}", "yes" if b["ok"] else "**no**"] for n, b in bars.items()]


def markdown(head: list[str], rows: list[list[Any]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def draw_power(curves: dict[str, dict[str, list[float]]], path: Path) -> None:
    """AUC and TPR of each attack by number of shadow models: a column for each task."""
    plt = _matplotlib()
    figure, axes = plt.subplots(2, len(curves), figsize=(4 * len(curves), 6.4), sharex=True, squeeze=False)
    for column, (task, curve) in enumerate(curves.items()):
        points: dict[str, dict[int, list[float]]] = {}
        for key, value in curve.items():
            name, _, size = key.rpartition(" ")
            points.setdefault(name, {})[int(size)] = value
        for row, label in enumerate(("AUC", "TPR at 1 % FPR")):
            axis = axes[row][column]
            for name, color in LINES.items():
                if name in points:
                    sizes = sorted(points[name])
                    seen = [points[name][size][row] for size in sizes]
                    axis.plot(sizes, seen, marker="o", markersize=3, color=color, label=name.split("/")[1])
            axis.set_xscale("log", base=2)
            axis.xaxis.set_major_formatter("{x:.0f}")
            axis.set_title(task if row == 0 else "")
            axis.set_xlabel("shadow models" if row else "")
            axis.set_ylabel(label if column == 0 else "")
            axis.grid(alpha=0.3)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=4, frameon=False)
    figure.tight_layout(rect=(0, 0.09, 1, 1))
    _save(plt, figure, path)


def draw_cpu(cpu: dict[str, dict[str, float]], path: Path) -> None:
    """CPU seconds of training and scoring, a bar for each tool."""
    plt = _matplotlib()
    figure, axis = plt.subplots(figsize=(7, 0.6 * len(cpu) + 1.2))
    names = list(cpu)[::-1]
    left = [0.0] * len(names)
    for part, color in (("training", "#2a6fb3"), ("scoring", "#d9b44a")):
        seconds = [cpu[name][part] for name in names]
        axis.barh(names, seconds, left=left, color=color, label=part)
        left = [a + b for a, b in zip(left, seconds, strict=True)]
    for place, total in enumerate(left):
        axis.text(total, place, f" {total:.1f}", va="center")
    axis.set_xlim(0, 1.12 * max(left))
    axis.set_xlabel("CPU seconds, same records, same target, same number of shadow models")
    axis.legend(frameon=False)
    figure.tight_layout()
    _save(plt, figure, path)


def _matplotlib() -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "keepmum", "svg.fonttype": "none", "font.size": 9})
    import matplotlib.pyplot as plt

    return plt


def _save(plt: Any, figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
