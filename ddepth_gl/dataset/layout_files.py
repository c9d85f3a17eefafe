"""The layout "files": a folder per mesh instead of a tar per shard."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from pathlib import Path, PurePosixPath

from ..errors import DatasetError

__all__ = ["MAX_FILES", "SUMS", "FilesWriter", "file_path"]

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
    """A shard in the layout "files", written beside its place and moved there by `finish`.

    It takes the place of a `TarFile`. The folder holds a folder per mesh and the file
    ``SHA256SUMS``, which ``sha256sum -c`` checks.

    Args:
        folder: where the shard will be, such as ``OUT/shards/shard-00012``; its parent exists.

    Attributes:
        bytes: size of the files so far.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._target = Path(folder)
        self._part = self._target.with_name(f".{self._target.name}-{secrets.token_hex(8)}.part")
        self._part.mkdir()
        self._sums: dict[PurePosixPath, str] = {}
        self._counts: dict[PurePosixPath, int] = {}
        self.bytes = 0

    def add(self, name: str, content: bytes) -> tuple[int, int]:
        """Write a file.

        Args:
            name: that it would have in a tar; see `file_path`.
            content: of the file.

        Returns:
            The offset and size of the content in the file: 0 and its length.

        Raises:
            DatasetError: the name is not that of a sample's file or is taken, or a folder would
                hold too many files.
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
        self._counts[path.parent] = count
        self._write(path, content)
        return 0, len(content)

    def _write(self, path: PurePosixPath, content: bytes) -> None:
        file = self._part / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        self._sums[path] = hashlib.sha256(content).hexdigest()
        self.bytes += len(content)

    def finish(self) -> str:
        """Write ``SHA256SUMS``, have everything on the disk, and move the folder to its place.

        An earlier folder of that name is replaced.

        Returns:
            The SHA-256 of ``SHA256SUMS``, which stands for the whole shard.

        Raises:
            OSError: a file cannot be written.
        """
        lines = "".join(f"{digest}  {path}\n" for path, digest in self._sums.items())
        (self._part / SUMS).write_bytes(lines.encode("ascii"))
        # At the end: by now the system has written most of them by itself.
        for folder, _, files in os.walk(self._part):
            for name in files:
                _sync(Path(folder, name))
            _sync(Path(folder))
        self._replace()
        _sync(self._target.parent)
        return hashlib.sha256(lines.encode("ascii")).hexdigest()

    def _replace(self) -> None:
        # A folder that is not empty cannot be replaced in one step. The marker that says the shard
        # is finished comes later, so nobody reads it between the two.
        try:
            self._part.rename(self._target)
        except OSError:
            if not self._target.is_dir():
                raise
            old = self._part.with_suffix(".old")
            self._target.rename(old)
            self._part.rename(self._target)
            shutil.rmtree(old)

    def discard(self) -> None:
        """Remove what was written; after `finish`, do nothing."""
        shutil.rmtree(self._part, ignore_errors=True)

    def __enter__(self) -> FilesWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
