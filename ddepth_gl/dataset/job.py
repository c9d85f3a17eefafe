"""A job: the plan and the options that every executor needs to render its shards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .child import RendererChild
from .marker import Marker
from .shard import MeshDone, ShardResult, run_shard
from .storage import Storage

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["ShardJob"]


@dataclass(frozen=True)
class ShardJob:
    """Everything about shards that does not differ between them.

    Attributes:
        storage: folder of the data set.
        plan: plan of the data set.
        replace: markers of finished shards to render again, by their numbers.
        allow_mixed: whether processes with other versions than the plan's may render.
        environment: variables of renderer processes.
        memory: limit of each renderer process in bytes.
        encoders: threads of each renderer process that encode.
    """

    storage: Storage
    plan: Plan
    replace: Mapping[int, Marker] = field(default_factory=dict)
    allow_mixed: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    memory: int | None = None
    encoders: int = 0

    def child(
        self, device: int | str | None, watch: Callable[[], None] = lambda: None
    ) -> RendererChild:
        """Return a renderer process for the shards, not started yet."""
        return RendererChild(
            self.plan.config,
            engine=self.plan.versions.get("engine", "auto"),
            device=device,
            environment=self.environment,
            memory=self.memory,
            encoders=self.encoders,
            versions=None if self.allow_mixed else self.plan.versions,
            watch=watch,
        )

    def run(
        self, index: int, child: RendererChild, report: Callable[[MeshDone], None]
    ) -> ShardResult:
        """Render a shard; see `run_shard`."""
        replace = self.replace.get(index)
        return run_shard(self.storage, self.plan, index, child, replace=replace, report=report)
