"""Mesh files as local paths, wherever they are, together with the files that they name."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from html import unescape
from pathlib import Path, PurePosixPath
from urllib.parse import unquote_to_bytes

from .._checks import one_line
from ..errors import DatasetError, MeshError
from .addresses import check_regular, file_system, is_remote, opened_address, stamp, unreadable
from .entries import MeshEntry
from .tar_members import TarIndex, is_unsafe, tar_index

__all__ = ["named_files", "opened_mesh", "tar_index_of"]

_LAYERS = (".usd", ".usda", ".usdc")  # may name others in compressed text
_PLAIN = (".stl", ".off", ".3mf", ".usdz")  # name no other files
_DEPTH = 4  # folders below a mesh on other storage in which its files are looked for
_ESCAPE = re.compile(rb"\\u([0-9a-fA-F]{4})")
_PLY_HEADER = 1 << 16
_PART = rb"[^\s\"'<>/\\]"
_LAST_PART = re.compile(_PART + rb"*\Z")


@contextmanager
def opened_mesh(entry: MeshEntry) -> Iterator[Path]:
    """Make a mesh a local file until the block ends.

    Local files stay where they are. Members of tars and files on other storage are copied to a
    temporary folder, with the files that they name (MTL, textures, buffers), as far as these are in
    the same folder or below it.

    Args:
        entry: the mesh.

    Yields:
        Path of the file. Its last component is that of the mesh.

    Raises:
        MeshError: it is missing, no regular file, or its name leads out of the tar.
    """
    if entry.member is None and not is_remote(entry.address):
        try:
            check_regular(entry.address)
        except DatasetError as error:
            raise MeshError(str(error)) from error
        yield Path(entry.address)
        return
    with tempfile.TemporaryDirectory(prefix="ddepth_") as temporary:
        try:
            if entry.member is not None:
                path = _from_tar(entry.address, entry.member, Path(temporary))
            else:
                path = _from_storage(entry.address, Path(temporary))
        except MeshError as error:
            raise MeshError(f"{entry.address}: {error}") from None
        except DatasetError as error:
            raise MeshError(str(error)) from error
        except Exception as error:  # file systems raise their own
            raise MeshError(f"{entry.address} cannot be read ({one_line(error)})") from error
        yield path


def _from_tar(address: str, member: str, folder: Path) -> Path:
    index = tar_index_of(address)
    parent = "" if "/" not in member else member.rpartition("/")[0]
    with opened_address(address) as stream:

        def copy(name: str, target: Path) -> None:
            index.extract(stream, name, target)

        return _copied(member, lambda: index.names_below(parent), copy, folder)


def _from_storage(address: str, folder: Path) -> Path:
    fs, path = file_system(address)

    def listed() -> Sequence[str]:
        try:
            return _listing(address.rpartition("/")[0])
        except Exception:  # not all storage can be listed; the mesh itself may do
            return ()

    def copy(name: str, target: Path) -> None:
        fs.get_file(name, str(target))

    return _copied(path, listed, copy, folder)


@lru_cache(maxsize=8)
def _listing(folder: str) -> tuple[str, ...]:
    fs, path = file_system(folder)
    return tuple(fs.find(path, maxdepth=_DEPTH))


def tar_index_of(address: str) -> TarIndex:
    """Return the index of a tar, which is read once per process.

    Raises:
        DatasetError: it cannot be read or is not a whole, plain tar.
    """
    try:
        return _tar_index(address, stamp(address))
    except OSError as error:
        raise unreadable(address, error) from error


@lru_cache(maxsize=8)
def _tar_index(address: str, state: tuple[int, int]) -> TarIndex:
    with opened_address(address) as stream:
        return tar_index(stream, address)


def _copied(
    name: str,
    listed: Callable[[], Sequence[str]],
    copy: Callable[[str, Path], None],
    folder: Path,
) -> Path:
    """Copy a mesh and the files that it names; return the path of the copy.

    Args:
        name: full name of the mesh file.
        listed: returns the full names in its folder and below.
        copy: copies one of them to a path.
        folder: where to.
    """
    parent = PurePosixPath(name).parent
    path = folder / PurePosixPath(name).name
    copy(name, path)
    suffix = path.suffix.lower()
    if suffix in _PLAIN:
        return path
    others = [
        each
        for each in listed()
        if each != name and not is_unsafe(each.removeprefix("/")) and _is_below(each, parent)
    ]
    if suffix in _LAYERS:
        wanted = others
    else:
        wanted = named_files(_head(path), others)
    done = {name}
    while wanted:
        each = wanted.pop()
        if each in done:
            continue
        done.add(each)
        target = folder / PurePosixPath(each).relative_to(parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            copy(each, target)
        except MeshError:
            continue  # as if it were missing: the reader tells what the mesh lacks
        if target.suffix.lower() == ".mtl":
            wanted += named_files(target.read_bytes(), others)
    return path


def _is_below(name: str, parent: PurePosixPath) -> bool:
    return PurePosixPath(name).is_relative_to(parent)


def _head(path: Path) -> bytes:
    """Return the part of a mesh file that may name other files."""
    with path.open("rb") as file:
        if path.suffix.lower() == ".ply":
            return file.read(_PLY_HEADER)
        if path.suffix.lower() == ".glb":
            return file.read(20 + int.from_bytes(file.read(16)[12:], "little"))
        return file.read()


def named_files(content: bytes, names: Sequence[str]) -> list[str]:
    """Return those of the files whose names appear in the content of another file.

    Args:
        content: content of an OBJ, MTL, PLY, DAE or glTF file.
        names: paths of files.

    Returns:
        Their paths; maybe of more files than the content refers to, but never of fewer, whatever
        the folders, the case, the percent-encoding and the XML entities that it writes.
    """
    by_word: dict[bytes, list[str]] = {}
    for name in names:
        by_word.setdefault(_last_word(name.encode("utf-8", "surrogateescape")), []).append(name)
    endings = {word.rpartition(b".")[2] for word in by_word}
    if not endings:
        return []
    if b"\\u" in content:
        content = _ESCAPE.sub(
            lambda match: chr(int(match[1], 16)).encode("utf-8", "replace"), content
        )
    if b"&" in content:
        text = content.decode("utf-8", "surrogateescape")
        content += b"\n" + unescape(text).encode("utf-8", "surrogateescape")
    pattern = _PART + rb"*\.(?:" + b"|".join(map(re.escape, sorted(endings))) + rb")\b"
    words = set(re.findall(pattern, content, re.IGNORECASE))
    found: dict[str, None] = {}
    for word in words:
        for each in (word, unquote_to_bytes(word)):
            found |= dict.fromkeys(by_word.get(_last_word(each), ()))
    return sorted(found)


def _last_word(name: bytes) -> bytes:
    # A name may have blanks and quotes in it; the last part of it is the one that has the ending.
    last: bytes = _LAST_PART.findall(name)[0]
    return last.lower()
