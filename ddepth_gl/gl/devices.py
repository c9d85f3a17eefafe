"""The EGL devices of this machine, and the choice among them."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .._checks import shown
from ..errors import ContextError
from . import egl
from .forks import check_not_forked, note_gl_use

__all__ = ["ENVIRONMENT_VARIABLE", "Device", "candidate_devices", "devices"]

ENVIRONMENT_VARIABLE = "DDEPTH_DEVICE"

_EXPECTED = (
    "an EGL index such as 0, 'cuda:0', a PCI address such as '0000:3b:00.0', 'gpu', 'software' "
    "or 'auto'"
)


@dataclass(frozen=True)
class Device:
    """One EGL device of this machine.

    Attributes:
        index: EGL index, the number that `GLContext` takes.
        handle: the driver's handle.
        is_software: True for Mesa's software rasterizer.
        cuda_index: CUDA ordinal; None if the device has none.
        pci_address: such as ``0000:3b:00.0``; None if the device has none.
    """

    index: int
    handle: int
    is_software: bool
    cuda_index: int | None
    pci_address: str | None

    def __str__(self) -> str:
        kind = "software" if self.is_software else self.pci_address or "GPU"
        return f"device {self.index} ({kind})"


def devices() -> list[Device]:
    """Return every EGL device, in the driver's order.

    Raises:
        ContextError: this machine has no EGL, or this process was forked from one that had used
            OpenGL.
    """
    check_not_forked()
    library = egl.load()
    found = [
        Device(
            index,
            handle,
            library.is_software(handle),
            library.cuda_index(handle),
            library.pci_address(handle),
        )
        for index, handle in enumerate(library.devices())
    ]
    if not all(device.is_software for device in found):
        note_gl_use()  # a GPU driver connects as soon as it is asked for its devices
    return found


def candidate_devices(requested: int | str | None, require_gpu: bool) -> list[Device]:
    """Return the devices to try, in order: GPUs first, then software.

    Args:
        requested: the `device` argument of `GLContext`.
        require_gpu: whether to leave out software devices.

    Raises:
        ContextError: `requested` is malformed, or no device matches.
    """
    source = "device="
    if requested is None:
        requested = os.environ.get(ENVIRONMENT_VARIABLE) or "auto"
        source = f"{ENVIRONMENT_VARIABLE}="
    if isinstance(requested, bool) or not isinstance(requested, (int, str)):
        raise ContextError(f"{source}{shown(requested)} is not a device; expected {_EXPECTED}")
    present = devices()
    if not present:
        raise ContextError(
            f"EGL finds no device: no vendor library answers; {egl.INSTALL_HINT}; "
            "in an NVIDIA container set NVIDIA_DRIVER_CAPABILITIES=all"
        )
    gpus_first = sorted(present, key=lambda device: device.is_software)
    name = (requested if isinstance(requested, str) else shown(requested)).strip().lower()
    if name == "auto":
        matching = gpus_first
    elif name in ("gpu", "software"):
        matching = [device for device in present if device.is_software == (name == "software")]
    elif name.startswith("cuda:") and name[5:].isdigit():
        matching = [device for device in present if device.cuda_index == int(name[5:])]
    elif name.isdigit():
        matching = [device for device in present if device.index == int(name)]
    elif ":" in name and "." in name:
        matching = [device for device in present if device.pci_address == name]
    else:
        raise ContextError(f"{source}{shown(requested)} is not a device; expected {_EXPECTED}")
    listing = ", ".join(map(str, present))
    if not matching:
        raise ContextError(
            f"{source}{shown(requested)} matches none of the EGL devices here: {listing}; "
            "use one of these"
        )
    if require_gpu:
        matching = [device for device in matching if not device.is_software]
        if not matching:
            raise ContextError(
                f"require_gpu=True, but the EGL devices here are: {listing}; install the GPU "
                "driver with its EGL library (in an NVIDIA container: "
                "NVIDIA_DRIVER_CAPABILITIES=all)"
            )
    return matching
