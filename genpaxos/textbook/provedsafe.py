"""ProvedSafe by its definition, on any c-structs and any quorums (Lamport, *Generalized Consensus and Paxos* §5).

Sets of acceptors are bit masks, as in :mod:`genpaxos.core.quorum`: a :class:`~genpaxos.core.quorum.QuorumSystem` lists
the minimal classic and fast quorums, and naming those is enough here: a larger R has a lower γ(R), and is in 𝓡 only if
the minimal ones inside it are. How quorums meet is not checked beforehand, so that tests can show why they must.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias

from genpaxos.core.quorum import QuorumError, members_of
from genpaxos.textbook.algebra import V, glb, lub

Balnum: TypeAlias = int

Quorums: TypeAlias = Callable[[Balnum], Sequence[int]]
"""The m-quorums of each ballot number m, as bit masks."""


@dataclass(frozen=True)
class BallotArray(Generic[V]):
    """β (§5.1): for each acceptor a, what it voted for in each ballot, and its current ballot."""

    votes: Mapping[int, Mapping[Balnum, V]]
    """β_a[m]; a ballot that is missing is ``none``."""
    current: Mapping[int, Balnum]
    """β̂_a: the ballot the acceptor has joined; it will not vote below it any more."""

    def vote(self, acceptor: int, m: Balnum) -> V | None:
        """β_a[m], or None."""
        return self.votes.get(acceptor, {}).get(m)

    def votes_at(self, acceptors: int, m: Balnum) -> dict[int, V]:
        """β_a[m] of those of the acceptors that have one."""
        votes = {a: self.vote(a, m) for a in members_of(acceptors)}
        return {a: vote for a, vote in votes.items() if vote is not None}


def is_chosen_at(value: V, m: Balnum, beta: BallotArray[V], quorums: Quorums) -> bool:
    """§5.1: v is *chosen at* m iff v ⊑ β_a[m] for all a of some m-quorum."""
    supporters = {a for a in beta.votes if (vote := beta.vote(a, m)) is not None and value <= vote}
    return any(supporters.issuperset(members_of(quorum)) for quorum in quorums(m))


def is_choosable_at(value: V, m: Balnum, beta: BallotArray[V], quorums: Quorums) -> bool:
    """§5.1: v is *choosable at* m iff v ⊑ β_a[m] for all a of some m-quorum that have β̂_a > m.

    The others may vote for it yet. If v is not choosable at m, it will never have been chosen at m.
    """

    def may_support(acceptor: int) -> bool:
        vote = beta.vote(acceptor, m)
        return beta.current.get(acceptor, -1) <= m or (vote is not None and value <= vote)

    return any(all(may_support(a) for a in members_of(quorum)) for quorum in quorums(m))


def is_safe_at(value: V, m: Balnum, beta: BallotArray[V], quorums: Quorums, values: Collection[V]) -> bool:
    """§5.1: v is *safe at* m iff it extends every c-struct that is choosable at a ballot below m.

    ``values`` are the c-structs to try; ballots are numbered from 0.
    """
    return all(w <= value for k in range(m) for w in values if is_choosable_at(w, k, beta, quorums))


def proved_safe(asked: int, m: Balnum, beta: BallotArray[V], quorums: Quorums) -> list[V]:
    """ProvedSafe(Q, m, β) (§5.3.2), without duplicates: every c-struct in it is safe at m.

    - k = the highest ballot below m in which an acceptor of Q = ``asked`` has voted;
    - 𝓡 = the k-quorums R with β_a[k] ≠ none for all a ∈ Q ∩ R: those that may have chosen something at k;
    - γ(R) = ⊓ {β_a[k] : a ∈ Q ∩ R}, which extends whatever R may have chosen; Γ = {γ(R) : R ∈ 𝓡};
    - ProvedSafe = {⊔Γ}, or if 𝓡 = ∅ all votes of Q at k: nothing can have been chosen at k, and votes are safe.

    All acceptors of Q must have joined m. Raises :class:`~genpaxos.textbook.algebra.IncompatibleError` if Γ is not
    compatible, which the quorum requirements (§5.3.1) exclude, and ``ValueError`` if nobody in Q voted below m.
    """
    earlier = [k for a in members_of(asked) for k in beta.votes.get(a, {}) if k < m]
    if not earlier:
        raise ValueError(f"no acceptor of {members_of(asked)} has voted below ballot {m}; they begin with ⊥ in one")
    votes = beta.votes_at(asked, max(earlier))
    gammas = gamma(votes, asked, quorums(max(earlier)))
    return [lub(gammas)] if gammas else list(dict.fromkeys(votes.values()))


def gamma(votes: Mapping[int, V], asked: int, quorums: Iterable[int]) -> list[V]:
    """Γ: γ(R) for every R ∈ 𝓡, given the votes of Q = ``asked`` at k and the k-quorums.

    Raises :class:`~genpaxos.core.quorum.QuorumError` if a k-quorum does not meet Q: it may have chosen anything.
    """
    meeting = [members_of(quorum & asked) for quorum in quorums]
    if not all(meeting):
        raise QuorumError(f"a quorum of the ballot has no acceptor in common with {members_of(asked)}")
    return [glb(votes[a] for a in members) for members in meeting if all(a in votes for a in members)]
