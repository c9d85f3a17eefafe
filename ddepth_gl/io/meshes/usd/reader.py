"""USD files, which OpenUSD reads in a child process: `read_usd`.

OpenUSD opens what a layer refers to by itself. So the child gets a folder of its own, with those
layers only that `MeshFolder` allows or that the USDZ package holds.
"""

from __future__ import annotations

import posixpath
import re
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ....errors import MeshError
from ..child import run_in_child
from ..folder import MeshFolder
from ..merge import MeshPart
from ..options import LoadOptions
from ..scene_parts import ReadTexture, scene_parts, seconds_for, up_of
from ..zip_entries import ZipEntries

__all__ = ["usd_parts"]

_SUFFIXES = (".usd", ".usda", ".usdc")
_MAX_LAYERS, _MAX_ROUNDS = 1000, 20
# Where the root lies in the child's folder, so that paths with ".." end in it, too.
_DEPTH = "/".join("d" * 16)
_FLATTEN = "flatten it: usdcat --flatten in.usd -o out.usdc"


def usd_parts(data: bytes, folder: MeshFolder, options: LoadOptions) -> list[MeshPart]:
    """Return a part for each mesh that is shown, and for each material of it.

    Args:
        data: content of a layer in text or binary form, or of a USDZ package.
        folder: reader of further layers and textures; takes notes of what is left out, and of what
            is up.
        options: options of `load_mesh`.

    Raises:
        MeshError: the file is damaged, refers to a layer outside of its folder, or the package
            usd-core is not installed.
        FileNotFoundError: a layer is missing.
    """
    animation, seconds = options.pose or (0, None)
    read: ReadTexture = folder.read
    read_layer: Callable[[str], bytes] = partial(folder.read, is_layer=True)
    top, name = _DEPTH, folder.name
    root = f"{top}/root.usd"
    if data[:4] == b"PK\3\4":
        package = ZipEntries(data, only_stored=True)
        root, read, read_layer, top = package.names[0], package.read, package.read, ""
        if posixpath.splitext(root)[1].lower() not in _SUFFIXES:
            raise MeshError(f"its package begins with {root!r}, not with a layer; pack it again")
        data = read(root)
        root = name = _normal(root, "")
    with tempfile.TemporaryDirectory(prefix="ddepth-usd-") as path:
        layers = _Layers(Path(path).resolve(), root, data, read_layer, folder.max_file_bytes, top)
        for _ in range(_MAX_ROUNDS):
            request = {
                "folder": str(layers.folder),
                "top": str(layers.folder / top),
                "layers": layers.checked,
                "max_faces": options.max_faces,
                # Alpha masks need it.
                "appearance": options.appearance or options.alpha == "mask",
                "animation": animation,
                "seconds": seconds,
                "name": name,
            }
            message = run_in_child(
                "usd", request, seconds=seconds_for(layers.size), memory=layers.memory
            )
            pending = message[0].get("pending")
            if pending is None:
                folder.up = up_of(message)
                return scene_parts(message, folder, options, read)
            for name, references in pending.items():
                layers.add(name, references)
    raise MeshError(f"its layers refer to each other more than {_MAX_ROUNDS} deep; {_FLATTEN}")


class _Layers:
    """The layers that have been read and stored for the child so far.

    Args:
        folder: the child's folder.
        root: path of the root layer in it.
        data: content of the root layer.
        read: reader of further layers.
        max_bytes: limit on all layers together.
        top: path of the folder in it that stands for that of the USD file or of the package.

    Attributes:
        checked: asset paths that have been checked, by the path of the layer that has them.
    """

    def __init__(
        self,
        folder: Path,
        root: str,
        data: bytes,
        read: Callable[[str], bytes],
        max_bytes: int,
        top: str,
    ) -> None:
        self.folder, self._read, self._max_bytes, self._top = folder, read, max_bytes, top
        self.size = 0
        self.checked: dict[str, list[str]] = {}
        self._store(root, data)

    @property
    def memory(self) -> int:
        """Limit on the child's memory in bytes."""
        return 2 * 1024**3 + 6 * self.size

    def add(self, name: str, references: list[str]) -> None:
        """Check what a layer refers to, and store those layers.

        Raises:
            MeshError: one is outside of the folders that `read` reads from, no layer, or there are
                too many.
            FileNotFoundError: one is missing.
        """
        if name not in self.checked:
            raise MeshError("its layers are damaged; export it again")
        for reference in references:
            path, _, arguments = reference.partition(":SDF_FORMAT_ARGS:")
            if "/" in arguments:  # they may be taken for a part of the path
                path = reference
            path = _normal(path, posixpath.dirname(name))
            if path not in self.checked:
                self._store(path, self._content(path, reference))
        self.checked[name] = references

    def _content(self, path: str, reference: str) -> bytes:
        name = posixpath.relpath(path, self._top or ".")
        try:
            return self._read(name)
        except FileNotFoundError:
            if name.startswith("../"):
                raise _outside(reference) from None
            raise

    def _store(self, name: str, data: bytes) -> None:
        self.size += len(data)
        if self.size > self._max_bytes or len(self.checked) >= _MAX_LAYERS:
            raise MeshError(
                f"it refers to more than {_MAX_LAYERS:,} layers or {self._max_bytes:,} bytes of "
                "them; pass a larger max_file_bytes"
            )
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.checked[name] = []


def _normal(path: str, base: str) -> str:
    """Return the path of a layer in the child's folder.

    Raises:
        MeshError: it is outside, or no path of a layer.
    """
    normal = posixpath.normpath(posixpath.join(base, path.replace("\\", "/")))
    is_plain = re.fullmatch(r"[^:\[\]<>`$|?*\0\n]{1,400}", normal) is not None
    if not is_plain or normal.startswith("/") or normal.split("/")[0] == "..":
        raise _outside(path)
    if posixpath.splitext(normal)[1].lower() not in _SUFFIXES:
        raise MeshError(f"it refers to {path!r:.120}, which is not a USD layer; {_FLATTEN}")
    return normal


def _outside(path: str) -> MeshError:
    return MeshError(
        f"it refers to {path!r:.80}, which is not in its folder or texture_roots; {_FLATTEN}"
    )
