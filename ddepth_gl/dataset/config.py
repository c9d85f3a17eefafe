"""DatasetConfig: the settings that a data set is made from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

__all__ = [
    "DatasetConfig",
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

Output = Literal[
    "photo",
    "depth",
    "distance",
    "thickness",
    "layers",
    "normal",
    "face",
    "object_id",
    "points",
    "objects",
]
Layout = Literal["xray", "lari", "lari16", "layereddepth", "2k2k", "point_map", "point_map16"]
Range = tuple[float, float]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourcesConfig(_Group):
    """Sources of meshes."""

    paths: tuple[str, ...] = ()  # files, folders, globs, tars, addresses of fsspec
    tables: tuple[str, ...] = ()  # CSV or Parquet with columns id and path
    lists: tuple[str, ...] = ()  # text files, one path per line
    id_column: str = "id"
    path_column: str = "path"


class ViewsConfig(_Group):
    """Cameras of each mesh."""

    kind: Literal["orbit", "hemisphere", "fibonacci", "hammersley", "random", "file"] = "orbit"
    preset: Literal["trellis", "zero123", "objaverse", "lari"] | None = None
    count: PositiveInt = 24
    size: tuple[PositiveInt, PositiveInt] = (512, 512)  # width, height
    seed: int = 0
    fov_deg: PositiveFloat | Range = 40.0
    distance: PositiveFloat | Range | None = None  # in radii of the mesh; None fits the mesh
    elevation_deg: float | Range | None = None
    up: str = "auto"
    orthographic: bool = False
    file: str | None = None  # of cameras; {id} and {stem} stand for those of the mesh


class NormalizationConfig(_Group):
    """Scale and position of each mesh."""

    fit: Literal["none", "box", "sphere"] = "none"  # into [-0.5, 0.5]^3, or the unit sphere
    up: str | None = None  # axis of the mesh that becomes +y; None keeps all axes


class StoreConfig(_Group):
    """Contents of a sample, and their encoding."""

    outputs: tuple[Output, ...] = ("photo", "depth")
    layouts: tuple[Layout, ...] = ()
    codec: Literal["packed", "deflate", "none", "png16", "exr"] = "packed"
    depth_tolerance: Annotated[float, Field(ge=0)] = 0.0
    samples: PositiveInt = 2  # of the photo, along each side of a pixel
    max_layers: PositiveInt | None = None
    surfaces: Literal["auto", "oriented", "any"] = "auto"
    near: float | None = None
    far: float | None = None
    transforms: bool = False  # a transforms.json per mesh


class LoadingConfig(_Group):
    """Options of reading mesh files; see `load_mesh`."""

    alpha: str = "mask"
    blend_cutoff: float | None = None
    pose: str | None = None
    max_texture_size: PositiveInt | None = None
    texture_roots: tuple[str, ...] = ()
    max_faces: PositiveInt | None = None
    max_file_mb: PositiveInt | None = None


class SplitConfig(_Group):
    """Fractions of the meshes in each split, chosen by the hash of the id."""

    train: Annotated[float, Field(ge=0, le=1)] = 1.0
    val: Annotated[float, Field(ge=0, le=1)] = 0.0
    test: Annotated[float, Field(ge=0, le=1)] = 0.0
    seed: int = 0


class ShardsConfig(_Group):
    """Division of the meshes into shards."""

    target_mb: PositiveFloat = 256.0
    min_per_worker: PositiveInt = 4
    meshes: PositiveInt | None = None  # per shard; None follows from the other two


class PhotosConfig(_Group):
    """Existing photos, which get sheets and layers of the same cameras."""

    layout: Literal["auto", "zero123", "transforms", "colmap", "bop"] = "auto"
    folder: str  # {id} and {stem} stand for those of the mesh
    min_iou: Annotated[float, Field(ge=0, le=1)] = 0.0


class LimitsConfig(_Group):
    """Limits on each mesh; they do not change what is rendered."""

    seconds_per_mesh: PositiveFloat = 300.0
    memory_mb: PositiveInt | None = None  # of a renderer's process; None shares the machine's


class DatasetConfig(_Group):
    """Everything that a data set depends on."""

    sources: SourcesConfig = SourcesConfig()
    views: ViewsConfig = ViewsConfig()
    normalization: NormalizationConfig = NormalizationConfig()
    store: StoreConfig = StoreConfig()
    loading: LoadingConfig = LoadingConfig()
    split: SplitConfig = SplitConfig()
    shards: ShardsConfig = ShardsConfig()
    photos: PhotosConfig | None = None
    limits: LimitsConfig = LimitsConfig()
    layout: Literal["webdataset", "files"] = "webdataset"
