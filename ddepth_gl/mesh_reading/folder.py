"""The files that belong to a mesh file: only those in its own folder, never larger than agreed."""

from __future__ import annotations

import io
import stat
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from PIL import Image, UnidentifiedImageError

from ..errors import MeshError

__all__ = ["MAX_PICTURE_PIXELS", "PICTURE_FORMATS", "MeshFolder", "open_picture"]

MAX_PICTURE_PIXELS = 2**27
# Formats whose decoders only decode. Others (EPS) start programs.
PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TGA", "TIFF", "GIF", "DDS")


def open_picture(data: bytes, name: str) -> Image.Image | None:
    """The picture in ``data``, its pixels not decoded yet; None if it is in no format read here.

    Raises:
        MeshError: if its header claims more than MAX_PICTURE_PIXELS pixels.
    """
    try:
        picture = Image.open(io.BytesIO(data), formats=PICTURE_FORMATS)
    except Image.DecompressionBombError as error:
        raise MeshError(f"texture {name!r} is too large ({error}); shrink it") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, TypeError, EOFError):
        return None  # as good as missing
    if picture.width * picture.height > MAX_PICTURE_PIXELS:
        raise MeshError(
            f"texture {name!r} has {picture.width} x {picture.height} pixels, more than "
            f"{MAX_PICTURE_PIXELS}; shrink it"
        )
    return picture


class MeshFolder:
    """Reads the files that a mesh file names, in the form in which trimesh asks for them.

    A file is read only if it is a regular file inside the mesh's folder after every symbolic link is
    followed, and no larger than ``max_file_bytes``. An absolute or outside path is tried by its last
    component alone, because exporters write the paths of the machine they ran on.
    """

    def __init__(self, mesh_path: Path, max_file_bytes: int) -> None:
        self.folder = mesh_path.parent.resolve()
        self.file_name = mesh_path.name
        self.max_file_bytes = max_file_bytes
        self.refusal: MeshError | None = None  # trimesh swallows what get() raises

    def read(self, name: str) -> bytes:
        """The bytes of the file of this name.

        Raises:
            FileNotFoundError: if there is no such file in the folder, with the name as its message.
            MeshError: if it is too large.
        """
        plain = name.strip().replace("\\", "/")
        for candidate in dict.fromkeys((plain, unquote(plain), plain.rsplit("/", 1)[-1])):
            try:
                path = (self.folder / candidate).resolve(strict=True)
                info = path.stat()
            except (OSError, ValueError, RuntimeError):  # missing, NUL in the name, a loop of links
                continue
            if not path.is_relative_to(self.folder) or not stat.S_ISREG(info.st_mode):
                continue
            if info.st_size > self.max_file_bytes:
                raise MeshError(
                    f"it needs {candidate!r} of {info.st_size} bytes, the limit is {self.max_file_bytes}; "
                    "pass a larger max_file_bytes"
                )
            with path.open("rb") as file:
                return file.read(self.max_file_bytes)
        raise FileNotFoundError(name)

    def get(self, name: str) -> bytes:
        """What ``read`` gives, for trimesh: text as UTF-8, pictures only if they may be opened."""
        try:
            data = self.read(name)
            if name.strip().lower().endswith(".mtl"):
                return as_utf8(data)
            if open_picture(data, name) is None:
                raise FileNotFoundError(name)
        except MeshError as error:
            self.refusal = error
            raise
        return data

    def __getitem__(self, name: str) -> bytes:
        return self.get(name)

    def namespaced(self, namespace: str) -> Any:
        """Part of trimesh's interface, used for archives only; always refuses."""
        raise FileNotFoundError(namespace)


def as_utf8(data: bytes) -> bytes:
    """Text as UTF-8 without a byte order mark; what is not UTF-8 is taken for Latin-1."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1").encode("utf-8")
    return data.removeprefix(b"\xef\xbb\xbf")
