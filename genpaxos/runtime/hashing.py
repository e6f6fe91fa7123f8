"""PYTHONHASHSEED: with one seed for all replicas, their sets of texts are walked through in one order.

A machine that makes a list of a set would otherwise give another one on every replica. The seed is fixed before the
interpreter starts, so ``genpaxos serve`` starts itself anew if it is not.
"""

import os
import sys

FIXED_HASH_SEED = "0"
"""The seed of replicas whose environment names none."""


def hash_seed() -> str | None:
    """The seed that this process's environment fixes; ``None`` if it is drawn for every process."""
    seed = os.environ.get("PYTHONHASHSEED", "")
    return seed if seed.isascii() and seed.isdecimal() else None


def restart_with_fixed_seed() -> None:
    """Start the running program anew in this process, with its seed fixed; returns if it is."""
    if hash_seed() is None:
        os.environ["PYTHONHASHSEED"] = FIXED_HASH_SEED
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
