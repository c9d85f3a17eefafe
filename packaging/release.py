"""A release: version, changelog, reproducible build, test installations, SBOM and tag; no upload.

    make release VERSION=0.4.0             # all steps
    make release VERSION=0.4.0 DRY_RUN=1   # all steps, in a copy that is thrown away
    make release VERSION=0.4.0 STEP=build  # one step

Every step may be run again: what is done already stays as it is, and files are written anew.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

STEPS = ("check", "prepare", "build", "twine", "install", "sbom", "tag")
RECIPE = "packaging/conda/recipe.yaml"
_VERSION = r"(\d+)\.(\d+)\.(\d+)(?:(a|b|rc)(\d+))?"
_UNRELEASED = "## [Unreleased]\n"
_RENDER = """
import sys
import ddepth_gl as dd
from ddepth_gl.gl.shaders import shader_folder
assert dd.__version__ == sys.argv[1], f"it says version {dd.__version__}"
assert str(shader_folder()).startswith(sys.prefix), f"shaders are from {shader_folder()}"
maps = dd.double_depth(dd.demo_mesh())
assert maps.mask.sum() > 1000 and (maps.exit[maps.mask] >= maps.entry[maps.mask]).all()
"""


def fail(message: str) -> NoReturn:
    """End with a message in one line."""
    sys.exit(f"release: {message}")


def say(message: str) -> None:
    """Print what was done."""
    print(f"release: {message}", flush=True)


def run(
    *command: str | Path, folder: Path, purpose: str, environment: dict[str, str] | None = None
) -> str:
    """Return what a command prints; if it fails, print its output and end with `purpose`."""
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        fail(f"{purpose} failed, as the lines above say")
    return done.stdout


def git(root: Path, *arguments: str) -> str:
    """Return what a git command prints."""
    return run("git", *arguments, folder=root, purpose="git").strip()


def order(version: str) -> tuple[int | str, ...]:
    """Return a key that sorts versions: 0.4.0a1, 0.4.0rc1, 0.4.0, 0.4.1."""
    match = re.fullmatch(_VERSION, version)
    if match is None:
        fail(f"{version or 'no version'} is given; give one: make release VERSION=0.4.0")
    *numbers, phase, count = match.groups()
    return (*map(int, numbers), phase or "z", int(count or 0))


def version_of(pyproject: str) -> str:
    """Return the version in the text of pyproject.toml."""
    match = re.search(r'^version = "(.*)"$', pyproject, re.M)
    return match[1] if match else fail("pyproject.toml has no version")


def section(changelog: str, name: str) -> str | None:
    """Return the text below a heading of the changelog, or None."""
    match = re.search(
        rf"^## \[{re.escape(name)}\][^\n]*\n(.*?)(?=^## \[|\Z)", changelog, re.M | re.S
    )
    return match and match[1].strip()


def released(texts: dict[str, str], version: str, date: str) -> dict[str, str]:
    """Return the texts of the files that name the version, changed for a release.

    Args:
        texts: contents by file name.
        version: the new version.
        date: of the release, as 2026-11-26.
    """
    changed = {
        "CHANGELOG.md": texts["CHANGELOG.md"].replace(
            _UNRELEASED, f"{_UNRELEASED}\n## [{version}] - {date}\n", 1
        ),
        "pyproject.toml": re.sub(
            r'^version = ".*"$', f'version = "{version}"', texts["pyproject.toml"], flags=re.M
        ),
        "CITATION.cff": re.sub(
            r'^date-released: ".*"$',
            f'date-released: "{date}"',
            re.sub(r"^version: .*$", f"version: {version}", texts["CITATION.cff"], flags=re.M),
            flags=re.M,
        ),
        RECIPE: re.sub(r'^  version: ".*"$', f'  version: "{version}"', texts[RECIPE], flags=re.M),
    }
    for name, text in changed.items():
        if text == texts[name]:
            fail(f"{name} has no place for the version; see packaging/release.py")
    return changed


def read(root: Path, *names: str) -> dict[str, str]:
    """Return the texts of files by name."""
    return {name: (root / name).read_text(encoding="utf-8") for name in names}


def is_prepared(root: Path, version: str) -> bool:
    """Return whether the files already name the version."""
    return version_of(read(root, "pyproject.toml")["pyproject.toml"]) == version


def check(root: Path, version: str, pythons: Sequence[str]) -> None:
    """End unless this version can be released from this checkout."""
    order(version)
    changed = git(root, "status", "--porcelain").splitlines()
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        fail(f"not committed: {changed[0].split(maxsplit=1)[1]}{more}; commit or stash that")
    branch = git(root, "rev-parse", "--abbrev-ref", "HEAD")
    if branch != "main":
        fail(f"this is the branch {branch}; releases are made from main")
    if git(root, "tag", "--list", f"v{version}"):
        tagged = git(root, "rev-list", "--max-count=1", f"v{version}")
        if tagged != git(root, "rev-parse", "HEAD"):
            fail(f"the tag v{version} is another commit, {tagged[:9]}; give a newer VERSION")
    texts = read(root, "pyproject.toml", "CHANGELOG.md")
    current, changelog = version_of(texts["pyproject.toml"]), texts["CHANGELOG.md"]
    waiting = section(changelog, "Unreleased")
    if order(version) < order(current):
        fail(f"{version} is older than {current}, the version in pyproject.toml")
    if waiting is None:
        fail("CHANGELOG.md has no section [Unreleased]; add one")
    if version == current:
        if section(changelog, version) is None:
            fail(f"CHANGELOG.md has no section [{version}], but pyproject.toml says {version}")
        if waiting:
            fail(f"CHANGELOG.md has entries after {version}, under [Unreleased]; move them, "
                 "or give a newer VERSION")  # fmt: skip
    elif section(changelog, version) is not None:
        fail(f"CHANGELOG.md has a section [{version}], but pyproject.toml says {current}")
    elif not re.search(r"^- ", waiting, re.M):
        fail("CHANGELOG.md has nothing under [Unreleased]; say what changed")
    for python in pythons:
        if shutil.which(python) is None:
            fail(f"{python} is not installed; give others: PYTHONS=python3.12")
    say(f"{version} can be released from {git(root, 'rev-parse', '--short', 'HEAD')}")


def prepare(root: Path, version: str) -> None:
    """Write the version and move the changelog's entries below it, in a commit."""
    if is_prepared(root, version):
        say(f"{version} is in pyproject.toml, CHANGELOG.md and CITATION.cff already")
        return
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    texts = read(root, "CHANGELOG.md", "pyproject.toml", "CITATION.cff", RECIPE)
    for name, text in released(texts, version, date).items():
        (root / name).write_text(text, encoding="utf-8")
    git(root, "commit", "--quiet", "--message", f"Release {version}", "--", *texts)
    print(git(root, "show", "--stat", "--unified=0", "--format=%h %s"))
    say(f"committed {version}")


def files_of(root: Path, version: str) -> tuple[Path, Path]:
    """Return the paths of the sdist and the wheel."""
    name = root / "dist" / f"ddepth_gl-{version}"
    return Path(f"{name}.tar.gz"), Path(f"{name}-py3-none-any.whl")


def build(root: Path, version: str) -> None:
    """Build the sdist, and the wheel from it; then both from another clone, and compare bytes.

    SOURCE_DATE_EPOCH, the time in the archives, is that of the commit if it is not set.
    """
    if not is_prepared(root, version):
        fail(f"pyproject.toml does not say {version}; run the step prepare first")
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or git(root, "log", "-1", "--format=%ct")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    command = (sys.executable, "-m", "build", "--no-isolation")
    with tempfile.TemporaryDirectory() as folder:
        for name, options in (("a", ()), ("b", ("--sdist", "--wheel"))):
            clone = Path(folder, name, "clone")
            git(root, "clone", "--quiet", "--no-hardlinks", str(root), str(clone))
            run(*command, *options, "--outdir", clone.parent / "dist",
                folder=clone, purpose="the build", environment=environment)  # fmt: skip
        for file in files_of(root, version):
            built, again = (Path(folder, name, "dist", file.name).read_bytes() for name in "ab")
            if built != again:
                fail(f"{file.name} differs between two builds; see packaging/release.py")
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(built)
            say(f"built twice with the same bytes: {file.name}, {len(built)} bytes")


def check_metadata(root: Path, version: str) -> None:
    """Have twine check what an index would show."""
    run(sys.executable, "-m", "twine", "check", "--strict", *files_of(root, version),
        folder=root, purpose="twine check")  # fmt: skip


def install(root: Path, version: str, pythons: Sequence[str]) -> None:
    """Install wheel and sdist in bare environments, each with nothing else, and render there."""
    for python in pythons:
        name = run(python, "--version", folder=root, purpose="Python")
        for file in files_of(root, version):
            if not file.exists():
                fail(f"{file.name} is missing; run the step build first")
            with tempfile.TemporaryDirectory() as folder:
                installed = environment_with(file, python, Path(folder, "venv"))
                run(installed, "-I", "-W", "error", "-c", _RENDER, version,
                    folder=Path(folder), purpose="rendering")  # fmt: skip
            say(f"{file.name} renders with {name.strip()}")


def environment_with(file: Path, python: str, folder: Path) -> Path:
    """Create an environment with a package and what it needs; return its interpreter."""
    run(python, "-m", "venv", "--without-pip", folder, folder=file.parent, purpose="venv")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "--python", folder / "bin" / "python", "install", "--quiet", file,
        folder=file.parent, purpose="the installation")  # fmt: skip
    return folder / "bin" / "python"


def sbom(root: Path, version: str) -> None:
    """Write what a bare installation consists of, as CycloneDX, and the sums of all files."""
    sdist, wheel = files_of(root, version)
    target = root / "dist" / f"ddepth_gl-{version}.cdx.json"
    with tempfile.TemporaryDirectory() as folder:
        installed = environment_with(wheel, sys.executable, Path(folder, "venv"))
        # Where the file lay while it was installed is nobody's business.
        for note in installed.parents[1].glob("lib/python*/site-packages/*/direct_url.json"):
            note.unlink()
        run(sys.executable, "-m", "cyclonedx_py", "environment", installed,
            "--pyproject", root / "pyproject.toml", "--mc-type", "library",
            "--output-reproducible", "--output-file", target,
            folder=root, purpose="cyclonedx-py")  # fmt: skip
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in (sdist, wheel, target)
    ]
    (root / "dist" / "SHA256SUMS").write_text("".join(lines), encoding="ascii")
    say(f"wrote {target.name} and SHA256SUMS")


def tag(root: Path, version: str) -> None:
    """Tag the commit, with the changelog's section as the message."""
    if not is_prepared(root, version):
        fail(f"pyproject.toml does not say {version}; run the step prepare first")
    if git(root, "tag", "--list", f"v{version}"):
        say(f"the tag v{version} is there already")
        return
    text = section(read(root, "CHANGELOG.md")["CHANGELOG.md"], version) or ""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(f"ddepth_gl {version}\n\n{text}\n")
        file.flush()
        git(root, "tag", "--annotate", "--cleanup=verbatim", f"--file={file.name}", f"v{version}")
    say(f"tagged v{version}")


def release(root: Path, version: str, steps: Sequence[str], pythons: Sequence[str]) -> None:
    """Run steps in their order."""
    actions: dict[str, Callable[[], object]] = {
        "check": lambda: check(root, version, pythons),
        "prepare": lambda: prepare(root, version),
        "build": lambda: build(root, version),
        "twine": lambda: check_metadata(root, version),
        "install": lambda: install(root, version, pythons),
        "sbom": lambda: sbom(root, version),
        "tag": lambda: tag(root, version),
    }
    for step in STEPS:
        if step in steps:
            actions[step]()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="release", description=__doc__)
    parser.add_argument("version", nargs="?", default="")
    parser.add_argument("--step", choices=STEPS)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--pythons", default="", help="interpreters that packages are tried with")
    arguments = parser.parse_args()
    root, version = Path(__file__).resolve().parents[1], arguments.version
    pythons = arguments.pythons.split() or [sys.executable]
    steps = (arguments.step,) if arguments.step else STEPS
    if not arguments.dry_run:
        release(root, version, steps, pythons)
        if "tag" in steps:
            files = " ".join(f"dist/{file.name}" for file in files_of(root, version))
            say("nothing was uploaded; this would do it:")
            print(f"git push origin main v{version} && {sys.executable} -m twine upload {files}")
        return
    check(root, version, pythons)
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "ddepth_gl")
        git(root, "clone", "--quiet", "--branch", "main", str(root), str(clone))
        release(clone, version, [step for step in steps if step != "check"], pythons)
    say("a dry run: nothing was changed here")


if __name__ == "__main__":
    main()
