"""Notices when an operation reads a clock, randomness, the process or the disk."""

from __future__ import annotations

import functools
import gc
import sys
import time
import types
from typing import Any, Final

_FUNCTIONS: Final = {
    "time": {
        "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
        "process_time_ns", "thread_time", "localtime", "ctime", "clock_gettime",
    },
    "posix": {
        "urandom", "getrandom", "getpid", "getppid", "getcwd", "listdir", "scandir", "stat", "uname", "cpu_count",
        "times", "getloadavg", "getlogin", "open", "read",
    },
    "nt": {"urandom", "getpid", "getcwd", "listdir", "stat", "cpu_count", "open"},
    "_io": {"open"},
    "_socket": {"gethostname", "getaddrinfo", "gethostbyname"},
    "_uuid": {"generate_time_safe", "UuidCreate"},
    "_thread": {"get_ident", "get_native_id"},
    "builtins": {"input"},
}  # fmt: skip
_NOW_BY_DEFAULT: Final = {"gmtime": 0, "asctime": 0, "strftime": 1}
"""Functions of ``time`` that take the time of now where none is given, and at which place."""
_OF_DATES: Final = {"now", "utcnow", "today"}
_HARMLESS: Final = ("logging", "traceback", "warnings", "importlib", "_frozen_importlib", "linecache", "hypothesis")
"""Modules that read a clock or a file without anything in the state depending on it."""


class Watch:
    """While entered, notes what the code that runs calls of the outside world: ``seen``, in order."""

    def __init__(self) -> None:
        self.seen: dict[str, None] = {}
        self._before: Any = None
        self._collects = False

    def __enter__(self) -> Watch:
        for name in _NOW_BY_DEFAULT:
            setattr(time, name, self._noting(name, getattr(time, name)))
        self._before = sys.getprofile()
        self._collects = gc.isenabled()
        gc.disable()  # what finalizers and the collector's callbacks call is not the operation's
        if self._before is None:  # a profiler that runs already must not be disturbed
            sys.setprofile(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            sys.setprofile(None)
        if self._collects:
            gc.enable()
        for name in _NOW_BY_DEFAULT:
            setattr(time, name, getattr(time, name).__wrapped__)

    def _noting(self, name: str, function: Any) -> Any:
        """A function of ``time`` that is a clock when it is called without a time."""

        @functools.wraps(function)
        def noting(*arguments: Any) -> Any:
            given = arguments[_NOW_BY_DEFAULT[name] :]
            if (not given or given[0] is None) and not _is_harmless(sys._getframe(1)):
                self.seen.setdefault(f"time.{name}")
            return function(*arguments)

        return noting

    def _event(self, frame: types.FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            name = _named(called)
        elif event == "call" and frame.f_globals.get("__name__") == "os":
            name = "os.environ" if "_Environ.__getitem__" in _qualified(frame.f_code) else None
        else:
            return
        if name is not None and not _is_harmless(frame):
            self.seen.setdefault(name)


def _qualified(code: types.CodeType) -> str:
    return getattr(code, "co_qualname", code.co_name)


def _named(called: Any) -> str | None:
    """The name of a built-in function, if it reads anything outside."""
    name, owner = getattr(called, "__name__", ""), getattr(called, "__self__", None)
    if isinstance(owner, types.ModuleType):
        module = owner.__name__
        return f"{module}.{name}" if name in _FUNCTIONS.get(module, ()) else None
    if name in _OF_DATES and isinstance(owner, type) and owner.__module__ == "datetime":
        return f"{owner.__name__}.{name}"
    random = sys.modules.get("random")
    if random is not None and owner is not None and owner is getattr(random, "_inst", None):
        return f"random.{name}"
    return None


def _is_harmless(frame: types.FrameType | None) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in _HARMLESS:
            return True
        frame = frame.f_back
    return False
