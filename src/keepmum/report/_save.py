"""Write a report to disk: whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from keepmum._whole import write_whole
from keepmum.errors import ConfigError
from keepmum.report._gallery import Wall
from keepmum.report._report import Report


def save(report: Report, folder: Path, walls: Sequence[Wall] = ()) -> Path:
    """Write ``report.json`` and ``report.html`` into a folder, made if missing, and return the path of the page.

    Args:
      report: What an audit found.
      folder: Where to write.
      walls: Reconstructed pictures that the page is to show; none unless the owner of the data asked for it.

    Raises:
      ConfigError: The folder cannot be written.
    """
    data, page = report.to_json() + "\n", _with_pictures(report, walls) if walls else report.to_html()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ConfigError(_unwritable(folder, err)) from err
    _replace(folder / "report.json", data)
    _replace(folder / "report.html", page)
    return folder / "report.html"


def write(report: Report, path: Path) -> Path:
    """Write the report in the format that the file's extension names, and return the path.

    Raises:
      ConfigError: The extension is unknown, or the file cannot be written.
    """
    render = next((make for end, make in FORMATS.items() if path.name.lower().endswith(end)), None)
    if render is None:
        raise ConfigError(f"expected a file name that ends in {', '.join(FORMATS)}, got {path.name!r}")
    text = render(report)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ConfigError(_unwritable(path.parent, err)) from err
    _replace(path, text)
    return path


def _with_pictures(report: Report, walls: Sequence[Wall]) -> str:
    from keepmum.report._html import render

    return render(report, walls)


def _replace(path: Path, text: str) -> None:
    try:
        write_whole(path, text)
    except OSError as err:
        raise ConfigError(_unwritable(path, err)) from err


def _unwritable(path: Path, err: OSError) -> str:
    return f"expected a place to write {path}, got {err.strerror or err}: choose another"


def _markdown(report: Report) -> str:
    from keepmum.report._markdown import markdown

    return markdown(report)


def _sarif(report: Report) -> str:
    from keepmum.report._sarif import sarif

    return sarif(report)


def _junit(report: Report) -> str:
    from keepmum.report._junit import junit

    return junit(report)


FORMATS: Mapping[str, Callable[[Report], str]] = {
    ".html": Report.to_html,
    ".json": lambda report: report.to_json() + "\n",
    ".md": _markdown,
    ".sarif": _sarif,
    ".junit.xml": _junit,
    ".xml": _junit,
    ".csv": lambda report: report.frame().to_csv(index=False, lineterminator="\n"),
}
