"""What runs inside a Ray actor.

It imports nothing heavy before it is given work, so that a worker says within seconds
that it stands, and from which sources it runs.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from shakeout.namesakes import check_packages

if TYPE_CHECKING:
    from experiments.fleet.plan import Work
    from experiments.fleet.simulate import ShardResult


class About(NamedTuple):
    """Where a worker stands.

    Attributes:
        node: Ray's number of its node.
        host: name of the machine.
        sources: digest of the lab's sources there.
    """

    node: str
    host: str
    sources: str


class Worker:
    """Computes shards, and keeps the programs that it has compiled."""

    def __init__(self) -> None:
        self._simulator: Any = None

    def ready(self) -> About:
        """Says that it stands, and where.

        Raises:
            ShadowedError: somebody else's module stands before one of the lab's.
        """
        import platform

        import ray

        from experiments.provenance import source_digest

        check_packages()
        node = ray.get_runtime_context().get_node_id()
        return About(node, platform.node(), source_digest())

    def prepare(self) -> None:
        """Loads what work is made of: it may name plug-ins of the driver's user."""
        from experiments.config import plugins
        from experiments.fleet.simulate import Simulator

        plugins.look_where_told()
        self._simulator = Simulator()

    def run(self, work: "Work") -> "ShardResult":
        """Runs one shard, in a worker that is prepared."""
        return self._simulator.run(work)
