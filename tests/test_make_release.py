"""`make release`: what it refuses, what it changes, and that its archives are reproducible."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

if shutil.which("git") is None or not (ROOT / ".git").exists():
    pytest.skip("releases are made with git, in a checkout", allow_module_level=True)

spec = importlib.util.spec_from_file_location("release", ROOT / "packaging" / "release.py")
release = importlib.util.module_from_spec(spec)
spec.loader.exec_module(release)

CHANGELOG = """# Changelog

## [Unreleased]

### Added

- A thing.

## [0.1.0] - 2026-01-02

- The first.
"""
PYPROJECT = '[project]\nname = "x"\nversion = "0.1.0"\n\n[tool.x]\nminimum_version = "9"\n'
RECIPE = 'schema_version: 1\n\ncontext:\n  version: "0.1.0"\n  python_min: "3.10"\n'
CITATION = 'cff-version: 1.2.0\nversion: 0.1.0\ndate-released: "2026-01-02"\n'


def git(folder, *arguments):
    command = ("git", "-c", "user.name=Test", "-c", "user.email=test@localhost", *arguments)
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    """A small project whose version is 0.1.0, with entries for the next one."""
    root = tmp_path / "project"
    (root / "packaging" / "conda").mkdir(parents=True)
    (root / release.RECIPE).write_text(RECIPE)
    (root / "packaging" / "release.py").write_bytes(
        (ROOT / "packaging" / "release.py").read_bytes()
    )
    (root / ".gitignore").write_text("dist/\n__pycache__/\n")
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "CITATION.cff").write_text(CITATION)
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root)
    return root


def commit(root):
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message=x")


def ran(root, *arguments):
    identity = {
        f"GIT_{who}_{what}": "test@localhost"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return subprocess.run(
        [sys.executable, "packaging/release.py", *arguments],
        cwd=root, env={**os.environ, **identity}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def leave_a_file(root):
    (root / "notes.txt").write_text("")


def leave_two_files(root):
    leave_a_file(root)
    (root / "CHANGELOG.md").write_text(CHANGELOG + "\n")


def tag_an_older_commit(root):
    git(root, "tag", "--annotate", "--message=x", "v0.2.0")
    commit(root)


def replaced(name, old, new):
    def change(root):
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))
        commit(root)

    return change


REFUSED = {
    "no version": ("", None, "no version is given; give one: make release VERSION=0.4.0"),
    "not a version": ("v0.2", None, "v0.2 is given; give one: make release VERSION=0.4.0"),
    "older": ("0.0.9", None, "0.0.9 is older than 0.1.0, the version in pyproject.toml"),
    "a pre-release of it": ("0.1.0rc1", None, "0.1.0rc1 is older than 0.1.0"),
    "dirty": ("0.2.0", leave_a_file, "not committed: notes.txt; commit or stash that"),
    "two": ("0.2.0", leave_two_files, "not committed: CHANGELOG.md and 1 more; commit"),
    "tag": ("0.2.0", tag_an_older_commit, r"the tag v0.2.0 is another commit, \w{9}; give a newer"),
    "branch": (
        "0.2.0",
        lambda root: git(root, "checkout", "--quiet", "-b", "other"),
        "this is the branch other; releases are made from main",
    ),
    "no entries": (
        "0.2.0",
        replaced("CHANGELOG.md", "- A thing.\n", ""),
        r"CHANGELOG.md has nothing under \[Unreleased\]; say what changed",
    ),
    "no section": (
        "0.2.0",
        replaced("CHANGELOG.md", "[Unreleased]", "Later"),
        r"CHANGELOG.md has no section \[Unreleased\]; add one",
    ),
    "half prepared": (
        "0.2.0",
        replaced("CHANGELOG.md", "## [0.1.0]", "## [0.2.0] - 2026-01-03\n\n## [0.1.0]"),
        r"CHANGELOG.md has a section \[0.2.0\], but pyproject.toml says 0.1.0",
    ),
    "other half": (
        "0.2.0",
        replaced("pyproject.toml", "0.1.0", "0.2.0"),
        r"CHANGELOG.md has no section \[0.2.0\], but pyproject.toml says 0.2.0",
    ),
    "entries since": (
        "0.1.0",
        None,
        r"CHANGELOG.md has entries after 0.1.0, under \[Unreleased\]; move them",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("options", [(), ("--dry-run",)], ids=["release", "dry run"])
def test_what_is_refused(checkout, case, options):
    version, change, message = REFUSED[case]
    if change:
        change(checkout)
    before = git(checkout, "rev-parse", "HEAD"), git(checkout, "status", "--porcelain")
    done = ran(checkout, version, *options)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert re.match(f"release: {message}", line), line
    assert before == (git(checkout, "rev-parse", "HEAD"), git(checkout, "status", "--porcelain"))


def test_an_interpreter_that_is_missing(checkout):
    done = ran(checkout, "0.2.0", "--pythons", "python3.10000")
    assert done.stderr == (
        "release: python3.10000 is not installed; give others: PYTHONS=python3.12\n"
    )


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("build", "pyproject.toml does not say 0.2.0; run the step prepare first"),
        ("install", "ddepth_gl-0.2.0.tar.gz is missing; run the step build first"),
        ("tag", "pyproject.toml does not say 0.2.0; run the step prepare first"),
    ],
)
def test_steps_out_of_order(checkout, step, message):
    done = ran(checkout, "0.2.0", "--step", step)
    assert (done.returncode, done.stderr) == (1, f"release: {message}\n")


def test_prepare_and_tag_may_be_repeated(checkout):
    """The second time, there is nothing left to do, and nothing changes."""
    for step in ("check", "prepare", "check", "tag"):
        done = ran(checkout, "0.2.0", "--step", step)
        assert done.returncode == 0, done.stderr
    state = git(checkout, "rev-parse", "HEAD", "v0.2.0"), git(checkout, "status", "--porcelain")
    assert state[1] == ""
    texts = release.read(checkout, "CHANGELOG.md", "pyproject.toml", "CITATION.cff")
    date = re.search(r'date-released: "(.*)"', texts["CITATION.cff"])[1]
    assert texts["CHANGELOG.md"] == CHANGELOG.replace(
        "## [Unreleased]\n", f"## [Unreleased]\n\n## [0.2.0] - {date}\n"
    )
    assert texts["pyproject.toml"] == PYPROJECT.replace('"0.1.0"', '"0.2.0"')
    assert (checkout / release.RECIPE).read_text() == RECIPE.replace("0.1.0", "0.2.0")
    assert "\nversion: 0.2.0\n" in texts["CITATION.cff"]
    assert "cff-version: 1.2.0\n" in texts["CITATION.cff"]
    assert git(checkout, "log", "-1", "--format=%s") == "Release 0.2.0"
    message = git(checkout, "for-each-ref", "refs/tags/v0.2.0", "--format=%(contents)")
    assert message == "ddepth_gl 0.2.0\n\n### Added\n\n- A thing."
    for step in ("prepare", "tag"):
        done = ran(checkout, "0.2.0", "--step", step)
        assert done.returncode == 0
        assert "already" in done.stdout
        if step == "tag":
            assert "nothing was uploaded" in done.stdout
            assert "twine upload dist/ddepth_gl-0.2.0.tar.gz dist/" in done.stdout
    assert state == (
        git(checkout, "rev-parse", "HEAD", "v0.2.0"), git(checkout, "status", "--porcelain")
    )  # fmt: skip


def test_the_commit_has_nothing_else(checkout):
    """Whoever runs the step alone may have other changes."""
    leave_a_file(checkout)
    git(checkout, "add", "notes.txt")
    assert ran(checkout, "0.2.0", "--step", "prepare").returncode == 0
    assert git(checkout, "status", "--porcelain") == "A  notes.txt"


def test_a_dry_run_changes_nothing(checkout):
    before = git(checkout, "rev-parse", "HEAD")
    done = ran(checkout, "0.2.0", "--step", "prepare", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "+## [0.2.0] - " in done.stdout
    assert "nothing was changed here" in done.stdout
    assert before == git(checkout, "rev-parse", "HEAD")
    assert git(checkout, "status", "--porcelain") + git(checkout, "tag") == ""
    assert (checkout / "CHANGELOG.md").read_text() == CHANGELOG


def test_versions_are_sorted():
    versions = ["0.4.0a1", "0.4.0b1", "0.4.0rc1", "0.4.0rc2", "0.4.0", "0.4.1", "0.10.0"]
    assert sorted(versions, key=release.order) == versions


def test_the_files_of_this_project_can_be_prepared():
    names = ("CHANGELOG.md", "pyproject.toml", release.RECIPE, "CITATION.cff")
    texts = release.read(ROOT, *names)
    changed = release.released(texts, "99.0.0", "2099-01-02")
    for name in names:
        lines = texts[name].splitlines(), changed[name].splitlines()
        assert len(set(lines[1]) - set(lines[0])) == (2 if name == "CITATION.cff" else 1)
        assert len(set(lines[0]) - set(lines[1])) == (0, 1, 1, 2)[names.index(name)]
    assert release.version_of(changed["pyproject.toml"]) == "99.0.0"


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("hatch_fancy_pypi_readme") is None,
    reason='hatch-fancy-pypi-readme is missing; run: pip install ".[dev]"',
)
def test_archives_have_the_same_bytes_from_any_folder(tmp_path, monkeypatch):
    """Built twice: from clones, from the unpacked sdist; other times, other umask, other folder."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(ROOT), str(clone))
    version = release.version_of((clone / "pyproject.toml").read_text())
    release.build(clone, version)
    sdist, wheel = release.files_of(clone, version)
    with tarfile.open(sdist) as archive:
        assert {member.mtime for member in archive} == {1700000000}
        archive.extractall(tmp_path / "unpacked")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    for path in unpacked.rglob("*"):
        os.utime(path, (1, 1))
    again = tmp_path / "again"
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    old = os.umask(0o077)
    try:
        subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--sdist", "--wheel",
             "--outdir", str(again), str(unpacked)],
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip
    finally:
        os.umask(old)
    for file in (sdist, wheel):
        assert (again / file.name).read_bytes() == file.read_bytes(), file.name
