"""Exact double depth maps of a mesh: where every pixel's ray first enters it and where it last exits."""

from .camera import Camera
from .camera_files import load_cameras
from .depth_layers import DepthLayers
from .depth_maps import DepthMaps
from .device_maps import DeviceDepthMaps
from .errors import (
    CameraError,
    ContextClosedError,
    ContextError,
    DatasetError,
    DDepthError,
    DeviceMemoryError,
    InteropError,
    MeshError,
    OutputError,
    RequestError,
    ShaderError,
)
from .mesh import Mesh
from .mesh_files import load_mesh
from .renderer import DepthRenderer, double_depth
from .scene import Scene
from .version import __version__
from .writers.exr import write_deep_exr, write_exr
from .writers.lari import write_lari
from .writers.layereddepth import write_layereddepth
from .writers.npz import write_npz
from .writers.ply import write_layer_clouds, write_ply
from .writers.png16 import write_png16
from .writers.xray import write_xray

__all__ = [
    "Camera",
    "CameraError",
    "ContextClosedError",
    "ContextError",
    "DDepthError",
    "DatasetError",
    "DepthLayers",
    "DepthMaps",
    "DepthRenderer",
    "DeviceDepthMaps",
    "DeviceMemoryError",
    "InteropError",
    "Mesh",
    "MeshError",
    "OutputError",
    "RequestError",
    "Scene",
    "ShaderError",
    "__version__",
    "double_depth",
    "load_cameras",
    "load_mesh",
    "write_deep_exr",
    "write_exr",
    "write_lari",
    "write_layer_clouds",
    "write_layereddepth",
    "write_npz",
    "write_ply",
    "write_png16",
    "write_xray",
]
