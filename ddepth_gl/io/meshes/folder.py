"""MeshFolder: a mesh file and its side files, only from its own folder and up to a size limit."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote_to_bytes

from ..._checks import printable, shortened
from ...errors import MeshError
from ..opened_files import OpenedFile, opened, opened_below, opened_folder
from .refused_formats import conversion_advice
from .text import as_utf8
from .textures import open_texture

__all__ = ["PLACEHOLDER_NAME", "MeshFolder"]

# Told to trimesh as the name of the mesh file: trimesh encodes it as UTF-8, which the real name may
# not be. trimesh also gives it to an object without a name. Such objects can be told apart, because
# no object in a file can have a name with a line feed.
PLACEHOLDER_NAME = "the file\n"
_NO_FILE = "there is no such file; check the path"


class MeshFolder:
    """Reader of a mesh file and of the side files that it names (materials, textures, buffers).

    A side file is read only if it is a regular file of at most ``max_file_bytes``, inside the
    mesh's folder after all symbolic links are followed. For a path that is absolute or outside,
    only the last component is tried, because exporters write the paths of the machine they ran on.

    Use it as a context manager. It keeps the folder open, so all files come from the same folder
    even if that is renamed or replaced meanwhile. It has the interface of trimesh's resolvers:
    `get`, indexing and `namespaced`.

    Args:
        mesh_path: path of the mesh file.
        max_file_bytes: largest size of the mesh file and of each side file.
        texture_roots: further folders that side files may lie in.
    """

    def __init__(
        self, mesh_path: Path, max_file_bytes: int, texture_roots: Sequence[Path] = ()
    ) -> None:
        self.folder = mesh_path.parent.resolve()
        self.file_name = PLACEHOLDER_NAME  # read by trimesh
        self._mesh_name = mesh_path.name
        self.stem = mesh_path.stem  # name of objects that have none
        self.max_file_bytes = max_file_bytes
        self.texture_roots = tuple(texture_roots)
        self.up: tuple[float, float, float] | None = None  # set by readers of files that say
        self.refusal: MeshError | None = None  # last MeshError of `get`, which trimesh swallows
        self._exit_stack = ExitStack()
        self._descriptor = -1
        self._side_file_hashes: dict[str, bytes] = {}  # SHA-256 by path
        self._left_out: dict[str, bool] = {}  # whether to warn, by text

    def __enter__(self) -> MeshFolder:
        try:
            self._descriptor = self._exit_stack.enter_context(opened_folder(self.folder))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MeshError(_NO_FILE) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exit_stack.close()

    def read_mesh(self, suffixes: Collection[str]) -> bytes:
        """Return the content of the mesh file itself, which may be a symbolic link to anywhere.

        Args:
            suffixes: suffixes of the supported formats.

        Raises:
            MeshError: the file is missing, not a regular file, of another format, empty, too large,
                or still being written.
        """
        suffix = Path(self._mesh_name).suffix
        formats = ", ".join(suffixes)
        try:
            # The paths "/" and "." have no name: open the folder, to report a directory.
            with opened(self._mesh_name or ".", self._descriptor) as file:
                if file.is_folder:
                    raise MeshError("it is a directory; give the path of a mesh file in it")
                if not file.is_regular:
                    raise MeshError("it is not a regular file; give the path of a mesh file")
                if not suffix:
                    raise MeshError(f"its name has no extension; add that of its format, {formats}")
                if suffix.lower() not in suffixes:
                    raise MeshError(conversion_advice(suffix, suffixes))
                if file.size == 0:
                    raise MeshError("it is empty; copy or export it again")
                return self._content(file, "it")
        except FileNotFoundError as error:
            raise MeshError(_NO_FILE) from error

    def read(self, name: str) -> bytes:
        """Return the content of a side file.

        Args:
            name: its path as written in the mesh file.

        Raises:
            FileNotFoundError: there is no such file in the folder. The message is the name.
            MeshError: the file is too large, or still being written.
        """
        for candidate in _possible_paths(name.strip().replace("\\", "/")):
            with ExitStack() as stack:
                try:
                    # This only resolves links. The file may be replaced before it is opened, so
                    # opened_below follows no link itself.
                    path = (self.folder / candidate).resolve(strict=True).relative_to(self.folder)
                    file = stack.enter_context(opened_below(self._descriptor, path))
                except (OSError, ValueError, RuntimeError):
                    continue  # missing, outside, a null character in the name, a loop of links
                if file.is_regular:
                    data = self._content(file, f"its side file {candidate!r}")
                    self._side_file_hashes[str(path)] = hashlib.sha256(data).digest()
                    return data
        raise FileNotFoundError(name)

    def side_files_sha256(self) -> str:
        """Return the SHA-256 of the names and contents of all side files read so far.

        Returns:
            Hexadecimal digits; empty if no side file was read.
        """
        if not self._side_file_hashes:
            return ""
        entries = (
            os.fsencode(path) + b"\0" + content_hash
            for path, content_hash in sorted(self._side_file_hashes.items())
        )
        return hashlib.sha256(b"".join(entries)).hexdigest()

    def leave_out(self, text: str, *, warn: bool = True) -> None:
        """Note something that the file holds and the mesh does not.

        Args:
            text: what it is, and how many.
            warn: whether `load_mesh` warns of it; False if nothing is lost.
        """
        self._left_out[shortened(printable(text), 160)] = warn

    def left_out(self, *, with_warning: bool = False) -> tuple[str, ...]:
        """Return the notes, each once; of very many, the first 20 and their number.

        Args:
            with_warning: whether to return only those that `load_mesh` warns of.
        """
        notes = tuple(text for text, warn in self._left_out.items() if warn or not with_warning)
        return notes if len(notes) <= 20 else (*notes[:20], f"{len(notes) - 20} more")

    def _content(self, file: OpenedFile, subject: str) -> bytes:
        if file.size > self.max_file_bytes:
            raise MeshError(
                f"{subject} has {file.size} bytes, the limit is {self.max_file_bytes}; "
                "pass a larger max_file_bytes"
            )
        data = file.read()
        if data is None:
            raise MeshError(
                f"{subject} changed its size while it was read, so it is being written; "
                "load it once it is complete"
            )
        return data

    def get(self, name: str) -> bytes:
        """Return the content of a side file for trimesh: materials as UTF-8, or a valid texture.

        Raises:
            FileNotFoundError: there is no such file, or it is neither.
            MeshError: as for `read`.
        """
        try:
            data = self.read(name)
            if name.strip().lower().endswith(".mtl"):
                return as_utf8(data)
            if open_texture(data, name) is None:
                raise FileNotFoundError(name)
        except MeshError as error:
            self.refusal = error
            raise
        except FileNotFoundError:
            self.leave_out(f"side file {name!r}, which is not in the folder or cannot be used")
            raise
        return data

    def __getitem__(self, name: str) -> bytes:
        return self.get(name)

    def namespaced(self, namespace: str) -> Any:
        """Raise FileNotFoundError; trimesh calls this only for archives."""
        raise FileNotFoundError(namespace)


def _possible_paths(name: str) -> Iterator[str]:
    """Yield the paths that a name in a mesh file may mean, the most likely first.

    Names on disk are bytes. If the mesh file was not UTF-8, it was read as Latin-1, so names are
    tried in both encodings. A name may also be percent-encoded.
    """
    seen = set()
    for path in (name, name.rsplit("/", 1)[-1]):
        for encoding in ("utf-8", "latin-1"):
            try:
                encoded = path.encode(encoding, "surrogateescape")
            except UnicodeEncodeError:
                continue
            for candidate in (encoded, unquote_to_bytes(encoded)):
                if candidate not in seen:
                    seen.add(candidate)
                    yield os.fsdecode(candidate)
