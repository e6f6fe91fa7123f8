"""What has been chosen, judged on all votes ever sent, and the invariants about it.

A :class:`Book` is the part of the global state that no replica holds: it sees every vote at once, so that each subset
of the votes, which is what some learner may have, is covered by monotonicity: what a subset chooses, the whole has
chosen.
"""

from collections.abc import Sequence
from functools import cache
from itertools import permutations
from typing import NamedTuple

from commutativity import InterferenceIndex
from genpaxos.core.ballot import ZERO, Ballot, BallotKind
from genpaxos.core.policies import rules_of
from genpaxos.core.quorum import QuorumSystem, mask_of
from genpaxos.explore.observations import Deeds, Pairs, Vote
from genpaxos.explore.scope import Cells, Scope


class Broken(AssertionError):  # noqa: N818  # not an error of the program: it is what the explorer looks for
    """An invariant does not hold."""


Key = tuple[int, str, int]
"""Step, command and digest of a vote."""

Votes = tuple[tuple[Key, int], ...]
"""With the masks of the acceptors that voted so."""


class Outlook(NamedTuple):
    """What an acceptor may still do, now or after a restart."""

    ballot: int
    """The number of the lowest ballot it may vote in."""
    step: int
    decreed: frozenset[str]
    """What it has adopted in that ballot, and votes for no more."""

    def may_vote(self, ballot: Ballot, vote: Key) -> bool:
        """Whether it may yet cast a vote in a ballot."""
        step, command, _ = vote
        if self.ballot != ballot.number:
            return self.ballot < ballot.number
        return self.step <= step and command not in self.decreed


class Page(NamedTuple):
    """One ballot."""

    kind: BallotKind | None = None
    base: Pairs | None = None
    """V[1..recovered], what the coordinator started with; ``None`` if it has not, or if no lower ballot can choose."""
    decrees: Pairs = ()
    votes: Votes = ()
    adopted: tuple[int, ...] = ()


class Book(NamedTuple):
    """The whole ledger."""

    pages: tuple[Page, ...]
    chosen: tuple[tuple[str, int, int], ...] = ()
    """Commands with their digest and the lowest ballot that chose them."""
    log: tuple[tuple[str, int, int], ...] = ()
    """The committed decrees, likewise."""
    said: tuple[Ballot, ...] = ()
    """Per acceptor, the highest ballot it told others that it promised."""


class Ledger:
    """Brings a book up to date."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._ballots = scope.ballot_list()
        self._number = {ballot: index for index, ballot in enumerate(self._ballots)}
        self._classic = QuorumSystem.majority(scope.acceptors)
        self._footprints = {name: Cells.admit(body[0], body[1]) for name, body in scope.command_list()}
        self._fits = cache(self._compatible)
        self.first = Book((Page(),) * scope.ballots, said=(ZERO,) * scope.acceptors if scope.crashes else ())

    def after(self, book: Book, deeds: Deeds) -> Book:
        """The book with a step's deeds; :class:`Broken` if they break an invariant."""
        if deeds.led is not None:
            book = self._led(book, *deeds.led)
        for vote in deeds.voted:
            book = self._voted(book, deeds.node, vote)
        if book.said:
            book = self._said(book, deeds.node, deeds.promised)
        log = [(command, digest) for command, digest, _ in book.log]
        if list(deeds.committed) != log[: len(deeds.committed)]:
            raise Broken(f"replica {deeds.node} commits {shown(deeds.committed)}; chosen is {shown(log)}")
        known = {(command, digest) for command, digest, _ in book.chosen}
        for pair in deeds.learned:
            if pair not in known:
                raise Broken(f"replica {deeds.node} learned {shown([pair])}, which is not chosen")
        return book

    def forgotten(self, book: Book, node: int, promised: Ballot) -> None:
        """:class:`Broken` if a replica that restarted has promised less than it said."""
        if promised < book.said[node]:
            raise Broken(f"replica {node} has promised {promised} after its restart; it had said {book.said[node]}")

    def pruned(self, book: Book, outlook: Sequence[Outlook]) -> Book:
        """The book without what no later vote can make a choice of, given what each acceptor may still do."""
        pages: list[Page] = []
        live_below = False
        for index, (ballot, page) in enumerate(zip(self._ballots, book.pages, strict=True)):
            able = sum(1 << a for a, ahead in enumerate(outlook) if ahead.ballot <= ballot.number)
            votes = self._live_votes(book, index, outlook)
            adopted = self._live_adopted(book, index, able)
            live = bool(votes or adopted) or self._classic.is_classic(able) or self._is_fast(ballot, page.kind, able)
            base = page.base if live_below else None
            pages.append(Page(page.kind if live else None, base, page.decrees if live else (), votes, adopted))
            live_below |= live
        return book._replace(pages=tuple(pages))

    # Deeds ----------------------------------------------------------------------------------------------------------

    def _led(self, book: Book, ballot: Ballot, kind: BallotKind, recovered: int, decrees: Pairs) -> Book:
        index = self._number[ballot]
        page = book.pages[index]
        if page.decrees and page.decrees != decrees[: len(page.decrees)]:
            raise Broken(f"ballot {ballot} decreed {shown(page.decrees)}, and now {shown(decrees)}")
        fresh = page.kind is None
        page = page._replace(kind=kind, decrees=decrees, base=decrees[:recovered] if fresh else page.base)
        book = _with_page(book, index, page)
        if fresh:
            for position, (command, digest, below) in enumerate(book.log):
                if below < index:
                    self._check_index(position, command, digest, below, index, decrees[:recovered])
            for command, digest, below in book.chosen:
                self._check_base(command, digest, below, index, decrees[:recovered])
        return self._adopted(book, index, ballot.coordinator, len(decrees))

    def _voted(self, book: Book, node: int, vote: Vote) -> Book:
        index = self._number[vote.ballot]
        page = book.pages[index]
        if page.kind is not None and rules_of(page.kind).acceptors_vote and vote.votes:
            votes = dict(page.votes)
            for command, digest in vote.votes:
                key = (vote.step, command, digest)
                votes[key] = votes.get(key, 0) | 1 << node
            book = _with_page(book, index, page._replace(votes=tuple(sorted(votes.items()))))
            for command, digest in vote.votes:
                if self._is_fast(vote.ballot, page.kind, votes[vote.step, command, digest]):
                    book = self._chosen(book, command, digest, index)
        return self._adopted(book, index, node, vote.adopted)

    def _adopted(self, book: Book, index: int, node: int, adopted: int) -> Book:
        page = book.pages[index]
        marks = list(page.adopted or (0,) * self._scope.acceptors)
        if adopted <= marks[node]:
            return book
        marks[node] = adopted
        book = _with_page(book, index, page._replace(adopted=tuple(marks)))
        agreed = min(self._classic.agreed_index(marks), len(page.decrees))
        for position in range(agreed):
            command, digest = page.decrees[position]
            book = self._log(book, position, command, digest, index)
        return book

    def _said(self, book: Book, node: int, ballot: Ballot) -> Book:
        if ballot == ZERO:
            return book
        if ballot < book.said[node]:
            raise Broken(f"replica {node} takes part in {ballot} after it had said that it promised {book.said[node]}")
        return book._replace(said=(*book.said[:node], ballot, *book.said[node + 1 :]))

    # Choices --------------------------------------------------------------------------------------------------------

    def _log(self, book: Book, position: int, command: str, digest: int, index: int) -> Book:
        if position < len(book.log):
            old, expected, lowest = book.log[position]
            if (old, expected) != (command, digest):
                raise Broken(
                    f"index {position + 1} is chosen as {shown([(old, expected)])} in ballot {self._ballots[lowest]} "
                    f"and as {shown([(command, digest)])} in {self._ballots[index]}"
                )
            if index >= lowest:
                return book
        for above in range(index + 1, len(book.pages)):
            base = book.pages[above].base
            if base is not None:
                self._check_index(position, command, digest, index, above, base)
        log = (*book.log[:position], (command, digest, index), *book.log[position + 1 :])
        return self._chosen(book._replace(log=log), command, digest, index)

    def _chosen(self, book: Book, command: str, digest: int, index: int) -> Book:
        known = {name: (label, lowest) for name, label, lowest in book.chosen}
        if command in known:
            label, lowest = known[command]
            if label != digest:
                raise Broken(
                    f"{command} is chosen with {label:016x} in ballot {self._ballots[lowest]} and with {digest:016x} "
                    f"in {self._ballots[index]}: it follows different commands"
                )
            if lowest <= index:
                return book
        known[command] = (digest, index)
        if not self._fits(tuple(sorted((name, label) for name, (label, _) in known.items()))):
            raise Broken(f"no history holds all that is chosen: {shown([(n, d) for n, (d, _) in known.items()])}")
        for above in range(index + 1, len(book.pages)):
            base = book.pages[above].base
            if base is not None:
                self._check_base(command, digest, index, above, base)
        return book._replace(chosen=tuple(sorted((name, label, low) for name, (label, low) in known.items())))

    def _check_base(self, command: str, digest: int, below: int, index: int, base: Pairs) -> None:
        if below < index and (command, digest) not in base:
            raise Broken(self._lost(command, below, self._ballots[index], base))

    def _check_index(self, position: int, command: str, digest: int, below: int, index: int, base: Pairs) -> None:
        if base[position : position + 1] != ((command, digest),):
            raise Broken(self._lost(f"index {position + 1}, {command},", below, self._ballots[index], base))

    def _lost(self, command: str, below: int, ballot: Ballot, base: Pairs) -> str:
        return f"{command} is chosen in ballot {self._ballots[below]}, but ballot {ballot} started with {shown(base)}"

    def _compatible(self, chosen: Pairs) -> bool:
        """Whether some history gives each of these commands its digest; it may hold others in between."""
        wanted = dict(chosen)
        for order in permutations(self._footprints):
            index = InterferenceIndex(Cells.table)
            left = set(wanted)
            for command in order:
                digest = index.append(command, self._footprints[command])
                if wanted.get(command, digest) != digest:
                    break
                left.discard(command)
                if not left:
                    return True
        return not wanted

    # Pruning --------------------------------------------------------------------------------------------------------

    def _is_fast(self, ballot: Ballot, kind: BallotKind | None, mask: int) -> bool:
        if kind is None or not rules_of(kind).acceptors_vote:
            return False
        return bool(self._classic.for_ballot(kind, ballot.coordinator).fast_table[mask])

    def _live_votes(self, book: Book, index: int, outlook: Sequence[Outlook]) -> Votes:
        """Votes that may yet choose what is not chosen at this ballot or below."""
        ballot, page = self._ballots[index], book.pages[index]
        done = {(command, digest) for command, digest, lowest in book.chosen if lowest <= index}
        return tuple(
            (key, mask)
            for key, mask in page.votes
            if key[1:] not in done
            and self._is_fast(
                ballot, page.kind, mask | mask_of(a for a, o in enumerate(outlook) if o.may_vote(ballot, key))
            )
        )

    def _live_adopted(self, book: Book, index: int, able: int) -> tuple[int, ...]:
        """Adoptions that may yet choose an index."""
        page = book.pages[index]
        most = self._scope.commands if able >> self._ballots[index].coordinator & 1 else len(page.decrees)
        reach = self._classic.agreed_index([most if able >> a & 1 else j for a, j in enumerate(page.adopted)])
        done = sum(1 for _, _, lowest in book.log if lowest <= index)
        return page.adopted if reach > done else ()


def _with_page(book: Book, index: int, page: Page) -> Book:
    return book._replace(pages=(*book.pages[:index], page, *book.pages[index + 1 :]))


def shown(pairs: Sequence[tuple[str, int]]) -> str:
    """Commands with the beginning of their digests."""
    return "[" + ", ".join(f"{command} {digest >> 48:04x}" for command, digest in pairs) + "]"
