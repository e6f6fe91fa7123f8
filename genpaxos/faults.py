"""Why replicas do not take part, as a client's errors and the status of a cluster both say it."""

from collections.abc import Mapping


def by_fault(faults: Mapping[int, str]) -> list[str]:
    """Each fault once, with the replicas that tell it: when results differ, all tell the same long one."""
    nodes: dict[str, list[str]] = {}
    for node, fault in sorted(faults.items()):
        nodes.setdefault(fault, []).append(str(node))
    return [f"replica{'s' if len(who) > 1 else ''} {', '.join(who)}: {fault}" for fault, who in nodes.items()]
