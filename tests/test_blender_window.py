"""The extension in Blender with a window: panel, operators, and a person who presses Esc."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_programs import accepted_zip, blender_program
from test_blender_zip import built  # noqa: F401
from x_server import screen
from xdotool import Person

PROGRAM = Path(__file__).with_name("blender_window.py")


@pytest.fixture(scope="module")
def blender() -> tuple[str, tuple[int, ...]]:
    """Return the program of DDEPTH_BLENDER, or that of the PATH, and its version."""
    found = blender_program()
    if isinstance(found, str):
        pytest.skip(found)
    return found


def log(folder: Path) -> list[dict[str, Any]]:
    if not (folder / "log").exists():
        return []
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


@pytest.mark.slow
def test_panel_operators_and_esc(
    blender: tuple[str, tuple[int, ...]],
    built: Path,  # noqa: F811
    tmp_path: Path,
    display_with_screen: tuple[str, Path],
) -> None:
    program, version = blender
    display, screen_folder = display_with_screen
    person = Person(display)
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    environment |= {
        "BLENDER_USER_RESOURCES": str(tmp_path / "profile"),
        "DISPLAY": display,
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }
    (tmp_path / "profile").mkdir()

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, "--background", "--command", "extension", *arguments],
            capture_output=True,
            text=True,
            env=environment,
        )

    done = command("validate", str(built))
    assert done.returncode == 0, done.stdout + done.stderr
    if version < (4, 5):  # refused as it is; the code is tried all the same
        done = command("install-file", "-r", "user_default", "-e", str(built))
        assert "doesn't meet the minimum supported version (4.5.0)" in done.stdout + done.stderr
    archive = accepted_zip(built, version, tmp_path)
    done = command("install-file", "-r", "user_default", "-e", str(archive))
    assert done.returncode == 0, done.stdout + done.stderr
    ours = tmp_path / "log_folder"
    ours.mkdir()
    with (tmp_path / "output").open("wb") as output:
        window = subprocess.Popen(
            [program, "-p", "0", "0", "1024", "768", "--python", str(PROGRAM), "--", str(ours)],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        while window.poll() is None and "running" not in {each["step"] for each in log(ours)}:
            time.sleep(0.2)
        shown = screen(screen_folder)
        person.move(400, 300)
        (ours / "pressed").touch()
        person.key("Escape")
        assert window.wait(120) == 0, (tmp_path / "output").read_text()
    finally:
        if window.poll() is None:
            window.kill()
            window.wait()
    steps = {each.pop("step"): each for each in log(ours)}
    assert steps.keys() == {"view", "viewed", "animation", "running", "ended", "quit"}, steps
    assert steps["view"] == steps["animation"] == {"returned": ["RUNNING_MODAL"]}
    assert steps["viewed"]["images"] == ["Depth entry", "Depth exit"]
    assert steps["viewed"]["drawn"]
    assert steps["running"]["left_out"] == ["motion blur: 1 (Scene)"]
    ended = steps["ended"]
    assert ended["is_pressed"]
    assert not ended["is_alive"]
    assert ended["process"] == "None"
    assert ended["frame"] == 1
    assert 3 <= ended["files"] < 2000
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 50  # Blender has drawn its window
