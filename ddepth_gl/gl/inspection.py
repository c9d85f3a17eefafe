"""A report on every EGL device of this machine, for `ddepth doctor`."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ContextError
from .context import GLContext
from .devices import Device, devices

__all__ = ["DeviceReport", "inspect_devices"]


@dataclass(frozen=True)
class DeviceReport:
    """Facts about one device. If no context opens on it, `error` is set and they are None."""

    device: Device
    vendor: str | None = None
    renderer: str | None = None
    gl_version: str | None = None
    is_software: bool | None = None
    max_image_size: int | None = None
    engines: tuple[str, ...] = ()
    error: str | None = None


def inspect_devices() -> list[DeviceReport]:
    """Open and close a context on every EGL device, and return what each driver reports.

    Raises:
        ContextError: this machine has no EGL, or this process was forked from one that had used
            OpenGL.
    """
    reports = []
    for device in devices():
        try:
            context = GLContext(device.index)
        except ContextError as error:
            reports.append(DeviceReport(device, error=str(error)))
            continue
        reports.append(
            DeviceReport(
                device,
                context.vendor,
                context.renderer,
                context.gl_version,
                context.is_software,
                context.max_image_size,
                engines=("raster", "compute") if context.has_compute else ("raster",),
            )
        )
        context.release()
    return reports
