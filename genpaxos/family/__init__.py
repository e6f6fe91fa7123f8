"""The Paxos family: each protocol of the article "Paxos (computer science)" as a configuration of the core.

The c-struct comes from the machine's table, the kind of ballot and the recovery of collisions from the policy, and the
roles from the cast. Every flow runs the real replicas in lock-step; nothing in a trace is written down beforehand.
"""

from genpaxos.family import basic, fast, generalized, multi, optimisations
from genpaxos.family.cast import Cast
from genpaxos.family.flow import Flow, FlowError
from genpaxos.family.trace import Trace

_ALL = (basic.FLOWS, multi.FLOWS, optimisations.FLOWS, fast.FLOWS, generalized.FLOWS)
FLOWS: dict[str, Flow] = {flow.name: flow for flows in _ALL for flow in flows}
"""Every flow by its name, in the article's order."""

__all__ = ["FLOWS", "Cast", "Flow", "FlowError", "Trace", "find"]


def find(name: str) -> Flow:
    """The flow of that name."""
    if name not in FLOWS:
        raise FlowError(f"there is no flow {name!r}; the flows are: {', '.join(FLOWS)}")
    return FLOWS[name]
