"""Who waits at this replica for the result of which command, and what they are told."""

from genpaxos.core.commands import Proposals
from genpaxos.core.effects import Effects, Route
from genpaxos.core.executor import Executor
from genpaxos.core.ids import split_id
from genpaxos.core.messages import Reply
from genpaxos.core.sessions import ENDED, Result

FORGOTTEN: Result = [
    "genpaxos.ResultForgotten",
    "the command was executed, and its client acknowledged having the result",
]


class Answers:
    """Each client is answered once for each time it asks."""

    def __init__(self, executor: Executor, proposals: Proposals) -> None:
        self.routes: dict[str, Route] = {}
        """Who waits for the result of which command here."""
        self._executor = executor
        self._proposals = proposals

    def reset(self) -> None:
        """Nobody waits."""
        self.routes.clear()

    def promise(self, route: Route, ids: list[str], fresh: list[str], effects: Effects) -> None:
        """Keep in mind who asked for these commands; those that have run are answered at once."""
        self.routes.update(dict.fromkeys(fresh, route))
        if len(fresh) == len(ids):
            return
        known = self._proposals.known
        new = set(fresh)
        for command in ids:
            if command in new:
                continue
            if self._executor.has_run(command) or self._proposals.settled(command):
                effects.reply(route, command, self._result(command))
            elif command in known:
                self.routes[command] = route

    def reply(self, ids: list[str], results: list[Result], replies: dict[Route, Reply]) -> None:
        """Answer who waits here for what ran."""
        if not ids or not self.routes:
            return
        forget, answer, before = self.routes.pop, Reply(), None
        for command, result in zip(ids, results, strict=True):
            route = forget(command, None)
            if route is None:
                continue
            if route != before:  # most of them go to one client
                answer, before = replies.setdefault(route, Reply()), route
            answer.ids.append(command)
            answer.results.append(result)

    def reply_settled(self, effects: Effects) -> None:
        """Results that clients wait for here and that came with a snapshot."""
        has_run, settled = self._executor.has_run, self._proposals.settled
        for command in [command for command in self.routes if has_run(command) or settled(command)]:
            effects.reply(self.routes.pop(command), command, self._result(command))

    def _result(self, command: str) -> Result:
        """What is still known of a command that has run, or never will."""
        sessions, (client, first, last) = self._proposals.sessions, split_id(command)
        found = sessions.result(command, client, first, last)
        if found is None:
            found = ENDED if sessions.over(client) else FORGOTTEN
            found = found if first == last else [found] * (last - first + 1)
        return found
