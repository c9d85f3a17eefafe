"""`load_mesh`: reads an untrusted mesh file, into a `Mesh` or a `MeshError` and nothing else."""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

from ..._checks import one_line, printable, shortened, shown
from ..._log import logger
from ..._text import counted
from ...errors import LeftOutWarning, MeshError
from ...mesh.mesh import Mesh, MeshSource
from .dae.reader import dae_parts
from .folder import MeshFolder
from .gltf.reader import gltf_parts
from .lost_textures import left_out_text, tell_lost_textures
from .merge import MeshPart, merge_parts
from .obj.reader import obj_parts
from .off import off_parts
from .options import AlphaMode, LoadOptions, checked_limit, checked_options, checked_roots
from .ply.reader import ply_parts
from .stl import stl_parts
from .threemf.reader import threemf_parts
from .usd.reader import usd_parts

__all__ = ["MESH_SUFFIXES", "load_mesh", "source_of_file"]

Reader = Callable[[bytes, MeshFolder, LoadOptions], list[MeshPart]]


_USD = (".usd", ".usda", ".usdc", ".usdz")
_READERS: dict[str, Reader] = {
    ".obj": obj_parts,
    ".stl": stl_parts,
    ".ply": ply_parts,
    ".off": off_parts,
    ".glb": gltf_parts,
    ".gltf": gltf_parts,
    ".3mf": threemf_parts,
    ".dae": dae_parts,
    **dict.fromkeys(_USD, usd_parts),
}
_GLTF = (".glb", ".gltf")
_UP_OF_GLTF = (0.0, 1.0, 0.0)  # glTF 2.0, section 3.4, "Coordinate System and Units"
_log = logger(__name__)

# What a parser raises where it does not expect damage. The messages are about its code, not about
# the file.
_STUMBLES = (AssertionError, AttributeError, LookupError, NameError, TypeError)

MESH_SUFFIXES = tuple(_READERS)  # in lower case

_MAX_FILE_BYTES = 2 * 1024**3
# What a file holds if it names side files.
_NAMES_SIDE_FILES = {".obj": b"mtllib", ".ply": b"TextureFile", **dict.fromkeys(_GLTF, b'"uri"')}
# Any file of these may; the empty name is in all of them.
_NAMES_SIDE_FILES |= dict.fromkeys((".dae", ".usd", ".usda", ".usdc"), b"")


def load_mesh(
    path: str | os.PathLike[str],
    *,
    appearance: bool = True,
    alpha: AlphaMode = "mask",
    blend_cutoff: float | None = None,
    pose: tuple[int | str, float] | None = None,
    texture_roots: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    max_texture_size: int | None = None,
    max_file_bytes: int = _MAX_FILE_BYTES,
    max_faces: int = 100_000_000,
) -> Mesh:
    """Read an OBJ, STL, PLY, OFF, GLB, glTF, 3MF, DAE or USD file as one Mesh in world coordinates.

    Scene transforms are applied in float64, and every instance is included. A mirroring transform
    reverses the winding. glTF meshes are in the pose that their nodes and weights give, or that of
    an animation (``pose``): skins and morph targets are applied in float64. Skins of DAE files are
    posed by their nodes. Polygons are cut into triangles that cover what their outlines enclose,
    concave ones too (see Polygons in docs/conventions.md). Faces are in the order of the file,
    except where they have several textures. Vertices that no face uses may be NaN or infinite: then
    unused vertices are left out.

    - ``object_id`` and ``object_names``: one object per glTF node with a mesh, per OBJ object and
      material, per solid of an ASCII STL, per item of a 3MF, per instance in DAE and USD files;
      otherwise one object for the whole file. OBJ files of more than 1000 objects have one per
      material. Instances of a glTF node (EXT_mesh_gpu_instancing) are objects "name #0",
      "name #1", ..., unless there are more than 20,000. Those of a USD point instancer are named
      alike.
    - ``colors``: the vertex colors of a part if it has them; otherwise its material's base color;
      otherwise white, if other parts have colors. None if no part has any. In OBJ, PLY and OFF,
      colors are sRGB and a texture replaces the base color. In glTF, colors are linear and are
      converted to sRGB; base color, vertex colors and texture multiply. Face colors of PLY and OFF
      count if the vertices have none: vertices are split where they differ. Colors in STL are not
      read.
    - glTF may be compressed by meshopt, and with the extra ``[compressed]`` by Draco and with KTX2
      textures (Basis Universal).
    - ``up``: (0, 1, 0) for GLB and glTF and (0, 0, 1) for 3MF, by definition of the format; what
      DAE and USD files say. The other formats do not say. Nothing is turned by it, nor scaled by
      units.
    - ``uv`` and ``textures``: base color only, v up, equal textures once. Only textures in the
      folder of the mesh file or in `texture_roots` are read, and decoded when they are first used.
      If one cannot be used, the warning says which, why, and how many faces lost it. ``samplers``
      has the wrap modes and filters of glTF.
    - glTF materials: KHR_materials_pbrSpecularGlossiness (its diffuse color) comes before the base
      color. A material that emits light, has no base color texture, and whose base color is black
      shows its emissive color; if no base color is given, only with an emissive texture and without
      vertex colors.
    - ``alpha_cutoff``: of glTF's MASK and USD's opacityThreshold. A mask that cannot cut anything
      is dropped. OPAQUE makes colors opaque, BLEND keeps their alpha. Materials that blend, of
      any format, cut holes only with `blend_cutoff`; without, the warning tells their number.
    - OBJ: faces keep the order of the file within an object, but those without uv follow the
      others. Names of objects have the material behind them if the file uses several. Colors behind
      vertices are in 0..255 if one of them is above 1. Normals are not read.
    - MTL: a material shows `Kd`, one number of which is a gray, or `map_Kd`, scaled and moved by
      its options `-s` and `-o` and repeated unless it has `-clamp on`. If it has no `map_Kd` and
      `Kd` is black or missing, it shows its emission, `Ke` or `map_Ke`. `d`, or else 1 - `Tr`, is
      its alpha. That blends, and with `blend_cutoff`, the texture's own alpha counts if `map_d`
      names the same file as `map_Kd`; another file takes its place. Of several libraries, the first
      that defines a material counts. `map_Ka` is not read: it often holds occlusion.

    Args:
        path: path of the file. The extension (in any case) names the format.
        appearance: whether to read colors, uv and textures. Without, depth is the same and loading
            is faster; what alpha masks need is read all the same.
        alpha: "mask" cuts holes where materials have an alpha mask; "ignore" does not, and colors
            keep their alpha.
        blend_cutoff: alpha cutoff of materials that blend; None if they count as opaque.
        pose: (animation, seconds), for glTF and USD files: index from 0 or name of the animation,
            and the time to sample it at; outside of its key times, the nearest of these. USD has
            one animation, 0; its seconds are time codes since ``startTimeCode``, divided by
            ``timeCodesPerSecond``. None for the pose at rest; in USD, the first sample.
        texture_roots: folders outside of the mesh's that its side files may also lie in, such as
            the folder of a ShapeNet model, whose images lie beside the folder of the mesh. Buffers
            of glTF, layers of USD and alpha masks count, so depth may depend on it.
        max_texture_size: larger textures are reduced to at most this many texels along each side,
            to the mean of the sRGB texels that each covers. Those of alpha masks are, too.
        max_file_bytes: largest size of the file, and of each side file that it names.
        max_faces: largest number of triangles, all instances together.

    Raises:
        MeshError: one line, ``<path>: <what is wrong>; <what to do>``.
        RequestError: an option is not valid.

    Warns:
        LeftOutWarning: once for a file, with everything that it holds and the mesh does not.
            `Mesh.report` has the same list.
    """
    options = checked_options(max_faces, appearance, alpha, blend_cutoff, pose, max_texture_size)
    max_file_bytes = checked_limit("max_file_bytes", max_file_bytes)
    roots = checked_roots(texture_roots)
    try:
        path = Path(path)
        if "\0" in str(path):
            raise ValueError("it holds a null character")
    except Exception as error:  # an __fspath__ method may raise anything
        raise MeshError(
            f"{shown(path)} is not a path ({one_line(error)}); pass the path of a mesh file"
        ) from None
    try:
        mesh, left_out = _load(path, max_file_bytes, roots, options)
    except MeshError as error:
        raise _mesh_error(path, one_line(error, 240)) from error
    except PermissionError as error:
        reason = f"it cannot be read ({error.strerror})"
        advice = "change the permissions of the file or of its folder"
        raise _mesh_error(path, f"{reason}; {advice}") from error
    except FileNotFoundError as error:
        # The names of glTF are URIs.
        name = one_line(unquote(str(error)), 80)
        reason = f"it needs {name!r}, which is not in its folder or texture_roots, or not readable"
        raise _mesh_error(path, f"{reason}; put it there") from error
    except MemoryError as error:
        reason = "there is not enough memory to read it"
        raise _mesh_error(path, f"{reason}; use a smaller file or a larger machine") from error
    except _STUMBLES as error:
        reason = f"it is damaged or not {path.suffix[1:].upper()} at all"
        raise _mesh_error(path, f"{reason}; check or export it again") from error
    except Exception as error:  # a parser of damaged files may raise anything
        reason = f"it cannot be read ({type(error).__name__}: {one_line(error, 100)})"
        raise _mesh_error(path, f"{reason}; check or export it again") from error
    _log.debug("read %s: %s", _shown_path(path), counted(len(mesh.faces), "face"))
    if left_out:
        text = f"{_shown_path(path)}: {left_out_text(left_out)}"
        warnings.warn(text, LeftOutWarning, stacklevel=_level_of_caller())
    return mesh


def _level_of_caller() -> int:
    """Return the `stacklevel` of the first line outside of this package, for a warning here."""
    package = __name__.partition(".")[0] + "."
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(package):
        level, frame = level + 1, frame.f_back
    return level


def source_of_file(path: Path, max_file_bytes: int = _MAX_FILE_BYTES) -> MeshSource | None:
    """Return the path and hash of a mesh file without decoding it.

    Args:
        path: path of the file.
        max_file_bytes: largest size of the file.

    Returns:
        The source of the mesh that `load_mesh` would return, without `left_out`. None if only
        `load_mesh` can tell: the file may name side files, or cannot be read.
    """
    try:
        with MeshFolder(path, max_file_bytes) as folder:
            data = folder.read_mesh(MESH_SUFFIXES)
    except Exception:  # `load_mesh` reports it
        return None
    side_files = _NAMES_SIDE_FILES.get(path.suffix.lower())
    if side_files is not None and side_files in data:
        return None
    return MeshSource(str(path.absolute()), hashlib.sha256(data).hexdigest())


def _mesh_error(path: Path, message: str) -> MeshError:
    return MeshError(f"{_shown_path(path)}: {message}")


def _shown_path(path: Path) -> str:
    # A path keeps its double spaces.
    return shortened(printable(str(path)), 4096)


def _load(
    path: Path, max_file_bytes: int, roots: tuple[Path, ...], options: LoadOptions
) -> tuple[Mesh, tuple[str, ...]]:
    """Return the mesh, and what to warn of."""
    suffix = path.suffix.lower()
    with MeshFolder(path, max_file_bytes, roots) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Where NumPy's text parser meets something that is no number, it stops with a warning only.
        warnings.filterwarnings("error", message="string or file could not be read")
        data = folder.read_mesh(MESH_SUFFIXES)
        if options.pose is not None and suffix not in (*_GLTF, *_USD):
            raise MeshError("only animations of glTF, GLB and USD files are read; leave pose out")
        with ThreadPoolExecutor(1) as thread:  # hashing takes as long as reading a binary file
            hashed = thread.submit(lambda: hashlib.sha256(data).hexdigest())
            parts = _READERS[suffix](data, folder, options)
            sha256 = hashed.result()
        tell_lost_textures(parts, folder)
        source = MeshSource(
            str(path.absolute()),
            sha256,
            folder.side_files_sha256(),
            folder.left_out(),
            folder.textures_sha256(),
        )
        up = _UP_OF_GLTF if suffix in _GLTF else folder.up
        mesh = merge_parts(
            parts, path.stem, options.max_faces, source, up, options.max_texture_size
        )
        return mesh, folder.left_out(with_warning=True)
