"""Loading, composing and compiling of the GLSL files; compile errors name file and line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import ShaderError

__all__ = ["LINES_PER_FILE", "compile_program", "compose", "compose_program", "shader_folder"]

_INCLUDE = re.compile(r'^\s*#include\s+"([^"]+)"\s*$')
# "0:12(5): error: ..." (Mesa) and "0(12) : error C1008: ..." (NVIDIA): string number, then line.
_LOCATION = re.compile(r"\b\d+(?::(\d+)\(\d+\)|\((\d+)\))")

# Line numbers encode the file as well, because Mesa drops the string number of a #line directive.
LINES_PER_FILE = 100_000


@cache
def shader_folder() -> Path:
    """Return the folder of the GLSL files: in the installed package, or beside it in a checkout.

    Raises:
        ShaderError: neither folder exists.
    """
    package = Path(str(files("ddepth_gl")))
    installed, checkout = package / "_shaders", package.parent / "shaders"
    for folder in (installed, checkout):
        if (folder / "include").is_dir():
            return folder
    raise ShaderError(f"no shaders: neither {installed} nor {checkout} exists; reinstall ddepth-gl")


def compose(name: str, defines: Mapping[str, int] | None = None) -> tuple[str, list[str]]:
    """Return the source of one shader with its includes expanded.

    An include that is reached twice is expanded twice; its include guard (``#ifndef``) makes the
    GLSL compiler skip the second copy.

    Args:
        name: file name below the shader folder, such as ``"sheet.frag"``; the file's first line is
            ``#version``.
        defines: macros to define after ``#version``.

    Returns:
        The source, and the names of the expanded files. Line n of file k (from 0) has the line
        number ``k * 100000 + n``.

    Raises:
        ShaderError: a file is missing, or a file includes itself.
    """
    names: list[str] = []
    version, _, body = _read(name).partition("\n")
    macros = [f"#define {macro} {value}" for macro, value in (defines or {}).items()]
    lines = [version, *macros, *_expand(name, body, 2, names, ())]
    return "\n".join(lines) + "\n", names


def _expand(
    name: str, text: str, first_line: int, names: list[str], including: tuple[str, ...]
) -> list[str]:
    """Return the lines of `text` with its includes expanded, and append file names to `names`."""
    if name in including:
        raise ShaderError(
            f"shader {name} includes itself: {' -> '.join((*including, name))}; remove one #include"
        )
    file_number = len(names)
    names.append(name)
    lines = [f"#line {file_number * LINES_PER_FILE + first_line}"]
    for line_number, line in enumerate(text.splitlines(), start=first_line):
        include = _INCLUDE.match(line)
        if include:
            path = f"include/{include[1]}"
            lines += _expand(path, _read(path), 1, names, (*including, name))
            lines.append(f"#line {file_number * LINES_PER_FILE + line_number + 1}")
        else:
            lines.append(line)
    return lines


@cache
def _read(name: str) -> str:
    path = shader_folder() / name
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ShaderError(
            f"shader {path} cannot be read ({error.strerror}); reinstall ddepth-gl"
        ) from None


def compose_program(
    defines: Mapping[str, int] | None = None, **stages: str
) -> dict[str, tuple[str, list[str]]]:
    """Return what `compose` yields for each stage of a program; see `compile_program`."""
    return {stage: compose(name, defines) for stage, name in stages.items()}


def compile_program(gl: Any, defines: Mapping[str, int] | None = None, **stages: str) -> Any:
    """Compile and link one program.

    Args:
        gl: the moderngl context, current.
        defines: macros for every stage.
        stages: file name per stage, such as ``vertex_shader="sheet.vert"``, or only
            ``compute_shader=``.

    Returns:
        A moderngl Program or ComputeShader.

    Raises:
        ShaderError: compiling failed; the message has the first error with its file and line.
    """
    sources = compose_program(defines, **stages)
    try:
        if "compute_shader" in sources:
            return gl.compute_shader(sources["compute_shader"][0])
        return gl.program(**{stage: text for stage, (text, _) in sources.items()})
    except Exception as error:  # moderngl's own class derives from Exception alone
        log = str(error)
        names = next((names for stage, (_, names) in sources.items() if stage in log), [])

        def file_and_line(found: re.Match[str]) -> str:
            file_number, line = divmod(int(found[1] or found[2]), LINES_PER_FILE)
            return f"{names[file_number]}:{line}" if file_number < len(names) else found[0]

        located = [line for line in log.splitlines() if _LOCATION.search(line)]
        first_error = located[0] if located else log.split("\n")[-1]
        shader_files = ", ".join(stages.values())
        raise ShaderError(
            f"{shader_files}: {_LOCATION.sub(file_and_line, first_error).strip()}"
        ) from error
