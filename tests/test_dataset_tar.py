"""Tars of shards: every reader reads them, and their bytes depend on the contents alone."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile

import pytest

import ddepth_gl as dd
from ddepth_gl.dataset.tar_file import TarWriter

NAMES = [
    "a_000.json",
    "%C3%A9_001.photo.png",
    "x" * 100,
    "y" * 101,
    "z" * 99 + "_000.json",
    "w" * 4000,
]


def contents():
    return {name: bytes([number]) * (number * 300) for number, name in enumerate(NAMES)}


def written(files):
    file = io.BytesIO()
    tar = TarWriter(file)
    offsets = {name: tar.add(name, len(data), [data[:7], data[7:]]) for name, data in files.items()}
    tar.finish()
    return file.getvalue(), offsets, tar


def test_tarfile_reads_it():
    data, offsets, tar = written(contents())
    with tarfile.open(fileobj=io.BytesIO(data)) as read:
        members = read.getmembers()
        assert [member.name for member in members] == NAMES
        for member in members:
            assert read.extractfile(member).read() == contents()[member.name]
            assert member.offset_data == offsets[member.name]
            facts = member.mode, member.uid, member.gid, member.mtime, member.uname, member.gname
            assert facts == (0o644, 0, 0, 0, "", "")
            assert member.isreg()
    assert tar.size == len(data)


def test_its_bytes_are_those_of_gnu_tar(tmp_path):
    """Except for the zeros at its end, of which GNU tar writes more, and numbers of no device."""
    if not shutil.which("tar"):
        pytest.skip("there is no tar")
    short = {name: data for name, data in contents().items() if len(name) <= 100}
    for name, data in short.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o644)
    options = [
        "--format=ustar",
        "--numeric-owner",
        "--owner=0",
        "--group=0",
        "--mtime=@0",
        "--mode=0644",
    ]
    done = subprocess.run(
        ["tar", *options, "-c", *short], cwd=tmp_path, capture_output=True, check=True
    )
    data, _, _ = written(short)
    assert without_devices(done.stdout[: len(data)], short) == without_devices(data, short)
    assert not any(done.stdout[len(data) :])


def without_devices(data, contents):
    """Return a tar without the device numbers of its headers: since 1.35, GNU tar writes zeros.

    The checksums, which cover them, are left out, too; `tarfile` and other tests check those.
    """
    data, start = bytearray(data), 0
    for content in contents.values():
        for field in (slice(329, 345), slice(148, 156)):  # the later one first: bytes move up
            data[start + field.start : start + field.stop] = b""
        start += 512 - 24 + 512 * (-(-len(content) // 512))
    return data


def test_the_hash_is_that_of_the_bytes():
    data, _, tar = written(contents())
    assert tar.sha256 == hashlib.sha256(data).hexdigest()


def test_what_is_taken_back_leaves_no_trace():
    file = io.BytesIO()
    tar = TarWriter(file)
    kept = list(contents().items())
    for name, data in kept[:2]:
        tar.add(name, len(data), [data])
    position = tar.position()
    for _ in range(2):  # a position serves more than once
        tar.add("lost.bin", 5000, [bytes(5000)])
        tar.add("lost2.bin", 3, [b"abc"])
        tar.return_to(position)
    for name, data in kept[2:]:
        tar.add(name, len(data), [data])
    tar.finish()
    expected, _, whole = written(contents())
    assert file.getvalue() == expected
    assert tar.sha256 == whole.sha256


def test_contents_have_the_size_that_is_announced():
    with pytest.raises(dd.DatasetError, match=r"a\.bin has 3 bytes, not 4 as announced"):
        TarWriter(io.BytesIO()).add("a.bin", 4, [b"abc"])
