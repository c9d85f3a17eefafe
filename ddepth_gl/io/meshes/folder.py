"""MeshFolder: a mesh file and its side files, only from its own folder and up to a size limit."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote_to_bytes

from ..._checks import printable, shortened
from ...errors import MeshError
from ..opened_files import OpenedFile, opened, opened_below, opened_folder
from .refused_formats import conversion_advice

__all__ = ["MeshFolder"]

# How the small text begins that stands in for a large file until Git LFS fetches it.
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_NO_FILE = "there is no such file; check the path"


class MeshFolder:
    """Reader of a mesh file and of the side files that it names (materials, textures, buffers).

    A side file is read only if it is a regular file of at most ``max_file_bytes``, inside the
    mesh's folder or a texture root after all symbolic links are followed. For other paths, only the
    last component is tried, because exporters write the paths of the machine they ran on. If no
    file has exactly the name, one that differs only in case counts, unless there are several.

    Use it as a context manager. It keeps the folder open, so all files come from the same folder
    even if that is renamed or replaced meanwhile.

    Args:
        mesh_path: path of the mesh file.
        max_file_bytes: largest size of the mesh file and of each side file.
        texture_roots: further folders that side files may lie in. A path may start from each of
            them as well as from the mesh's folder.
    """

    def __init__(
        self, mesh_path: Path, max_file_bytes: int, texture_roots: Sequence[Path] = ()
    ) -> None:
        self.folder = mesh_path.parent.resolve()
        self.name = mesh_path.name
        self.stem = mesh_path.stem  # name of objects that have none
        self.max_file_bytes = max_file_bytes
        self.texture_roots = tuple(texture_roots)
        self.up: tuple[float, float, float] | None = None  # set by readers of files that say
        self._exit_stack = ExitStack()
        self._descriptor = -1
        # Folders that side files may lie in, with their descriptors: the mesh's folder is first.
        self._places: list[tuple[Path, int]] = []
        self._listings: dict[Path, dict[str, list[str]]] = {}
        self._side_file_hashes: dict[str, bytes] = {}  # SHA-256 by path
        self._texture_hashes: dict[str, bytes] = {}
        self._left_out: dict[str, bool] = {}  # whether to warn, by text

    def __enter__(self) -> MeshFolder:
        if os.open not in os.supports_dir_fd:
            raise MeshError(
                "mesh files are read on Linux and macOS only, as Windows cannot open folders; load "
                "it with another library and pass vertices and faces to ddepth_gl.Mesh"
            )
        try:
            self._descriptor = self._exit_stack.enter_context(opened_folder(self.folder))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MeshError(_NO_FILE) from error
        self._places = [(self.folder, self._descriptor)]
        for root in self.texture_roots:
            try:
                place = root.resolve(strict=True)
                descriptor = self._exit_stack.enter_context(opened_folder(place))
            except (OSError, ValueError, RuntimeError) as error:
                self._exit_stack.close()
                raise MeshError(
                    f"texture root {str(root)!r} is not a folder that can be opened; check the path"
                ) from error
            self._places.append((place, descriptor))
        return self

    def __exit__(self, *_: object) -> None:
        self._exit_stack.close()

    def read_mesh(self, suffixes: Collection[str]) -> bytes:
        """Return the content of the mesh file itself, which may be a symbolic link to anywhere.

        Args:
            suffixes: suffixes of the supported formats.

        Raises:
            MeshError: the file is missing, not a regular file, of another format, empty, too large,
                still being written, or a Git LFS pointer.
        """
        suffix = Path(self.name).suffix
        formats = ", ".join(suffixes)
        try:
            # The paths "/" and "." have no name: open the folder, to report a directory.
            with opened(self.name or ".", self._descriptor) as file:
                if file.is_folder:
                    raise MeshError("it is a directory; give the path of a mesh file in it")
                if not file.is_regular:
                    raise MeshError("it is not a regular file; give the path of a mesh file")
                if not suffix:
                    raise MeshError(f"its name has no extension; add that of its format, {formats}")
                if suffix.lower() not in suffixes:
                    inner = Path(Path(self.name).stem).suffix
                    raise MeshError(conversion_advice(suffix, suffixes, inner, self.name))
                if file.size == 0:
                    raise MeshError("it is empty; copy or export it again")
                return self._content(file, "it")
        except FileNotFoundError as error:
            raise MeshError(_NO_FILE) from error

    def read(
        self, name: str, *, is_texture: bool = False, is_layer: bool = False, start: str = ""
    ) -> bytes:
        """Return the content of a side file.

        Args:
            name: its path as written in the mesh file.
            is_texture: whether it decides colors alone, not where the surface is.
            is_layer: whether another file of its name in the mesh's folder would be a wrong one.
            start: folder of the file that names it, as written; paths from there are tried first.

        Raises:
            FileNotFoundError: there is no such file in these folders. The message is the name.
            MeshError: the file is too large, still being written, or a Git LFS pointer.
        """
        for path in self._candidates(name.replace("\\", "/"), start, is_layer):
            with ExitStack() as stack:
                try:
                    # This only resolves links. The file may be replaced before it is opened, so
                    # opened_below follows no link itself.
                    place = self._place(path.resolve(strict=True))
                    if place is None:
                        continue  # outside
                    key, descriptor, below = place
                    file = stack.enter_context(opened_below(descriptor, below))
                except (OSError, ValueError, RuntimeError):
                    continue  # missing, a null character in the name, a loop of links
                if file.is_regular:
                    data = self._content(file, f"its side file {str(below)!r}")
                    hashes = self._texture_hashes if is_texture else self._side_file_hashes
                    hashes[key] = hashlib.sha256(data).digest()
                    return data
        raise FileNotFoundError(name)

    def _candidates(self, name: str, start: str, is_layer: bool) -> Iterator[Path]:
        """Yield the paths that a name may mean; those that differ in case come last."""
        whole = list(_encoded(_from(start, (name, name.strip()))))
        places = [place for place, _ in self._places]
        tried = [(place, each) for each in whole for place in places]
        # The last component alone.
        last = (name.rsplit("/", 1)[-1], name.strip().rsplit("/", 1)[-1])
        tried += [
            (place, each)
            for each in _encoded(_from(start, last))
            if each not in whole
            for place in places[int(is_layer) :]
        ]
        yield from (place / each for place, each in tried)
        for place, each in tried:
            found = self._ignoring_case(place, each)
            if found is not None:
                yield found

    def _ignoring_case(self, start: Path, name: str) -> Path | None:
        """Return the only path that differs from a name in nothing but case; None if there is none.

        Only folders that side files may lie in are listed.
        """
        path = start
        for part in name.split("/"):
            if part in ("", ".", ".."):
                path = path.parent if part == ".." else path
                continue
            try:
                if not (path / part).exists():
                    found = self._names_by_case(path).get(part.casefold(), [])
                    if len(found) != 1:
                        return None
                    part = found[0]
                path = (path / part).resolve(strict=True)
            except (OSError, ValueError, RuntimeError):
                return None
        return path

    def _names_by_case(self, path: Path) -> dict[str, list[str]]:
        """Return the names in a folder by their name without case; none if it is outside."""
        if path not in self._listings:
            names: dict[str, list[str]] = {}
            for found in () if self._place(path) is None else path.iterdir():
                names.setdefault(found.name.casefold(), []).append(found.name)
            self._listings[path] = names
        return self._listings[path]

    def _place(self, path: Path) -> tuple[str, int, Path] | None:
        """Return a key for a resolved path, and the descriptor and relative path to open it by.

        None if it is outside of all folders that side files may lie in.
        """
        for index, (place, descriptor) in enumerate(self._places):
            if path.is_relative_to(place):
                below = path.relative_to(place)
                # Paths below the mesh's folder never start with a slash.
                return f"//{index}/{below}" if index else str(below), descriptor, below
        return None

    def side_files_sha256(self) -> str:
        """Return the SHA-256 of the names and contents of the side files read so far.

        Textures that decide colors alone are not included, see `textures_sha256`.

        Returns:
            Hexadecimal digits; empty if no side file was read.
        """
        return _hash_of_files(self._side_file_hashes)

    def textures_sha256(self) -> str:
        """Return the same of the textures read so far that decide colors alone."""
        return _hash_of_files(self._texture_hashes)

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
        if data is not None and data.startswith(_LFS_POINTER):
            raise MeshError(f"{subject} is a Git LFS pointer, not the file; run `git lfs pull`")
        if data is None:
            raise MeshError(
                f"{subject} changed its size while it was read, so it is being written; "
                "load it once it is complete"
            )
        return data


def _hash_of_files(hashes: Mapping[str, bytes]) -> str:
    if not hashes:
        return ""
    entries = (os.fsencode(path) + b"\0" + digest for path, digest in sorted(hashes.items()))
    return hashlib.sha256(b"".join(entries)).hexdigest()


def _from(start: str, paths: Sequence[str]) -> list[str]:
    """Return paths from a folder, then as they are."""
    return [*(posixpath.join(start, path) for path in paths), *paths]


def _encoded(paths: Sequence[str]) -> Iterator[str]:
    """Yield what paths in a mesh file may be on disk, each once, the most likely first.

    Names on disk are bytes. If the mesh file was not UTF-8, it was read as Latin-1, so names are
    tried in both encodings. A name may also be percent-encoded. Outer blanks may belong to it.
    """
    seen = set()
    for path in dict.fromkeys(paths):
        for encoding in ("utf-8", "latin-1"):
            try:
                encoded = path.encode(encoding, "surrogateescape")
            except UnicodeEncodeError:
                continue
            for candidate in (encoded, unquote_to_bytes(encoded)):
                if candidate not in seen:
                    seen.add(candidate)
                    yield os.fsdecode(candidate)
