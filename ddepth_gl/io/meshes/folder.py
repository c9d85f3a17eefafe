"""The files that belong to a mesh file: only those in its own folder, never larger than agreed."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote_to_bytes

from PIL import Image, UnidentifiedImageError

from ...errors import MeshError
from ..opened_files import OpenedFile, opened, opened_below, opened_folder

__all__ = ["MAX_PICTURE_PIXELS", "PICTURE_FORMATS", "UNNAMED", "MeshFolder", "open_picture"]

MAX_PICTURE_PIXELS = 2**27
# Formats whose decoders only decode. Others (EPS) start programs.
PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TGA", "TIFF", "GIF", "DDS")
# For trimesh, which encodes the name of a file as UTF-8, that it may not be: one that no object can have.
UNNAMED = "the file\n"
_NO_FILE = "there is no such file; check the path"


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
    """Reads a mesh file and the files that it names, in the form in which trimesh asks for them.

    A named file is read only if it is a regular file inside the mesh's folder after every symbolic link is
    followed, and no larger than ``max_file_bytes``. An absolute or outside path is tried by its last
    component alone, because exporters write the paths of the machine they ran on.

    A context manager: within it the folder is open, and stays the same one if its name is given to another.
    """

    def __init__(self, mesh_path: Path, max_file_bytes: int) -> None:
        self.folder = mesh_path.parent.resolve()
        self.file_name = UNNAMED  # trimesh looks for it
        self._mesh_name = mesh_path.name
        self.max_file_bytes = max_file_bytes
        self.refusal: MeshError | None = None  # trimesh swallows what get() raises
        self._held = ExitStack()
        self._descriptor = -1
        self._side_files: dict[str, bytes] = {}  # their SHA-256

    def __enter__(self) -> MeshFolder:
        try:
            self._descriptor = self._held.enter_context(opened_folder(self.folder))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MeshError(_NO_FILE) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.close()

    def read_mesh(self, suffixes: Collection[str]) -> bytes:
        """Return the bytes of the mesh file itself, which may be a symbolic link to anywhere.

        Args:
            suffixes: of the formats that are read.

        Raises:
            MeshError: it is missing, no regular file, of another format, empty or too large.
        """
        suffix = Path(self._mesh_name).suffix
        try:
            with opened(self._mesh_name or ".", self._descriptor) as file:
                if file.is_folder:
                    raise MeshError("it is a directory; give the path of a mesh file in it")
                if not file.is_regular:
                    raise MeshError("it is not a regular file; give the path of a mesh file")
                if not suffix:
                    raise MeshError(
                        f"its name has no extension; add that of its format, {', '.join(suffixes)}"
                    )
                if suffix.lower() not in suffixes:
                    raise MeshError(
                        f"files of type {suffix!r} are not read; convert it to {', '.join(suffixes)}"
                    )
                if file.size == 0:
                    raise MeshError("it is empty; copy or export it again")
                return self._content(file, "it has")
        except FileNotFoundError as error:
            raise MeshError(_NO_FILE) from error

    def read(self, name: str) -> bytes:
        """Return the bytes of the file of this name.

        Raises:
            FileNotFoundError: if there is no such file in the folder, with the name as its message.
            MeshError: if it is too large.
        """
        for candidate in _spellings(name.strip().replace("\\", "/")):
            with ExitStack() as held:
                try:
                    # Only a look where links lead: what is there by now need not be what is opened.
                    path = (self.folder / candidate).resolve(strict=True).relative_to(self.folder)
                    file = held.enter_context(opened_below(self._descriptor, path))
                except (
                    OSError,
                    ValueError,
                    RuntimeError,
                ):  # missing, outside, NUL, a loop of links
                    continue
                if file.is_regular:
                    data = self._content(file, f"it needs {candidate!r} of")
                    self._side_files[str(path)] = hashlib.sha256(data).digest()
                    return data
        raise FileNotFoundError(name)

    def side_files_sha256(self) -> str:
        """Return the SHA-256, in hexadecimal, of the files that `read` gave and their names; "" for none."""
        if not self._side_files:
            return ""
        names = (
            os.fsencode(name) + b"\0" + content
            for name, content in sorted(self._side_files.items())
        )
        return hashlib.sha256(b"".join(names)).hexdigest()

    def _content(self, file: OpenedFile, what: str) -> bytes:
        if file.size > self.max_file_bytes:
            raise MeshError(
                f"{what} {file.size} bytes, the limit is {self.max_file_bytes}; pass a larger max_file_bytes"
            )
        data = file.read()
        if data is None:
            raise MeshError(
                f"{what} {file.size} bytes no longer: it is being written; load it once it is whole"
            )
        return data

    def get(self, name: str) -> bytes:
        """Return what ``read`` does, for trimesh: text as UTF-8, pictures only if they may be opened."""
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


def _spellings(name: str) -> Iterator[str]:
    """Yield the paths that a name in a mesh file may mean, the likeliest first.

    Names on disk are bytes, and a file that is no UTF-8 was read as Latin-1: its names are tried so as well.
    """
    seen = set()
    for path in (name, name.rsplit("/", 1)[-1]):
        for encoding in ("utf-8", "latin-1"):
            try:
                plain = path.encode(encoding, "surrogateescape")
            except UnicodeEncodeError:
                continue
            for spelling in (plain, unquote_to_bytes(plain)):
                if spelling not in seen:
                    seen.add(spelling)
                    yield os.fsdecode(spelling)


def as_utf8(data: bytes) -> bytes:
    """Text as UTF-8 without a byte order mark; what is not UTF-8 is taken for Latin-1."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1").encode("utf-8")
    return data.removeprefix(b"\xef\xbb\xbf")
