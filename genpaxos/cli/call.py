"""``genpaxos call``: its arguments and its printing."""

import argparse
import sys
from typing import Any

from genpaxos.cli.arguments import seconds
from genpaxos.cli.output import EXIT_NO, EXIT_UNKNOWN, complain
from genpaxos.view.encoding import print_json

HELP = "submit one command and print its result"


def add_arguments(call: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
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


def run(arguments: argparse.Namespace) -> int:
    """Submit, and print the outcome: see the exit statuses above."""
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
            complain(error)
            return EXIT_UNKNOWN
    print_json({"result": result} if arguments.json else result)
    return 0
