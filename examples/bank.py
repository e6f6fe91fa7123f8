"""A bank on three replica processes, and what they agreed on: ``python examples/bank.py``.

The machine itself is ``genpaxos/examples/bank.py``.
"""

import asyncio

from rich.console import Console

from genpaxos import LocalCluster
from genpaxos.examples.bank import Bank


async def main() -> None:
    console = Console()
    async with LocalCluster(Bank, replicas=3) as cluster:
        client = await cluster.client()
        await client.submit_many([Bank.deposit("alice", 10), Bank.deposit("bob", 7), Bank.deposit("alice", 5)])
        moved = await client.submit(Bank.transfer("alice", "bob", 3))
        cents = await client.submit(Bank.total())
        console.print(f"alice had the money: {moved}; {cents} cents in all accounts")
        console.print(cluster.history())


if __name__ == "__main__":
    asyncio.run(main())
