"""The command `ddepth doctor`: the EGL devices of this machine, and the default among them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DDepthError
from .options import Debug
from .reporting import one_line_errors, print_error, print_json, print_line

if TYPE_CHECKING:
    from ..gl.inspection import DeviceReport

__all__ = ["doctor"]


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Show devices, drivers, and what to install if none works."""
    with one_line_errors(debug):
        from ..gl.devices import ENVIRONMENT_VARIABLE
        from ..gl.inspection import inspect_devices
        from ..io.results.metadata import VERSION
        from ..renderer import DepthRenderer

        reports = inspect_devices()
        default: dict[str, Any] = {"error": None, "info": None}
        try:
            with DepthRenderer() as renderer:
                default["info"] = renderer.info.as_dict()
        except DDepthError as error:
            default["error"] = str(error)
        if as_json:
            facts = {
                "devices": [_device_facts(report) for report in reports],
                ENVIRONMENT_VARIABLE: os.environ.get(ENVIRONMENT_VARIABLE),
                "default": default,
                "version": VERSION,
            }
            print_json(facts)
        else:
            _print_table(reports)
        if default["error"]:
            print_error(default["error"])
            raise typer.Exit(1)
        if not as_json:
            info = default["info"]
            print_line(
                f"{VERSION}: without device=, a renderer runs engine {info['engine']} on device "
                f"{info['device_index']}: {info['renderer']}, OpenGL {info['gl_version']}."
            )
            if info["is_software"]:
                print_line(
                    "No GPU answers through EGL; Mesa's software rasterizer works, but is slower."
                )


def _device_facts(report: DeviceReport) -> dict[str, Any]:
    return {
        "index": report.device.index,
        "pci_address": report.device.pci_address,
        "cuda_index": report.device.cuda_index,
        "vendor": report.vendor,
        "renderer": report.renderer,
        "gl_version": report.gl_version,
        "is_software": report.is_software,
        "max_image_size": report.max_image_size,
        "engines": list(report.engines),
        "error": report.error,
    }


def _print_table(reports: list[DeviceReport]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("device", "renderer", "OpenGL", "largest image", "engines")
    for report in reports:
        device = report.device
        names = [str(device.index), device.pci_address]
        names.append(None if device.cuda_index is None else f"cuda:{device.cuda_index}")
        table.add_row(
            "\n".join(name for name in names if name),
            f"{report.renderer}\n{report.vendor}" if report.renderer else f"fails: {report.error}",
            report.gl_version or "-",
            str(report.max_image_size or "-"),
            ", ".join(report.engines) or "none",
        )
    Console().print(table)
