"""The machines of the flows: their tables make the c-struct (protocol §2)."""

from commutativity import CommutativityTable, Machine, operation


class Value(Machine):
    """Every two commands interfere, so the history is a sequence: one value per instance, the first in Basic Paxos."""

    table = CommutativityTable("""
                choose
        choose     x
    """)

    def __init__(self) -> None:
        self.chosen: list[str] = []

    @operation(everything="choose")
    def choose(self, value: str) -> str:
        """Propose a value; the answer is the first one that was chosen."""
        self.chosen.append(value)
        return self.chosen[0]
