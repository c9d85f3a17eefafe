"""ZipEntries: files in an untrusted zip archive, with limits on what decompressing them takes."""

from __future__ import annotations

import io
import zipfile
import zlib
from urllib.parse import unquote

from ...errors import MeshError

__all__ = ["ZipEntries"]

_MAX_ENTRIES = 10_000
# A small archive may grow to 64 MiB, a large one to 100 times its size: XML shrinks to 1/20 or so.
_FREE_BYTES, _MAX_RATIO = 64 * 1024**2, 100


class ZipEntries:
    """Files in an archive, found by their path in any case, decompressed one at a time.

    Args:
        data: content of the archive.
        only_stored: whether compressed entries are refused.

    Raises:
        MeshError: it is not a zip archive, has too many entries, or they would be too large.
    """

    def __init__(self, data: bytes | memoryview, only_stored: bool = False) -> None:
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise MeshError(
                f"it is not a zip archive ({error}); it was cut short, copy it again"
            ) from error
        entries = self._archive.infolist()
        if len(entries) > _MAX_ENTRIES:
            raise MeshError(f"its archive has more than {_MAX_ENTRIES:,} entries; pack it again")
        if only_stored and any(e.compress_type != zipfile.ZIP_STORED for e in entries):
            raise MeshError("its archive is compressed, which USDZ forbids; pack it again")
        limit = len(data) if only_stored else max(_FREE_BYTES, _MAX_RATIO * len(data))
        size = sum(entry.file_size for entry in entries)
        if size > limit:
            raise MeshError(
                f"its archive of {len(data):,} bytes declares {size:,} bytes of content, the limit "
                f"is {limit:,}; pack it again"
            )
        self._entries = {_key(entry.filename): entry for entry in reversed(entries)}
        self.names = [entry.filename for entry in entries if not entry.is_dir()]

    def __contains__(self, name: str) -> bool:
        return _key(name) in self._entries

    def read(self, name: str, *, is_texture: bool = False) -> bytes:
        """Return the content of an entry.

        Args:
            name: its path in the archive.
            is_texture: not used here, see `MeshFolder.read`: the hash is that of the archive.

        Raises:
            FileNotFoundError: there is no such entry. The message is the name.
            MeshError: it is damaged, encrypted, or larger than declared.
        """
        if _key(name) not in self._entries:
            raise FileNotFoundError(name)
        entry = self._entries[_key(name)]
        try:
            with self._archive.open(entry) as file:
                content = file.read(entry.file_size + 1)  # never more than it declares
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as e:
            raise MeshError(
                f"{name!r} in its archive is damaged or encrypted ({e}); pack it again"
            ) from e
        if len(content) != entry.file_size:
            raise MeshError(f"{name!r} in its archive has not the size declared; pack it again")
        return content


def _key(name: str) -> str:
    # Part names are compared without regard to case, and may be percent-encoded (OPC, 6.2.2).
    return unquote(name).replace("\\", "/").lstrip("/").lower()
