"""Finds the GLSL files, resolves their includes and defines, and compiles them; errors name file and line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import ShaderError

__all__ = ["compile_program", "compose", "shader_folder"]

_INCLUDE = re.compile(r'^\s*#include\s+"([^"]+)"\s*$')
# "0:12(5): error: ..." (Mesa) and "0(12) : error C1008: ..." (NVIDIA): string number, then line.
_LOCATION = re.compile(r"\b\d+(?::(\d+)\(\d+\)|\((\d+)\))")

# A line's number tells its file as well: Mesa forgets the string number that a #line directive gives.
_LINES_PER_FILE = 100_000


@cache
def shader_folder() -> Path:
    """The folder of the GLSL files: inside an installed package, or beside it in a checkout.

    Raises:
        ShaderError: neither is there.
    """
    package = Path(str(files("ddepth_gl")))
    installed, checkout = package / "_shaders", package.parent / "shaders"
    for folder in (installed, checkout):
        if (folder / "include").is_dir():
            return folder
    raise ShaderError(f"no shaders: neither {installed} nor {checkout} exists; reinstall ddepth-gl")


def compose(name: str, defines: Mapping[str, int] | None = None) -> tuple[str, list[str]]:
    """The source of one shader with its includes in place.

    Args:
        name: file name below the shader folder, such as ``"sheet.frag"``; its first line is ``#version``.
        defines: macros set right after ``#version``.

    Returns:
        The text, and the names of the files in it; line n of file k counts as ``k * 100000 + n``.

    Raises:
        ShaderError: a file is missing, or includes go round in a circle.
    """
    names: list[str] = []
    version, _, body = _read(name).partition("\n")
    macros = [f"#define {macro} {value}" for macro, value in (defines or {}).items()]
    lines = [version, *macros, *_expand(name, body, 2, names, ())]
    return "\n".join(lines) + "\n", names


def _expand(
    name: str, text: str, first_line: int, names: list[str], trail: tuple[str, ...]
) -> list[str]:
    if name in trail:
        raise ShaderError(f"shader includes go round: {' -> '.join((*trail, name))}")
    number = len(names)
    names.append(name)
    out = [f"#line {number * _LINES_PER_FILE + first_line}"]
    for line_number, line in enumerate(text.splitlines(), start=first_line):
        include = _INCLUDE.match(line)
        if include:
            path = f"include/{include[1]}"
            out += _expand(path, _read(path), 1, names, (*trail, name))
            out.append(f"#line {number * _LINES_PER_FILE + line_number + 1}")
        else:
            out.append(line)
    return out


@cache
def _read(name: str) -> str:
    path = shader_folder() / name
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ShaderError(
            f"shader {path} cannot be read ({error.strerror}); reinstall ddepth-gl"
        ) from None


def compile_program(gl: Any, defines: Mapping[str, int] | None = None, **stages: str) -> Any:
    """Compiles and links one program.

    Args:
        gl: the moderngl context, current.
        defines: macros for every stage.
        stages: file per stage, such as ``vertex_shader="sheet.vert"``; or ``compute_shader=`` alone.

    Raises:
        ShaderError: naming file and line of the compiler's first complaint.
    """
    sources = {stage: compose(name, defines) for stage, name in stages.items()}
    try:
        if "compute_shader" in sources:
            return gl.compute_shader(sources["compute_shader"][0])
        return gl.program(**{stage: text for stage, (text, _) in sources.items()})
    except Exception as error:  # moderngl raises its own class of bare errors
        log = str(error)
        names = next((names for stage, (_, names) in sources.items() if stage in log), [])

        def place(found: re.Match[str]) -> str:
            number, line = divmod(int(found[1] or found[2]), _LINES_PER_FILE)
            return f"{names[number]}:{line}" if number < len(names) else found[0]

        complaints = [line for line in log.splitlines() if _LOCATION.search(line)] or log.split(
            "\n"
        )[-1:]
        files_given = ", ".join(stages.values())
        raise ShaderError(
            f"{files_given}: {_LOCATION.sub(place, complaints[0]).strip()}"
        ) from error
