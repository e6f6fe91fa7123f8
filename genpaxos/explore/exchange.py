"""States handed from one shard to another: the numbers of the one become those of the other, by what they stand for."""

from typing import Any, NamedTuple

from genpaxos.explore.shard import Shard


class Packet(NamedTuple):
    """States for another shard, with the values that the sender has numbered since its last packet to it."""

    sender: int
    states: list[tuple[bytes, int, int]]
    messages: list[list[Any]]
    images: list[list[Any]]
    disks: list[list[Any]]
    boxes: list[list[Any]]
    books: list[Any]


class Exchange:
    """What one shard exchanges with the others."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        nodes = len(shard.boxes)
        self._sent = [[[0] * 4 for _ in range(nodes)] for _ in range(shard.count)]
        self._sent_books = [0] * shard.count
        self._known = [_Translation(shard) for _ in range(shard.count)]

    def packets(self) -> dict[int, Packet]:
        """What the shard found for others since the last time, by receiver."""
        shard = self._shard
        made = {peer: self._packet(peer) for peer in range(shard.count) if shard.handed[peer]}
        for peer in made:
            shard.handed[peer] = []
        return made

    def receive(self, packet: Packet) -> None:
        """Take in states; those that are new go to the frontier."""
        known, shard = self._known[packet.sender], self._shard
        known.extend(packet)
        for packed, position, cause in packet.states:
            shard.admit(known.state(packed), (packet.sender, position), cause)

    def _packet(self, peer: int) -> Packet:
        shard = self._shard
        fresh: tuple[list[list[Any]], ...] = ([], [], [], [])
        for node, boxes in enumerate(shard.boxes):
            tables: tuple[list[Any], ...] = (
                shard.mailboxes[node].posts,
                boxes.steps.images,
                boxes.steps.disks,
                boxes.values,
            )
            for kind, table in enumerate(tables):
                fresh[kind].append(table[self._sent[peer][node][kind] :])
                self._sent[peer][node][kind] = len(table)
        books = shard.books.values[self._sent_books[peer] :]
        self._sent_books[peer] = len(shard.books)
        return Packet(shard.index, shard.handed[peer], fresh[0], fresh[1], fresh[2], fresh[3], books)


class _Translation:
    """From another shard's numbers to this one's; done when one is first used."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        nodes = range(len(shard.boxes))
        self._messages: list[list[Any]] = [[] for _ in nodes]
        self._images: list[list[Any]] = [[] for _ in nodes]
        self._disks: list[list[Any]] = [[] for _ in nodes]
        self._boxes: list[list[Any]] = [[] for _ in nodes]
        self._books: list[Any] = []
        self._box_numbers: list[dict[int, int]] = [{} for _ in nodes]
        self._book_numbers: dict[int, int] = {}

    def extend(self, packet: Packet) -> None:
        """Take in values."""
        for node in range(len(self._boxes)):
            self._messages[node] += packet.messages[node]
            self._images[node] += packet.images[node]
            self._disks[node] += packet.disks[node]
            self._boxes[node] += packet.boxes[node]
        self._books += packet.books

    def state(self, packed: bytes) -> tuple[int, ...]:
        """A state in this shard's numbers."""
        *boxes, book, used = self._shard.unpacked(packed)
        return (*[self._box(node, box) for node, box in enumerate(boxes)], self._book(book), used)

    def _book(self, number: int) -> int:
        found = self._book_numbers.get(number)
        if found is None:
            found = self._book_numbers[number] = self._shard.books.number(self._books[number])
        return found

    def _box(self, node: int, number: int) -> int:
        found = self._box_numbers[node].get(number)
        if found is None:
            image, disk, inbox = self._boxes[node][number]
            posts = self._messages[node]
            boxes, mailbox = self._shard.boxes[node], self._shard.mailboxes[node]
            bits = sum(1 << mailbox.bit(*posts[bit]) for bit in range(inbox.bit_length()) if inbox >> bit & 1)
            steps = boxes.steps
            place = (steps.admit(self._images[node][image]), steps.admit_disk(self._disks[node][disk]))
            found = self._box_numbers[node][number] = boxes.box(*place, bits)
        return found
