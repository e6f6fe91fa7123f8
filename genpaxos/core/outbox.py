"""The records of one replica that are not durable yet: whoever changes what must outlive a crash writes it here."""

from genpaxos.core.effects import Effects
from genpaxos.core.records import CommitIndex, Record

UNWRITTEN_RECORDS_MAX = 256
"""Records that nothing which left the machine rests on yet; beyond it they are written all the same."""


class Outbox:
    """Between the roles and the owner's disk."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        """In the order in which they were made."""
        self.committed = 0
        """The commit index that was last written."""

    def append(self, record: Record) -> None:
        """To be durable before anything leaves that rests on it."""
        self.records.append(record)

    def take(self) -> list[Record]:
        """What is not written yet; it is to be written now."""
        records, self.records = self.records, []
        return records

    def start(self, committed: int) -> None:
        """Stable storage holds so much as committed."""
        self.committed = committed

    def load(self, records: list[Record], committed: int) -> None:
        """Take up what :attr:`records` and :attr:`committed` were."""
        self.records, self.committed = records, committed

    def write(self, committed: int, effects: Effects) -> None:
        """All records so far must be durable before what leaves now; a step that sends nothing needs no sync.

        What is captured stands for the records too. Those that followed the new state must not be written without it:
        replayed on the old one, decrees would come to stand at indices that are not theirs.
        """
        if not (effects.leaves or effects.capture or len(self.records) > UNWRITTEN_RECORDS_MAX):
            return
        effects.records = self.take()
        if effects.capture:
            effects.records, self.committed = [], committed
        elif effects.records and committed > self.committed:
            self.committed = committed
            effects.records.append(CommitIndex(committed))
