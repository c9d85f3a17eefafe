"""A renderer process as the run sees it: one mesh at a time, within limits of time and memory."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ContextError, DatasetError
from .child_process import ChildProcess
from .columns import plain_value
from .entries import MeshEntry, Sample
from .tar_file import MAX_FILE_BYTES
from .wire import message_head, read_head

if TYPE_CHECKING:
    from .config import DatasetConfig

__all__ = ["MeshFailedError", "RendererChild", "RunStoppedError"]

# The module that the process runs.
_ENTRY = "ddepth_gl.dataset.child_main"
_KINDS = ("error", "memory", "crash")
_START_SECONDS = 300.0  # drivers of GPUs may compile their cache of shaders
_STARTS = 3  # attempts
_POLL_SECONDS = 0.1
_ENDING = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")


class MeshFailedError(DatasetError):
    """A mesh could not be rendered; the run records it and goes on.

    Attributes:
        kind: "error" if the renderer reported it, "timeout", "memory", or "crash".
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class RunStoppedError(DatasetError):
    """The run is to end now; what is unfinished is dropped."""


class RendererChild:
    """A renderer process. It starts with the first mesh, and again after a crash.

    Use it as a context manager, from one thread.

    Args:
        config: settings of the data set, with the limits on each mesh.
        engine, device: see `DepthRenderer`.
        environment: variables to add to those of this process.
        memory: limit of the process in bytes; None for no limit.
        encoders: threads of the process that encode images, see `MeshRenderer`.
        versions: what `renderer_versions` must return there; None for anything.
        watch: called every few tenths of a second while a mesh is rendered; may raise
            `RunStoppedError`.

    Attributes:
        peak_memory: the most memory that a process had so far, in bytes.
        facts: what the process told about itself at its start.
    """

    def __init__(
        self,
        config: DatasetConfig,
        *,
        engine: str = "auto",
        device: int | str | None = None,
        environment: Mapping[str, str] | None = None,
        memory: int | None = None,
        encoders: int = 0,
        versions: Mapping[str, str] | None = None,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = {
            "config": config.model_dump(mode="json"),
            "engine": engine,
            "device": device,
            "encoders": encoders,
        }
        self._split_column = config.split.column
        self._seconds = config.limits.seconds_per_mesh
        by = config.blender.photo
        self._advice = f"; allow more, or fewer blender.samples of {by}" if by != "own" else ""
        self._environment = dict(environment or {})
        self._memory = memory
        self._versions = versions
        self.watch = watch
        self._process: ChildProcess | None = None
        self._deadline = self._next_look = 0.0
        self.peak_memory = 0
        self.facts: dict[str, Any] = {}

    def __enter__(self) -> RendererChild:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Number of the process; None while there is none."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def start(self) -> dict[str, Any]:
        """Start the process, if none is running, and return what it tells about itself.

        Raises:
            DatasetError: it cannot be started, or renders with other versions than it must.
            ContextError: it has no OpenGL context.
        """
        if self._process is not None:
            return self.facts
        for attempt in range(_STARTS):
            self._process = ChildProcess(_ENTRY, self._environment)
            try:
                self._deadline = time.monotonic() + _START_SECONDS
                self._send(self._settings)
                answer = read_head(self._read)
                break
            except MeshFailedError as failure:
                self.close()
                if attempt == _STARTS - 1:
                    raise DatasetError(f"a renderer process does not start: {failure}") from failure
            except BaseException:
                self.close()
                raise
        if answer.get("type") != "ready":
            self.close()
            kind = ContextError if answer.get("kind") == "crash" else DatasetError
            raise kind(str(answer.get("message", "a renderer process does not start")))
        self.facts = answer
        self._check_versions()
        return answer

    def take_over(self, other: RendererChild) -> None:
        """Take the process of another one, if it was started as this one's would be.

        Args:
            other: not in use. Its engine may be "auto" if that chose the engine of this one.

        Raises:
            DatasetError: the process renders with other versions than this one must.
        """
        engine = (other.facts.get("versions") or {}).get("engine")
        started_with = {**other._settings, "engine": engine}, other._environment
        is_alike = started_with == (self._settings, self._environment)
        if self._process or not other._process or not is_alike:
            return
        self._process, other._process = other._process, None
        self.facts = other.facts
        self._check_versions()

    def _check_versions(self) -> None:
        if self._versions is None:
            return
        versions = self.facts.get("versions") or {}
        names = sorted({*self._versions, *versions})
        differing = [
            f"{name} is {versions.get(name)}, not {self._versions.get(name)}"
            for name in names
            if versions.get(name) != self._versions.get(name)
        ]
        if differing:
            self.close()
            raise DatasetError(
                f"this machine would render other bits than the plan's: {'; '.join(differing)}; "
                "--allow-mixed renders all the same"
            )

    def samples(self, entry: MeshEntry) -> Generator[Sample]:
        """Render a mesh; yield its samples in order. They count only if the iterator ends.

        Raises:
            MeshFailedError: the mesh cannot be rendered within its limits.
            RunStoppedError: raised by `watch`.
            DatasetError, ContextError: see `start`.
        """
        self.start()
        self._deadline = time.monotonic() + self._seconds
        try:
            # Of the columns, whose values JSON would change, samples need that of the split.
            name = self._split_column
            columns = {} if name is None else {name: plain_value(entry.columns.get(name))}
            self._send(dataclasses.asdict(dataclasses.replace(entry, columns=columns)))
            while True:
                head = read_head(self._read)
                if head.get("type") != "sample":
                    break
                sample = self._sample(head, entry)
                given = time.monotonic()
                yield sample
                # A slow disk is not the mesh's fault.
                self._deadline += time.monotonic() - given
        except BaseException as error:
            # The rest of an answer would be taken for the next one.
            self.close()
            if type(error) is DatasetError:
                raise MeshFailedError("crash", str(error)) from error
            raise
        self._finish(head)

    def _finish(self, head: dict[str, Any]) -> None:
        if head.get("type") == "done" and isinstance(head.get("peak"), int):
            self.peak_memory = max(self.peak_memory, head["peak"])
            return
        if head.get("type") != "failed" or head.get("kind") != "error":
            self.close()
        kind = head.get("kind")
        raise MeshFailedError(
            kind if kind in _KINDS else "crash", str(head.get("message", "no answer"))[:500]
        )

    def _sample(self, head: dict[str, Any], entry: MeshEntry) -> Sample:
        """Return a sample whose contents follow; untrusted, since the mesh was."""
        key, row, listed = head.get("key"), head.get("row"), head.get("files")
        if (
            not isinstance(key, str)
            or not re.fullmatch(re.escape(entry.id) + "_[0-9]{3,9}", key)
            or not isinstance(row, dict)
            or not isinstance(listed, list)
        ):
            raise MeshFailedError(
                "crash", "the renderer process sent what is not a sample of this mesh"
            )
        files: dict[str, bytes] = {}
        for each in listed:
            match each:
                case [str(ending), int(size)] if (
                    _ENDING.fullmatch(ending)
                    and 0 <= size <= MAX_FILE_BYTES
                    and ending not in files
                ):
                    files[ending] = self._read(size)
                case _:
                    raise MeshFailedError(
                        "crash", "the renderer process sent a file without a name"
                    )
        return Sample(key, files, row)

    def _send(self, request: dict[str, Any]) -> None:
        if self._process is not None:
            self._process.send(message_head(request))

    def _read(self, count: int) -> bytes:
        """Return exactly so many bytes of the answer, within the limits."""
        chunks, left = [], count
        while left:
            self._look()
            if self._process is None:
                raise MeshFailedError("crash", "the renderer process has ended")
            chunk = self._process.read(left, _POLL_SECONDS)
            if chunk is None:
                continue
            if not chunk:
                raise MeshFailedError("crash", self._process.ending())
            chunks.append(chunk)
            left -= len(chunk)
        return b"".join(chunks)

    def _look(self) -> None:
        """Raise an error if a limit is exceeded."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _POLL_SECONDS
        self.watch()
        if now > self._deadline:
            raise MeshFailedError(
                "timeout",
                f"rendering takes longer than {self._seconds:g} s (limits.seconds_per_mesh)"
                f"{self._advice}",
            )
        used = self._process.memory() if self._process else 0
        self.peak_memory = max(self.peak_memory, used)
        if self._memory is not None and used > self._memory:
            raise MeshFailedError(
                "memory",
                f"rendering takes more than {self._memory / 2**20:.0f} MiB of memory "
                "(limits.memory_mb)",
            )
