"""Groups of settings of a data set: their defaults, meanings and checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from .._checks import shown
from ..errors import DatasetError
from .axes import direction_fault, direction_of
from .choices import Codec, Fit, Kind, Layout, Output, PhotoBy, Preset
from .config_errors import tidied
from .view_checks import is_read_by, view_faults
from .view_presets import LENS_35_DEG, PRESETS

__all__ = [
    "BlenderConfig",
    "Group",
    "LimitsConfig",
    "LoadingConfig",
    "NormalizationConfig",
    "PhotosConfig",
    "ShardsConfig",
    "SourcesConfig",
    "SplitConfig",
    "StoreConfig",
    "ViewsConfig",
]

# More are mistakes, which would show only as meshes that take too long.
_MAX_VIEWS, _MAX_SIDE = 100_000, 65_536
Range = tuple[float, float]


class Group(BaseModel):
    """A group of settings: no others are allowed, and none may change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _tidy(cls, given: Any) -> Any:
        return tidied(cls, given)

    @model_validator(mode="after")
    def _check(self) -> Group:
        faults = list(self.faults())
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def faults(self) -> Iterator[str]:
        """Yield a line for each contradiction within the group."""
        yield from ()


class SourcesConfig(Group):
    """Sources of meshes. Paths are relative to the working directory."""

    paths: tuple[str, ...] = Field(
        default=(), description="files, folders, globs, tars, addresses such as s3://bucket/folder"
    )
    tables: tuple[str, ...] = Field(
        default=(),
        description="CSV or Parquet files with a column of paths, which start at their folder",
    )
    lists: tuple[str, ...] = Field(default=(), description="text files with one path per line")
    id_column: str = Field(
        default="id", description="name of the column with ids; without one, ids follow from paths"
    )
    path_column: str = Field(default="path", description="name of the column with paths")
    cameras_column: str | None = Field(
        default=None, description="name of the column with the camera file of each mesh"
    )

    def joined(self, others: SourcesConfig) -> SourcesConfig:
        """Return these sources and others, each once.

        Raises:
            DatasetError: both have tables, with other names of columns.
        """
        names = ("id_column", "path_column", "cameras_column")
        columns, new_columns = (
            {name: getattr(each, name) for name in names} for each in (self, others)
        )
        if self._has_tables() and others._has_tables() and columns != new_columns:
            raise DatasetError(
                f"the tables of one data set need the same columns, not {columns} and {new_columns}"
            )
        joined: dict[str, Any] = {
            name: (*given, *(each for each in getattr(others, name) if each not in given))
            for name in ("paths", "tables", "lists")
            for given in [getattr(self, name)]
        }
        return SourcesConfig(**joined, **(columns if self._has_tables() else new_columns))

    def is_part_of(self, others: SourcesConfig) -> bool:
        """Return whether others have all of these sources, and more."""
        mine, theirs = (
            {(name, path) for name in ("paths", "tables", "lists") for path in getattr(each, name)}
            for each in (self, others)
        )
        return mine < theirs

    def _has_tables(self) -> bool:
        return bool(self.tables) or any(
            path.lower().endswith((".csv", ".parquet")) for path in self.paths
        )


class ViewsConfig(Group):
    """Cameras of each mesh."""

    kind: Kind = Field(default="orbit", description="where the cameras are; see docs/dataset.md")
    preset: Preset | None = Field(
        default=None, description="published settings; values given here override them"
    )
    count: Annotated[int, Field(ge=1, le=_MAX_VIEWS)] = Field(
        default=24, description="number of views of each mesh"
    )
    size: tuple[PositiveInt, PositiveInt] = Field(
        default=(512, 512), description="width and height of images in pixels"
    )
    seed: int = Field(default=0, description="seed of random views")
    fov_deg: PositiveFloat | Range = Field(
        default=40.0, description="vertical field of view, or its range"
    )
    fov_spacing: Literal["even", "inverse_square"] = Field(
        default="even",
        description="spacing within a range of fields of view: of the angle, or of the distance",
    )
    distance: PositiveFloat | Range | None = Field(
        default=None,
        description="distance from the mesh's center, or its range; null shows the whole mesh",
    )
    distance_in: Literal["radii", "sides", "units"] = Field(
        default="radii",
        description="unit of the distance; sides: longest side of the bounding box",
    )
    elevation_deg: float | Range | None = Field(
        default=None,
        description="elevation above the horizon, or its range; null follows from the kind",
    )
    azimuth_deg: float = Field(default=0.0, description="azimuth of the first view of a turntable")
    density: Literal["sphere", "cube"] = Field(
        default="sphere", description="density of random directions"
    )
    upper_share: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="share of the views above the horizon, for kind hammersley"
    )
    up: str = Field(
        default="auto",
        description='up direction: an axis such as "-y", a vector "X,Y,Z", or auto (as files say)',
    )
    orthographic: bool = Field(default=False, description="true for cameras with parallel rays")
    file: str | None = Field(
        default=None,
        description="camera file of kind file; {id}, {stem} and {folder} are those of the mesh",
    )
    world: Literal["mesh", "blender"] = Field(
        default="mesh",
        description="frame of the poses in file: the mesh's, or that of Blender after import",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, given: Any) -> Any:
        preset = PRESETS.get(str(given.get("preset"))) if isinstance(given, dict) else None
        if not preset:
            return given
        kind = given.get("kind") or preset["kind"]
        kept = {name: value for name, value in preset.items() if is_read_by(name, kind)}
        return {**kept, **given}

    @field_validator("size", mode="before")
    @classmethod
    def _square(cls, size: Any) -> Any:
        parts: Any = size
        if isinstance(size, (int, str)):
            parts = str(size).lower().split("x")
            parts = parts * 2 if len(parts) == 1 else parts
        try:
            sides = tuple(int(part) for part in parts)
        except (ValueError, TypeError):
            sides = parts = ()
        is_size = len(sides) == 2 and all(1 <= side <= _MAX_SIDE for side in sides)
        if not is_size or any(isinstance(part, (float, bool)) for part in parts):
            raise ValueError(f"is {shown(size)}; give N or WxH, from 1 to {_MAX_SIDE}")
        return sides

    def faults(self) -> Iterator[str]:
        """Yield a line for each contradiction within the group."""
        yield from view_faults(self)
        if self.preset is not None and self.kind == "file":
            yield "preset and kind: file contradict each other; give one of them"


class NormalizationConfig(Group):
    """Scale and position of each mesh."""

    fit: Fit = Field(
        default="none",
        description="scaling of meshes; box: into [-0.5, 0.5]^3; sphere: into the unit sphere",
    )
    up: str | None = Field(
        default=None,
        description='axis that becomes up, such as "z"; null keeps all axes',
    )
    mesh_up: str = Field(
        default="auto", description="up direction in the files; auto: what each file says"
    )

    def faults(self) -> Iterator[str]:
        """Yield a line for each contradiction within the group."""
        if self.up is not None:
            fault = direction_fault("normalization.up", self.up)
            if not fault and direction_of("normalization.up", self.up) is None:
                fault = ["normalization.up is auto; give an axis such as z or -y, or null"]
            yield from fault
        yield from direction_fault("normalization.mesh_up", self.mesh_up)


class StoreConfig(Group):
    """Contents of a sample, and their encoding."""

    outputs: tuple[Output, ...] = Field(
        default=("photo", "depth"), description="what a sample stores; see docs/dataset.md"
    )
    layouts: tuple[Layout, ...] = Field(
        default=(), description="layouts of published work that are stored beside the outputs"
    )
    codec: Codec = Field(
        default="packed",
        description="encoding of both sheets; packed is the smallest; see docs/dataset.md",
    )
    depth_tolerance: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="largest relative error of stored depths; 0 stores all bits"
    )
    samples: PositiveInt = Field(
        default=2, description="samples of the photo along each side of a pixel"
    )
    max_layers: PositiveInt | None = Field(
        default=None, description="number of layers to store; null stores all"
    )
    surfaces: Literal["auto", "oriented", "any"] = Field(
        default="auto", description="which faces count; see docs/conventions.md"
    )
    near: float | None = Field(default=None, description="crossings with less depth are left out")
    far: float | None = Field(default=None, description="crossings with more depth are left out")
    transforms: bool = Field(default=False, description="true writes a transforms.json per mesh")

    def faults(self) -> Iterator[str]:
        """Yield a line for each contradiction within the group."""
        if not self.outputs and not self.layouts:
            yield "outputs and layouts are empty; name at least one"
        if self.near is not None and self.far is not None and self.near >= self.far:
            yield f"near ({self.near:g}) must be below far ({self.far:g})"
        if self.depth_tolerance and self.codec in ("png16", "exr"):
            yield (
                f"depth_tolerance has no effect on codec {self.codec}; use packed, or leave it out"
            )


class LoadingConfig(Group):
    """Options of reading mesh files; see `load_mesh`."""

    alpha: Literal["mask", "ignore"] = Field(
        default="mask", description="mask: alpha masks cut holes; ignore: they do not"
    )
    blend_cutoff: PositiveFloat | None = Field(
        default=None,
        description="alpha below which materials that blend have holes; null for no holes",
    )
    pose: tuple[int | str, float] | None = Field(
        default=None, description="animation (index or name) and seconds, such as [walk, 1.5]"
    )
    max_texture_size: PositiveInt | None = Field(
        default=None, description="larger textures are reduced to this size; null keeps them"
    )
    texture_roots: tuple[str, ...] = Field(
        default=(), description="more folders in which textures are looked for"
    )
    max_faces: PositiveInt | None = Field(default=None, description="meshes with more faces fail")
    max_file_mb: PositiveInt | None = Field(
        default=None, description="mesh files above this size fail"
    )

    def faults(self) -> Iterator[str]:
        """Yield a line for each contradiction within the group."""
        if self.blend_cutoff is not None and self.alpha == "ignore":
            yield "blend_cutoff has no effect with alpha: ignore; give one of them"


Fraction = Annotated[float, Field(ge=0, le=1)]


class SplitConfig(Group):
    """Fractions of the meshes in each split, chosen by the hash of the id."""

    train: Fraction = Field(
        default=1.0, description="share of train; follows from val and test if they alone are given"
    )
    val: Fraction = Field(default=0.0, description="share of val")
    test: Fraction = Field(default=0.0, description="share of test")
    seed: int = Field(default=0, description="another seed chooses other meshes")
    column: str | None = Field(
        default=None, description="column of tables that names the split of each mesh instead"
    )

    @model_validator(mode="before")
    @classmethod
    def _rest(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("train") is None:
            others = [given.get(name) or 0.0 for name in ("val", "test")]
            if all(isinstance(share, (int, float)) for share in others) and sum(others) <= 1:
                return {**given, "train": round(1.0 - sum(others), 12)}
        return given

    def faults(self) -> Iterator[str]:
        """Yield a line for each contradiction within the group."""
        total = self.train + self.val + self.test
        if "train" not in self.model_fields_set and self.val + self.test > 1.0:
            total -= self.train
            yield f"split.val + split.test is {total:g}; give at most 1, as train is the rest"
        elif abs(total - 1.0) > 1e-9:
            yield f"train + val + test is {total:g}; the fractions must sum to 1"


class ShardsConfig(Group):
    """Division of the meshes into shards."""

    target_mb: PositiveFloat = Field(
        default=256.0, description="size of a shard that the number of its meshes aims at"
    )
    min_per_worker: PositiveInt = Field(
        default=4,
        description="smallest number of shards per worker, as far as there are enough meshes",
    )
    meshes: PositiveInt | None = Field(
        default=None, description="number of meshes per shard; null follows from the other two"
    )


class PhotosConfig(Group):
    """Existing photos, which get sheets and layers of the same cameras."""

    layout: Literal["auto", "zero123", "transforms", "colmap", "bop"] = Field(
        default="auto", description="layout of the folder"
    )
    folder: str = Field(description="{id}, {stem} and {folder} stand for those of the mesh")
    world: Literal["auto", "mesh", "blender"] = Field(
        default="auto",
        description="frame of the poses: of the mesh file, or of Blender after import and scaling",
    )
    mesh_up: str = Field(
        default="auto", description="up direction in the files, for the world of Blender"
    )
    fov_deg: Annotated[float, Field(gt=0, lt=180)] = Field(
        default=LENS_35_DEG, description="field of view along the longer side, for layout zero123"
    )
    masks: str | None = Field(
        default=None,
        description='files beside photos, such as "{photo}_mask.png"; null takes their alpha',
    )
    min_iou: Fraction = Field(
        default=0.0, description="views whose silhouettes agree less are left out"
    )
    search_below: Fraction = Field(
        default=0.9, description="a correction is looked for if silhouettes agree less"
    )
    correct: bool = Field(
        default=False, description="true renders with the correction that was found"
    )

    def faults(self) -> Iterator[str]:
        """Yield a line for each contradiction within the group."""
        yield from direction_fault("photos.mesh_up", self.mesh_up)


class BlenderConfig(Group):
    """Photos of .blend files by Blender's own engines, instead of ours."""

    photo: PhotoBy = Field(
        default="own",
        description="cycles, eevee: Blender renders the photo, with the materials and lights of "
        "the file; own: as of any mesh",
    )
    samples: PositiveInt | None = Field(
        default=64, description="number of samples of each pixel; null for that of each file"
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        default=0, description="seed of the noise of Cycles"
    )
    view_transform: str | None = Field(
        default=None,
        description="view transform, such as Standard; null for that of each file",
    )


class LimitsConfig(Group):
    """Limits on each mesh; they do not change what is rendered."""

    seconds_per_mesh: PositiveFloat = Field(
        default=300.0, description="meshes that take longer fail"
    )
    memory_mb: PositiveInt | None = Field(
        default=None, description="memory of a renderer process; null divides that of the machine"
    )
