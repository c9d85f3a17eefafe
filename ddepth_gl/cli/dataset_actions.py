"""Actions of `ddepth dataset` beside a run, and the options that go with each."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from ..errors import RequestError

__all__ = ["check_options"]

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
