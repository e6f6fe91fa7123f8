"""What each command takes. The defaults are here; what they mean to the program is not."""

import argparse
import math

POLICIES = ("leader-ordered", "classic", "coordinated", "uncoordinated")
"""As in :class:`genpaxos.core.ballot.Policy`, which is not imported for the sake of ``--help``."""
CLIMATES = ("ordinary", "duel", "fragile")
"""As in :class:`genpaxos.simulation.swarm.Climate`."""


def serve(serve: argparse.ArgumentParser) -> None:
    """Of ``genpaxos serve``."""
    serve.add_argument("cluster", help="the cluster file")
    serve.add_argument("node", type=int, help="the replica's number, from 0")
    serve.add_argument("--create", action="store_true", help="make the directory of a replica that has never run")
    serve.add_argument("--attached", action="store_true", help="stop when standard input is closed")


def rejoin(rejoin: argparse.ArgumentParser) -> None:
    """Of ``genpaxos rejoin``."""
    rejoin.add_argument("cluster", help="the cluster file")
    rejoin.add_argument("node", type=int, help="the replica's number, from 0; it must be stopped")
    rejoin.add_argument("--timeout", type=seconds, default=5.0, metavar="S", help="how long to wait for the others")
    rejoin.add_argument("--json", action="store_true")


def graph(graph: argparse.ArgumentParser) -> None:
    """Of ``genpaxos graph``."""
    graph.add_argument("cluster", help="the cluster file")
    graph.add_argument("--node", type=int, help="ask this replica (default: the first that answers)")
    graph.add_argument("--limit", type=positive, default=200, help="at most so many of the newest commands")
    graph.add_argument("--format", choices=["heap", "mermaid", "dot", "json"], default="heap")
    graph.add_argument("--timeout", type=seconds, default=2.0, metavar="S")
    graph.add_argument("--json", action="store_true", help="the same as --format json")


def verify(verify: argparse.ArgumentParser) -> None:
    """Of ``genpaxos verify``."""
    verify.add_argument("cluster", help="the cluster file")
    verify.add_argument("--timeout", type=seconds, default=10.0, metavar="S", help="how long to wait for all replicas")
    verify.add_argument("--json", action="store_true")


def explore(explore: argparse.ArgumentParser) -> None:
    """Of ``genpaxos explore``."""
    explore.add_argument("--policy", choices=POLICIES, default=POLICIES[0])
    explore.add_argument("--fast-quorum", choices=["pinned", "any"], default="pinned")
    explore.add_argument("--acceptors", type=positive, default=3)
    explore.add_argument("--commands", type=positive, default=2)
    explore.add_argument("--commuting", action="store_true", help="commands that commute (default: that interfere)")
    explore.add_argument("--ballots", type=positive, default=2)
    explore.add_argument("--crashes", type=natural, default=0, help="restarts, in all, from what was persisted")
    explore.add_argument("--states-max", type=positive, default=20_000_000, help="give up beyond so many")
    explore.add_argument(
        "--seconds-max", type=seconds_or_forever, default=math.inf, help="give up after so long (default: never)"
    )
    explore.add_argument("--workers", type=positive, help="processes that share the work (default: one per core)")
    explore.add_argument("--json", action="store_true")


def simulate(simulate: argparse.ArgumentParser) -> None:
    """Of ``genpaxos simulate``."""
    which = simulate.add_mutually_exclusive_group()
    which.add_argument("--seed", type=int, help="replay one seed")
    which.add_argument("--seeds", type=positive, default=200, metavar="N", help="run so many (default: 200)")
    simulate.add_argument("--from", type=int, default=0, dest="first", metavar="SEED", help="the first of them")
    simulate.add_argument("--workers", type=positive, metavar="N", help="processes (default: one per core)")
    simulate.add_argument("--policy", choices=POLICIES, help="only this one (default: as the seed draws)")
    simulate.add_argument("--climate", choices=CLIMATES, help="only this kind of world (default: as the seed draws)")
    simulate.add_argument("--trace", action="store_true", help="with --seed: print everything that happens")
    simulate.add_argument("--json", action="store_true")


def check(check: argparse.ArgumentParser) -> None:
    """Of ``genpaxos check``. The defaults are those of :class:`commutativity.check.Scope`."""
    check.epilog = (
        "Exit status: 0 proved within the scope, 1 refuted, 3 nothing found but the scope was not finished. "
        "Raise what the report says was too small, or lower --depth."
    )
    check.add_argument("machine", metavar="MODULE:CLASS")
    check.add_argument("--depth", type=natural, help="of the states: commands from the start (default: 3 or what fits)")
    check.add_argument("--states", type=positive, default=200, help="at most so many states, the nearest first")
    check.add_argument("--commands", type=positive, default=40, help="at most so many small commands per operation")
    check.add_argument("--trials", type=positive, default=300_000, help="at most so many pairs, over all states")
    check.add_argument(
        "--seconds", type=seconds_or_forever, default=60.0, metavar="S", help="end after so long; inf for never"
    )
    check.add_argument("--examples", type=natural, default=200, help="larger cases to draw beyond the small scope")
    check.add_argument("--seed", type=int, default=0, help="of what is drawn")
    check.add_argument("--one-process", action="store_true", help="start no others to try two hash seeds")
    check.add_argument("--json", action="store_true")


def explain(explain: argparse.ArgumentParser) -> None:
    """Of ``genpaxos explain``."""
    explain.add_argument("machine", metavar="MODULE:CLASS")
    explain.add_argument("first", help="such as 'deposit alice 5'")
    explain.add_argument("second")
    explain.add_argument("--json", action="store_true")


def flow(flow: argparse.ArgumentParser) -> None:
    """Of ``genpaxos flow``."""
    flow.add_argument("name", nargs="?", metavar="NAME")
    flow.add_argument(
        "--policy",
        choices=["classic", "leader-ordered", "coordinated", "uncoordinated"],
        help="recover collisions so, where the flow allows it (default: the first that the list names)",
    )
    flow.add_argument("--json", action="store_true", help="print the messages, what was learned, and the graphs")


def demo(demo: argparse.ArgumentParser) -> None:
    """Of ``genpaxos demo``."""
    demo.add_argument("machine", nargs="?", choices=["bank", "register"], default="bank")
    demo.add_argument("--replicas", type=positive, default=5)
    demo.add_argument("--clients", type=positive, default=8, help="each has one command outstanding")
    demo.add_argument("--commands", type=positive, default=5_000)
    demo.add_argument("--seed", type=int, default=1)
    demo.add_argument("--interference", type=share, default=0.1, help="share of commands that interfere, 0 to 1")
    demo.add_argument("--kind", "--policy", choices=POLICIES, default=POLICIES[0])
    demo.add_argument("--fast-quorum", choices=["pinned", "any"], default="pinned")
    demo.add_argument("--kill", choices=["coordinator", "any"], help="kill -9 a replica mid-run and restart it")
    demo.add_argument("--json", action="store_true", help="print one JSON object")


def call(call: argparse.ArgumentParser) -> None:
    """Of ``genpaxos call``."""
    call.add_argument("cluster", help="the cluster file")
    call.add_argument("operation")
    call.add_argument("argument", nargs="*", help="as JSON, or as plain text where the operation takes text")
    again = call.add_mutually_exclusive_group()
    again.add_argument("--key", help="an idempotency key, any text: under one key one command is executed, once")
    again.add_argument(
        "--id", help="ask again for this very command, whose outcome was unknown, by the id it was given"
    )
    call.add_argument("--timeout", type=seconds, default=10.0, metavar="S", help="how long to wait (default: 10)")
    call.add_argument("--json", action="store_true")
    call.epilog = (
        "Exit status: 0 executed, and its result is printed; 1 the operation failed as declared, or the command was "
        "refused and never executed; 2 wrong usage; 3 the outcome is unknown, and what to type to ask again is printed."
    )


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number of seconds above 0")
    return value


def share(text: str) -> float:
    """From 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def positive(text: str) -> int:
    """From 1 on."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def natural(text: str) -> int:
    """From 0 on."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return value


def seconds_or_forever(text: str) -> float:
    """More than 0; ``inf`` too."""
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value
