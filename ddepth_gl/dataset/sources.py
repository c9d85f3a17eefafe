"""Meshes of a data set, found in files, folders, globs, lists, tables, tars and other storage."""

from __future__ import annotations

import glob
import os
import posixpath
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from .._checks import one_line
from .._log import logger
from .._text import counted
from ..errors import DatasetError
from ..io.meshes.read import MESH_SUFFIXES
from ..io.meshes.refused_formats import conversion_advice
from ..io.results.earlier_files import names_mesh
from ..jobs.sources import mesh_files
from .addresses import (
    absolute,
    below,
    file_system,
    folder_of,
    glob_root,
    is_hidden,
    is_remote,
    joined,
)
from .blend_mesh import BLEND_SUFFIX
from .entries import MeshEntry, escaped_id
from .opened_mesh import opened_mesh, tar_index_of
from .sources_tables import TABLE_SUFFIXES, list_lines, table_rows

if TYPE_CHECKING:
    from .config import SourcesConfig

__all__ = ["find_meshes", "opened_mesh"]

_log = logger(__name__)
_LOCAL = (*MESH_SUFFIXES, BLEND_SUFFIX)  # by name and in globs
_LISTS = (".txt", ".lst", ".list")
_COMPRESSED_TARS = (".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")


class _Found(NamedTuple):
    """A mesh before its id is known to be unique."""

    path: str  # below the source's root; or the id that a table gives
    address: str
    member: str | None = None
    columns: Mapping[str, Any] = {}
    cameras: str | None = None
    has_id: bool = False


def find_meshes(
    config: SourcesConfig,
    tell: Callable[[str], None] = _log.warning,
    *,
    split_column: str | None = None,
) -> list[MeshEntry]:
    """Return the meshes of all sources, sorted by id.

    The id of a mesh is its path below the root of its source, escaped: below a folder that is
    given, the part of a glob before its first wildcard, the top of a tar that is given, the folder
    of a list or table. Files that are given by name start at the folder that they have in common.
    Paths in lists and tables that lead elsewhere are used in full.

    Meshes are not opened: what is missing or no mesh fails when it is rendered.

    Args:
        config: where to look.
        tell: called with one line for each kind of thing that is left out.
        split_column: column of tables that names the split.

    Raises:
        DatasetError: a source is missing, cannot be read or has no meshes, or two meshes have one
            id.
    """
    finder = _Finder(config, tell, split_column)
    found = [
        *finder.of_paths(config.paths),
        *(each for table in config.tables for each in finder.of_table(table)),
        *(each for file in config.lists for each in finder.of_list(file)),
    ]
    if not found:
        raise DatasetError("there are no sources; give files, folders, a table or a list of meshes")
    return _unique(found, tell)


class _Finder:
    def __init__(
        self, config: SourcesConfig, tell: Callable[[str], None], split_column: str | None
    ) -> None:
        self._config = config
        self._tell = tell
        self._split_column = split_column

    def of_paths(self, paths: Iterable[str]) -> list[_Found]:
        """Return the meshes of files, folders, globs, tars, tables, lists and addresses."""
        found: list[_Found] = []
        named: list[str] = []
        for given in paths:
            if is_remote(given):
                found += self._of_address(given)
                continue
            path = os.path.expanduser(given)  # noqa: PTH111 - in YAML, no shell does it
            if not path:
                raise DatasetError("a source is empty; give a path")
            if os.path.isdir(path):  # noqa: PTH112 - False for what cannot be reached
                found += self._of_folder(path, path)
            elif os.path.lexists(path):
                if path.lower().endswith(_LOCAL):
                    named.append(path)
                else:
                    found += self._of_container(path)
            elif glob.has_magic(path):
                found += self._of_glob(path)
            else:
                raise DatasetError(f"{path} does not exist; check the path")
        if named:
            files = [absolute(path) for path in named]
            root = os.path.commonpath([os.path.dirname(path) for path in files])  # noqa: PTH120
            found += [_Found(os.path.relpath(path, root), path) for path in files]
        return found

    def _of_container(self, path: str) -> list[_Found]:
        """Return the meshes of a file that is none itself."""
        lower = path.lower()
        if lower.endswith(TABLE_SUFFIXES):
            return self.of_table(path)
        if lower.endswith(_LISTS):
            return self.of_list(path)
        if lower.endswith((".tar", *_COMPRESSED_TARS)):
            return self._of_tar(path, "")
        suffix = PurePosixPath(path).suffix
        advice = conversion_advice(suffix, MESH_SUFFIXES) if suffix else "its name has no extension"
        raise DatasetError(f"{path} is no source of meshes: {advice}")

    def _of_folder(self, folder: str, root: str) -> list[_Found]:
        found = mesh_files([Path(folder)])
        if found.failures:
            others = len(found.failures) - 1
            more = f" (and {others} more like this)" if others else ""
            raise DatasetError(f"{next(iter(found.failures.values()))}{more}")
        self._tell_left_out(found.results)
        if found.foreign:
            first = found.foreign[0]
            self._tell(
                f"{counted(len(found.foreign), 'file')} in formats that are not read are left out, "
                f"such as {first}: "
                f"{conversion_advice(first.suffix, MESH_SUFFIXES, name=first.name)}"
            )
        return [_local(str(file), root) for file in found.files]

    def _tell_left_out(self, results: list[Path]) -> None:
        if results:
            self._tell(
                f"{counted(len(results), 'result')} of ddepth are left out, such as {results[0]}; "
                "give them by name if they are meant"
            )

    def _of_glob(self, pattern: str) -> list[_Found]:
        root = glob_root(pattern)
        found: list[_Found] = []
        results: list[Path] = []
        for path in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207
            if path.lower().endswith(_LOCAL):
                file = Path(path)
                if file.suffix.lower() == ".ply" and names_mesh(file):
                    results.append(file)
                else:
                    found.append(_local(path, root))
            elif path.lower().endswith((".tar", *_COMPRESSED_TARS)):
                found += self._of_tar(path, root)
            elif "**" not in pattern and os.path.isdir(path):  # noqa: PTH112
                found += self._of_folder(path, root)
        self._tell_left_out(results)
        if not found:
            raise DatasetError(f"{pattern} matches no meshes; check the pattern")
        return found

    def _of_tar(self, address: str, root: str) -> list[_Found]:
        """Return the meshes in a tar; without a root, the tar itself is the root."""
        prefix = f"{below(address, root)}/" if root else ""
        address = absolute(address)
        names = [
            name
            for name in tar_index_of(address).names
            if name.lower().endswith(MESH_SUFFIXES) and not is_hidden(name)
        ]
        if not names:
            raise DatasetError(f"{address} has no mesh files ({', '.join(MESH_SUFFIXES)})")
        return [_Found(f"{prefix}{name}", address, name) for name in names]

    def _of_address(self, address: str) -> list[_Found]:
        fs, path = file_system(address)
        try:
            if glob.has_magic(path):
                root = glob_root(path)
                paths = fs.glob(path)
            elif fs.isdir(path):
                root = path
                paths = fs.find(path)
            elif fs.exists(path):
                if not path.lower().endswith(MESH_SUFFIXES):
                    return self._of_container(address)
                root, paths = posixpath.dirname(path), [path]
            else:
                raise DatasetError(f"{address} does not exist; check the address")
        except DatasetError:
            raise
        except Exception as error:  # file systems raise their own
            raise DatasetError(f"{address} cannot be listed ({one_line(error)})") from error
        found: list[_Found] = []
        for each in sorted(paths):
            name = below(each, root)
            if is_hidden(name):
                continue
            if each.lower().endswith(MESH_SUFFIXES):
                found.append(_Found(name, fs.unstrip_protocol(each)))
            elif each.lower().endswith(".tar") and glob.has_magic(path):
                inner = self._of_tar(fs.unstrip_protocol(each), "")
                found += [item._replace(path=f"{name}/{item.path}") for item in inner]
        if not found:
            raise DatasetError(f"{address} has no mesh files ({', '.join(MESH_SUFFIXES)})")
        return found

    def of_list(self, address: str) -> list[_Found]:
        """Return the meshes that a text file names."""
        root = folder_of(address)
        found = [_listed(path, root) for path in list_lines(address)]
        _check_any_exists(address, found)
        return found

    def of_table(self, address: str) -> list[_Found]:
        """Return the meshes that a CSV or Parquet file names."""
        root = folder_of(address)
        found = []
        for row in table_rows(address, self._config, self._split_column):
            each = _listed(row.path, root)._replace(columns=row.columns)
            if row.cameras is not None:
                each = each._replace(cameras=absolute(joined(root, row.cameras)))
            if row.id is not None:
                each = each._replace(path=row.id, has_id=True)
            found.append(each)
        if not found:
            raise DatasetError(f"{address} has no rows; name a mesh in each row")
        _check_any_exists(address, found)
        return found


def _local(path: str, root: str) -> _Found:
    return _Found(below(path, root), absolute(path))


def _listed(path: str, root: str) -> _Found:
    """Return the mesh of a path in a list or table in the folder `root`."""
    address = absolute(joined(root, path))
    folder = absolute(root).rstrip("/") + "/"
    if address.startswith(folder):
        return _Found(address[len(folder) :], address)
    return _Found(address.lstrip("/"), address)


def _check_any_exists(address: str, found: list[_Found]) -> None:
    first = found[:20]
    if not any(is_remote(each.address) or os.path.lexists(each.address) for each in first):
        raise DatasetError(
            f"{address} names files that do not exist, the first is {first[0].address}; "
            "relative paths start at its folder"
        )


def _unique(found: list[_Found], tell: Callable[[str], None]) -> list[MeshEntry]:
    """Return entries, sorted by id; each mesh once, in the words of its first source."""
    by_id: dict[str, MeshEntry] = {}
    seen: set[tuple[str, ...]] = set()
    repeated: list[str] = []
    folders: dict[str, str] = {}
    for each in found:
        real = _identity(each, folders)
        # One file may have several ids in a table, with cameras or columns of its own.
        key = (*real, each.path) if each.has_id else real
        if key in seen:
            repeated.append(each.address if each.member is None else each.member)
            continue
        seen.add(key)
        id = escaped_id(each.path)
        other = by_id.get(id)
        if other is not None:
            raise DatasetError(
                f"two meshes have the id {id}: {_place(other)} and {_place(each)}; "
                "give the folder that both are in, or a table with ids"
            )
        by_id[id] = MeshEntry(id, each.address, each.member, each.columns, each.cameras)
    if repeated:
        were = "was" if len(repeated) == 1 else "were"
        tell(
            f"{counted(len(repeated), 'mesh', 'meshes')} {were} given more than once; each counts "
            f"once, such as {repeated[0]}"
        )
    return [by_id[id] for id in sorted(by_id)]


def _identity(found: _Found, folders: dict[str, str]) -> tuple[str, ...]:
    """Return the same for the same mesh, however its folder is written."""
    if is_remote(found.address):
        return (found.address, found.member or "")
    folder, _, name = found.address.rpartition("/")
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return (folders[folder], name, found.member or "")


def _place(mesh: MeshEntry | _Found) -> str:
    return mesh.address if mesh.member is None else f"{mesh.member} in {mesh.address}"
