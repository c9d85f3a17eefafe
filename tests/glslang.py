"""The programs that tests compile, checked by glslang, the reference compiler of GLSL.

A driver accepts more than the language allows: Mesa's and NVIDIA's compilers forgive different
mistakes. So each program that any test compiles is recorded, with its includes expanded and its
macros defined, and glslang compiles it as well.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ddepth_gl.gl import shaders

__all__ = ["MISSING", "Programs", "faults", "recorded_programs", "validator"]

MISSING = (
    "glslangValidator is not installed; run: apt-get install glslang-tools "
    "(.ci/run does it as root)"
)

_SUFFIXES = {"vertex_shader": "vert", "fragment_shader": "frag", "compute_shader": "comp"}
# "ERROR: 12.frag:200012: 'f' : undeclared identifier", or with 0 for the file. The file's name is
# also on a line of its own before its messages. See `compose` for the number of the line.
_MESSAGE = re.compile(r"(?:ERROR|WARNING): \S*:(\d+): (.*)")

# Of each program: how it was asked for, then file names and source of each stage.
Programs = dict[str, dict[str, tuple[str, list[str]]]]


def validator() -> str | None:
    """Return the path of glslang's compiler, or None if it is not installed."""
    return shutil.which("glslangValidator")


@contextmanager
def recorded_programs() -> Iterator[Programs]:
    """Record the programs that are compiled from the project's own shaders during a block."""
    programs: Programs = {}
    own_folder, compose_program = shaders.shader_folder(), shaders.compose_program

    def recording(
        defines: Mapping[str, int] | None = None, **stages: str
    ) -> dict[str, tuple[str, list[str]]]:
        sources = compose_program(defines, **stages)
        if shaders.shader_folder() == own_folder:  # tests also compile broken ones of their own
            macros = " ".join(f"{name}={value}" for name, value in (defines or {}).items())
            programs[f"{' + '.join(stages.values())} with {macros or 'no macros'}"] = sources
        return sources

    vars(shaders)["compose_program"] = recording
    try:
        yield programs
    finally:
        vars(shaders)["compose_program"] = compose_program


def faults(programs: Programs) -> list[str]:
    """Return what glslang says against programs, each message with file, line and macros."""
    stages = [
        (description, stage, text, names)
        for description, sources in programs.items()
        for stage, (text, names) in sources.items()
    ]
    if not stages:
        return []
    with tempfile.TemporaryDirectory() as folder:
        files = [f"{index}.{_SUFFIXES[stage]}" for index, (_, stage, _, _) in enumerate(stages)]
        for file, (_, _, text, _) in zip(files, stages, strict=True):
            Path(folder, file).write_text(text, encoding="utf-8")
        run = subprocess.run(
            [str(validator()), *files], cwd=folder, capture_output=True, text=True, check=False
        )
    found = []
    current = 0
    for line in run.stdout.splitlines():
        if line in files:
            current = files.index(line)
        elif match := _MESSAGE.match(line):
            description, _, _, names = stages[current]
            file_number, line_number = divmod(int(match[1]), shaders.LINES_PER_FILE)
            found.append(f"{description}: {names[file_number]}:{line_number}: {match[2]}")
    if run.returncode and not found:
        found.append(run.stdout + run.stderr)
    return found
