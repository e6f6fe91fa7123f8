"""``genpaxos demo``: its arguments and its printing."""

import argparse

from genpaxos.cli.arguments import POLICIES, positive, share
from genpaxos.cli.output import EXIT_NO

HELP = "run a machine on real replica processes under load; ends with a verdict"


def add_arguments(demo: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
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


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 1 if its verdict does not hold."""
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
