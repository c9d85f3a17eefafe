"""USD files, read by OpenUSD (usd-core) in a child process: layers first, then the composed scene.

Sources: the schemas UsdGeom, UsdShade and UsdSkel of OpenUSD, and its UsdPreviewSurface
specification 2.6. Coordinates are those of the file, whatever its metersPerUnit.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...._packages import import_needed
from ....errors import MeshError
from ..scene_message import SceneMessage
from .materials import UsdMaterials
from .meshes import UsdMeshes

__all__ = ["read_usd"]

_MAX_DEPTH = 16  # instancers in instancers
# Shapes that are no polygons.
_SHAPES = {
    "BasisCurves",
    "Capsule",
    "Capsule_1",
    "Cone",
    "Cube",
    "Cylinder",
    "Cylinder_1",
    "HermiteCurves",
    "NurbsCurves",
    "NurbsPatch",
    "Plane",
    "Points",
    "Sphere",
    "TetMesh",
    "Volume",
}


def _pxr(module: str) -> Any:
    return import_needed(f"pxr.{module}", "reading USD files", MeshError, "usd")


def _open_layer(sdf: Any, path: str) -> Any:
    layer = sdf.Layer.FindOrOpen(path)
    if layer is None:
        raise MeshError("it is damaged or not USD at all; check or export it again")
    return layer


def read_usd(
    request: dict[str, Any], blobs: Sequence[memoryview]
) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """Read a USD scene; a function of `run_in_child`.

    Nothing is composed before the parent has checked which layers each layer refers to.

    Args:
        request: ``folder``; ``top``, the folder in it that stands for that of the file; ``layers``
            in ``folder``, the root first, each with the asset paths of other layers that the parent
            has checked; ``max_faces``, ``appearance``;
            ``animation`` and ``seconds`` after the start that the scene is shown at, or None for
            the first sample; ``name`` of the root layer in messages.
        blobs: not used.

    Returns:
        A scene, or ``{"pending": {layer: asset paths}}`` of layers that refer to others.
    """
    sdf, tf, usd = _pxr("Sdf"), _pxr("Tf"), _pxr("Usd")
    message = SceneMessage(request["max_faces"])
    pending: dict[str, list[str]] = {}
    layers = []
    try:
        for name, checked in request["layers"].items():
            layers.append(_open_layer(sdf, str(Path(request["folder"], name))))
            _without_clips(layers[-1], message)
            found = sorted({str(p) for p in layers[-1].GetCompositionAssetDependencies() if p})
            if found != checked:
                pending[name] = found
        if pending:
            return {"pending": pending}, []
        stage = usd.Stage.Open(layers[0], usd.Stage.LoadAll)
        _check_opened(sdf, request["folder"])
        _check_pose(stage, request, message)
        _Reader(stage, message, request).read()
        _check_opened(sdf, request["folder"])  # values may open further layers
    except tf.ErrorException as error:
        # The end of its last line says where in which layer.
        text = " ".join(str(error).split()).replace(request["folder"] + "/", "")
        text = text.replace(next(iter(request["layers"])), request["name"])
        text = text.replace(request["top"] + "/", "")
        text = text.rpartition(" : ")[2].strip(" '")[:120]
        raise MeshError(f"OpenUSD cannot read it ({text}); check or export it again") from error
    return message.result()


def _check_pose(stage: Any, request: dict[str, Any], message: SceneMessage) -> None:
    """Check the pose, or note an animation that is not used.

    Raises:
        MeshError: the wanted animation does not exist.
    """
    # A single sample does not move.
    is_animated = any(len(layer.ListAllTimeSamples()) > 1 for layer in stage.GetUsedLayers())
    if request["seconds"] is None:
        if is_animated:
            message.leave_out("animations")
    elif not is_animated:
        raise MeshError("it holds no animation; leave pose out")
    elif request["animation"] != 0:
        wanted = request["animation"]
        raise MeshError(f"it has one animation, 0, not {wanted!r:.40}; pass pose=(0, seconds)")


def _check_opened(sdf: Any, folder: str) -> None:
    """Raise MeshError if OpenUSD has opened a layer that the parent has not checked.

    What the layers list need not be all that they hold: a damaged one may hide a prim.
    """
    for layer in sdf.Layer.GetLoadedLayers():
        path = layer.realPath or layer.identifier
        if not layer.anonymous and not path.startswith(folder + os.sep):
            raise MeshError(f"it uses the layer {path!r:.120}, which is outside of its folder")


def _without_clips(layer: Any, message: SceneMessage) -> None:
    """Remove value clips: they name further files, which are opened as values are read.

    Variants have them, too, as specs of their own.
    """
    paths: list[Any] = []
    layer.Traverse(layer.pseudoRoot.path, paths.append)
    count = 0
    for path in paths:
        spec = layer.GetObjectAtPath(path)
        keys = [] if spec is None else [k for k in spec.ListInfoKeys() if k.startswith("clip")]
        for key in keys:
            spec.ClearInfo(key)
        count += "clips" in keys
    if count:
        message.leave_out("value clips", count)


class _Reader:
    """Reader of a composed stage. Meshes and materials are read once, however often they occur."""

    def __init__(self, stage: Any, message: SceneMessage, request: dict[str, Any]) -> None:
        self._stage, self._message = stage, message
        self._usd, self._geom = _pxr("Usd"), _pxr("UsdGeom")
        self._start = stage.GetStartTimeCode() if stage.HasAuthoredTimeCodeRange() else 0.0
        # The first sample of what varies over time. Values that do not have only a default.
        self._time = self._usd.TimeCode.EarliestTime()
        if request["seconds"] is not None:
            self._start += request["seconds"] * stage.GetTimeCodesPerSecond()
            self._time = self._usd.TimeCode(self._start)
        self._xforms = self._geom.XformCache(self._time)
        materials = None
        if request["appearance"]:
            materials = UsdMaterials(message, self._time, request)
        self._meshes = UsdMeshes(message, self._time, materials)
        self._counts: Counter[str] = Counter()
        self._object_count = 0

    def read(self) -> None:
        axis = str(self._geom.GetStageUpAxis(self._stage))
        self._message.up = (0.0, 0.0, 1.0) if axis == "Z" else (0.0, 1.0, 0.0)
        self._bake_skins()
        for prim, is_instancer in self._prims(self._stage.GetPseudoRoot()):
            world_from_prim = _matrix(self._xforms.GetLocalToWorldTransform(prim))
            if is_instancer:
                self._instancer(prim, world_from_prim, 0)
            else:
                self._mesh(prim, world_from_prim)
        for kind, count in sorted(self._counts.items()):
            self._message.leave_out(kind, count)

    def _bake_skins(self) -> None:
        """Replace the points of skinned meshes by those of their pose."""
        roots = [p for p in self._stage.Traverse() if p.GetTypeName() == "SkelRoot"]
        if not roots:
            return
        skel = _pxr("UsdSkel")
        self._stage.SetEditTarget(self._stage.GetSessionLayer())
        interval = _pxr("Gf").Interval(self._start)
        for prim in roots:
            if not skel.BakeSkinning(skel.Root(prim), interval):
                self._counts["skins, left in their pose at rest"] += 1

    def _prims(self, root: Any, *, is_prototype: bool = False) -> Iterator[tuple[Any, bool]]:
        """Yield (prim, is a point instancer) of what is drawn, in the order of the stage."""
        predicate = self._usd.PrimDefaultPredicate
        if is_prototype:  # often below an "over" or a "class", so that they are not drawn alone
            predicate = self._usd.PrimIsActive & self._usd.PrimIsLoaded
        prims = iter(self._usd.PrimRange(root, self._usd.TraverseInstanceProxies(predicate)))
        for prim in prims:
            if not prim.IsA(self._geom.Imageable):
                continue
            imageable = self._geom.Imageable(prim)
            is_shown = imageable.GetVisibilityAttr().Get(self._time) != "invisible"
            purpose = imageable.GetPurposeAttr().Get(self._time)
            if not is_shown or purpose in ("guide", "proxy"):
                # Purposes are inherited, too, unless a descendant has its own, which is rare.
                why = "prims that are invisible" if not is_shown else f"prims of purpose {purpose}"
                self._message.leave_out(why, warn=False)
                prims.PruneChildren()
                continue
            if prim.IsA(self._geom.PointInstancer):
                prims.PruneChildren()  # its prototypes are drawn as instances only
                yield prim, True
            elif prim.IsA(self._geom.Mesh):
                yield prim, False
            elif prim.GetTypeName() in _SHAPES:
                self._counts[f"shapes of type {prim.GetTypeName()}"] += 1

    def _mesh(self, prim: Any, world_from_prim: npt.NDArray[Any]) -> None:
        self._meshes.add(prim, self._object_count, prim.GetName(), world_from_prim)
        self._object_count += 1

    def _instancer(self, prim: Any, world_from_prim: npt.NDArray[Any], depth: int) -> None:
        """Add the instances of a point instancer."""
        if depth > _MAX_DEPTH:
            raise MeshError(f"the instancer {prim.GetPath()} contains itself; repair it")
        instancer = self._geom.PointInstancer(prim)
        indices = instancer.GetProtoIndicesAttr().Get(self._time)
        matrices = instancer.ComputeInstanceTransformsAtTime(
            self._time,
            self._time,
            self._geom.PointInstancer.ExcludeProtoXform,
            self._geom.PointInstancer.IgnoreMask,
        )
        if indices is None or matrices is None or len(indices) != len(matrices):
            self._counts["point instancers without places"] += 1
            return
        mask = np.array(instancer.ComputeMaskAtTime(self._time), bool)
        prototypes: list[list[tuple[Any, npt.NDArray[np.float64], bool]]] = []
        for number, path in enumerate(instancer.GetPrototypesRel().GetForwardedTargets()):
            root = self._stage.GetPrimAtPath(path)
            if not root:
                prototypes.append([])
                missing = int(np.count_nonzero(np.array(indices) == number))
                if missing:
                    self._counts[f"instances of {path!s:.80}, which is missing"] += missing
                continue
            # The root's own transform belongs to the prototype.
            parent = self._xforms.GetParentToWorldTransform(root).GetInverse()
            prototypes.append(
                [
                    (p, _matrix(self._xforms.GetLocalToWorldTransform(p) * parent), is_nested)
                    for p, is_nested in self._prims(root, is_prototype=True)
                ]
            )
        world_from_instances = world_from_prim @ np.array(matrices).swapaxes(1, 2)
        for i, (index, matrix) in enumerate(zip(indices, world_from_instances, strict=True)):
            if len(mask) and not mask[i]:
                continue
            if not 0 <= index < len(prototypes):
                raise MeshError(f"{prim.GetPath()} has a prototype index of {index}; repair it")
            for found, instance_from_prim, is_nested in prototypes[index]:
                if is_nested:
                    self._instancer(found, matrix @ instance_from_prim, depth + 1)
                else:
                    name = f"{found.GetName()} #{i}"
                    self._meshes.add(found, self._object_count, name, matrix @ instance_from_prim)
            self._object_count += 1


def _matrix(matrix: Any) -> npt.NDArray[np.float64]:
    """Return a matrix for column vectors; OpenUSD's are for row vectors."""
    return np.array(matrix, np.float64).T
