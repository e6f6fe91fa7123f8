"""A machine with large results."""

from __future__ import annotations

from commutativity import CommutativityTable, Machine, operation


class Shelf(Machine):
    table = CommutativityTable("""
             get  put
        get   .    x
        put   x    x
    """)

    def __init__(self) -> None:
        self.parts: list[str] = []

    @operation(everything="put")
    def put(self, part: str) -> None:
        self.parts.append(part)

    @operation(everything="get")
    def get(self) -> str:
        return "".join(self.parts)
