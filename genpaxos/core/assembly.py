"""A state that arrives in chunks from another replica (protocol §8)."""

from genpaxos.core.journal import DamageError
from genpaxos.core.messages import SnapshotChunk
from genpaxos.core.snapshot import State, parse


class Assembly:
    """A state that arrives from one peer in chunks. Two peers' states at one index differ in what ran ahead."""

    def __init__(self) -> None:
        self.sender: int | None = None
        """Whose state is being received; ``None`` if none is."""
        self.index = 0
        self._size = 0
        self._parts: list[bytes] = []
        self._received = 0

    @property
    def place(self) -> tuple[int | None, int, int]:
        """Whose state at which index is coming, and how much of it is here."""
        return self.sender, self.index, self._received

    @property
    def wanted(self) -> int:
        """The offset of the next chunk."""
        return self._received

    def take(self, sender: int, chunk: SnapshotChunk) -> State | None:
        """Take a chunk; the whole state when it was the last, and nothing in between was damaged."""
        whole = self.add(sender, chunk.index, chunk.offset, chunk.size, chunk.data)
        try:
            return None if whole is None else parse(whole)
        except DamageError:  # damaged on the sender's disk or on the way: the clock asks again, perhaps another replica
            return None

    def add(self, sender: int, index: int, offset: int, size: int, data: bytes) -> bytes | None:
        """Take a chunk; the bytes of the state when it was the last. One that does not follow is passed over."""
        if offset == 0 and (sender, index) != (self.sender, self.index):
            self.sender, self.index, self._size, self._parts, self._received = sender, index, size, [], 0
        if (sender, index, offset, size) != (self.sender, self.index, self._received, self._size) or not data:
            return None
        self._parts.append(data)
        self._received += len(data)
        if self._received < size:
            return None
        whole = b"".join(self._parts)
        self.drop()
        return whole

    def drop(self) -> None:
        """Forget what has arrived."""
        self.sender, self.index, self._size, self._parts, self._received = None, 0, 0, [], 0
