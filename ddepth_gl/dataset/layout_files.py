"""The layout "files": a folder per mesh instead of a tar per shard."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from ..errors import DatasetError
from ..io.owners import part_name

__all__ = ["MAX_FILES", "SUMS", "FilesWriter", "file_path", "replace_folder"]

# Of a folder: the Hugging Face hub refuses 10,000, and listing more is slow everywhere.
MAX_FILES = 9_999
SUMS = "SHA256SUMS"

_NAME = re.compile(r"([A-Za-z0-9_%-]+)_([0-9]{3,})\.([A-Za-z0-9_-][A-Za-z0-9_.-]*)")
_LONGEST = 200  # of a folder's name; most file systems allow 255 bytes


def file_path(name: str) -> PurePosixPath:
    """Return where the layout stores a member, below the folder of its shard.

    ``chair_003.photo.png`` becomes ``chair/003.photo.png``. Ids of more than 200 characters are cut
    and end in a hash.

    Args:
        name: of the member in a tar: key of the sample, a dot, and the ending.

    Raises:
        DatasetError: it is not such a name.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise DatasetError(
            f"{name[:200]!r} is not the name of a sample's file, such as chair_003.photo.png"
        )
    id, view, ending = match.groups()
    if len(id) > _LONGEST:
        digest = hashlib.sha256(id.encode("ascii")).hexdigest()[:16]
        id = f"{id[: _LONGEST - 17]}-{digest}"
    return PurePosixPath(id, f"{view}.{ending}")


class FilesWriter:
    """A writer of a shard in the layout "files"; it takes the place of a `TarWriter`.

    The folder holds a folder per mesh and, at the end, ``SHA256SUMS``, which ``sha256sum -c``
    checks.

    Args:
        folder: an empty folder, or one that does not exist yet, in a folder that does.

    Attributes:
        size: bytes of all files so far.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(exist_ok=True)
        self._sums: dict[PurePosixPath, tuple[str, int]] = {}  # hash and size, in the order added
        self._counts: dict[PurePosixPath, int] = {}
        self.size = 0

    @property
    def sha256(self) -> str:
        """SHA-256 of ``SHA256SUMS`` for the files so far; it stands for all of them."""
        return hashlib.sha256(self._lines()).hexdigest()

    def add(self, name: str, size: int, chunks: Iterable[bytes]) -> int:
        """Write a file; return 0, the offset of its content.

        Args:
            name: that it would have in a tar; see `file_path`.
            size: number of bytes.
            chunks: the content.

        Raises:
            DatasetError: the name is not that of a sample's file or is taken, the content is not of
                this size, or a folder would hold too many files.
            OSError: the file cannot be written.
        """
        path = file_path(name)
        if path in self._sums:
            raise DatasetError(f"{name} is in the shard already; ids of meshes must be unique")
        count = self._counts.get(path.parent, 0) + 1
        meshes = len(self._counts) + (count == 1)
        if count > MAX_FILES or meshes + 1 > MAX_FILES:  # SHA256SUMS is beside the meshes
            raise DatasetError(
                f"{name} would be in a folder of more than {MAX_FILES:,} files or folders; set "
                "fewer views or outputs, or fewer shards.meshes, or the layout webdataset"
            )
        target = self._folder / path
        target.parent.mkdir(exist_ok=True)
        digest, written = hashlib.sha256(), 0
        with target.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
                written += len(chunk)
        self._sums[path] = (digest.hexdigest(), written)
        self._counts[path.parent] = count
        self.size += written
        if written != size:
            raise DatasetError(f"{name} has {written} bytes, not {size} as announced")
        return 0

    def position(self) -> int:
        """Return the state for `return_to`."""
        return len(self._sums)

    def return_to(self, position: int) -> None:
        """Remove everything that was added since `position`."""
        while len(self._sums) > position:
            path, (_, size) = self._sums.popitem()
            self.size -= size
            (self._folder / path).unlink()
            self._counts[path.parent] -= 1
            if not self._counts[path.parent]:
                del self._counts[path.parent]
                (self._folder / path.parent).rmdir()

    def finish(self) -> None:
        """Write ``SHA256SUMS``, and wait until everything is on the disk."""
        (self._folder / SUMS).write_bytes(self._lines())
        # At the end: by now the system has written most files by itself.
        for folder, _, names in os.walk(self._folder):
            for name in names:
                _sync(Path(folder, name))
            _sync(Path(folder))

    def _lines(self) -> bytes:
        lines = (f"{digest}  {path}\n" for path, (digest, _) in self._sums.items())
        return "".join(lines).encode("ascii")


def replace_folder(part: Path, target: Path) -> None:
    """Move a finished folder to its place, whether or not there is an earlier one.

    That takes two steps, since a folder that is not empty cannot be replaced in one. Readers look
    at a shard only after its marker is there, which is removed before and written after this. If
    several processes do so at once, the folder of one of them remains.

    Raises:
        OSError: the folder cannot be moved.
    """
    aside = []
    while not _moved(part, target):
        old = target.with_name(part_name(target.name, "old"))
        with suppress(FileNotFoundError):  # another process has just moved it
            target.rename(old)
            aside.append(old)
    _sync(target.parent)
    for old in aside:
        shutil.rmtree(old)


def _moved(part: Path, target: Path) -> bool:
    """Move a folder; return False if there is one already."""
    try:
        part.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) and not target.is_dir():
            raise
        return False
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
