"""Meshes of data sets: where they are found, their ids, and that they open with their files."""

from __future__ import annotations

import io
import os
import tarfile
import time
from datetime import date
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ddepth_gl as dd
from ddepth_gl.dataset.config import SourcesConfig
from ddepth_gl.dataset.entries import MeshEntry, unescaped_id
from ddepth_gl.dataset.opened_mesh import named_files
from ddepth_gl.dataset.sources import find_meshes, opened_mesh

TRIANGLE = "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl m\nf 1/1 2/1 3/1\n"


def found(*paths, tell=None, split_column=None, **settings):
    config = SourcesConfig(paths=paths, **settings)
    return find_meshes(config, tell or pytest.fail, split_column=split_column)


def ids(*paths, **settings):
    return [unescaped_id(entry.id) for entry in found(*paths, **settings)]


def refused(*paths, **settings):
    with pytest.raises(dd.DatasetError) as raised:
        found(*paths, tell=lambda line: None, **settings)
    return str(raised.value)


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def png():
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (2, 2), (255, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


def pack(path, members):
    """Write a tar; a member is its content, or a TarInfo."""
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def link(kind, target):
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_ids_are_paths_below_the_root_of_the_source():
    touch("m/b.obj", "m/chair/a.glb", "m/chair/é x.ply", "m/.hidden.obj", "m/a.mtl")
    assert ids("m") == ["b.obj", "chair/é x.ply", "chair/a.glb"]
    assert ids("./m/") == ids(str(Path("m").absolute())) == ids("m")
    assert ids("m/*/*") == ["chair/é x.ply", "chair/a.glb"]
    assert ids("m/**/*.glb") == ["chair/a.glb"]
    assert ids("m/chair/*.glb") == ["a.glb"]
    assert ids("m/cha*") == ["chair/é x.ply", "chair/a.glb"]  # a folder that matches is searched
    assert ids("m/b.obj") == ["b.obj"]
    # As a shell passes them: names alone would repeat.
    touch("m/sofa/a.glb")
    assert ids("m/chair/a.glb", "m/sofa/a.glb") == ["chair/a.glb", "sofa/a.glb"]


def test_home_folders_are_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    touch("home/m/a.obj")
    assert ids("~/m") == ids("~/m/*.obj") == ["a.obj"]


def test_entries_are_sorted_and_their_addresses_work_anywhere(tmp_path):
    touch("m/b.obj", "m/a.obj", "m/B.obj", "m/a-1.obj")
    entries = found("m")
    assert [entry.id for entry in entries] == sorted(entry.id for entry in entries)
    assert [entry.id for entry in entries] == ["B%2Eobj", "a%2Eobj", "a-1%2Eobj", "b%2Eobj"]
    assert all(entry.address == str(tmp_path / "m" / unescaped_id(entry.id)) for entry in entries)
    assert all(set(entry.id) <= set("%-_") | set(map(chr, range(48, 123))) for entry in entries)


def test_names_that_are_not_utf8():
    Path(os.fsdecode(b"caf\xe9.obj")).touch()
    (entry,) = found(".")
    assert entry.id == "caf%E9%2Eobj"
    assert os.fsencode(entry.address).endswith(b"/caf\xe9.obj")


def test_a_mesh_counts_once_and_it_is_told():
    touch("m/b.obj", "m/c/a.obj")
    Path("linked").symlink_to("m", target_is_directory=True)
    lines = []
    entries = found("m", "m/c", "linked/b.obj", tell=lines.append)
    assert [unescaped_id(entry.id) for entry in entries] == ["b.obj", "c/a.obj"]
    (line,) = lines
    assert line.startswith("2 meshes were given more than once; each counts once, such as ")


def test_two_meshes_of_one_id_are_refused():
    touch("m/a.obj", "n/a.obj")
    assert refused("m", "n") == (
        f"two meshes have the id a%2Eobj: {Path('m/a.obj').absolute()} and "
        f"{Path('n/a.obj').absolute()}; give the folder that both are in, or a table with ids"
    )


def test_results_and_foreign_formats_are_told():
    touch("m/a.obj", "m/b.fbx")
    Path("m/r.ply").write_text("ply\nformat ascii 1.0\ncomment mesh_sha256 12ab\nend_header\n")
    lines = []
    assert len(found("m", tell=lines.append)) == 1
    assert len(lines) == 2
    assert "1 result of ddepth are left out, such as m/r.ply" in lines[0]
    assert "m/b.fbx" in lines[1]
    lines.clear()
    assert len(found("m/*", tell=lines.append)) == 1
    assert len(lines) == 1


def test_blend_files_are_taken_by_name_and_in_globs():
    touch("m/a.obj", "m/b.blend")
    assert ids("m/*.blend") == ["b.blend"]
    assert ids("m/b.blend") == ["b.blend"]
    assert len(found("m", tell=lambda line: None)) == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "a source is empty; give a path"),
        ("none.obj", "none.obj does not exist; check the path"),
        ("none/*.obj", "none/*.obj matches no meshes; check the pattern"),
        ("empty", "empty has no mesh files"),
        ("a.fbx", "a.fbx is no source of meshes: "),
        ("a.png", "a.png is no source of meshes: "),
        ("README", "README is no source of meshes: its name has no extension"),
        ("a.tar", "is not a whole tar"),
        ("s3q://bucket/a.obj", "s3q://bucket/a.obj is no address"),
        ("memory://none", "memory://none does not exist; check the address"),
        ("zip://a.obj::memory://a.zip", "chains addresses"),
    ],
)
def test_sources_that_cannot_be_used(path, expected):
    touch("a.fbx", "a.png", "README", "a.tar")
    Path("empty").mkdir()
    assert expected in refused(path)


def test_no_sources_at_all():
    assert refused() == "there are no sources; give files, folders, a table or a list of meshes"


def test_lists():
    touch("m/a.obj", "m/b/c.obj", "d.obj")
    Path("m/list.txt").write_text("\ufeffa.obj\r\n# a comment\r\n\r\n  ./b/c.obj\r\n../d.obj\r\n")
    here = str(Path.cwd()).lstrip("/")
    assert sorted(ids("m/list.txt")) == sorted(["a.obj", "b/c.obj", f"{here}/d.obj"])
    assert ids(lists=("m/list.txt",)) == ids("m/list.txt")
    assert all(Path(entry.address).exists() for entry in found("m/list.txt"))
    Path("m/list.txt").write_text("# nothing\n")
    assert "m/list.txt names no meshes" in refused("m/list.txt")
    Path("m/list.txt").write_text("meshes/a.obj\nmeshes/b.obj\n")
    assert "names files that do not exist, the first is" in refused("m/list.txt")
    Path("m/list.txt").write_bytes(b"a\xff.obj\n")
    assert "is not UTF-8" in refused("m/list.txt")
    assert "No such file" in refused(lists=("none.txt",))


def test_one_missing_file_of_a_list_is_not_the_end():
    touch("a.obj")
    Path("list.txt").write_text("a.obj\nnone.obj\n")
    assert ids("list.txt") == ["a.obj", "none.obj"]
    with (
        pytest.raises(dd.MeshError, match=r"none\.obj cannot be read \(No such file"),
        opened_mesh(found("list.txt")[1]),
    ):
        pass


def test_csv_keeps_ids_as_text_and_passes_other_columns():
    touch("a.obj", "b.obj")
    Path("t.csv").write_text(
        'id,path,faces,size,license,ok\n00012,a.obj,3,1.5,"CC0, or so",true\n7/x,b.obj,,,,\n'
    )
    first, second = found("t.csv")
    assert (first.id, first.address) == ("00012", str(Path("a.obj").absolute()))
    assert first.columns == {"faces": 3, "size": 1.5, "license": "CC0, or so", "ok": "true"}
    assert [type(value) for value in first.columns.values()] == [int, float, str, str]
    assert second.id == "7%2Fx"
    assert second.columns == {"faces": None, "size": None, "license": None, "ok": None}
    assert found(tables=("t.csv",)) == [first, second]


def test_csv_columns_can_still_be_joined():
    touch("a.obj")
    texts = {
        "02691156": str, "3001627": int, "-7": int, "-0": str, "+1": str, "1e5": str, "nan": str,
        "12345678901234567890": str, "0.5": float, "0.50": str, "1e-05": float, "1e999": str,
        "-0.0": float, "NA": str, "true": str, "2026-01-02": str, " 1": str,
    }  # fmt: skip
    for text, kind in texts.items():
        Path("t.csv").write_text(f'id,path,v,empty\nx,a.obj,{text},\ny,a.obj,,""\n')
        one, two = found("t.csv")
        assert type(one.columns["v"]) is kind
        assert str(one.columns["v"]) == text
        assert (two.columns, one.columns["empty"]) == ({"v": None, "empty": None}, None)
    # One value decides for its column.
    Path("t.csv").write_text("id,path,v\nx,a.obj,12\ny,a.obj,02\n")
    assert [entry.columns["v"] for entry in found("t.csv")] == ["12", "02"]


def test_csv_of_spreadsheets_and_other_names_of_columns():
    touch("m/a.obj", "m/c.json")
    Path("m/t.csv").write_text("\ufefffile;name;cams\na.obj;one;c.json\n", encoding="utf-8")
    names = {"path_column": "file", "id_column": "name", "cameras_column": "cams"}
    (entry,) = found("m/t.csv", **names)
    assert entry.id == "one"
    assert entry.cameras == str(Path("m/c.json").absolute())
    assert entry.columns == {}
    Path("m/t.tsv").write_text("file\tname\tcams\na.obj\tone\t\n")
    (entry,) = found("m/t.tsv", **names)
    assert entry.cameras is None


def test_parquet_keeps_types():
    touch("a.obj")
    table = pa.table(
        {
            "path": ["a.obj"],
            "id": pa.array([12], pa.int32()),
            "day": pa.array([date(2026, 1, 2)]),
            "tags": [["x", "y"]],
            "bytes": [b"\xff\0"],
            "when": pa.array([1_000_000_001], pa.timestamp("ns")),
            "kind": pa.array(["chair"]).dictionary_encode(),
        }
    )
    pq.write_table(table, "t.parquet")
    (entry,) = found("t.parquet")
    assert entry.id == "12"
    assert entry.columns["day"] == date(2026, 1, 2)
    assert entry.columns["tags"] == ["x", "y"]
    assert entry.columns["bytes"] == b"\xff\0"
    assert entry.columns["when"] == (1_000_000_001, pa.timestamp("ns"))
    assert entry.columns["kind"] == "chair"


def test_without_a_column_of_ids_they_follow_from_paths():
    touch("m/a.obj")
    Path("t.csv").write_text("path,author\nm/a.obj,me\n")
    (entry,) = found("t.csv")
    assert (unescaped_id(entry.id), entry.columns) == ("m/a.obj", {"author": "me"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,file\na,b\n", "has no column 'path' but name, file; name that of the paths"),
        ("id,path\n,a.obj\n", "has no id in row 1"),
        ("id,path\nx,\n", "has no path in row 1"),
        ("id,path\nx,a.obj\nx,b.obj\n", "two meshes have the id x"),
        ("id,path,view\nx,a.obj,3\n", "has the column 'view', which the index has itself; rename"),
        (
            "id,path,split\nx,a.obj,val\n",
            "has the column 'split', which the index has itself; "
            "give --set split.column=split to use it, or rename it",
        ),
        ("id,path,size.json\nx,a.obj,1\n", "has the column 'size.json', which the index has"),
        ("id,path,n,n\nx,a.obj,1,2\n", "has the column 'n', twice; rename it"),
        ("id,path\nx\n", "is not a table that can be read"),
        ("", "is not a table that can be read"),
        ("id,path\n", "has no rows"),
        ("id,path\nx,c.obj\n", "names files that do not exist"),
    ],
)
def test_tables_that_are_refused(text, expected):
    touch("a.obj", "b.obj")
    Path("t.csv").write_text(text)
    assert expected in refused("t.csv")


def test_other_tables_that_are_refused():
    touch("a.obj")
    Path("t.parquet").write_bytes(b"PAR1 nothing PAR1")
    assert "is not a table that can be read" in refused("t.parquet")
    Path("t.csv").write_text("id,path\nx,a.obj\n")
    assert "has no column 'cams'; correct" in refused("t.csv", cameras_column="cams")


def test_a_column_may_name_the_split():
    touch("a.obj")
    Path("t.csv").write_text("id,path,split\nx,a.obj,val\n")
    (entry,) = found("t.csv", split_column="split")
    assert entry.columns == {"split": "val"}


def test_one_file_may_have_several_ids_in_a_table():
    touch("a.obj")
    Path("t.csv").write_text("id,path,n\nx,a.obj,1\ny,a.obj,2\n")
    assert [(entry.id, entry.columns["n"]) for entry in found("t.csv")] == [("x", 1), ("y", 2)]


def test_meshes_in_tars_come_with_the_files_that_they_name():
    pack(
        "t.tar",
        {
            "x/one.obj": TRIANGLE.encode(),
            "x/a.mtl": b"newmtl m\nmap_Kd tex/My Wood.PNG\n",
            "x/tex/my wood.png": png(),
            "x/tex/other.png": png(),
            "x/two.obj": TRIANGLE.replace("a.mtl", "b.mtl").encode(),
            "x/b.mtl": b"newmtl m\nKd 0 1 0\n",
            "x/note.txt": b"no mesh",
            "y/three.stl": b"solid\nendsolid\n",
        },
    )
    entries = found("t.tar")
    assert [unescaped_id(entry.id) for entry in entries] == [
        "x/one.obj",
        "x/two.obj",
        "y/three.stl",
    ]
    assert [entry.member for entry in entries] == ["x/one.obj", "x/two.obj", "y/three.stl"]
    with opened_mesh(entries[0]) as path:
        files = {str(file.relative_to(path.parent)) for file in path.parent.rglob("*.*")}
        assert files == {"one.obj", "a.mtl", "tex/my wood.png"}
        mesh = dd.load_mesh(path)
        assert len(mesh.textures) == 1
        assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert not path.parent.exists()
    with opened_mesh(entries[1]) as path:
        assert {file.name for file in path.parent.iterdir()} == {"two.obj", "b.mtl"}


def test_tars_of_a_glob_keep_their_names_in_ids():
    Path("d").mkdir()
    pack("d/a.tar", {"m.stl": b"x"})
    pack("d/b.tar", {"./m.stl": b"y", "._m.stl": b"z"})
    assert ids("d/*.tar") == ["a.tar/m.stl", "b.tar/m.stl"]
    assert "two meshes have the id m%2Estl: m.stl in " in refused("d/a.tar", "d/b.tar")
    with opened_mesh(found("d/*.tar")[1]) as path:
        assert path.read_bytes() == b"y"


def test_members_whose_names_lead_out_of_the_tar_are_refused(tmp_path):
    pack(
        "t.tar",
        {"../up.stl": b"x", "/etc/abs.stl": b"x", "a/../../b.stl": b"x", "good.stl": b"good"},
    )
    by_name = {entry.member: entry for entry in found("t.tar")}
    assert len(by_name) == 4
    for name in ("../up.stl", "/etc/abs.stl", "a/../../b.stl"):
        with (
            pytest.raises(dd.MeshError, match=r"is refused, since its name leads out of the tar"),
            opened_mesh(by_name[name]),
        ):
            pass
    with opened_mesh(by_name["good.stl"]) as path:
        assert path.read_bytes() == b"good"
    assert {file.name for file in tmp_path.iterdir()} == {"t.tar"}


def test_files_named_outside_of_the_meshs_folder_do_not_come():
    pack(
        "t.tar",
        {
            "x/one.obj": b"mtllib ../secret.mtl\n",
            "secret.mtl": b"",
            "x/../secret.mtl": b"",
            "x/link.mtl": link(tarfile.SYMTYPE, "../../etc/passwd"),
        },
    )
    with opened_mesh(found("t.tar")[0]) as path:
        assert [file.name for file in path.parent.iterdir()] == ["one.obj"]


def test_links_and_devices_in_tars():
    pack(
        "t.tar",
        {
            "a/real.stl": b"content",
            "a/hard.stl": link(tarfile.LNKTYPE, "a/real.stl"),
            "b/soft.stl": link(tarfile.SYMTYPE, "../a/real.stl"),
            "b/out.stl": link(tarfile.SYMTYPE, "/etc/passwd"),
            "b/pipe.stl": link(tarfile.FIFOTYPE, ""),
            "b/folder.stl": link(tarfile.DIRTYPE, ""),
        },
    )
    entries = {entry.member: entry for entry in found("t.tar")}
    assert "b/folder.stl" not in entries
    for name in ("a/hard.stl", "b/soft.stl"):
        with opened_mesh(entries[name]) as path:
            assert path.read_bytes() == b"content"
    for name, reason in (("b/out.stl", "is a link to"), ("b/pipe.stl", "not a regular file")):
        with pytest.raises(dd.MeshError, match=reason), opened_mesh(entries[name]):
            pass


def test_tars_that_are_damaged_or_compressed():
    pack("t.tar", {"a.stl": b"x" * 2000, "b.stl": b"y" * 2000})
    data = Path("t.tar").read_bytes()
    # At the border of a member, in a member, in a header: nothing is lost silently.
    for size in (512 + 2048, 512 + 1000, 512 + 2048 + 100):
        Path("cut.tar").write_bytes(data[:size])
        assert "copy it again" in refused("cut.tar")
    damaged = bytearray(data)
    damaged[512 + 2048 + 5] ^= 255
    Path("cut.tar").write_bytes(damaged)
    assert "copy it again" in refused("cut.tar")
    with tarfile.open("c.tar.gz", "w:gz") as tar:
        tar.add("t.tar", "a.stl")
    assert "decompress it with gunzip < c.tar.gz > n.tar" in refused("c.tar.gz")
    pack("none.tar", {"a.txt": b"x"})
    assert "has no mesh files" in refused("none.tar")
    # A tar that changes behind its index.
    (entry, _) = found("t.tar")
    Path("t.tar").write_bytes(data[:1024])
    with pytest.raises(dd.MeshError, match="copy it again"), opened_mesh(entry):
        pass


def test_pipes_and_devices_are_never_opened():
    Path("m").mkdir()
    touch("m/a.obj")
    os.mkfifo("m/pipe.ply")
    os.mkfifo("m/pipe.obj")
    for path in ("m", "m/*", "m/pipe.ply"):
        entries = {entry.id: entry for entry in found(path)}
        pipe = entries["pipe%2Eply"]
        # A pipe that is opened for reading would let a writer in.
        with pytest.raises(OSError, match="No such device or address"):
            os.open("m/pipe.ply", os.O_WRONLY | os.O_NONBLOCK)
        with pytest.raises(dd.MeshError, match=r"pipe\.ply is not a regular file"):
            opened_mesh(pipe).__enter__()
    with pytest.raises(dd.MeshError, match="is not a regular file"):
        opened_mesh(MeshEntry("a", "/dev/zero")).__enter__()
    with pytest.raises(dd.MeshError, match="is a directory"):
        opened_mesh(MeshEntry("a", str(Path("m").absolute()))).__enter__()
    with pytest.raises(dd.MeshError, match="cannot be read"):
        opened_mesh(MeshEntry("a", "/a\0b")).__enter__()
    for name in ("t.csv", "t.txt", "t.tar", "t.parquet"):
        os.mkfifo(name)
        assert "is not a regular file" in refused(name)


@pytest.fixture
def memory():
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    yield fs
    fs.store.clear()


def test_meshes_on_other_storage(memory):
    memory.pipe("/d/x/one.obj", TRIANGLE.encode())
    memory.pipe("/d/x/a.mtl", b"newmtl m\nmap_Kd wood.png\n")
    memory.pipe("/d/x/wood.png", png())
    memory.pipe("/d/x/big.png", png())
    memory.pipe("/d/two.stl", b"two")
    memory.pipe("/d/.cache/two.stl", b"two")
    assert ids("memory://d") == ids("memory:///d/") == ["two.stl", "x/one.obj"]
    assert ids("memory://d/x/*.obj") == ["one.obj"]
    assert ids("memory://d/*/*.obj") == ["x/one.obj"]
    assert ids("memory://d/two.stl") == ["two.stl"]
    entries = found("memory://d")
    with opened_mesh(entries[1]) as path:
        assert {file.name for file in path.parent.iterdir()} == {"one.obj", "a.mtl", "wood.png"}
        assert len(dd.load_mesh(path).textures) == 1
    with opened_mesh(entries[0]) as path:
        assert path.read_bytes() == b"two"
        assert path.name == "two.stl"
    memory.rm("/d/two.stl")
    with pytest.raises(dd.MeshError, match=r"two\.stl cannot be read"), opened_mesh(entries[0]):
        pass
    memory.pipe("/e/a.txt", b"x")
    assert "has no mesh files" in refused("memory://e")
    assert "is no source of meshes" in refused("memory://d/x/a.mtl")


def test_tables_and_tars_on_other_storage(memory):
    pack("t.tar", {"m.stl": b"in a tar"})
    memory.pipe("/d/t.tar", Path("t.tar").read_bytes())
    memory.pipe("/d/t.csv", b"id,path\n1,sub/a.stl\n2,memory://b.stl\n")
    memory.pipe("/d/t.txt", b"sub/a.stl\n")
    memory.pipe("/d/sub/a.stl", b"a")
    entries = found("memory://d/t.csv")
    assert [entry.address for entry in entries] == ["memory://d/sub/a.stl", "memory://b.stl"]
    with opened_mesh(entries[0]) as path:
        assert path.read_bytes() == b"a"
    assert ids("memory://d/t.txt") == ["sub/a.stl"]
    assert ids("memory://d/t.tar") == ["m.stl"]
    assert ids("memory://d/*.tar") == ["t.tar/m.stl"]
    with opened_mesh(found("memory://d/*.tar")[0]) as path:
        assert path.read_bytes() == b"in a tar"


@pytest.mark.slow
def test_meshes_on_s3(monkeypatch):
    boto3 = pytest.importorskip("boto3", reason="the package boto3 is missing")
    moto = pytest.importorskip("moto.server", reason="the package moto is missing")
    pytest.importorskip("s3fs", reason="the package s3fs is missing")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = moto.ThreadedMotoServer(port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        client = boto3.client("s3")
        client.create_bucket(Bucket="meshes")
        client.put_object(Bucket="meshes", Key="d/x/one.obj", Body=TRIANGLE.encode())
        client.put_object(Bucket="meshes", Key="d/x/a.mtl", Body=b"newmtl m\nKd 1 0 0\n")
        entries = found("s3://meshes/d")
        assert [unescaped_id(entry.id) for entry in entries] == ["x/one.obj"]
        assert entries[0].address == "s3://meshes/d/x/one.obj"
        with opened_mesh(entries[0]) as path:
            assert {file.name for file in path.parent.iterdir()} == {"one.obj", "a.mtl"}
        assert "does not exist" in refused("s3://meshes/none")
        assert "s3://nobucket/d" in refused("s3://nobucket/d")
    finally:
        fsspec.filesystem("s3").clear_instance_cache()
        server.stop()


@pytest.mark.slow
def test_a_hundred_thousand_meshes_are_listed_in_time_that_grows_with_their_number():
    def seconds(count):
        Path("list.txt").write_text("".join(f"{i:06d}.stl\n" for i in range(count)))
        touch("000000.stl")
        start = time.process_time()
        assert len(found("list.txt")) == count
        return time.process_time() - start

    seconds(100)
    small, large = min(seconds(5_000) for _ in range(3)), seconds(100_000)
    assert large < 20 * small * 3  # not with its square


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"map_Kd it's.png", "it's.png"),
        (b"mtllib my it's.mtl", "my it's.mtl"),
        (b'{"uri": "it\'s%20a.png"}', "it's a.png"),
        (b"<init_from>a&amp;b.png</init_from>", "a&b.png"),
        (b"<init_from>t&#233;x.png</init_from>", "téx.png"),
        (b"<init_from>a&lt;b.png</init_from>", "a<b.png"),
        (b"<init_from>say &quot;x&quot;.png</init_from>", 'say "x".png'),
    ],
)
def test_names_with_quotes_and_entities(content, name):
    assert named_files(content, ["x/other.png", f"x/{name}"]) == [f"x/{name}"]
