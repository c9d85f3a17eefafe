"""Settings in YAML: read from untrusted files, and written with comments."""

from __future__ import annotations

import os
import re
import textwrap
from typing import TYPE_CHECKING, Any

from .._checks import one_line
from .._packages import import_needed
from ..errors import DatasetError
from ..io.opened_files import opened
from .config_errors import expected_text, group_of

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["commented_yaml", "read_yaml", "yaml_settings"]

_MAX_BYTES = 1 << 20
# A value such as {photo}_mask.png, whose brace begins a dict in YAML.
_BRACED = re.compile(r"(?:^|:\s+|[\[,]\s*)\{(?:id|stem|folder|photo)\}", re.MULTILINE)


def yaml_settings(path: str | os.PathLike[str]) -> Any:
    """Return what a YAML file holds.

    Raises:
        DatasetError: it cannot be read, is too large for settings, or is not such YAML.
    """
    name = os.fspath(path)
    try:
        with opened(path) as file:
            if not file.is_regular:
                raise DatasetError(f"{name} is not a regular file; give the path of a YAML file")
            if file.size > _MAX_BYTES:
                raise DatasetError(
                    f"{name} has {file.size} bytes, settings may have {_MAX_BYTES}; "
                    "put long lists of meshes into a table or list file"
                )
            data = file.read()
    except (OSError, ValueError) as error:
        if isinstance(error, DatasetError):
            raise
        reason = getattr(error, "strerror", None) or one_line(error)
        raise DatasetError(
            f"{name} cannot be read ({reason}); `ddepth dataset --init` writes such a file"
        ) from error
    if data is None:
        raise DatasetError(f"{name} changed while it was read; try again")
    return read_yaml(data, name)


def read_yaml(data: bytes | str, name: str) -> Any:
    """Return what YAML holds: dicts, lists, text, numbers, booleans and None.

    Names that repeat in a group are refused, which YAML forbids and PyYAML allows; so are anchors,
    with which a short file can describe one of any size.

    Args:
        data: the text, or its bytes.
        name: what messages call it.

    Raises:
        DatasetError: it is not such YAML.
    """
    yaml = import_needed("yaml", "reading settings", DatasetError, "dataset")

    class Loader(yaml.SafeLoader):  # type: ignore[misc, name-defined]
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.events.AliasEvent):
                mark = self.peek_event().start_mark
                raise DatasetError(
                    f"{name}: line {mark.line + 1} has an alias (*name); write the value itself"
                )
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[str] = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise DatasetError(
                        f"{name}: line {key.start_mark.line + 1} gives {key.value!r:.60} again; "
                        "keep one of them"
                    )
                if isinstance(key.value, str):
                    seen.add(key.value)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(data, Loader)  # a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f"line {mark.line + 1}: "
        problem = getattr(error, "problem", None) or error
        hint = '; quote text that begins with a brace, as in "{photo}_mask.png"'
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        raise DatasetError(
            f"{name}: {place}this is not YAML ({one_line(problem)})"
            f"{hint if _BRACED.search(text) else ''}"
        ) from None
    except DatasetError:
        raise
    except (RecursionError, ValueError, TypeError, OverflowError) as error:
        raise DatasetError(f"{name}: this is not YAML ({one_line(error, 60)})") from None


def commented_yaml(model: type[BaseModel]) -> str:
    """Return YAML with all settings of a model at their defaults, commented out, and explained.

    Comments have a blank behind ``#``, settings have none.
    """
    lines = [
        "# Settings of a data set, for: ddepth dataset THIS_FILE -o OUT",
        "# All have their defaults. To change one, remove the # before its name.",
    ]
    for name, field in model.model_fields.items():
        group = group_of(field)
        lines.append("")
        if group is None:
            lines += _setting_lines(name, field, "")
            continue
        off = "#" if field.default is None else ""
        lines.append(f"# {(group.__doc__ or '').strip().splitlines()[0]}")
        lines.append(f"{off}{name}:")
        for each, setting in group.model_fields.items():
            lines += _setting_lines(each, setting, "  ")
    return "\n".join(lines) + "\n"


def _setting_lines(name: str, field: Any, indent: str) -> list[str]:
    comment = expected_text(field)
    if field.description:
        comment = f"{field.description} ({comment})"
    value = "FOLDER" if field.is_required() else _flow(field.default)
    return [
        *(f"{indent}# {line}" for line in textwrap.wrap(comment, 94)),
        f"{indent}#{name}: {value}",
    ]


def _flow(value: Any) -> str:
    """Return a default in YAML on one line."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_flow, value))}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
