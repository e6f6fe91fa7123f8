"""Quorum systems as checked values (protocol §3; Lamport, *Fast Paxos* §2.2, assumptions 1 and 2).

A set of acceptors is a bit mask: acceptor ``a`` is bit ``1 << a``. A system lists its *minimal* quorums; every superset
of one is a quorum too. :meth:`QuorumSystem.check` proves the intersections the protocol needs by enumerating them, so
any other system (flexible, weighted, by failure domain) is one more constructor, not one more proof.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from itertools import combinations, combinations_with_replacement
from operator import or_

from genpaxos.core.ballot import BallotKind
from genpaxos.core.policies import rules_of

REPLICAS_MAX = 13
"""Membership is looked up in a table of 2^N entries; 13 replicas keep it at 8 KiB."""
EVERYBODY = -1
"""The bit mask that all replicas are in, however many there are."""


class QuorumError(ValueError):
    """A quorum system whose quorums do not intersect as the protocol needs; the message names them."""


def mask_of(members: Iterable[int]) -> int:
    """The bit mask of a set of acceptors."""
    mask = 0
    for member in members:
        mask |= 1 << member
    return mask


def members_of(mask: int) -> tuple[int, ...]:
    """The acceptors of a bit mask, in increasing order."""
    return tuple(a for a in range(mask.bit_length()) if mask >> a & 1)


@dataclass(frozen=True, slots=True)
class QuorumSystem:
    """The classic and fast quorums among ``replicas`` acceptors, as minimal bit masks; ``fast`` is empty if none."""

    replicas: int
    classic: tuple[int, ...]
    fast: tuple[int, ...] = ()
    _is_classic: bytes = field(init=False, repr=False, compare=False)
    _is_fast: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= self.replicas <= REPLICAS_MAX:
            raise QuorumError(f"{self.replicas} replicas: a cluster has 1 to {REPLICAS_MAX}")
        object.__setattr__(self, "_is_classic", self._table(self.classic))
        object.__setattr__(self, "_is_fast", self._table(self.fast))
        self.check()

    @classmethod
    def majority(cls, replicas: int, acceptors: Sequence[int] = ()) -> "QuorumSystem":
        """Any q = ⌊N/2⌋ + 1 of the acceptors (all replicas by default) are a classic quorum; no fast quorums."""
        if not 1 <= replicas <= REPLICAS_MAX:
            raise QuorumError(f"{replicas} replicas: a cluster has 1 to {REPLICAS_MAX}")
        members = sorted(set(acceptors)) or range(replicas)
        return cls(replicas, tuple(mask_of(c) for c in combinations(members, len(members) // 2 + 1)))

    @property
    def acceptors(self) -> tuple[int, ...]:
        """The members of any classic quorum."""
        return members_of(reduce(or_, self.classic))

    @property
    def fast_size(self) -> int:
        """⌈3N/4⌉: any so many acceptors are a fast quorum where none is pinned (*Fast Paxos* §2.2)."""
        return -(-3 * len(self.acceptors) // 4)

    def without_fast(self) -> "QuorumSystem":
        """The same classic quorums, and no fast ones."""
        return QuorumSystem(self.replicas, self.classic)

    def with_pinned(self, members: Iterable[int]) -> "QuorumSystem":
        """The same classic quorums, and one pinned fast quorum (SwiftPaxos §4)."""
        return QuorumSystem(self.replicas, self.classic, (mask_of(members),))

    def with_any(self, size: int, *, including: int | None = None) -> "QuorumSystem":
        """The same classic quorums; any ``size`` acceptors (that include a given one) are a fast quorum."""
        members = self.acceptors
        chosen = [mask_of(c) for c in combinations(members, size)]
        if including in members:
            chosen = [mask for mask in chosen if mask >> including & 1]
        elif including is not None:  # a coordinator that is no acceptor belongs to it all the same
            chosen = [mask | 1 << including for mask in chosen]
        return QuorumSystem(self.replicas, self.classic, tuple(chosen))

    @lru_cache(maxsize=64)  # noqa: B019  # a cluster has one system, and few kinds of ballots
    def for_ballot(self, kind: BallotKind, coordinator: int) -> "QuorumSystem":
        """The system in force in a ballot of ``kind`` (protocol §3: named when the ballot starts)."""
        return rules_of(kind).quorums(self, kind, coordinator)

    def is_classic(self, mask: int) -> bool:
        """Whether ``mask`` contains a classic quorum."""
        return bool(self._is_classic[mask])

    @property
    def fast_table(self) -> bytes:
        """``fast_table[mask]`` is 1 exactly when ``mask`` contains a fast quorum: the hot path's look-up."""
        return self._is_fast

    def may_be_chosen_fast(self, reported: int, asked: int) -> bool:
        """Whether some fast quorum R has R ∩ ``asked`` ⊆ ``reported`` (protocol §5 step 3; *Fast Paxos* rule O4).

        ``asked`` is the classic quorum Q that answered phase 1; ``reported`` are those of Q that, at the highest
        ballot, report the command with one digest. The acceptors outside Q may all have voted for it.
        """
        return any(not (quorum & asked & ~reported) for quorum in self.fast)

    def agreed_index(self, adopted: Sequence[int]) -> int:
        """The largest j such that a classic quorum has ``adopted[a] >= j`` (protocol §3, Learning (ii))."""
        for index in sorted(set(adopted), reverse=True):
            if self.is_classic(mask_of(a for a, j in enumerate(adopted) if j >= index)):
                return index
        return 0

    def check(self) -> None:
        """Prove the intersections by enumeration; raises :class:`QuorumError` naming quorums that do not meet.

        - any two classic quorums meet;
        - Q ∩ R₁ ∩ R₂ ≠ ∅ for every classic Q and fast R₁, R₂ (with one pinned R this is Q ∩ R ≠ ∅).
        """
        if not self.classic or not all(0 < quorum < 1 << self.replicas for quorum in self.classic + self.fast):
            raise QuorumError(f"quorums must be non-empty sets of the {self.replicas} acceptors: {self}")
        for one in self.classic:
            if (other := self._missed(one)) is not None:
                raise QuorumError(f"classic quorums {members_of(one)} and {members_of(other)} do not meet")
        for one, other in combinations_with_replacement(self.fast, 2):
            if (classic := self._missed(one & other)) is not None:
                raise QuorumError(
                    f"fast quorums {members_of(one)} and {members_of(other)} and the classic quorum "
                    f"{members_of(classic)} have no acceptor in common: a choice could be lost in recovery"
                )

    def _missed(self, mask: int) -> int | None:
        """A classic quorum that has no acceptor in ``mask``, if there is one."""
        if not self.is_classic(~mask & (1 << self.replicas) - 1):
            return None
        return next(quorum for quorum in self.classic if not quorum & mask)

    def _table(self, quorums: tuple[int, ...]) -> bytes:
        """For every set of acceptors, whether it contains one of the minimal ``quorums``."""
        minimal = set(quorums)
        found = bytearray(1 << self.replicas)
        for mask in range(1 << self.replicas):
            found[mask] = mask in minimal or any(found[mask & ~(1 << a)] for a in members_of(mask))
        return bytes(found)
