"""The demo on a screen: a live view on a terminal, a line a second in a pipe, one JSON object for machines."""

import threading
from typing import Any

import orjson
from rich.console import Console
from rich.live import Live

from genpaxos.demo import evidence, run, verdict
from genpaxos.demo.run import Options, Record
from genpaxos.local import LocalCluster
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.query import NoAnswer, ask_each
from genpaxos.runtime.status import cluster_status
from genpaxos.view.cluster import ClusterStatus
from genpaxos.view.dashboard import Dashboard, DemoEvent, DemoSnapshot, plain_line
from genpaxos.view.graph import CommandGraph
from genpaxos.view.verdict import VerdictView

LIVE_S = 0.25
PLAIN_S = 1.0
GRAPH_COMMANDS = 120


def demo(options: Options, *, as_json: bool = False, console: Console | None = None) -> bool:
    """Run the demo and show it; returns whether the verdict holds. Raises :class:`GenpaxosError` if it cannot run."""
    console = console or Console()
    record = run.make(options)
    found: dict[str, verdict.Check] = {}

    def settle(cluster: LocalCluster) -> None:
        pieces = evidence.collect(cluster.config, cluster.processes.check)
        record.status = ask_each([replica.address for replica in cluster.config.replicas], "status")
        watcher.phase = "checking"
        found.update(verdict.judge(record, pieces))

    watcher: _Watcher = (
        _Silent(record) if as_json else _Live(record, console) if console.is_terminal else _Plain(record, console)
    )
    with watcher:
        run.start(options, record, settle, watcher.watch)
    if as_json:
        print(orjson.dumps(verdict.summary(record, found)).decode())
    else:
        _conclude(record, found, console)
    return verdict.passed(found)


def _conclude(record: Record, found: dict[str, verdict.Check], console: Console) -> None:
    summary = verdict.summary(record, found)
    learned = summary["fast"] + summary["classic"]
    console.print(
        f"{summary['commands']:,} commands by {summary['clients']} clients on {summary['replicas']} replicas in "
        f"{summary['seconds']:.1f} s: {summary['commands_per_second']:,.0f}/s, "
        f"p50 {summary['latency_ms']['p50']:.1f} ms, p99 {summary['latency_ms']['p99']:.1f} ms, "
        f"{summary['fast'] / max(1, learned):.0%} learned on the fast path",
        highlight=False,
        soft_wrap=not console.is_terminal,
    )
    if summary["killed"] is not None:
        console.print(
            f"replica {summary['killed']} was killed; commits paused for {summary['paused_s']:.2f} s", highlight=False
        )
    console.print(VerdictView({k: v for k, v in found.items() if k != "conserved" or v[0] is not None}))


class _Watcher:
    """Looks at the cluster from a thread of its own, so that watching does not slow the clients' loop."""

    interval_s = PLAIN_S
    graph = False

    def __init__(self, record: Record) -> None:
        self.record = record
        self.phase = "starting"
        self._config: ClusterConfig | None = None
        self._coordinator: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-watcher", daemon=True)

    def __enter__(self) -> "_Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def watch(self, cluster: LocalCluster) -> None:
        """The cluster is up: look at it from now on."""
        self._config = cluster.config
        self.phase = "running"

    def show(self, snapshot: DemoSnapshot) -> None:
        """Draw one snapshot."""

    def _run(self) -> None:
        while not self._stop.wait(self.interval_s):
            self.show(self.snapshot())

    def snapshot(self) -> DemoSnapshot:
        """What is to be seen now."""
        record, options, config = self.record, self.record.options, self._config
        seconds = record.seconds if record.started_s else 0.0
        status = ClusterStatus(cluster=options.machine, policy=str(options.policy))
        graph = None
        if config is not None:
            rows = ask_each([r.address for r in config.replicas], "status", timeout_s=0.3)
            status = ClusterStatus.from_json(cluster_status(config, rows))
            self._note_coordinator(status)
            if self.graph and status.leading is not None:
                graph = self._graph(config, status.leading.node)
        return DemoSnapshot(
            title=f"genpaxos demo {options.machine}",
            status=status,
            graph=graph,
            acknowledged=min(record.acknowledged, options.commands),
            total=options.commands,
            rate_per_s=record.acknowledged / seconds if seconds > 0 else 0.0,
            elapsed_s=seconds,
            phase=self.phase,
            events=tuple(DemoEvent(at_s=e.at_s, text=e.text, kind=e.kind) for e in record.events),
            prefer=record.workload.resources,
        )

    def _note_coordinator(self, status: ClusterStatus) -> None:
        """Tell when another replica has taken over."""
        seen = {replica.node for replica in status.reachable if replica.role == "coordinator"} - {self._coordinator}
        if status.coordinator in seen:
            if self._coordinator is not None:
                self.record.note("repair", f"replica {status.coordinator} coordinates now")
            self._coordinator = status.coordinator

    @staticmethod
    def _graph(config: ClusterConfig, node: int) -> CommandGraph | None:
        (answer,) = ask_each([config.replicas[node].address], "graph", GRAPH_COMMANDS, timeout_s=0.3)
        return None if isinstance(answer, NoAnswer) else CommandGraph.from_json(answer)


class _Silent(_Watcher):
    """For machines: nothing but the result."""

    def __enter__(self) -> "_Watcher":
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _Plain(_Watcher):
    """In a pipe: a line a second."""

    def __init__(self, record: Record, console: Console) -> None:
        super().__init__(record)
        self._console = console

    def show(self, snapshot: DemoSnapshot) -> None:
        self._console.print(plain_line(snapshot), highlight=False, markup=False, soft_wrap=True)


class _Live(_Watcher):
    """On a terminal: the dashboard."""

    interval_s = LIVE_S
    graph = True

    def __init__(self, record: Record, console: Console) -> None:
        super().__init__(record)
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._last: Any = None

    def __enter__(self) -> "_Watcher":
        self._live.__enter__()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._live.__exit__(None, None, None)
        if self._last is not None:  # the last picture stays on the screen
            self._live.console.print(Dashboard(self._last))

    def show(self, snapshot: DemoSnapshot) -> None:
        if snapshot.graph is not None or self._last is None:
            self._last = snapshot
        self._live.update(Dashboard(snapshot), refresh=True)
