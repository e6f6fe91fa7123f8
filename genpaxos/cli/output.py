"""How commands end and where they print: exit statuses, complaints, the console."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

EXIT_NO = 1
"""The answer is no: a check failed, there is no quorum, the verdict does not hold."""
EXIT_UNKNOWN = EXIT_UNDECIDED = 3
"""Neither yes nor no. Of ``call``: there is no result yet, and the command may have been executed, or may be yet. Of
``check``: nothing was found, but the scope was not finished."""
EXIT_INTERRUPTED = 130
"""By Ctrl-C, as shells expect it."""


def complain(error: Exception) -> int:
    """Say why the answer is no."""
    print(f"genpaxos: {error}", file=sys.stderr)
    return EXIT_NO


def terminal(*, errors: bool = False) -> "Console":
    """The console to print on."""
    from rich.console import Console

    return Console(stderr=errors)
