"""One question to one replica, blocking, with a deadline: what the command line and notebooks ask."""

import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import zmq

from genpaxos.errors import GenpaxosError, RemoteProtocolError
from genpaxos.runtime import wire
from genpaxos.runtime.config import ClusterConfig
from genpaxos.runtime.connections import dealer, new_context
from genpaxos.runtime.greeter import Expected
from genpaxos.runtime.options import seconds


class NoAnswer(GenpaxosError):  # noqa: N818
    """The replica did not answer in time, or says it cannot."""


class WrongReplica(NoAnswer):
    """A replica of another cluster answers there: what it says is not told."""


def ask(address: str, question: str, *details: Any, timeout_s: float = 2.0) -> Any:
    """The answer of the replica at ``address``. Raises :class:`NoAnswer`."""
    return ask_all([address], question, *details, timeout_s=timeout_s)[0]


def ask_any(config: ClusterConfig, question: str, *details: Any, timeout_s: float = 2.0) -> tuple[int, Any]:
    """The first answer any replica gives, with its number. Raises :class:`NoAnswer` if none does."""
    answers = ask_cluster(config, question, *details, timeout_s=timeout_s, enough=1)
    for node, answer in enumerate(answers):
        if not isinstance(answer, NoAnswer):
            return node, answer
    for answer in answers:
        if isinstance(answer, WrongReplica):
            raise answer
    raise NoAnswer(f"none of the {len(answers)} replicas answered within {timeout_s:g} s: are they running?")


def ask_cluster(
    config: ClusterConfig,
    question: str,
    *details: Any,
    timeout_s: float = 2.0,
    nodes: Iterable[int] | None = None,
    enough: int | None = None,
) -> list[Any]:
    """Ask the replicas of a cluster, all or ``nodes``, as :func:`ask_each` does.

    A :class:`WrongReplica` stands for each whose address belongs to another cluster by now.
    """
    asked = range(len(config.replicas)) if nodes is None else nodes
    addresses = [config.replica(node).address for node in asked]
    return ask_each(addresses, question, *details, timeout_s=timeout_s, enough=enough, expected=Expected.of(config))


def ask_node(config: ClusterConfig, node: int, question: str, *details: Any, timeout_s: float = 2.0) -> Any:
    """The answer of one replica of a cluster. Raises :class:`NoAnswer`."""
    (answer,) = ask_cluster(config, question, *details, timeout_s=timeout_s, nodes=[node])
    if isinstance(answer, NoAnswer):
        raise answer
    return answer


def ask_all(addresses: list[str], question: str, *details: Any, timeout_s: float = 2.0) -> list[Any]:
    """The answers of all. Raises :class:`NoAnswer` if one is missing."""
    answers = ask_each(addresses, question, *details, timeout_s=timeout_s)
    for answer in answers:
        if isinstance(answer, NoAnswer):
            raise answer
    return answers


def ask_each(
    addresses: list[str],
    question: str,
    *details: Any,
    timeout_s: float = 2.0,
    enough: int | None = None,
    expected: Expected | None = None,
) -> list[Any]:
    """Ask all at once; a :class:`NoAnswer` stands for each that did not answer. Stops early at ``enough`` answers.

    Never takes longer than ``timeout_s``. Whoever answers is believed unless it is said which cluster is ``expected``.
    """
    timeout_s = seconds("timeout_s", timeout_s)
    token = secrets.randbits(48)
    payload = wire.dumps([question, token, *details])
    answers: list[Any] = [NoAnswer(f"no answer from {address} within {timeout_s:g} s") for address in addresses]
    context = new_context(len(addresses))
    try:
        sockets = {dealer(context, address): node for node, address in enumerate(addresses)}
        poller = zmq.Poller()
        waiting, count = dict(sockets), 0
        for socket in sockets:
            poller.register(socket, zmq.POLLIN | zmq.POLLOUT)
        end_s = time.monotonic() + timeout_s
        while waiting and count < (enough or len(addresses)):
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                break
            for socket, ready in poller.poll(int(left_s * 1000) + 1):
                if ready & zmq.POLLOUT:
                    with suppress(zmq.Again):  # it was connected, and is no more: when it is again, it is asked
                        socket.send(payload, zmq.NOBLOCK)
                        poller.register(socket, zmq.POLLIN)
                elif socket in waiting and (found := _answer(socket, token)) is not None:
                    node = waiting.pop(socket)
                    answer, card = found
                    wrong = None if expected is None else expected.difference(addresses[node], card)
                    answers[node] = answer if wrong is None else WrongReplica(wrong)
                    count += not isinstance(answers[node], WrongReplica)
    finally:
        context.destroy(linger=0)
    return answers


def _answer(socket: "zmq.Socket[bytes]", token: int) -> tuple[Any, dict[str, Any]] | None:
    """The answer, and the card of whoever gave it (:mod:`genpaxos.runtime.greeter`)."""
    try:
        match wire.loads(socket.recv(zmq.NOBLOCK)):
            case ["answer", found, value, dict(card)] if found == token:
                return value, card
            case ["answer", found, value] if found == token:
                return value, {}
            case ["error", why]:
                return NoAnswer(str(why)), {}
    except RemoteProtocolError as error:
        return NoAnswer(f"what answered is no replica: {error}"), {}
    return None
