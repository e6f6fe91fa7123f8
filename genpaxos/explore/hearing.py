"""Phase 2b messages, and what a replica may remember of them.

A replica remembers votes, watermarks and reports until something follows from them. Here it forgets them after every
step, and may instead hear any combination of those in the network at once: what a real replica remembers is always such
a combination. So they are no part of its state. A message is taken apart for this: a *watermark* for every index up to
the one it tells, a *vote* for each command, and, where acceptors order commands, a *report* for every prefix of the
tail. Each part by itself is something the acceptor said, or could have said when it had come only so far.
"""

from collections.abc import Iterable
from itertools import combinations as combinations_of
from itertools import permutations, product

from genpaxos.core.ballot import Ballot, Policy
from genpaxos.core.messages import Phase1b, Phase2b
from genpaxos.core.quorum import QuorumSystem, mask_of
from genpaxos.explore.observations import Facts
from genpaxos.explore.scope import Scope

VOTE = 1 << 30
"""``start`` of a vote that is no report: no tail is known so far that it could continue."""

Bits = tuple[int, ...]

Part = tuple[int, int, Phase2b]
"""Bit, sender and message."""


def parts_of(message: Phase2b, *, reports: bool) -> list[Phase2b]:
    """What a phase 2b message says, one by one."""
    ballot, ids, digests, adopted, step = message.ballot, message.ids, message.digests, message.adopted, message.step
    parts = [Phase2b(ballot, [], [], index) for index in range(1, adopted + 1)]
    parts += [Phase2b(ballot, [c], [d], 0, VOTE, step) for c, d in zip(ids, digests, strict=True)]
    if reports:
        parts += [Phase2b(ballot, ids[:k], digests[:k], adopted, 0, step) for k in range(1, len(ids) + 1)]
    return parts


def is_report(part: Phase2b) -> bool:
    """Whether a part is of a tail, and in its order."""
    return bool(part.ids) and part.start != VOTE


def may_matter(node: int, facts: Facts, part: Phase2b, scope: Scope) -> bool:
    """Whether a part can still have an effect on a replica in a state, or in one that comes after it."""
    if part.ballot < facts.watching:
        return False
    now = part.ballot == facts.watching
    if not part.ids:
        return not now or part.adopted > facts.committed
    if part.ballot < facts.promised:
        return False
    leads = facts.leading if now else part.ballot.coordinator == node
    if part.start == VOTE:
        if scope.acceptors_order:
            return leads and not (now and part.ids[0] in facts.decreed)
        return not (now and part.ids[0] in facts.settled)
    if scope.policy_of(part.ballot) is Policy.UNCOORDINATED:
        collides = scope.commands - part.adopted > 1  # one command alone has one digest behind V[1..adopted]
        return collides and part.step == 0 and not (now and (facts.step > 0 or part.adopted < facts.length))
    if facts.leading and part.adopted >= facts.length:
        return True
    return any(
        b.coordinator == node and facts.accepted < b and facts.promised <= b <= part.ballot for b in scope.ballot_list()
    )


def combinations(facts: Facts, parts: Iterable[Part]) -> list[Bits]:
    """What may be heard at once, such that every combination does what some of these do one after another.

    Watermarks and votes only count up: with more of them the same happens or more, so all that speak for one thing come
    together. Of reports, any one per acceptor may be known; also those of a higher ballot, if only to show that they
    are not taken for reports of this one.
    """
    watermarks: dict[int, list[int]] = {}
    votes: dict[tuple[object, ...], list[int]] = {}
    reports: dict[Ballot, dict[int, list[Bits]]] = {}
    for bit, sender, part in parts:
        if is_report(part):
            if part.ballot >= facts.watching and (part.adopted, part.step) == (facts.length, facts.step):
                reports.setdefault(part.ballot, {}).setdefault(sender, [()]).append((bit,))
        elif part.ballot != facts.watching:
            continue
        elif not part.ids:
            watermarks.setdefault(part.adopted, []).append(bit)
        else:
            votes.setdefault((part.step, part.ids[0], part.digests[0]), []).append(bit)
    together = [joined(chosen) for chosen in product(*(((), tuple(bits)) for bits in votes.values()))]
    known = [joined(chosen) for told in reports.values() for chosen in product(*told.values())]
    return list(dict.fromkeys([(), *map(tuple, watermarks.values()), *together, *known]))


def joined(chosen: Iterable[Bits]) -> Bits:
    """All bits of several."""
    return tuple(sorted(bit for bits in chosen for bit in bits))


def quorums(node: int, promises: Iterable[tuple[int, int, Phase1b]], system: QuorumSystem, *, pins: bool) -> list[Bits]:
    """Reports of classic quorums that a coordinator in phase 1 may have when it goes on to phase 2, in their order.

    It starts with the first that are a quorum; only while it has to catch up with a commit index that one of them tells
    do more come in. Their order matters where it pins those that were the first.
    """
    by_sender: dict[int, list[tuple[int, Phase1b]]] = {}
    for bit, sender, promise in promises:
        by_sender.setdefault(sender, [])
        by_sender[sender].append((bit, promise))
    found: list[Bits] = []
    for size in range(1, len(by_sender) + 1):
        for senders in combinations_of(sorted(by_sender), size):
            if not system.is_classic(mask_of([node, *senders])):
                continue
            minimal = size == 0 or not any(
                system.is_classic(mask_of([node, *(s for s in senders if s != out)])) for out in senders
            )
            for chosen in product(*(by_sender[sender] for sender in senders)):
                if minimal:
                    found.append(tuple(bit for bit, _ in chosen))
                elif any(promise.committed for _, promise in chosen):
                    bits = tuple(bit for bit, _ in chosen)
                    found.extend(permutations(bits) if pins else [bits])
    return found
