"""The command line: argument parsing and printing only. Heavy imports wait until a command needs them."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from genpaxos import cli_arguments, cli_plan, cli_verify
from genpaxos.errors import GenpaxosError
from genpaxos.view.encoding import make_printable, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from genpaxos.runtime.server import Server
    from genpaxos.simulation.campaign import Selection

EXIT_NO = 1
"""The answer is no: a check failed, there is no quorum, the verdict does not hold."""
EXIT_USAGE = 2
EXIT_UNKNOWN = EXIT_UNDECIDED = 3
"""Neither yes nor no. Of ``call``: there is no result yet, and the command may have been executed, or may be yet. Of
``check``: nothing was found, but the scope was not finished."""
EXIT_INTERRUPTED = 130
"""By Ctrl-C, as shells expect it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    make_printable(sys.stdout, sys.stderr)
    arguments = _parser().parse_args(argv)
    if argv is None and arguments.run is _serve:
        from genpaxos.runtime.hashing import restart_with_fixed_seed

        restart_with_fixed_seed()
    try:
        status: int = arguments.run(arguments)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        return EXIT_NO
    except (GenpaxosError, OSError) as error:
        return _complain(error)
    except (ValueError, TypeError) as error:
        from commutativity import InvalidCommand, TableError

        if not isinstance(error, (InvalidCommand, TableError)):
            raise
        return _complain(error)
    return status


def _complain(error: Exception) -> int:
    print(f"genpaxos: {error}", file=sys.stderr)
    return EXIT_NO


def _console(*, errors: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=errors)


# Commands -----------------------------------------------------------------------------------------------------------


def _demo(arguments: argparse.Namespace) -> int:
    import signal

    from genpaxos.core.ballot import FastQuorums, Policy
    from genpaxos.demo.run import Options
    from genpaxos.demo.show import demo

    options = Options(
        machine=arguments.machine,
        replicas=arguments.replicas,
        clients=arguments.clients,
        commands=arguments.commands,
        seed=arguments.seed,
        interference=arguments.interference,
        policy=Policy(arguments.kind),
        fast=FastQuorums(arguments.fast_quorum),
        kill=arguments.kill,
    )
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; SIGTERM must end it all the same
        signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # end the replicas first
    try:
        return 0 if demo(options, as_json=arguments.json) else EXIT_NO
    finally:
        signal.signal(signal.SIGTERM, before)


def _init(arguments: argparse.Namespace) -> int:
    from genpaxos.runtime.scaffold import scaffold

    for line in scaffold(arguments.directory, arguments.replicas, arguments.port):
        print(line)
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    import signal
    import threading

    from genpaxos.runtime.config import ClusterConfig
    from genpaxos.runtime.identity import create_directory
    from genpaxos.runtime.server import Server

    config = ClusterConfig.load(arguments.cluster)
    if arguments.create:
        create_directory(config, arguments.node)
    for number in (signal.SIGINT, signal.SIGTERM):  # an exception in an operation would pass for the operation's own
        signal.signal(number, lambda caught, _: os._exit(128 + caught))  # before it serves: as good as kill -9
    server = Server(config, arguments.node, report=lambda line: print(line, file=sys.stderr, flush=True))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop())
    if arguments.attached:
        threading.Thread(target=_stop_with_parent, args=(server,), daemon=True).start()
    print(
        f"replica {arguments.node} of {config.name!r} listens on {config.replicas[arguments.node].address}", flush=True
    )
    server.run()
    return 0 if server.fault is None else EXIT_NO


def _rejoin(arguments: argparse.Namespace) -> int:
    from genpaxos.runtime.config import ClusterConfig
    from genpaxos.runtime.rejoin import prepare_rejoin

    config = ClusterConfig.load(arguments.cluster)
    incarnation, aside = prepare_rejoin(config, arguments.node, timeout_s=arguments.timeout)
    if arguments.json:
        print_json({"node": arguments.node, "incarnation": incarnation, "aside": None if aside is None else str(aside)})
        return 0
    if aside is not None:
        print(f"the old data is kept in {aside}")
    print(f"replica {arguments.node} will come back as incarnation {incarnation}: start it with `genpaxos serve`")
    return 0


def _stop_with_parent(server: "Server") -> None:
    """Wait for the end of standard input: whoever started this replica is gone."""
    while os.read(0, 1024):
        pass
    server.stop()


def _call(arguments: argparse.Namespace) -> int:
    from commutativity import Command, OperationError
    from genpaxos.errors import OperationFailed, SessionEnded, Unknown
    from genpaxos.runtime.blocking import connect_sync
    from genpaxos.runtime.call import ask_again, parse_command
    from genpaxos.runtime.config import ClusterConfig

    config = ClusterConfig.load(arguments.cluster)
    machine = config.load_machine()
    command = parse_command(machine, arguments.operation, arguments.argument)
    with connect_sync(config, timeout_s=arguments.timeout, machine=machine) as client:
        try:
            plain: Command[Any] = Command(command.operation, command.arguments)  # its result as it travels: JSON
            if arguments.id is not None:
                result: Any = client.resubmit(arguments.id, plain)
            else:
                result = client.submit(plain, key=arguments.key)
        except OperationError as error:
            if arguments.json:
                print_json({"error": error.code, "message": error.message})
            else:
                print(f"{error.code}: {error.message}", file=sys.stderr)
            return EXIT_NO
        except Unknown as error:
            again = ask_again(arguments.cluster, error.id, arguments.operation, arguments.argument)
            if arguments.json:
                print_json({"unknown": error.id, "message": str(error), "again": again})
            else:
                print(f"genpaxos: {error}\nTo ask again: {again}", file=sys.stderr)
            return EXIT_UNKNOWN
        except OperationFailed as failed:
            if not arguments.json:
                raise
            print_json({"error": "OperationFailed", "type": failed.type_name, "message": failed.text, "id": failed.id})
            return EXIT_NO
        except SessionEnded as error:
            _complain(error)
            return EXIT_UNKNOWN
    print_json({"result": result} if arguments.json else result)
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from genpaxos.runtime.config import ClusterConfig
    from genpaxos.runtime.status import ask_status
    from genpaxos.view.cluster import ClusterStatus

    snapshot = ask_status(ClusterConfig.load(arguments.cluster), timeout_s=arguments.timeout)
    status = ClusterStatus.from_json(snapshot)
    quorum, reason = status.quorum
    if arguments.json:
        print_json({"quorum": quorum, "quorum_reason": reason, "coordinator": status.coordinator, **snapshot})
    else:
        from genpaxos.view.status import StatusView

        _console().print(StatusView(status))
    return 0 if quorum else EXIT_NO


def _graph(arguments: argparse.Namespace) -> int:
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

            _console().print(Heap(graph))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from commutativity.check import Conclusion, Scope, check
    from genpaxos.runtime.config import load_machine
    from genpaxos.view.progress import ProgressBar

    scope = Scope(
        depth=arguments.depth,
        states_max=arguments.states,
        commands_max=arguments.commands,
        trials_max=arguments.trials,
        seconds_max=arguments.seconds,
    )
    with ProgressBar(_console(errors=True)) as bar:
        report = check(
            load_machine(arguments.machine),
            scope=scope,
            examples=arguments.examples,
            seed=arguments.seed,
            hash_seeds=not arguments.one_process,
            progress=bar,
        )
    if arguments.json:
        print_json(report.to_json())
    else:
        _console().print(report)
    return {Conclusion.PROVED: 0, Conclusion.REFUTED: EXIT_NO, Conclusion.UNDECIDED: EXIT_UNDECIDED}[report.conclusion]


def _explain(arguments: argparse.Namespace) -> int:
    from commutativity.explain import explain
    from genpaxos.runtime.call import parse_call
    from genpaxos.runtime.config import load_machine

    machine = load_machine(arguments.machine)
    found = explain(machine, parse_call(machine, arguments.first), parse_call(machine, arguments.second))
    if arguments.json:
        print_json(found.to_json())
    else:
        _console().print(found)
    return 0


def _flow(arguments: argparse.Namespace) -> int:
    from genpaxos.core.ballot import Policy
    from genpaxos.family import FLOWS, find

    if arguments.name is None:
        if arguments.json:
            print_json([flow.to_json() for flow in FLOWS.values()])
        else:
            width = max(map(len, FLOWS)) + 2
            for flow in FLOWS.values():
                print(f"{flow.name:{width}}{flow.protocol}: {flow.title} ({', '.join(flow.policies)})")
        return 0
    trace = find(arguments.name).run(arguments.policy and Policy(arguments.policy)).to_json()
    if arguments.json:
        print_json(trace)
    else:
        from genpaxos.view.flow import FlowView

        _console().print(FlowView.from_json(trace))
    return 0


def _explore(arguments: argparse.Namespace) -> int:
    from genpaxos.core.ballot import FastQuorums, Policy
    from genpaxos.explore import Scope, explore
    from genpaxos.view.exploration import ExplorationView, StateCounter

    scope = Scope(
        policy=Policy(arguments.policy),
        fast=FastQuorums(arguments.fast_quorum),
        acceptors=arguments.acceptors,
        commands=arguments.commands,
        interfering=not arguments.commuting,
        ballots=arguments.ballots,
        crashes=arguments.crashes,
        states_max=arguments.states_max,
    )
    console = _console()
    with StateCounter(console, silent=arguments.json) as counter:
        found = explore(
            scope,
            workers=arguments.workers or os.cpu_count() or 1,
            seconds_max=arguments.seconds_max,
            progress=counter,
        )
    if arguments.json:
        print_json(found.to_json())
    else:
        console.print(ExplorationView(found.to_json()))
    return 0 if found.complete and found.violation is None else EXIT_NO  # a scope not finished proves nothing


def _simulate(arguments: argparse.Namespace) -> int:
    from genpaxos.core.ballot import Policy
    from genpaxos.simulation.campaign import Selection
    from genpaxos.simulation.marks import Mark
    from genpaxos.simulation.swarm import Climate
    from genpaxos.simulation.violations import Invariant

    selection = Selection(
        arguments.climate and Climate(arguments.climate), arguments.policy and Policy(arguments.policy)
    )
    texts = {mark.name.lower(): str(mark) for mark in Mark}, {rule.name.lower(): str(rule) for rule in Invariant}
    if arguments.seed is not None:
        return _simulate_one(arguments, selection, *texts)
    return _simulate_many(arguments, selection, *texts)


def _simulate_one(
    arguments: argparse.Namespace, selection: "Selection", marks: dict[str, str], invariants: dict[str, str]
) -> int:
    from genpaxos.simulation.run import run
    from genpaxos.simulation.shrink import shrink
    from genpaxos.simulation.swarm import draw_plan
    from genpaxos.simulation.tape import Tape
    from genpaxos.view.simulation import RunView

    plan = draw_plan(arguments.seed, selection.climate, selection.policy)
    tape = Tape(plan.replicas) if arguments.trace else None
    outcome = run(plan, tape=tape)
    found = outcome.to_json()
    if not outcome.ok:
        found["failure"]["shrunk"] = shrink(outcome).to_json()
    if arguments.json:
        print_json(found | ({"trace": tape.lines()} if tape is not None else {}))
    else:
        for line in tape.lines() if tape is not None else ():
            print(line)
        _console().print(RunView(found, marks, invariants))
    return 0 if outcome.ok else EXIT_NO


def _simulate_many(
    arguments: argparse.Namespace, selection: "Selection", marks: dict[str, str], invariants: dict[str, str]
) -> int:
    from genpaxos.simulation.campaign import campaign
    from genpaxos.view.progress import ProgressBar
    from genpaxos.view.simulation import CampaignView

    seeds = range(arguments.first, arguments.first + arguments.seeds)
    console = _console()
    with ProgressBar(console, silent=arguments.json) as bar:
        report = campaign(seeds, selection, workers=arguments.workers, progress=bar).to_json()
    if arguments.json:
        print_json(report)
    else:
        console.print(CampaignView(report, marks, invariants))
    return EXIT_NO if report["violations"] else 0


# Arguments ----------------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="genpaxos",
        description="Replicate a program's commands with Generalized Paxos.",
        epilog="Exit status: 0 yes, 1 no or failed, 2 wrong usage, 3 neither (call: outcome unknown; check: scope not "
        "finished), 130 interrupted.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Any, help: str) -> argparse.ArgumentParser:  # noqa: A002
        made = commands.add_parser(name, help=help, description=help)
        made.set_defaults(run=run)
        return made

    demo = command("demo", _demo, "run a machine on real replica processes under load; ends with a verdict")
    cli_arguments.demo(demo)

    init = command("init", _init, "scaffold a machine, its test and a cluster file")
    init.add_argument("directory")
    init.add_argument("--replicas", type=cli_arguments.positive, default=3)
    init.add_argument("--port", type=cli_arguments.positive, default=7_600, help="the first one's; the others follow")

    cli_arguments.serve(command("serve", _serve, "run one replica; Ctrl-C or SIGTERM stops it"))
    cli_arguments.rejoin(
        command("rejoin", _rejoin, "let a replica whose data was lost or damaged come back, as a new incarnation")
    )

    call = command("call", _call, "submit one command and print its result")
    cli_arguments.call(call)

    status = command("status", _status, "show the replicas: quorum, coordinator, ballot, counts")
    status.add_argument("cluster", help="the cluster file")
    status.add_argument("--timeout", type=cli_arguments.seconds, default=1.0, metavar="S")
    status.add_argument("--json", action="store_true")

    verifies = "have all replicas hash their states at one point of the log, and compare"
    cli_arguments.verify(command("verify", cli_verify.run, verifies))
    cli_arguments.graph(command("graph", _graph, "show the stable command graph"))

    cli_arguments.check(command("check", _check, "check that what a machine's table calls commuting commutes"))

    cli_arguments.explain(command("explain", _explain, "say why two commands do or do not commute"))
    cli_arguments.explore(command("explore", _explore, "model-check the core: every order of events in a small scope"))
    cli_arguments.simulate(command("simulate", _simulate, "run the replicas where everything fails"))
    recommends = "recommend a coordinator and a quorum to pin, from the round trips between regions"
    cli_plan.add_arguments(command("plan", cli_plan.run, recommends), cli_arguments.POLICIES)
    cli_arguments.flow(command("flow", _flow, "draw a message flow of the Paxos family; without NAME, list them all"))
    return parser
