"""Photos that exist: cameras of each layout, silhouettes, and errors."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import imageio.v3 as iio
import numpy as np
import pytest
from dataset_photos import (
    around,
    crooked,
    in_blender,
    photographed,
    write_bop,
    write_colmap,
    write_trellis,
    write_zero123,
)

import ddepth_gl as dd
from ddepth_gl.dataset.config import NormalizationConfig, PhotosConfig, ViewsConfig
from ddepth_gl.dataset.entries import MeshEntry
from ddepth_gl.dataset.normalization import normalized
from ddepth_gl.dataset.photo_masks import Photo, mask_iou, photo_mask, photo_png
from ddepth_gl.dataset.photos import photos_of
from ddepth_gl.dataset.views import cameras_for
from ddepth_gl.errors import CameraError, DatasetError

MESH = crooked()
Y_UP = MESH.transformed(np.eye(4), up=(0, 1, 0))  # as a glTF file says
ENTRY = MeshEntry("chairs%2Fa", "/meshes/chairs/a.glb")


@pytest.fixture(scope="module")
def renderer():
    with dd.DepthRenderer() as renderer:
        yield renderer


def long_side_fov_deg(camera):
    return 2 * float(np.degrees(np.arctan(max(camera.width, camera.height) / 2 / camera.K[0, 0])))


def check_masks(renderer, mesh, photos):
    """The silhouettes of the mesh are those of the photos, but for rounding at a few edges."""
    scene = renderer.upload(mesh)
    ratios = [
        mask_iou(photo_mask(photo), renderer.entry_exit(scene, photo.camera).mask)
        for photo in photos
    ]
    scene.release()
    assert min(ratios) > 0.97
    assert np.mean(ratios) > 0.99


def check_projections(mesh, photos, expected, in_world):
    """Points of the mesh are where the cameras that took the photos saw them."""
    assert [photo.camera.name for photo in photos] == [camera.name for camera in expected]
    for photo, camera in zip(photos, expected, strict=True):
        pixels, _ = photo.camera.project(mesh.vertices)
        assert np.allclose(pixels, camera.project(in_world.vertices)[0], atol=1e-5)


# Layouts


@pytest.mark.parametrize("settings", [{}, {"fit": "box"}, {"fit": "sphere", "up": "z"}])
def test_zero123(renderer, tmp_path, settings):
    """Poses are of the mesh in Blender, however the data set has it."""
    blender = in_blender(MESH)
    folder = tmp_path / "a"
    cameras = photographed(renderer, blender, around(blender), folder)
    write_zero123(folder, cameras)
    config = PhotosConfig(folder=f"{tmp_path}/{{stem}}", fov_deg=long_side_fov_deg(cameras[0]))
    mesh, placement = normalized(Y_UP, NormalizationConfig(**settings))
    photos = photos_of(config, ENTRY, Y_UP, placement)
    assert [photo.path.name for photo in photos] == [f"{view:03d}.png" for view in range(6)]
    check_projections(mesh, photos, cameras, blender)
    check_masks(renderer, mesh, photos)


def test_zero123_of_other_files(renderer, tmp_path):
    """Blender turns OBJ files, which do not say which way is up, and leaves PLY files as they are.

    With mesh_up, the settings say it.
    """
    blender = in_blender(MESH)
    cameras = photographed(renderer, blender, around(blender, 2), tmp_path)
    write_zero123(tmp_path, cameras)
    settings = {"folder": str(tmp_path), "fov_deg": long_side_fov_deg(cameras[0])}
    z_up = MESH.transformed([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    for name, mesh, config in (
        ("a.obj", MESH, PhotosConfig(**settings)),
        ("a.ply", z_up, PhotosConfig(**settings)),
        ("a.ply", MESH, PhotosConfig(**settings, mesh_up="y")),
        ("a.obj", z_up, PhotosConfig(**settings, mesh_up="z")),
    ):
        photos = photos_of(config, MeshEntry("a", f"/x/{name}"), mesh)
        check_projections(mesh, photos, cameras, blender)


# How files of y up, one of each kind, say or do not say it; and what `normalization.up` may be.
@pytest.mark.parametrize("up", [None, "x", "-z", "z", "1,2,3"])
@pytest.mark.parametrize(
    ("name", "mesh", "mesh_up"),
    [("a.obj", MESH, "auto"), ("a.obj", MESH, "y"), ("a.glb", Y_UP, "auto"), ("a.glb", Y_UP, "y")],
)
def test_up_directions_of_normalization_leave_the_world_of_blender(
    tmp_path, up, name, mesh, mesh_up
):
    """Photos and camera files are of the mesh as Blender imports its file, however it is placed."""
    blender = in_blender(MESH)
    cameras = around(blender, 2)
    for view in range(2):
        iio.imwrite(tmp_path / f"{view:03d}.png", np.zeros((64, 72, 4), np.uint8))
    cameras = [replace(camera, name=f"{view:03d}.png") for view, camera in enumerate(cameras)]
    write_zero123(tmp_path, cameras)
    dd.save_cameras(tmp_path / "cameras.json", cameras)
    settings = {"folder": str(tmp_path), "fov_deg": long_side_fov_deg(cameras[0])}
    entry = MeshEntry("a", f"/x/{name}")
    for fit in ("none", "box", "sphere"):
        placed, placement = normalized(mesh, NormalizationConfig(fit=fit, up=up))
        photos = photos_of(PhotosConfig(**settings, mesh_up=mesh_up), entry, mesh, placement)
        check_projections(placed, photos, cameras, blender)
        views = ViewsConfig(
            kind="file", file=str(tmp_path / "cameras.json"), world="blender", up=mesh_up
        )
        found = cameras_for(views, placed, entry, placement, mesh)
        check_projections(placed, [Photo(each, tmp_path) for each in found], cameras, blender)


def test_the_published_lens_of_zero123(tmp_path):
    """Lens 35 on a sensor of 32: a focal length of 35 / 32 of the longer side."""
    iio.imwrite(tmp_path / "000.png", np.zeros((24, 48, 4), np.uint8))
    np.save(tmp_path / "000.npy", np.hstack([np.eye(3), [[0], [0], [-2.0]]]).astype(np.float32))
    (photo,) = photos_of(PhotosConfig(folder=str(tmp_path)), MeshEntry("a", "a.ply"), MESH)
    assert photo.camera.K[0, 0] == pytest.approx(35 / 32 * 48, rel=1e-14)
    assert (photo.camera.K[:2, 2] == (24, 12)).all()


@pytest.mark.parametrize("settings", [{}, {"fit": "box", "up": "y"}])
def test_transforms(renderer, tmp_path, settings):
    """Poses are of the mesh file; the data set may have it elsewhere."""
    cameras = photographed(renderer, MESH, around(MESH), tmp_path / "images")
    dd.save_cameras(tmp_path / "transforms.json", cameras)
    mesh, placement = normalized(MESH, NormalizationConfig(**settings))
    photos = photos_of(PhotosConfig(folder=str(tmp_path)), ENTRY, MESH, placement)
    check_projections(mesh, photos, cameras, MESH)
    check_masks(renderer, mesh, photos)
    by_file = PhotosConfig(folder=f"{tmp_path}/transforms.json", layout="transforms")
    assert [p.path for p in photos_of(by_file, ENTRY, MESH, placement)] == [p.path for p in photos]


def test_transforms_of_trellis(renderer, tmp_path):
    """No image size, names beside the file, and Blender's world."""
    blender = in_blender(MESH)
    cameras = photographed(renderer, blender, around(blender), tmp_path)
    write_trellis(tmp_path, cameras)
    photos = photos_of(PhotosConfig(folder=str(tmp_path)), ENTRY, Y_UP)
    check_projections(Y_UP, photos, cameras, blender)
    check_masks(renderer, Y_UP, photos)


def test_names_without_suffix_and_in_other_folders(tmp_path):
    """NeRF's synthetic scenes leave .png out; nerfstudio may say ../images/a.jpg."""
    (tmp_path / "images").mkdir()
    (tmp_path / "train").mkdir()
    iio.imwrite(tmp_path / "train" / "r_0.png", np.zeros((6, 8, 4), np.uint8))
    iio.imwrite(tmp_path / "images" / "b.jpg", np.zeros((6, 8, 3), np.uint8))
    pose = around(MESH, 1)[0].world_from_camera.tolist()
    frames = [
        {"file_path": name, "transform_matrix": pose} for name in ("./train/r_0", "../images/b.jpg")
    ]
    document = {"camera_angle_x": 0.6, "frames": frames}
    (tmp_path / "transforms.json").write_text(json.dumps(document))
    photos = photos_of(PhotosConfig(folder=str(tmp_path)), ENTRY, MESH)
    assert [photo.path.name for photo in photos] == ["r_0.png", "b.jpg"]
    assert {(p.camera.width, p.camera.height) for p in photos} == {(8, 6)}
    assert photos[0].camera.K[0, 0] == pytest.approx(4 / np.tan(0.3))


def test_photos_of_another_size_than_the_file_says(renderer, tmp_path):
    cameras = around(MESH, 2, (144, 128))
    photographed(renderer, MESH, around(MESH, 2, (72, 64)), tmp_path)
    dd.save_cameras(
        tmp_path / "transforms.json",
        [
            dd.Camera(c.K, c.camera_from_world, 144, 128, name=f"{i:03d}.png")
            for i, c in enumerate(cameras)
        ],
    )
    check_masks(renderer, MESH, photos_of(PhotosConfig(folder=str(tmp_path)), ENTRY, MESH))


def test_colmap(renderer, tmp_path):
    cameras = photographed(renderer, MESH, around(MESH), tmp_path / "images")
    write_colmap(tmp_path / "sparse" / "0", cameras)
    for folder in (tmp_path, tmp_path / "sparse" / "0"):
        photos = photos_of(PhotosConfig(folder=str(folder)), ENTRY, MESH)
        check_projections(MESH, photos, cameras, MESH)
        check_masks(renderer, MESH, photos)


def test_bop(renderer, tmp_path):
    """A folder of scenes; masks are of the whole object, one for each instance."""
    entry = MeshEntry("models%2Fobj_000005", "/bop/models/obj_000005.ply")
    cameras = around(MESH, 4)
    for scene in ("000001", "000002"):
        named = photographed(renderer, MESH, cameras, tmp_path / scene / "rgb")
        write_bop(tmp_path / scene, named, object_id=5)
        (tmp_path / scene / "mask").mkdir()
        for view in range(4):
            image = iio.imread(tmp_path / scene / "rgb" / f"{view:03d}.png")
            iio.imwrite(tmp_path / scene / "mask" / f"{view:06d}_000001.png", image[..., 3])
            (tmp_path / scene / "rgb" / f"{view:03d}.png").unlink()
            iio.imwrite(tmp_path / scene / "rgb" / f"{view:06d}.jpg", image[..., :3])
    config = PhotosConfig(folder=str(tmp_path))
    with pytest.raises(CameraError, match="no image size"):
        photos_of(config, entry, MESH)
    (tmp_path / "camera.json").write_text(json.dumps({"width": 72, "height": 64}))
    shutil.move(tmp_path / "camera.json", tmp_path.parent / "camera.json")
    photos = photos_of(config, entry, MESH)
    assert len(photos) == 8
    assert photos[5].mask == tmp_path / "000002" / "mask" / "000001_000001.png"
    for photo, camera in zip(photos, cameras * 2, strict=True):
        assert np.allclose(
            photo.camera.project(MESH.vertices)[0], camera.project(MESH.vertices)[0], atol=1e-9
        )
    check_masks(renderer, MESH, photos)
    one_scene = photos_of(PhotosConfig(folder=f"{tmp_path}/000001"), entry, MESH)
    assert [p.path for p in one_scene] == [p.path for p in photos[:4]]
    with pytest.raises(DatasetError, match="no image of object 7"):
        photos_of(config, MeshEntry("b", "obj_000007.ply"), MESH)
    with pytest.raises(DatasetError, match="no number in its name"):
        photos_of(config, MeshEntry("b", "lamp.ply"), MESH)


def test_bop_without_objects(renderer, tmp_path):
    """Without a scene_gt.json, the mesh is the scene."""
    cameras = photographed(renderer, MESH, around(MESH, 2), tmp_path / "rgb")
    for view in range(2):
        (tmp_path / "rgb" / f"{view:03d}.png").rename(tmp_path / "rgb" / f"{view:06d}.png")
    views = {}
    for view, camera in enumerate(cameras):
        K = camera.K.copy()
        K[:2, 2] -= 0.5
        pose = camera.camera_from_world
        views[view] = {
            "cam_K": K.ravel().tolist(),
            "cam_R_w2c": pose[:3, :3].ravel().tolist(),
            "cam_t_w2c": pose[:3, 3].tolist(),
        }
    (tmp_path / "scene_camera.json").write_text(json.dumps(views))
    photos = photos_of(PhotosConfig(folder=str(tmp_path)), MeshEntry("a", "lamp.ply"), MESH)
    check_masks(renderer, MESH, photos)


def test_photos_of_a_table(renderer, tmp_path):
    cameras = photographed(renderer, MESH, around(MESH, 3), tmp_path)
    dd.save_cameras(tmp_path / "own.json", cameras)
    paths = tuple(str(tmp_path / f"{view:03d}.png") for view in (0, 1, 2))
    entry = MeshEntry("a", "a.glb", cameras=str(tmp_path / "own.json"), photos=paths)
    config = PhotosConfig(folder="/nowhere")
    photos = photos_of(config, entry, MESH)
    assert [str(photo.path) for photo in photos] == list(paths)
    check_masks(renderer, MESH, photos)
    with pytest.raises(DatasetError, match="has 2 photos and 3 cameras"):
        photos_of(config, MeshEntry("a", "a.glb", cameras=entry.cameras, photos=paths[:2]), MESH)
    with pytest.raises(DatasetError, match="a has photos and no cameras"):
        photos_of(config, MeshEntry("a", "a.glb", photos=paths), MESH)


# Silhouettes


def camera_of(width, height):
    return dd.Camera(np.diag([9.0, 9.0, 1.0]), np.eye(4), width, height)


def photo_of(path, image, mask=None):
    iio.imwrite(path, image)
    height, width = image.shape[:2]
    return Photo(camera_of(width, height), path, mask)


def test_silhouettes_of_alpha_and_of_mask_files(tmp_path):
    image = np.full((2, 4, 4), 200, np.uint8)
    image[..., 3] = [[0, 127, 128, 255], [255, 1, 0, 129]]
    expected = [[False, False, True, True], [True, False, False, True]]
    photo = photo_of(tmp_path / "a.png", image)
    assert photo_mask(photo).tolist() == expected
    gray = tmp_path / "mask.png"
    iio.imwrite(gray, image[..., 3])
    assert photo_mask(photo._replace(mask=gray)).tolist() == expected
    iio.imwrite(gray, np.array([[0, 60000], [30000, 40000]], np.uint16))
    small = photo_of(tmp_path / "b.png", image[:, :2], gray)
    assert photo_mask(small).tolist() == [[False, True], [False, True]]


def test_photos_without_a_silhouette(tmp_path):
    opaque = np.full((2, 4, 4), 255, np.uint8)
    assert photo_mask(photo_of(tmp_path / "a.png", opaque)) is None
    assert photo_mask(photo_of(tmp_path / "b.png", opaque[..., :3])) is None
    assert photo_mask(photo_of(tmp_path / "c.jpg", opaque[..., :3])) is None


def test_mask_files_beside_photos(renderer, tmp_path):
    cameras = photographed(renderer, MESH, around(MESH, 2), tmp_path)
    dd.save_cameras(tmp_path / "transforms.json", cameras)
    (tmp_path / "masks").mkdir()
    for view in range(2):
        image = iio.imread(tmp_path / f"{view:03d}.png")
        iio.imwrite(tmp_path / f"{view:03d}.png", image[..., :3])
        iio.imwrite(tmp_path / "masks" / f"{view:03d}.m.png", image[..., 3])
    config = PhotosConfig(folder=str(tmp_path), masks="masks/{photo}.m.png")
    check_masks(renderer, MESH, photos_of(config, ENTRY, MESH))


def test_intersection_over_union():
    a = np.array([[1, 1, 0], [0, 0, 1]], bool)
    b = np.array([[1, 0, 0], [0, 1, 1]], bool)
    assert mask_iou(a, b) == 0.5
    assert mask_iou(a, a) == 1.0
    assert mask_iou(a, ~a) == 0.0
    assert mask_iou(a & ~a, a & ~a) == 1.0
    with pytest.raises(DatasetError, match=r"shapes \(2, 3\) and \(3, 2\)"):
        mask_iou(a, b.T)


def test_photos_are_stored_as_they_are_or_as_png(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)
    photo = photo_of(tmp_path / "a.png", image)
    assert photo_png(photo) == photo.path.read_bytes()
    gray = photo_of(tmp_path / "g.png", image[..., 0])
    decoded = iio.imread(photo_png(gray))
    assert np.array_equal(decoded[..., 0], image[..., 0])
    assert (decoded[..., 3] == 255).all()
    jpeg = photo_of(tmp_path / "a.jpg", image[..., :3])
    assert np.array_equal(iio.imread(photo_png(jpeg))[..., :3], iio.imread(jpeg.path))


# Errors


def test_photos_that_cannot_be_used(tmp_path):
    photo = photo_of(tmp_path / "a.png", np.zeros((4, 6, 4), np.uint8))
    with pytest.raises(DatasetError, match=r"a.png has 6x4 pixels, its camera 5x4"):
        photo_mask(photo._replace(camera=camera_of(5, 4)))
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(DatasetError, match=r"text.png is not a photo"):
        photo_mask(Photo(camera_of(6, 4), tmp_path / "text.png"))
    with pytest.raises(DatasetError, match=r"none.png cannot be read"):
        photo_mask(Photo(camera_of(6, 4), tmp_path / "none.png"))
    with pytest.raises(DatasetError, match="is not a regular file"):
        photo_mask(Photo(camera_of(6, 4), tmp_path))
    cut = tmp_path / "cut.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 4), np.uint8)
    iio.imwrite(cut, noise)
    cut.write_bytes(cut.read_bytes()[:5000])
    with pytest.raises(DatasetError, match=r"cut.png is damaged"):
        photo_mask(Photo(camera_of(64, 64), cut))


def test_poses_that_cannot_be_used(tmp_path):
    config = PhotosConfig(folder=str(tmp_path), layout="zero123")
    with pytest.raises(DatasetError, match=r"holds no poses such as 000.npy"):
        photos_of(config, ENTRY, MESH)
    np.save(tmp_path / "000.npy", np.eye(3, 4))
    with pytest.raises(DatasetError, match=r"000.npy has no photo beside it"):
        photos_of(config, ENTRY, MESH)
    iio.imwrite(tmp_path / "000.png", np.zeros((4, 6, 4), np.uint8))
    for wrong in (np.eye(4), np.eye(3, 4, dtype=int), np.array({"pose": 1}, dtype=object)):
        np.save(tmp_path / "000.npy", wrong, allow_pickle=True)
        with pytest.raises(DatasetError, match=r"000.npy is not a pose .* must hold \(3, 4\)"):
            photos_of(config, ENTRY, MESH)
    np.save(tmp_path / "000.npy", 2 * np.eye(3, 4))
    with pytest.raises(CameraError, match=r"000.npy: camera_from_world must be a rotation"):
        photos_of(config, ENTRY, MESH)
    (tmp_path / "000.npy").write_bytes(bytes(1 << 17))
    with pytest.raises(DatasetError, match="not a regular file of at most 65536 bytes"):
        photos_of(config, ENTRY, MESH)


def test_views_without_the_name_of_a_photo(tmp_path):
    """save_cameras writes such a file for cameras without names."""
    file = tmp_path / "transforms.json"
    iio.imwrite(tmp_path / "a.png", np.zeros((4, 6, 4), np.uint8))
    dd.save_cameras(file, [replace(camera_of(6, 4), name="a.png"), camera_of(6, 4)])
    expected = rf"view 1 of {file} names no photo \(file_path is empty\); give it one, such as"
    for folder in (tmp_path, file):
        with pytest.raises(DatasetError, match=expected):
            photos_of(PhotosConfig(folder=str(folder)), ENTRY, MESH)
    document = json.loads(file.read_text())
    for frame in document["frames"]:  # the size is that of the photos, if there are any
        del frame["w"], frame["h"], frame["file_path"]
    file.write_text(json.dumps(document))
    with pytest.raises(DatasetError, match=expected.replace("view 1", "view 0")):
        photos_of(PhotosConfig(folder=str(tmp_path)), ENTRY, MESH)


def test_missing_photos_and_folders_are_named(tmp_path):
    named = dd.Camera(np.diag([9.0, 9.0, 1.0]), np.eye(4), 6, 4, name="/etc/x.png")
    dd.save_cameras(tmp_path / "transforms.json", [named])
    with pytest.raises(DatasetError, match=r"the photo '/etc/x.png' is in none of"):
        photos_of(PhotosConfig(folder=str(tmp_path)), ENTRY, MESH)
    with pytest.raises(CameraError, match="nowhere"):
        photos_of(PhotosConfig(folder=f"{tmp_path}/nowhere"), ENTRY, MESH)
    with pytest.raises(DatasetError, match=r"holds no scene_camera.json"):
        photos_of(PhotosConfig(folder=f"{tmp_path}", layout="bop"), ENTRY, MESH)


def test_bop_files_that_cannot_be_used(tmp_path):
    entry = MeshEntry("a", "obj_000001.ply")
    (tmp_path / "rgb").mkdir()
    write_bop(tmp_path, [camera_of(6, 4)], object_id=1)
    (tmp_path / "camera.json").write_text(json.dumps({"width": 6, "height": 4}))
    config = PhotosConfig(folder=str(tmp_path))
    with pytest.raises(DatasetError, match="has no image 000000 in rgb or gray"):
        photos_of(config, entry, MESH)
    (tmp_path / "scene_gt.json").write_text(json.dumps({"0": [{"obj_id": 1}]}))
    with pytest.raises(CameraError, match=r"image 0, instance 0: lacks 'cam_R_m2c' and"):
        photos_of(config, entry, MESH)
    (tmp_path / "scene_gt.json").write_text(json.dumps({"0": 5}))
    with pytest.raises(CameraError, match="image 0 is not a list"):
        photos_of(config, entry, MESH)
