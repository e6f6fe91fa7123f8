"""What arguments may be, for the commands that take them."""

import argparse
import math

POLICIES = ("leader-ordered", "classic", "coordinated", "uncoordinated")
"""As in :class:`genpaxos.core.ballot.Policy`, which is not imported for the sake of ``--help``."""
CLIMATES = ("ordinary", "duel", "fragile")
"""As in :class:`genpaxos.simulation.swarm.Climate`."""


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
