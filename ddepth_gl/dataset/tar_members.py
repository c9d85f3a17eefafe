"""Members of tars: listed without extracting anything, and extracted one by one."""

from __future__ import annotations

import posixpath
import tarfile
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .._checks import one_line, shown
from ..errors import DatasetError, MeshError

__all__ = ["TarIndex", "is_unsafe", "tar_index"]

_COMPRESSED = {
    b"\x1f\x8b": "gunzip",
    b"BZh": "bunzip2",
    b"\xfd7zXZ": "unxz",
    b"\x28\xb5\x2f": "unzstd",
}
_BLOCK = 512


def is_unsafe(name: str) -> bool:
    """Return whether a member's name leads out of the folder that it is extracted to."""
    return name.startswith("/") or "\0" in name or ".." in name.split("/")


class _Place(NamedTuple):
    offset: int
    size: int


class TarIndex:
    """Places of a tar's regular members.

    Links to other members count as these, since tars store equal files as links.

    Args:
        places: offset and size of each member by name.
        refused: why each other member cannot be read, by name.
    """

    def __init__(self, places: Mapping[str, tuple[int, int]], refused: Mapping[str, str]) -> None:
        self._places = {name: _Place(*place) for name, place in places.items()}
        self._refused = dict(refused)
        self.names = sorted({*places, *refused})

    def names_below(self, folder: str) -> list[str]:
        """Return the names of members in a folder and its subfolders; of all in the folder ''."""
        if not folder:
            return self.names
        start = bisect_left(self.names, f"{folder}/")
        # "0" is the character after "/".
        return self.names[start : bisect_left(self.names, f"{folder}0")]

    def extract(self, stream: BinaryIO, name: str, target: Path) -> None:
        """Write a member to a file.

        Args:
            stream: the tar.
            name: the member's name.
            target: new file, in an existing folder.

        Raises:
            MeshError: there is no such member, it is no regular file, or its name leads elsewhere.
        """
        if is_unsafe(name):
            raise MeshError(
                f"member {shown(name)} is refused, since its name leads out of the tar; "
                "pack the tar again with relative names"
            )
        if name not in self._places:
            reason = self._refused.get(name, "is not in the tar")
            raise MeshError(f"member {shown(name)} {reason}; pack the tar again")
        place = self._places[name]
        stream.seek(place.offset)
        with target.open("xb") as out:
            left = place.size
            while left:
                block = stream.read(min(left, 1 << 20))
                if not block:
                    raise MeshError(f"member {shown(name)} is cut short; copy the tar again")
                out.write(block)
                left -= len(block)


def tar_index(stream: BinaryIO, name: str) -> TarIndex:
    """Return the index of a tar, which is read from header to header.

    Args:
        stream: the tar, at its start.
        name: what messages call it.

    Raises:
        DatasetError: it is no tar, compressed, damaged, or was cut short.
    """
    beginning = stream.read(6)
    stream.seek(0)
    for magic, command in _COMPRESSED.items():
        if beginning.startswith(magic):
            raise DatasetError(
                f"{name} is compressed, so its members cannot be read one by one; "
                f"decompress it with {command} < {posixpath.basename(name)} > n.tar"
            )
    places: dict[str, tuple[int, int]] = {}
    refused: dict[str, str] = {}
    links: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            while (info := tar.next()) is not None:
                # Of all members, these would be hundreds of megabytes.
                tar.members = []  # type: ignore[attr-defined]
                path = info.name.removeprefix("./")
                for each in (places, refused, links):
                    each.pop(path, None)  # the last of equal names counts, as when extracting
                if info.issym():
                    # Relative to the link's folder; those that lead elsewhere are not found.
                    folder = posixpath.dirname(path)
                    links[path] = posixpath.normpath(posixpath.join(folder, info.linkname))
                elif info.islnk():
                    links[path] = info.linkname.removeprefix("./")
                elif info.isdir():
                    continue
                elif info.issparse() or not info.isreg():
                    refused[path] = "is not a regular file"
                else:
                    places[path] = (info.offset_data, info.size)
            end = tar.offset
        stream.seek(end)
        mark = stream.read(_BLOCK)
    except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError) as error:
        raise DatasetError(
            f"{name} is not a whole tar ({one_line(error)}); copy it again"
        ) from None
    if mark.strip(b"\0") or len(mark) < _BLOCK:
        raise DatasetError(
            f"{name} ends at byte {end} without the mark of a tar's end, so members may be lost; "
            "copy it again"
        )
    for link, target in links.items():
        if target in places and not is_unsafe(target):
            places[link] = places[target]
        else:
            refused[link] = "is a link to what is not in the tar"
    return TarIndex(places, refused)
