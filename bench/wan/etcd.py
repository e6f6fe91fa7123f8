"""etcd across regions: a member in each, its peers behind links; every put goes through the member that leads."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from math import ceil
from typing import Any

from bench.errors import BenchError
from bench.harness.cluster import data_directory
from bench.harness.load import ClosedLoop
from bench.peers.children import Children
from bench.peers.etcd import Etcd, PutClient, start_members
from bench.wan.contender import WanContender
from bench.wan.options import WanOptions
from bench.wan.ports import unused_ports
from bench.wan.proxies import Proxies
from genpaxos.plan import RoundTrips

HEARTBEAT_MS = 100
"""etcd's default, which is enough for regions that are near."""
ELECTION_BEATS = 10
"""etcd's guide to tuning: a heartbeat about the longest round trip between members, an election ten of them."""


class WanEtcd(WanContender):
    """Member ``i`` and a client of it in region ``i``; the best region leads."""

    def __init__(self, about: str, trips: RoundTrips, etcd: Etcd, clients: Sequence[PutClient]) -> None:
        super().__init__(clients)
        self.about = about
        self.coordinator = best_leader(trips)
        self._trips, self._etcd = trips, etcd

    def expected_ms(self, interference: float) -> Sequence[float]:  # noqa: ARG002
        """To the leader and back, and while it waits for the nearest majority: the same for all commands."""
        return through_leader_ms(self._trips, self.coordinator)

    def pids(self) -> Mapping[str, int]:
        """The members' processes."""
        return self._etcd.pids()

    def took(self, loops: Sequence[ClosedLoop]) -> None:
        """Every put makes one revision."""
        self._etcd.puts += sum(len(loop.latencies_s) for loop in loops)

    async def check(self) -> None:
        """The best region leads."""
        leader = await self._etcd.leader()
        if leader != self.coordinator:
            raise BenchError(f"member {leader} of etcd leads, and no longer {self.coordinator}")

    async def verify(self) -> dict[str, Any]:
        """Every member has executed each put once, and holds the same keys and values."""
        return await self._etcd.verify()


@asynccontextmanager
async def start(options: WanOptions, links: Proxies) -> AsyncIterator[WanEtcd]:
    """Members that are ready, led from the best region; gone with their data when left. Raises :class:`BenchError`."""
    trips = options.trips
    regions = len(trips.regions)
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(data_directory(options.directory))
        children = stack.enter_context(Children(directory))
        stack.callback(children.kill_all)
        found = unused_ports(2 * regions)
        clients, peers = found[:regions], found[regions:]
        heartbeat_ms = max(HEARTBEAT_MS, 10 * ceil(trips.longest_ms / 10))
        version = start_members(
            children,
            directory,
            clients,
            peers,
            dialled=links.by_dialler([(port, _one_way_ms(trips, region)) for region, port in enumerate(peers)]),
            heartbeat_interval=heartbeat_ms,
            election_timeout=ELECTION_BEATS * heartbeat_ms,
        )
        links.diallers([children.pids()[f"member {node}"] for node in range(regions)])
        etcd = Etcd("", children, options.deadline_s, clients)
        await etcd.move_leader(best_leader(trips))
        about = (
            f"version {version}, heartbeat {heartbeat_ms} ms and election {ELECTION_BEATS * heartbeat_ms} ms, as its "
            "guide says for such round trips; the client's member is its region's, the best region was made to lead"
        )
        putting = [await PutClient.connect(port) for port in clients]
        for client in putting:
            stack.callback(client.close)
        yield WanEtcd(about, trips, etcd, putting)


def best_leader(trips: RoundTrips) -> int:
    """The region whose leading costs the others least."""
    return min(range(len(trips.regions)), key=lambda leader: sum(through_leader_ms(trips, leader)))


def through_leader_ms(trips: RoundTrips, leader: int) -> list[float]:
    """Per region: the round trip to the leader, and the leader's to its nearest majority."""
    majority_ms = sorted(trips.ms[leader])[len(trips.regions) // 2]
    return [row[leader] + majority_ms for row in trips.ms]


def _one_way_ms(trips: RoundTrips, region: int) -> list[float]:
    """From each region to this one."""
    return [ms / 2 for ms in trips.ms[region]]
