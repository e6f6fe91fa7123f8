"""Registers on three replica processes: reads of one register commute, a write waits for them: ``python
examples/register.py``.

The machine itself is ``genpaxos/examples/register.py``.
"""

import asyncio

from rich.console import Console

from genpaxos import LocalCluster
from genpaxos.examples.register import Registers


async def main() -> None:
    console = Console()
    async with LocalCluster(Registers, replicas=3) as cluster:
        client = await cluster.client()
        await client.submit(Registers.write("A", "1"))
        await client.submit_many([Registers.read("A"), Registers.read("B"), Registers.read("A")])
        await client.submit(Registers.write("A", "2"))
        value = await client.submit(Registers.read("A"))
        console.print(f"A holds {value}")
        console.print(cluster.history())


if __name__ == "__main__":
    asyncio.run(main())
