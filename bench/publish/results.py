"""``python -m bench results``: the results page, made of the files that runs left in a directory.

No figure of the page is typed by hand; what is written by hand are notes (:mod:`bench.publish.notes`).
"""

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from bench.errors import BenchError
from bench.publish import report
from bench.publish.bars import verdicts
from bench.publish.notes import Notes
from bench.publish.page import page
from bench.publish.plot import panels, svg
from bench.publish.runs import RUNS, Result, run_of

NAME = "results"
PAGE = Path("docs/benchmarks.md")
NOTES = "benchmarks-notes.md"
"""Beside the page."""


class ResultsError(BenchError):
    """The files are not what a page can be made of."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    words = "the results page, made of the results that `programme` left in a directory"
    parser = commands.add_parser(
        NAME,
        help=words,
        description=words,
        epilog=f"What is written by hand comes from {NOTES} beside the page. Exit status: 0 written, or the same; "
        "1 not the same (--check), or the files are not results.",
    )
    parser.add_argument("directory", type=Path, help="of results, a JSON file each")
    parser.add_argument("--output", type=Path, default=PAGE, metavar="FILE", help=f"the page (default: {PAGE})")
    parser.add_argument("--check", action="store_true", help="write nothing: is the page what these results make?")
    parser.add_argument(
        "--keep", type=Path, metavar="DIRECTORY", help="copy the results there, to be kept with the page"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object: every bar, with figure and verdict")
    parser.set_defaults(command=_main)


def _main(arguments: argparse.Namespace) -> int:
    files = result_files(arguments.directory)
    results = load(files)
    texts = made(results, arguments.output)
    same = all(file.exists() and file.read_text(encoding="utf-8") == text for file, text in texts.items())
    if not arguments.check:
        for file, text in texts.items():
            file.write_text(text, encoding="utf-8")
        if arguments.keep is not None:
            _keep(files, arguments.keep)
    if arguments.json:
        print(orjson.dumps(_as_json(results, arguments.output, same)).decode())
    else:
        report.console().print(report.bars_table(verdicts(results)))
        said = "is what these results make" if same else "is not what these results make: leave --check out to write it"
        print(f"{arguments.output} {said}" if arguments.check else f"wrote {arguments.output}")
    return 1 if arguments.check and not same else 0


def made(results: Mapping[str, Result], output: Path) -> dict[Path, str]:
    """The page and its picture, with the notes that lie beside them."""
    picture = output.with_suffix(".svg")
    text = page(results, Notes.read(output.with_name(NOTES)), picture.name)
    return {output: text, picture: svg(panels(results))}


def result_files(directory: Path) -> list[Path]:
    """The JSON files of a directory, in order. Raises :class:`ResultsError` if there is none."""
    files = sorted(directory.glob("*.json"))
    if not files:
        raise ResultsError(
            f"{directory} has no results (no *.json): measure them with `python -m bench programme {directory}`"
        )
    return files


def load(files: list[Path]) -> dict[str, Result]:
    """Results by the names of their runs. Raises :class:`ResultsError` for what is none, or two of one run."""
    found: dict[str, tuple[Path, Result]] = {}
    for file in files:
        try:
            result = orjson.loads(file.read_bytes())
        except orjson.JSONDecodeError as error:
            raise ResultsError(f"{file} is not JSON ({error}): measure it again, or take it away") from None
        run = run_of(result) if isinstance(result, dict) else None
        if run is None:
            raise ResultsError(f"{file} is {_what(result)}, and no run of the page. {_known()}")
        if run.name in found:
            raise ResultsError(f"{found[run.name][0]} and {file} are both results of the run {run.name}: keep one")
        found[run.name] = (file, result)
    return {run.name: found[run.name][1] for run in RUNS if run.name in found}


def _what(result: Any) -> str:
    if not isinstance(result, dict) or "benchmark" not in result:
        return "no benchmark's result"
    options = {key: value for key, value in result.get("options", {}).items() if key in _TELLING}
    return f"a result of {result['benchmark']} with {options}"


_TELLING = {option for run in RUNS for option in run.where}


def _known() -> str:
    runs = "; ".join(
        f"{run.name} ({' '.join([run.benchmark, *(f'{option}={value}' for option, value in run.where.items())])})"
        for run in RUNS
    )
    return f"Its runs are: {runs}. Measure one with `python -m bench programme DIRECTORY --only RUN`"


def _keep(files: list[Path], directory: Path) -> None:
    """The directory holds these files, and no others of their kind, afterwards."""
    directory.mkdir(parents=True, exist_ok=True)
    kept = {directory / file.name for file in files}
    for other in set(directory.glob("*.json")) - kept:
        other.unlink()
    for file in files:
        if file.resolve() != (directory / file.name).resolve():
            shutil.copyfile(file, directory / file.name)


def _as_json(results: dict[str, Result], output: Path, same: bool) -> dict[str, Any]:
    bars = [
        {
            "bar": verdict.bar.name,
            "run": verdict.bar.run,
            "what": verdict.bar.what,
            "sense": verdict.bar.sense,
            "limit": verdict.bar.limit,
            "aim": verdict.bar.aim,
            "figure": verdict.figure,
            "reached": verdict.reached,
        }
        for verdict in verdicts(results)
    ]
    return {"page": str(output), "same": same, "runs": list(results), "bars": bars}
