"""The process that holds the links, seen from the benchmark."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.harness.cluster import data_directory
from bench.peers.children import Children, Process

NAME = "proxy"


class Proxies:
    """Opens links between this machine's ports. They end with this process, however that ends."""

    def __init__(self, process: Process, children: Children) -> None:
        self._process = process
        self._children = children

    def fixed(self, links: Sequence[tuple[int, float]]) -> list[int]:
        """A link to each port with its one-way delay in milliseconds; where they listen."""
        ports: list[int] = self._order({"fixed": links})
        return ports

    def by_dialler(self, links: Sequence[tuple[int, Sequence[float]]]) -> list[int]:
        """The same, with the delay for each of :meth:`diallers`."""
        ports: list[int] = self._order({"by_dialler": links})
        return ports

    def lead(self, ms: float) -> None:
        """By how much the process passes everything on too late: links opened from now on make up for it."""
        self._order({"lead": ms})

    def diallers(self, pids: Sequence[int]) -> None:
        """The processes in the regions, one each; only these are let in."""
        self._order({"diallers": pids})

    def pids(self) -> Mapping[str, int]:
        """Its process."""
        return self._children.pids()

    def _order(self, order: dict[str, Any]) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(order).encode() + b"\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            self._process.wait()
            self._children.check()
            raise BenchError("the proxy closed its output")
        return json.loads(line)


@contextmanager
def proxies(directory: Path | None) -> Iterator[Proxies]:
    """A process for links; gone when left."""
    with data_directory(directory) as own, Children(own) as children:
        yield Proxies(children.start_python(NAME, "bench.wan.proxy", piped=True), children)
