"""``genpaxos graph``: its arguments and its printing."""

import argparse

from genpaxos.cli.arguments import positive, seconds
from genpaxos.cli.output import terminal
from genpaxos.view.encoding import print_json

HELP = "show the stable command graph"


def add_arguments(graph: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    graph.add_argument("cluster", help="the cluster file")
    graph.add_argument("--node", type=int, help="ask this replica (default: the first that answers)")
    graph.add_argument("--limit", type=positive, default=200, help="at most so many of the newest commands")
    graph.add_argument("--format", choices=["heap", "mermaid", "dot", "json"], default="heap")
    graph.add_argument("--timeout", type=seconds, default=2.0, metavar="S")
    graph.add_argument("--json", action="store_true", help="the same as --format json")


def run(arguments: argparse.Namespace) -> int:
    """Print the graph, drawn or in another format."""
    from genpaxos.runtime.config import ClusterConfig
    from genpaxos.runtime.query import ask_any, ask_node
    from genpaxos.view.graph import CommandGraph

    config = ClusterConfig.load(arguments.cluster)
    if arguments.node is None:
        _, snapshot = ask_any(config, "graph", arguments.limit, timeout_s=arguments.timeout)
    else:
        snapshot = ask_node(config, arguments.node, "graph", arguments.limit, timeout_s=arguments.timeout)
    graph = CommandGraph.from_json(snapshot)
    match "json" if arguments.json else arguments.format:
        case "json":
            print_json(graph.to_json())
        case "mermaid":
            print(graph.to_mermaid(), end="")
        case "dot":
            print(graph.to_dot(), end="")
        case _:
            from genpaxos.view.heap import Heap

            terminal().print(Heap(graph))
    return 0
