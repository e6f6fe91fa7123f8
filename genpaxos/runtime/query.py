"""One question to one replica, blocking, with a deadline: what the command line and notebooks ask."""

import secrets
import time
from contextlib import suppress
from typing import Any

import zmq

from genpaxos.errors import GenpaxosError
from genpaxos.runtime import wire
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.connections import dealer


class NoAnswer(GenpaxosError):  # noqa: N818
    """The replica did not answer in time, or says it cannot."""


def ask(address: str, question: str, *details: Any, timeout_s: float = 2.0) -> Any:
    """The answer of the replica at ``address``. Raises :class:`NoAnswer`."""
    return ask_all([address], question, *details, timeout_s=timeout_s)[0]


def ask_any(config: ClusterConfig, question: str, *details: Any, timeout_s: float = 2.0) -> tuple[int, Any]:
    """The first answer any replica gives, with its number. Raises :class:`NoAnswer` if none does."""
    addresses = [replica.address for replica in config.replicas]
    answers = ask_each(addresses, question, *details, timeout_s=timeout_s, enough=1)
    for node, answer in enumerate(answers):
        if not isinstance(answer, NoAnswer):
            return node, answer
    raise NoAnswer(f"none of the {len(addresses)} replicas answered within {timeout_s:g} s: are they running?")


def ask_all(addresses: list[str], question: str, *details: Any, timeout_s: float = 2.0) -> list[Any]:
    """The answers of all. Raises :class:`NoAnswer` if one is missing."""
    answers = ask_each(addresses, question, *details, timeout_s=timeout_s)
    for answer in answers:
        if isinstance(answer, NoAnswer):
            raise answer
    return answers


def ask_each(
    addresses: list[str], question: str, *details: Any, timeout_s: float = 2.0, enough: int | None = None
) -> list[Any]:
    """Ask all at once; a :class:`NoAnswer` stands for each that did not answer. Stops early at ``enough`` answers."""
    token = secrets.randbits(48)
    payload = wire.dumps([question, token, *details])
    answers: list[Any] = [NoAnswer(f"no answer from {address} within {timeout_s:g} s") for address in addresses]
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        sockets = {dealer(context, address): node for node, address in enumerate(addresses)}
        poller = zmq.Poller()
        waiting = dict(sockets)
        for socket in sockets:
            poller.register(socket, zmq.POLLIN | zmq.POLLOUT)
        end_s = time.monotonic() + timeout_s
        while waiting and len(addresses) - len(waiting) < (enough or len(addresses)):
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                break
            for socket, ready in poller.poll(int(left_s * 1000) + 1):
                if ready & zmq.POLLOUT:
                    with suppress(zmq.Again):  # it was connected, and is no more: when it is again, it is asked
                        socket.send(payload, zmq.NOBLOCK)
                        poller.register(socket, zmq.POLLIN)
                elif socket in waiting and (answer := _answer(socket, token)) is not None:
                    answers[waiting.pop(socket)] = answer[0]
    finally:
        context.destroy(linger=0)
    return answers


def _answer(socket: "zmq.Socket[bytes]", token: int) -> tuple[Any] | None:
    match wire.loads(socket.recv(zmq.NOBLOCK)):
        case ["answer", found, value] if found == token:
            return (value,)
        case ["error", why]:
            return (NoAnswer(str(why)),)
    return None
