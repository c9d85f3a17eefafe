"""Options of the command line as settings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from ..errors import DatasetError
from .config import DatasetConfig
from .config_text import read_yaml, yaml_settings

__all__ = ["SHORT_OPTIONS", "config_from_options"]

# Options that have names of their own; all others are given as --set GROUP.NAME=VALUE.
SHORT_OPTIONS: Mapping[str, str] = {
    "views": "views.count",
    "kind": "views.kind",
    "preset": "views.preset",
    "size": "views.size",
    "seed": "views.seed",
    "fov": "views.fov_deg",
    "distance": "views.distance",
    "elevation": "views.elevation_deg",
    "up": "views.up",
    "ortho": "views.orthographic",
    "cameras": "views.file",
    "normalize": "normalization.fit",
    "store": "store.outputs",
    "layouts": "store.layouts",
    "codec": "store.codec",
    "depth_tolerance": "store.depth_tolerance",
    "samples": "store.samples",
    "max_layers": "store.max_layers",
    "surfaces": "store.surfaces",
    "val": "split.val",
    "test": "split.test",
    "photo": "blender.photo",
    "photo_samples": "blender.samples",
    "photos": "photos.folder",
    "min_iou": "photos.min_iou",
    "seconds_per_mesh": "limits.seconds_per_mesh",
    "memory_mb": "limits.memory_mb",
    "layout": "layout",
}

# Options without effect on cameras that come from files; --size counts where they lack it.
_OF_FILES = ("views", "seed", "fov", "distance", "elevation", "ortho")
_OF_PHOTOS = (*_OF_FILES, "kind", "cameras", "size", "up")

# Outputs that the codec decides the files of.
_CODED = {
    *("depth", "distance", "thickness", "normal", "face", "object_id"),
    *("layers", "objects"),
}


def config_from_options(
    sources: Sequence[str], *, assignments: Sequence[str] = (), **options: Any
) -> DatasetConfig:
    """Return the config of a command line.

    Args:
        sources: files, folders, globs, tables, lists, tars and addresses; or one YAML file of
            settings, maybe followed by sources, which then replace its own.
        assignments: values of --set, such as ``"store.codec=png16"``; the value is YAML.
        options: values by the names in `SHORT_OPTIONS`; None is left out. They come before what a
            YAML file says, and `assignments` before both.

    Raises:
        DatasetError: a setting is unknown, of a wrong type or contradicts another one. Messages
            name the option, or the YAML file.
    """
    name = ""
    settings: dict[str, Any] = {}
    paths = [str(source) for source in sources]
    if paths and PurePath(paths[0]).suffix.lower() in (".yaml", ".yml"):
        name = paths.pop(0)
        settings = yaml_settings(name) or {}
        # Faults of the file are told as such, before options are mixed in.
        DatasetConfig.from_settings(settings, name)
    if any(PurePath(path).suffix.lower() in (".yaml", ".yml") for path in paths):
        raise DatasetError("the settings file must come first, and there may be one; see SOURCES")
    if paths:
        kept = settings.get("sources") or {}
        columns = {key: value for key, value in kept.items() if key.endswith("_column")}
        settings = {**settings, "sources": {**columns, "paths": paths}}
    names: dict[str, str] = {}
    for option, value in options.items():
        if value is None or value == () or value == []:
            continue
        place = SHORT_OPTIONS[option]
        settings = _with(settings, place, list(value) if isinstance(value, tuple) else value)
        names[place] = f"--{option.replace('_', '-')}"
    if options.get("cameras") is not None and options.get("kind") is None:
        settings = _with(settings, "views.kind", "file")
    for assignment in assignments:
        place, equals, text = assignment.partition("=")
        if not equals or not place.strip():
            raise DatasetError(f"--set {assignment!r:.80} must look like GROUP.NAME=VALUE")
        settings = _with(settings, place.strip(), read_yaml(text, f"--set {place.strip()}"))
    if options.get("min_iou") is not None and not settings.get("photos", {}).get("folder"):
        raise DatasetError("--min-iou is for existing photos; add --photos FOLDER")
    config = _named(settings, name, names)
    _check_effects(config, options)
    return config


def _check_effects(config: DatasetConfig, options: Mapping[str, Any]) -> None:
    """Raise an error if an option has no effect, whatever a YAML file says."""
    outputs = set(config.store.outputs)
    is_own = config.photos is None and config.blender.photo == "own"
    photo = {"photo"} if is_own else set()
    faults = [
        f"--{option.replace('_', '-')} is for {what}; add {advice}, or leave it out"
        for option, readers, what, advice in (
            ("samples", photo, "photos that are rendered", "photo to --store"),
            ("max_layers", {"layers"}, "layers", "layers to --store"),
            ("codec", _CODED, "sheets and layers", "depth or layers to --store"),
            ("depth_tolerance", _CODED, "sheets and layers", "depth or layers to --store"),
        )
        if options.get(option) is not None and not outputs & readers
    ]
    if options.get("photo_samples") is not None and config.blender.photo == "own":
        faults.append(
            "--photo-samples is for photos by Blender; add --photo cycles, or leave it out"
        )
    if options.get("samples") is not None and config.blender.photo != "own":
        faults = ["--samples is for our own photos; --photo-samples is that of Blender's"]
    what, unused = "", tuple[str, ...]()
    if config.photos is not None:
        what, unused = "existing photos (--photos) have cameras of their own", _OF_PHOTOS
    elif config.views.kind == "file":
        what, unused = "camera files (--cameras) decide the views", _OF_FILES
    faults += [
        f"{what}, so --{option} has no effect; leave it out"
        for option in unused
        if options.get(option) is not None
    ]
    if faults:
        raise DatasetError("; ".join(faults))


def _with(settings: Mapping[str, Any], place: str, value: Any) -> dict[str, Any]:
    """Return nested settings with one of them changed."""
    group, _, rest = place.partition(".")
    if not rest:
        return {**settings, group: value}
    inner = settings.get(group)
    return {**settings, group: _with(inner if isinstance(inner, Mapping) else {}, rest, value)}


def _named(settings: Mapping[str, Any], name: str, names: Mapping[str, str]) -> DatasetConfig:
    try:
        return DatasetConfig.from_settings(settings)
    except DatasetError as error:
        message = str(error).removeprefix("settings: ")
    for place, option in names.items():
        message = re.sub(rf"(?<![\w.]){re.escape(place)}(?![\w.])", option, message)
    raise DatasetError(f"{name}: {message}" if name and not names else message) from None
