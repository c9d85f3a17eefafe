"""Faults of settings in plain words: unknown names, wrong types, contradictions."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from .._checks import shown
from ..errors import DatasetError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo

__all__ = [
    "expected_text",
    "fault_lines",
    "group_of",
    "known_settings",
    "tidied",
    "unknown_keys",
]

_NAMES = {int: "an integer", float: "a number", str: "text", bool: "true or false"}
_LIMITS = {"gt": "above", "ge": "of at least", "lt": "below", "le": "of at most"}


def group_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a field that is a group of settings; None for a setting."""
    from pydantic import BaseModel

    for option in (field.annotation, *get_args(field.annotation)):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def tidied(model: type[BaseModel], given: Any) -> Any:
    """Return settings of a group with one text for a list of one.

    Raises:
        DatasetError: a number is true or false, which pydantic would take for 1 or 0.
    """
    if not isinstance(given, dict):
        return given
    settings = dict(given)
    for name, value in given.items():
        field = model.model_fields.get(name)
        if field is None:
            continue
        if value is None and group_of(field) is not None and field.default is not None:
            del settings[name]  # all its settings are commented out
            continue
        if isinstance(value, str) and get_args(field.annotation)[1:] == (...,):
            settings[name] = (value,)
        values = value if isinstance(value, (list, tuple)) else (value,)
        if field.annotation is not bool and any(isinstance(each, bool) for each in values):
            raise DatasetError(f"{name} is {shown(value)}; give {expected_text(field)}")
    return settings


def unknown_keys(model: type[BaseModel], settings: Any, place: str = "") -> list[str]:
    """Return one line for each name in nested settings that no setting has.

    Args:
        model: the model of the settings.
        settings: what was read.
        place: dotted name of the group.
    """
    if not isinstance(settings, Mapping):
        if settings is None and place:
            return []  # a group without any setting in it, maybe all commented out
        what = place.removesuffix(".") or "the whole"
        return [f"{what} is {shown(settings)}; give settings, one name per line"]
    found = []
    for key, value in settings.items():
        field = model.model_fields.get(key) if isinstance(key, str) else None
        if field is None:
            found.append(_unknown(str(key), place, model))
            continue
        group = group_of(field)
        if group is not None:
            found += unknown_keys(group, value, f"{place}{key}.")
    return found


def known_settings(model: type[BaseModel], settings: Any) -> dict[str, Any]:
    """Return nested settings without what `unknown_keys` tells."""
    known: dict[str, Any] = {}
    for key, value in settings.items() if isinstance(settings, Mapping) else ():
        field = model.model_fields.get(key) if isinstance(key, str) else None
        if field is None:
            continue
        group = group_of(field)
        if group is None or value is None:
            known[key] = value
        elif isinstance(value, Mapping):
            inner = known_settings(group, value)
            needed = {each for each, its in group.model_fields.items() if its.is_required()}
            # What is missing may be what is misspelled.
            if len(inner) == len(value) or needed <= inner.keys():
                known[key] = inner
    return known


def _unknown(key: str, place: str, model: type[BaseModel]) -> str:
    from .config import DatasetConfig

    everywhere = dict(_all_names(DatasetConfig))
    near = get_close_matches(key, model.model_fields, 1)
    elsewhere = [dotted for dotted, name in everywhere.items() if name == key]
    if near:
        advice = f"did you mean {place}{near[0]}?"
    elif elsewhere:
        advice = f"did you mean {elsewhere[0]}?"
    else:
        advice = f"known are {', '.join(model.model_fields)}"
    return f"{place}{shown(key)[1:-1]} is unknown; {advice}"


def _all_names(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        yield f"{place}{name}", name
        group = group_of(field)
        if group is not None:
            yield from _all_names(group, f"{place}{name}.")


def fault_lines(model: type[BaseModel], error: ValidationError) -> list[str]:
    """Return what is wrong with settings, one line for each setting.

    Args:
        model: the model of the settings.
        error: what pydantic raised.
    """
    lines: dict[str, str] = {}
    for fault in error.errors(include_url=False):
        path, field = _field_at(model, fault["loc"])
        place = ".".join(path)
        if place in lines:
            continue  # of the other alternatives of the same setting
        if fault["type"] == "value_error":
            # The message names the setting of the group.
            text = str(fault["ctx"]["error"])
            prefix = "".join(f"{part}." for part in path)
            lines[place] = "; ".join(
                f"{prefix}{line.removeprefix(prefix)}" for line in text.split("\n")
            )
            if field is not None and group_of(field) is None:
                lines[place] = f"{place} {text}"
        elif fault["type"] == "extra_forbidden":
            *parents, key = (str(part) for part in fault["loc"])
            owner = _model_at(model, parents)
            place = ".".join((*parents, key))
            lines[place] = _unknown(key, "".join(f"{part}." for part in parents), owner)
        elif fault["type"] == "missing":
            lines[place] = f"{place} is missing; give {_expected(field)}"
        else:
            # Of a list, this is the element that is wrong.
            lines[place] = f"{place} is {shown(fault['input'])}; give {_expected(field)}"
            if isinstance(fault["input"], Mapping) and fault["type"] == "string_type":
                lines[place] += ", with quotes if it begins with a brace"
    return list(lines.values())


def _field_at(
    model: type[BaseModel], location: Sequence[int | str]
) -> tuple[list[str], FieldInfo | None]:
    """Return the names on the way to a setting, and the setting; without pydantic's own names."""
    path: list[str] = []
    field: FieldInfo | None = None
    owner: type[BaseModel] | None = model
    for part in location:
        if owner is None or part not in owner.model_fields:
            break
        field = owner.model_fields[str(part)]
        path.append(str(part))
        owner = group_of(field)
    return path, field


def _model_at(model: type[BaseModel], path: Sequence[str]) -> type[BaseModel]:
    for part in path:
        model = group_of(model.model_fields[part]) or model
    return model


def _expected(field: FieldInfo | None) -> str:
    return "settings, one name per line" if field is None else expected_text(field)


def expected_text(field: FieldInfo) -> str:
    """Return what a setting may be: ``an integer above 0``, ``one of a, b or null``."""
    if group_of(field) is not None:
        return "settings, one name per line"
    return _text(field.annotation, field.metadata)


def _text(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _text(arguments[0], [*metadata, *arguments[1:]])
    if origin in (Union, types.UnionType):
        return " or ".join(_text(each, metadata) for each in arguments)
    if annotation is type(None):
        return "null"
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple and arguments[-1] is ...:
        if get_origin(arguments[0]) is Literal:
            return f"a list of {', '.join(map(str, get_args(arguments[0])))}"
        return "a list of texts"
    if origin is tuple:
        return f"[{', '.join(_text(each) for each in arguments)}]"
    bounds = dict(_limits(metadata))
    if bounds.keys() == {"ge", "le"}:
        kind = _NAMES.get(annotation, "a number")
        return f"{kind} from {bounds['ge']} to {bounds['le']}"
    limits = [f" {_LIMITS[name]} {limit:g}" for name, limit in bounds.items()]
    return f"{_NAMES.get(annotation, 'a value')}{' and'.join(limits)}"


def _limits(metadata: Sequence[Any]) -> Iterator[tuple[str, float]]:
    for each in metadata:
        # Field(ge=0, le=1) in an Annotated keeps its own list.
        yield from _limits(getattr(each, "metadata", ()))
        for name in _LIMITS:
            limit = getattr(each, name, None)
            if limit is not None:
                yield name, limit
