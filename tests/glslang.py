"""The programs that tests compile, checked by glslang, the reference compiler of GLSL.

A driver accepts more than the language allows: Mesa's and NVIDIA's compilers forgive different
mistakes. So each program that any test compiles is recorded, with its includes expanded and its
macros defined, and glslang compiles and links it as well.
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
# "ERROR: /tmp/x/0.frag:200012: 'f' : undeclared identifier"; see `compose` for the line's number.
_MESSAGE = re.compile(r"^(?:ERROR|WARNING): \S*?(\w+)\.(?:vert|frag|comp):(\d+): (.*)$")

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
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for description, sources in programs.items():
            paths = []
            for stage, (text, _) in sources.items():
                path = Path(folder, f"{stage}.{_SUFFIXES[stage]}")
                path.write_text(text, encoding="utf-8")
                paths.append(str(path))
            run = subprocess.run(
                [str(validator()), "-l", *paths], capture_output=True, text=True, check=False
            )
            messages = [
                line for line in run.stdout.splitlines() if "ERROR" in line or "WARN" in line
            ]
            if run.returncode or messages:
                located = [_located(line, sources) for line in messages]
                found.append(f"{description}: {'; '.join(located) or run.stdout + run.stderr}")
    return found


def _located(message: str, sources: Mapping[str, tuple[str, list[str]]]) -> str:
    """Return a message of glslang's with the shader's file and line instead of encoded ones."""
    match = _MESSAGE.match(message)
    if not match:
        return message
    file_number, line = divmod(int(match[2]), shaders.LINES_PER_FILE)
    return f"{sources[match[1]][1][file_number]}:{line}: {match[3]}"
