"""Differences between two plans, in one line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._checks import shown
from .._text import counted
from .columns import TypedValue, plain_value

if TYPE_CHECKING:
    from .config import DatasetConfig
    from .entries import MeshEntry

__all__ = ["differing_meshes", "differing_settings", "differing_versions"]

_EXAMPLES = 3


def differing_settings(there: DatasetConfig, here: DatasetConfig) -> list[str]:
    """Return ``views.count is 24 there and 12 here`` for each setting that decides bytes."""
    before, now = (dict(_flat(config.settings())) for config in (there, here))
    return _differing(before, now)


def differing_versions(there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Return the same for versions; those that only one side knows are left out."""
    common = there.keys() & here.keys()
    return _differing(
        {name: there[name] for name in there if name in common},
        {name: here[name] for name in there if name in common},
    )


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} is {shown(before.get(name))} there and {shown(now.get(name))} here"
        for name in dict.fromkeys((*before, *now))
        if before.get(name) != now.get(name)
    ]


def _flat(settings: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{place}{name}.")
        else:
            yield f"{place}{name}", value


def differing_meshes(there: Sequence[MeshEntry], here: Sequence[MeshEntry]) -> list[str]:
    """Return lines about meshes that only one side has, or that differ."""
    before, now = ({entry.id: entry for entry in entries} for entries in (there, here))
    lines = []
    for text, ids in (
        ("new here", now.keys() - before.keys()),
        ("missing here", before.keys() - now.keys()),
    ):
        if ids:
            verb = "is" if len(ids) == 1 else "are"
            lines.append(f"{counted(len(ids), 'mesh', 'meshes')} {verb} {text} ({_some(ids)})")
    changed = [id for id in sorted(before.keys() & now.keys()) if _changed(before[id], now[id])]
    for id in changed[:_EXAMPLES]:
        lines.append(f"of mesh {id}, {_changed(before[id], now[id])}")
    if len(changed) > _EXAMPLES:
        lines.append(
            f"so it is for {counted(len(changed) - _EXAMPLES, 'more mesh', 'more meshes')}"
        )
    return lines


def _some(ids: set[str]) -> str:
    names = sorted(ids)
    return ", ".join(names[:_EXAMPLES]) + (", ..." if len(names) > _EXAMPLES else "")


def _changed(before: MeshEntry, now: MeshEntry) -> str:
    for name in ("address", "member", "cameras", "photos"):
        old, new = getattr(before, name), getattr(now, name)
        if old != new:
            return f"{name} is {shown(old)} there and {shown(new)} here"
    for name in sorted({*before.columns, *now.columns}):
        old, new = before.columns.get(name), now.columns.get(name)
        if isinstance(old, TypedValue) and isinstance(new, TypedValue) and old.type != new.type:
            return f"column {name} is {old.type} there and {new.type} here"
        old, new = plain_value(old), plain_value(new)
        # NaN is the same as NaN here.
        if old != new and repr(old) != repr(new):
            return f"column {name} is {shown(old)} there and {shown(new)} here"
    return ""
