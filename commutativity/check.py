"""Checking a table against the operations: every pair in a small scope, then Hypothesis beyond it.

Two commands that the table lets commute must, from every state, leave the same state and get each its own
result in both orders; that is what makes one command history stand for all its orders (protocol.md §2). A
check in a scope is no proof for all states, but wrong cells show in small states.
"""

from __future__ import annotations

from commutativity.machine import Machine
from commutativity.pairs import Cell, all_cells
from commutativity.report import CheckReport, Verdict
from commutativity.scope import Scope
from commutativity.search import Search
from commutativity.survey import Progress, Survey
from commutativity.trial import Difference, Fault, FaultFound, Trials

__all__ = ["CheckReport", "Progress", "Scope", "Verdict", "check"]


def check(
    machine_type: type[Machine],
    *,
    scope: Scope | None = None,
    examples: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
) -> CheckReport:
    """Check that what the table and the footprints call commuting commutes.

    Tries every pair of small commands in every state near the start (``scope``), so the counterexample
    reported is the smallest; then ``examples`` larger ones that Hypothesis draws from ``seed`` and shrinks. A
    fault of an operation (an undeclared exception, a result that is not JSON, two answers from one state)
    ends the check.

    Raises ``TypeError`` when the machine has no operations or its ``check_values`` fit none.
    """
    if not machine_type.operations:
        raise TypeError(f"{machine_type.__name__} has no operations to check")
    survey = Survey(machine_type, scope or Scope(), progress or _silent)
    fault: Fault | None = None
    search: Search | None = None
    found = None
    try:
        trials = Trials(machine_type)
        survey.run(trials)
        found = survey.found
        if found is None:
            search = Search(machine_type, trials, progress or _silent)
            found = search.run(examples, seed)
    except FaultFound as ended:
        fault = ended.fault
    return _report(machine_type, scope or Scope(), survey, search, found or survey.found, fault)


def _silent(phase: str, done: int, total: int) -> None:
    """No progress is shown."""


def _report(
    machine_type: type[Machine],
    scope: Scope,
    survey: Survey,
    search: Search | None,
    found: tuple[Difference, tuple[Cell, ...]] | None,
    fault: Fault | None,
) -> CheckReport:
    table = machine_type.table
    witnesses = survey.witnesses()
    counterexample, cells = found or (None, ())
    wrong = survey.wrong().union(cells if search is not None else ())
    undeclared = (name for name, made in machine_type.operations.items() if made.declaration.is_undeclared(name, table))
    return CheckReport(
        machine=machine_type.__name__,
        table=table,
        verdicts={
            cell: _verdict(table.interferes(*cell), cell in survey.met, cell in witnesses, cell in wrong)
            for cell in all_cells(table)
        },
        witnesses=witnesses,
        counterexample=counterexample,
        counterexample_cells=cells,
        fault=fault,
        undeclared=tuple(undeclared),
        depth=scope.depth,
        states=survey.states,
        pairs=survey.pairs,
        commuting_pairs=survey.commuting_pairs,
        examples=0 if search is None else search.examples,
        complete=survey.complete,
    )


def _verdict(interferes: bool, met: bool, witnessed: bool, wrong: bool) -> Verdict:
    if wrong:
        return Verdict.WRONG
    if not met:
        return Verdict.UNEXERCISED
    if not interferes:
        return Verdict.COMMUTES
    return Verdict.INTERFERES if witnessed else Verdict.OVER_CAUTIOUS
