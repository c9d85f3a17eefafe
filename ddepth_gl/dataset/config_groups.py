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
from .axes import direction_fault, direction_of
from .choices import Codec, Fit, Kind, Layout, Output, Preset
from .config_errors import tidied
from .view_checks import is_read_by, view_faults
from .view_presets import LENS_35_DEG, PRESETS

__all__ = [
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
        default="id", description="column of tables; without it, ids follow from paths"
    )
    path_column: str = Field(default="path", description="column of tables")
    cameras_column: str | None = Field(
        default=None, description="column of tables with the camera file of each mesh"
    )


class ViewsConfig(Group):
    """Cameras of each mesh."""

    kind: Kind = Field(default="orbit", description="where the cameras are")
    preset: Preset | None = Field(
        default=None, description="published settings, for everything that is not given here"
    )
    count: Annotated[int, Field(ge=1, le=_MAX_VIEWS)] = Field(
        default=24, description="views of each mesh"
    )
    size: tuple[PositiveInt, PositiveInt] = Field(
        default=(512, 512), description="width and height"
    )
    seed: int = Field(default=0, description="of random views")
    fov_deg: PositiveFloat | Range = Field(default=40.0, description="field of view, or its range")
    fov_spacing: Literal["even", "inverse_square"] = Field(
        default="even", description="within a range: of the angle, or of the fitting distance"
    )
    distance: PositiveFloat | Range | None = Field(
        default=None, description="from the mesh's center, or a range; null fits the mesh"
    )
    distance_in: Literal["radii", "sides", "units"] = Field(
        default="radii",
        description="unit of the distance; sides: longest side of the bounding box",
    )
    elevation_deg: float | Range | None = Field(
        default=None, description="above the horizon, or a range; null follows from the kind"
    )
    azimuth_deg: float = Field(default=0.0, description="of the first view of a turntable")
    density: Literal["sphere", "cube"] = Field(default="sphere", description="of random directions")
    upper_share: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="hammersley: share of the views above the horizon"
    )
    up: str = Field(
        default="auto",
        description='an axis such as "-y", a vector "X,Y,Z", or auto: what the file says',
    )
    orthographic: bool = Field(default=False, description="parallel rays")
    file: str | None = Field(
        default=None,
        description="camera file of kind file; {id}, {stem} and {folder} are those of the mesh",
    )
    world: Literal["mesh", "blender"] = Field(
        default="mesh",
        description="frame of its poses: of the mesh file, or of Blender after import and scaling",
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
        default="none", description="box: into [-0.5, 0.5]^3; sphere: into the unit sphere"
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

    outputs: tuple[Output, ...] = Field(default=("photo", "depth"), description="what is stored")
    layouts: tuple[Layout, ...] = Field(
        default=(), description="layouts of published work, besides"
    )
    codec: Codec = Field(
        default="packed", description="packed: smallest; deflate, none: plain NumPy arrays"
    )
    depth_tolerance: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="largest relative error of stored depths; 0 stores all bits"
    )
    samples: PositiveInt = Field(default=2, description="of the photo, along each side of a pixel")
    max_layers: PositiveInt | None = Field(default=None, description="null stores all")
    surfaces: Literal["auto", "oriented", "any"] = Field(
        default="auto", description="which faces count; see docs/conventions.md"
    )
    near: float | None = Field(default=None, description="crossings with less depth are left out")
    far: float | None = Field(default=None, description="crossings with more depth are left out")
    transforms: bool = Field(default=False, description="a transforms.json per mesh")

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
        default="mask", description="holes of alpha masks, or none"
    )
    blend_cutoff: PositiveFloat | None = Field(
        default=None,
        description="alpha below which materials that blend have holes; null for no holes",
    )
    pose: tuple[int | str, float] | None = Field(
        default=None, description="animation (index or name) and seconds, such as [walk, 1.5]"
    )
    max_texture_size: PositiveInt | None = Field(
        default=None, description="reduces larger textures"
    )
    texture_roots: tuple[str, ...] = Field(
        default=(), description="folders of textures of all meshes"
    )
    max_faces: PositiveInt | None = Field(default=None, description="larger meshes fail")
    max_file_mb: PositiveInt | None = Field(default=None, description="larger files fail")

    def faults(self) -> Iterator[str]:
        """Yield a line for each contradiction within the group."""
        if self.blend_cutoff is not None and self.alpha == "ignore":
            yield "blend_cutoff has no effect with alpha: ignore; give one of them"


Fraction = Annotated[float, Field(ge=0, le=1)]


class SplitConfig(Group):
    """Fractions of the meshes in each split, chosen by the hash of the id."""

    train: Fraction = Field(default=1.0, description="the rest if only the others are given")
    val: Fraction = 0.0
    test: Fraction = 0.0
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
        default=256.0, description="size of a shard; sets the meshes in it"
    )
    min_per_worker: PositiveInt = Field(
        default=4, description="shards, if there are so many meshes"
    )
    meshes: PositiveInt | None = Field(
        default=None, description="per shard; null follows from the other two"
    )


class PhotosConfig(Group):
    """Existing photos, which get sheets and layers of the same cameras."""

    layout: Literal["auto", "zero123", "transforms", "colmap", "bop"] = Field(
        default="auto", description="of the folder"
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
        default=LENS_35_DEG, description="of layout zero123, along the longer side"
    )
    masks: str | None = Field(
        default=None,
        description="files beside photos, such as {photo}_mask.png; null takes the photos' alpha",
    )
    min_iou: Fraction = Field(
        default=0.0, description="views whose silhouettes agree less are left out"
    )
    search_below: Fraction = Field(
        default=0.9, description="a correction is looked for if silhouettes agree less"
    )
    correct: bool = Field(default=False, description="render with the correction that was found")

    def faults(self) -> Iterator[str]:
        """Yield a line for each contradiction within the group."""
        yield from direction_fault("photos.mesh_up", self.mesh_up)


class LimitsConfig(Group):
    """Limits on each mesh; they do not change what is rendered."""

    seconds_per_mesh: PositiveFloat = Field(default=300.0, description="slower meshes fail")
    memory_mb: PositiveInt | None = Field(
        default=None, description="of a renderer's process; null shares the machine's"
    )
