"""``LocalCluster``: real replica processes in a temporary directory, for tests, notebooks and the demo.

The processes are the runtime's. It draws nothing, so what shows them is added here, above both.
"""

from typing import Any

from genpaxos.runtime.local import LocalReplicas
from genpaxos.runtime.query import ask_any


class LocalCluster(LocalReplicas):
    """A cluster of local replica processes: real ZeroMQ over ipc, real storage, removed at the end. ::

        async with LocalCluster(Bank, replicas=5) as cluster:
            client = await cluster.client()
            await client.submit(Bank.deposit("alice", 500))

    ``with`` works as well and gives blocking clients by :meth:`client_sync`. The machine must be importable by other
    processes: defined in a module or a script, not in a notebook's cell. Raises :class:`InvalidOption` and
    :class:`ConfigError`.
    """

    def history(self, limit: int = 200) -> Any:
        """The stable command graph of a replica, as a rich renderable."""
        from genpaxos.view.graph import CommandGraph
        from genpaxos.view.heap import Heap

        _, snapshot = ask_any(self.config, "graph", limit)
        return Heap(CommandGraph.from_json(snapshot))
