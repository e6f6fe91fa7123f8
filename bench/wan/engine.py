"""The engine across regions, as ``genpaxos plan`` recommends it for a policy."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from bench.errors import BenchError
from bench.harness import workload
from bench.harness.cluster import data_directory
from bench.harness.load import ClosedLoop
from bench.harness.verify import judge
from bench.peers.children import Children
from bench.wan.contender import WanContender
from bench.wan.delay import HOST
from bench.wan.options import WanOptions
from bench.wan.ports import unused_ports
from bench.wan.proxies import Proxies
from genpaxos.core.ballot import Policy
from genpaxos.demo import evidence
from genpaxos.plan import Plan, Recommendation, recommend
from genpaxos.runtime.client import Client
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.identity import create_directory
from genpaxos.runtime.local import machine_name
from genpaxos.runtime.query import ask_each

READY_S = 30.0
POLL_S = 0.1


class Engine(WanContender):
    """Replica ``i`` and a client of it in region ``i``."""

    def __init__(self, plan: Plan, config: ClusterConfig, children: Children, clients: Sequence[Client]) -> None:
        super().__init__(clients)
        self.about = f"the plan's lines for {plan.policy}; tcp, durable, the client's home is its region's replica"
        self.coordinator, self.pinned = plan.coordinator, plan.pinned
        self._plan, self._config, self._children = plan, config, children
        self._acknowledged: list[str] = []

    def expected_ms(self, interference: float) -> Sequence[float]:
        """As planned."""
        return self._plan.expected_ms(interference)

    def pids(self) -> Mapping[str, int]:
        """The replicas' processes."""
        return self._children.pids()

    def took(self, loops: Sequence[ClosedLoop]) -> None:
        """Every id must be in the logs."""
        for loop in loops:
            self._acknowledged += loop.ids

    async def check(self) -> None:
        """The planned region coordinates, with the planned quorum pinned, and all others follow it."""
        wrong = unlike_plan(self._plan, await asyncio.to_thread(self._status))
        if wrong:
            self._children.check()
            raise BenchError(f"{self._plan.policy} does not run as planned: {wrong}")

    async def verify(self) -> dict[str, Any]:
        """All replicas hold the same log and state, each acknowledged command once."""
        await asyncio.to_thread(lambda: judge(evidence.collect(self._config), self._acknowledged))
        return {"replicas_agree": True, "acknowledged": len(self._acknowledged)}

    async def begin(self) -> None:
        """Wait until it runs as planned, and fill the account that interfering commands take from."""
        end_s = time.monotonic() + READY_S
        while unlike_plan(self._plan, await asyncio.to_thread(self._status)) and time.monotonic() < end_s:
            self._children.check()
            await asyncio.sleep(POLL_S)
        await self.check()
        opening = [iter(workload.opening() if region == 0 else ()) for region in range(len(self._clients))]
        await self.run(opening, 1, READY_S, READY_S)

    def _status(self) -> list[Any]:
        return ask_each([replica.address for replica in self._config.replicas], "status")


@asynccontextmanager
async def start(options: WanOptions, links: Proxies, policy: Policy) -> AsyncIterator[Engine]:
    """A cluster that runs as planned; gone with its data when left. Raises :class:`BenchError`."""
    found = recommend(options.trips, interference=options.planned_for, policies=[policy])
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(data_directory(options.directory))
        children = stack.enter_context(Children(directory))
        file = directory / "cluster.toml"
        ports = unused_ports(len(options.trips.regions))
        file.write_text(cluster_text(found, ports), encoding="utf-8")
        config = ClusterConfig.load(file)
        routes = _routes(options, links, ports)
        for node in config.settings().preference:  # who is to coordinate is there when the others look for somebody
            create_directory(config, node)
            words = (str(file), str(node), json.dumps(routes[node]))
            children.start_python(f"replica {node}", "bench.wan.replica", *words)
        clients = [
            await stack.enter_async_context(Client(_seen_through(routes, config), home=region, timeout_s=READY_S))
            for region, routes in enumerate(_routes(options, links, ports))
        ]
        engine = Engine(found.best, config, children, clients)
        await engine.begin()
        yield engine


def unlike_plan(plan: Plan, rows: Sequence[Any]) -> str:
    """What is not as planned by the replicas' statuses; empty if all is."""
    silent = [str(row) for row in rows if isinstance(row, Exception)]
    if silent:
        return silent[0]
    followed = {row["node"]: row["coordinator"] for row in rows}
    if set(followed.values()) != {plan.coordinator}:
        return f"replica {plan.coordinator} should coordinate; by replica, this one does: {followed}"
    pinned = rows[plan.coordinator]["pinned"] or []
    if plan.pinned != tuple(pinned):
        return f"{list(plan.pinned)} should be pinned, not {pinned}"
    return ""


def cluster_text(found: Recommendation, ports: Sequence[int]) -> str:
    """A cluster file with the recommended lines as they are printed; the log is kept, to verify the run by it."""
    machine = f'[cluster]\nname = "wan"\nid = "{secrets.token_hex(16)}"\nmachine = "{machine_name(workload.MACHINE)}"'
    replicas = "".join(
        f'\n[[replica]]\naddress = "{address(port)}"\ndirectory = "{node}"\n' for node, port in enumerate(ports)
    )
    return f"{found.cluster_file().replace('[cluster]', machine, 1)}\n[storage]\nsnapshot_commands = 0\n{replicas}"


def _routes(options: WanOptions, links: Proxies, ports: Sequence[int]) -> list[dict[str, str]]:
    """Per region, where to dial for each address; links of their own, and none to what is in the same region."""
    trips, everywhere = options.trips.ms, range(len(ports))
    pairs = [(here, there) for here in everywhere for there in everywhere if here != there]
    opened = links.fixed([(ports[there], trips[here][there] / 2) for here, there in pairs])
    routes = [{address(ports[here]): address(ports[here])} for here in everywhere]
    for (here, there), port in zip(pairs, opened, strict=True):
        routes[here][address(ports[there])] = address(port)
    return routes


def address(port: int) -> str:
    """In a cluster file."""
    return f"tcp://{HOST}:{port}"


def _seen_through(routes: Mapping[str, str], config: ClusterConfig) -> ClusterConfig:
    """The cluster as the client in a region dials it."""
    return replace(config, replicas=tuple(replace(r, address=routes[r.address]) for r in config.replicas))
