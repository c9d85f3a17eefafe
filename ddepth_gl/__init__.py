"""Exact double depth maps of a mesh: first entry and last exit of the ray through every pixel."""

# Names are imported on first use. Python imports a package before its modules, and the command
# `ddepth` must install its signal handlers before NumPy and moderngl are imported (decision 10).
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._version import __version__
    from .camera.camera import Camera
    from .engines.scene import Scene
    from .errors import (
        CameraError,
        ContextClosedError,
        ContextError,
        DatasetError,
        DDepthError,
        DeviceMemoryError,
        InteropError,
        LeftOutWarning,
        MeshError,
        NotAskedForError,
        OutputError,
        RequestError,
        ShaderError,
        ViewerError,
    )
    from .gl.workers import worker_environment
    from .io.cameras.read import load_cameras
    from .io.cameras.write import save_cameras
    from .io.meshes.read import load_mesh
    from .io.results.deep_exr import write_deep_exr
    from .io.results.exr import write_exr
    from .io.results.exr_files import write_exr_files
    from .io.results.lari import write_lari
    from .io.results.layereddepth import write_layereddepth
    from .io.results.npz import write_npz
    from .io.results.ply import write_ply
    from .io.results.png import write_photo
    from .io.results.png16 import write_png16
    from .io.results.point_clouds import write_layer_clouds
    from .io.results.preview import preview
    from .io.results.read_npz import load_npz
    from .io.results.xray import write_xray
    from .mesh.bodies import Bodies
    from .mesh.demo import demo_mesh
    from .mesh.mesh import Mesh
    from .mesh.report import MeshReport
    from .mesh.sampler import Sampler
    from .one_call import double_depth
    from .renderer import DepthRenderer, RendererInfo, Surfaces
    from .results.depth_layers import DepthLayers
    from .results.depth_maps import DepthMaps
    from .results.device_maps import DeviceDepthMaps, DeviceImage
    from .results.frame import Frame
    from .viewer.notebook import show

__all__ = [
    "Bodies",
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
    "DeviceImage",
    "DeviceMemoryError",
    "Frame",
    "InteropError",
    "LeftOutWarning",
    "Mesh",
    "MeshError",
    "MeshReport",
    "NotAskedForError",
    "OutputError",
    "RendererInfo",
    "RequestError",
    "Sampler",
    "Scene",
    "ShaderError",
    "Surfaces",
    "ViewerError",
    "__version__",
    "demo_mesh",
    "double_depth",
    "load_cameras",
    "load_mesh",
    "load_npz",
    "preview",
    "save_cameras",
    "show",
    "worker_environment",
    "write_deep_exr",
    "write_exr",
    "write_exr_files",
    "write_lari",
    "write_layer_clouds",
    "write_layereddepth",
    "write_npz",
    "write_photo",
    "write_ply",
    "write_png16",
    "write_xray",
]

_MODULES = {
    "Bodies": "mesh.bodies",
    "Camera": "camera.camera",
    "CameraError": "errors",
    "ContextClosedError": "errors",
    "ContextError": "errors",
    "DDepthError": "errors",
    "DatasetError": "errors",
    "DepthLayers": "results.depth_layers",
    "DepthMaps": "results.depth_maps",
    "DepthRenderer": "renderer",
    "DeviceDepthMaps": "results.device_maps",
    "DeviceImage": "results.device_maps",
    "DeviceMemoryError": "errors",
    "Frame": "results.frame",
    "InteropError": "errors",
    "LeftOutWarning": "errors",
    "Mesh": "mesh.mesh",
    "MeshError": "errors",
    "MeshReport": "mesh.report",
    "NotAskedForError": "errors",
    "OutputError": "errors",
    "RendererInfo": "renderer",
    "RequestError": "errors",
    "Sampler": "mesh.sampler",
    "Scene": "engines.scene",
    "ShaderError": "errors",
    "Surfaces": "renderer",
    "ViewerError": "errors",
    "__version__": "_version",
    "demo_mesh": "mesh.demo",
    "double_depth": "one_call",
    "load_cameras": "io.cameras.read",
    "load_mesh": "io.meshes.read",
    "load_npz": "io.results.read_npz",
    "preview": "io.results.preview",
    "save_cameras": "io.cameras.write",
    "show": "viewer.notebook",
    "worker_environment": "gl.workers",
    "write_deep_exr": "io.results.deep_exr",
    "write_exr": "io.results.exr",
    "write_exr_files": "io.results.exr_files",
    "write_lari": "io.results.lari",
    "write_layer_clouds": "io.results.point_clouds",
    "write_layereddepth": "io.results.layereddepth",
    "write_npz": "io.results.npz",
    "write_photo": "io.results.png",
    "write_ply": "io.results.ply",
    "write_png16": "io.results.png16",
    "write_xray": "io.results.xray",
}

if not TYPE_CHECKING:  # with __getattr__, a type checker would accept any name

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        globals().update(
            {
                public_name: getattr(import_module(f".{module}", __name__), public_name)
                for public_name, module in _MODULES.items()
            }
        )
        return globals()[name]

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
