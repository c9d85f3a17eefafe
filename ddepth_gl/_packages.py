"""Packages that only some functions need, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

__all__ = ["import_needed", "pip_command"]


def import_needed(
    module: str, purpose: str, error: type[Exception], extra: str = "", advice: str = ""
) -> ModuleType:
    """Import a module of a package that ddepth_gl can be installed without.

    Args:
        module: dotted name of the module.
        purpose: what needs it, such as ``"writing PNG"``.
        error: raised if it cannot be imported.
        extra: the extra of ddepth_gl that installs the package; empty if a plain installation does.
        advice: another way out, appended to the message.

    Raises:
        Exception: `error`; its message has the command that installs the package.
    """
    try:
        return import_module(module)
    except ImportError as reason:
        package = module.partition(".")[0]
        is_missing = isinstance(reason, ModuleNotFoundError) and reason.name == package
        # A broken package names the library that it lacks, sometimes on several lines.
        text = " ".join(str(reason).split())[:100]
        why = "" if is_missing else f" ({text})"
        raise error(
            f"{purpose} needs the package {package}{why}; run {pip_command(extra)}{advice}"
        ) from reason


def pip_command(extra: str = "") -> str:
    """Return the command that installs what is missing, quoted for every shell.

    pip takes the requirements of a package that is installed already from that package, so this
    works for one that was installed from a folder, too.
    """
    return f'pip install "ddepth-gl[{extra}]"' if extra else "pip install ddepth-gl"
