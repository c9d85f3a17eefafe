"""Exact double depth maps of a mesh: where every pixel's ray first enters it and where it last exits."""

# The names are imported when the first of them is asked for. So the command `ddepth` has its signal handlers
# before NumPy and moderngl are imported; a package is imported before any module of it.
TYPE_CHECKING = False
if TYPE_CHECKING:
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
        NotAskedForError,
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
    "NotAskedForError",
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

_MODULES = {
    "Camera": "camera",
    "CameraError": "errors",
    "ContextClosedError": "errors",
    "ContextError": "errors",
    "DDepthError": "errors",
    "DatasetError": "errors",
    "DepthLayers": "depth_layers",
    "DepthMaps": "depth_maps",
    "DepthRenderer": "renderer",
    "DeviceDepthMaps": "device_maps",
    "DeviceMemoryError": "errors",
    "InteropError": "errors",
    "Mesh": "mesh",
    "MeshError": "errors",
    "NotAskedForError": "errors",
    "OutputError": "errors",
    "RequestError": "errors",
    "Scene": "scene",
    "ShaderError": "errors",
    "__version__": "version",
    "double_depth": "renderer",
    "load_cameras": "camera_files",
    "load_mesh": "mesh_files",
    "write_deep_exr": "writers.exr",
    "write_exr": "writers.exr",
    "write_lari": "writers.lari",
    "write_layer_clouds": "writers.ply",
    "write_layereddepth": "writers.layereddepth",
    "write_npz": "writers.npz",
    "write_ply": "writers.ply",
    "write_png16": "writers.png16",
    "write_xray": "writers.xray",
}

if not TYPE_CHECKING:  # a type checker would take any name for one of the package's

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        globals().update(
            {each: getattr(import_module(f".{module}", __name__), each) for each, module in _MODULES.items()}
        )
        return globals()[name]

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
