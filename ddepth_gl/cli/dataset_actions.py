"""Actions of `ddepth dataset`, and the options that go with each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import RequestError
from .dataset_progress import printed_report, shown_progress
from .reporting import print_error, print_json, print_line, print_warning, show_progress

if TYPE_CHECKING:
    from ..dataset.config import DatasetConfig
    from ..dataset.run import RunOptions, RunReport

__all__ = [
    "check_options",
    "draw_preview",
    "merge_index",
    "print_plan",
    "print_status",
    "print_verification",
    "run_and_report",
    "write_settings",
]

_ANY = {"debug"}
# Parameters of the command by action: what the action does, and what else may be given. A run,
# without any of them, takes all options. "settings" is --set and all its short forms.
_ACTIONS: Mapping[str, tuple[str, set[str]]] = {
    "init": ("writes the defaults", set()),
    "status": ("reads a data set", {"json"}),
    "verify": ("reads a data set", {"json"}),
    "dry_run": (
        "writes nothing",
        # -o as well, so that it can be added to the line of a run.
        {"sources", "settings", "output", "workers", "world_size", "engine", "device", "json"},
    ),
    "finish": ("renders nothing", {"output", "preview", "json"}),
}


def check_options(context: typer.Context) -> None:
    """Check that every option that is given has an effect on the action that is asked for.

    Raises:
        RequestError: one has none.
    """
    given = {
        parameter.name: _shown(context, parameter.name, parameter.opts)
        for parameter in context.command.params
        if parameter.name and _is_given(context, parameter.name)
    }
    actions = [name for name in _ACTIONS if name in given]
    if len(actions) > 1:
        first, second = (given[name] for name in actions[:2])
        raise RequestError(f"{first} and {second} exclude each other; give one of them")
    for action in actions:
        what, allowed = _ACTIONS[action]
        if "settings" in allowed:
            # Not above: pydantic, which that needs, may not be installed.
            from ..dataset.config_options import SHORT_OPTIONS

            allowed = {*allowed, *SHORT_OPTIONS}
        for name, shown in given.items():
            if name not in {action, *allowed, *_ANY}:
                raise RequestError(
                    f"{given[action]} {what}, so {shown} has no effect; leave it out"
                )


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _shown(context: typer.Context, name: str, options: list[str]) -> str:
    if name == "sources":
        return str(context.params[name][0])
    return "-o" if "-o" in options else options[0]


def write_settings(path: Path) -> None:
    """Write the file of --init."""
    from ..dataset.config import DatasetConfig
    from ..io.atomic import atomic_write

    if path.exists():
        raise RequestError(f"{path} exists; give --init another name")
    with atomic_write(path) as file:
        file.write(DatasetConfig.init_text().encode())
    print_line(f"wrote {path}; edit it, then run: ddepth dataset {path} -o OUT")


def run_and_report(
    config: DatasetConfig | None, output: str, options: RunOptions, as_json: bool
) -> RunReport:
    """Render what is missing, and print the outcome."""
    from ..dataset.progress import Progress
    from ..dataset.run import run_dataset

    progress = Progress()
    with shown_progress(progress):
        report = run_dataset(config, output, options, progress=progress, tell=print_warning)
    for failure in progress.failures:
        print_error(failure)
    if as_json:
        print_json(report.as_dict())
    else:
        printed_report(report, output)
    return report


def merge_index(output: str, as_json: bool) -> None:
    """Merge the index of --finish, and print what is there."""
    from ..dataset.finishing import finish_dataset
    from ..dataset.plan import read_plan
    from ..dataset.storage import open_storage

    storage = open_storage(output)
    finish_dataset(storage, read_plan(storage))
    if as_json:
        print_status(output, as_json)
    else:
        print_line(f"{output}: the index has all finished shards")


def print_status(folder: str, as_json: bool) -> None:
    """Print the state of a data set."""
    from ..dataset.status import read_status

    status = read_status(folder)
    if as_json:
        print_json(status.as_dict())
        return
    for line in status.lines():
        print_line(line)


def print_plan(
    config: DatasetConfig | None,
    workers: int | None,
    world_size: int | None,
    engine: str,
    device: Any,
    as_json: bool,
) -> None:
    """Print the plan of --dry-run, and bytes and time from a few meshes."""
    from ..dataset.dry_run import dry_run
    from ..dataset.entry_paths import check_paths
    from ..dataset.executors.local import LocalExecutor
    from ..dataset.sources import find_meshes

    if config is None:
        raise RequestError("--dry-run needs sources; give the meshes")
    if world_size is not None and world_size < 1:
        raise RequestError(f"--world-size must be at least 1, not {world_size}")
    entries = find_meshes(config.sources, print_warning, split_column=config.split.column)
    check_paths(config, entries)
    with LocalExecutor(workers, device) as executor:
        executor.prepare(config, engine)
        with executor.take_first() as child:
            result = dry_run(config, entries, child.samples, executor.workers * (world_size or 1))
    if as_json:
        print_json(
            {
                "meshes": result.meshes,
                "images": result.images,
                "shards": len(result.plan.shards),
                "bytes": result.total_bytes,
                "seconds": result.seconds,
                "seconds_error": result.seconds_error,
                "failures": result.failures,
            }
        )
        return
    for line in result.lines():
        print_line(line)


def draw_preview(folder: str, as_json: bool) -> None:
    """Write the files of --preview."""
    from ..dataset.preview import write_preview

    for path in write_preview(folder):
        if not as_json:
            print_line(f"wrote {path}")


def print_verification(folder: str, as_json: bool) -> None:
    """Check a data set, print what is wrong, and exit with status 1 if anything is."""
    from ..dataset.verify import verify_dataset

    report = verify_dataset(folder, progress=_report_shards)
    if as_json:
        print_json(report.as_dict())
    else:
        for line in report.lines():
            print_line(line)
    if not report.is_good:
        raise typer.Exit(1)


def _report_shards(done: int, count: int) -> None:
    show_progress(f"{done} of {count} shards checked" if done < count else "")
