"""DatasetConfig: the settings that a data set is made from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from ..errors import DatasetError
from .choices import Layout, Output
from .config_errors import fault_lines, known_settings, unknown_keys
from .config_groups import (
    BlenderConfig,
    Group,
    LimitsConfig,
    LoadingConfig,
    NormalizationConfig,
    PhotosConfig,
    ShardsConfig,
    SourcesConfig,
    SplitConfig,
    StoreConfig,
    ViewsConfig,
)
from .config_text import commented_yaml, yaml_settings
from .view_checks import elevation_faults, file_faults
from .view_presets import NORMALIZATION

__all__ = [
    "BlenderConfig",
    "DatasetConfig",
    "Layout",
    "LimitsConfig",
    "LoadingConfig",
    "NormalizationConfig",
    "Output",
    "PhotosConfig",
    "ShardsConfig",
    "SourcesConfig",
    "SplitConfig",
    "StoreConfig",
    "ViewsConfig",
]


class DatasetConfig(Group):
    """Everything that a data set depends on.

    Raises:
        DatasetError: settings are unknown, of a wrong type or contradict each other; the message
            names all of them by their dotted names.
    """

    sources: SourcesConfig = SourcesConfig()
    views: ViewsConfig = ViewsConfig()
    normalization: NormalizationConfig = NormalizationConfig()
    store: StoreConfig = StoreConfig()
    loading: LoadingConfig = LoadingConfig()
    split: SplitConfig = SplitConfig()
    shards: ShardsConfig = ShardsConfig()
    photos: PhotosConfig | None = None
    blender: BlenderConfig = BlenderConfig()
    limits: LimitsConfig = LimitsConfig()
    layout: Literal["webdataset", "files"] = Field(
        default="webdataset", description="tars of samples, or plain files"
    )

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise DatasetError("; ".join(fault_lines(DatasetConfig, error))) from None

    @model_validator(mode="before")
    @classmethod
    def _normalized_by_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        views = given.get("views")
        preset = views.get("preset") if isinstance(views, dict) else getattr(views, "preset", None)
        # None is a group of which all settings are commented out.
        own = given.get("normalization") or {}
        if not preset or not isinstance(own, dict):
            return given
        return {**given, "normalization": {**NORMALIZATION, **own}}

    def faults(self) -> Iterator[str]:
        """Yield a line for each contradiction between groups."""
        yield from elevation_faults(self.views)
        if self.photos is None:
            yield from file_faults(self.views, self.sources.cameras_column)
        if self.photos is not None and self.views.preset is not None:
            yield "views.preset has no effect with photos, which have cameras; give one of them"
        if self.blender.photo != "own" and self.photos is not None:
            yield "blender.photo has no effect with existing photos (photos.folder); give one"
        elif self.blender.photo != "own" and "photo" not in self.store.outputs:
            yield (
                f"blender.photo is {self.blender.photo}, but store.outputs has no photo; add it, "
                "or leave blender.photo out"
            )
        if self.store.transforms and self.views.orthographic and self.photos is None:
            yield (
                "store.transforms cannot hold the cameras of views.orthographic, as the format has "
                "none; leave one of them out"
            )

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str]) -> DatasetConfig:
        """Read settings from a YAML file.

        Raises:
            DatasetError: the file cannot be read, or see the class.
        """
        return cls.from_settings(yaml_settings(path), os.fspath(path))

    @classmethod
    def from_settings(cls, settings: Any, name: str = "settings") -> DatasetConfig:
        """Return the config of nested settings, as YAML or JSON holds them.

        Args:
            settings: dict of groups; None for no settings at all.
            name: what the message calls them, such as the path of the file.

        Raises:
            DatasetError: see the class.
        """
        settings = {} if settings is None else settings
        wrong = unknown_keys(cls, settings)
        try:
            config = cls(**known_settings(cls, settings))
        except DatasetError as error:
            wrong.append(str(error))
        if wrong:
            raise DatasetError(f"{name}: {'; '.join(wrong)}")
        return config

    @classmethod
    def init_text(cls) -> str:
        """Return a YAML file of all settings at their defaults, with comments."""
        return commented_yaml(cls)

    def settings(self) -> dict[str, Any]:
        """Return all settings that decide the bytes of a mesh's samples, ready for JSON.

        The sources are not among them: a plan compares the meshes that were found there.
        """
        return self.model_dump(mode="json", exclude={"sources", "limits"})

    def fingerprint(self) -> str:
        """Return the SHA-256 of `settings`, as hexadecimal digits."""
        settings = self.settings()
        if self.blender.photo == "own":
            del settings["blender"]  # it has no effect, and earlier data sets do not have it
        text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
