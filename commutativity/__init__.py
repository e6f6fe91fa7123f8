"""Declare which operations of a program commute, check it, and explain it. Needs nothing of a network. ::

from commutativity import CommutativityTable, Machine, operation
"""

from commutativity.command import JSON, Command, InvalidCommand, OperationError, UnrepresentableResult
from commutativity.declared import UnknownOperationError
from commutativity.footprint import WHOLE, Footprint
from commutativity.interference import InterferenceIndex, interferes
from commutativity.machine import Machine
from commutativity.operation import Operation, operation
from commutativity.table import CommutativityTable, TableError

__all__ = [
    "JSON",
    "WHOLE",
    "Command",
    "CommutativityTable",
    "Footprint",
    "InterferenceIndex",
    "InvalidCommand",
    "Machine",
    "Operation",
    "OperationError",
    "TableError",
    "UnknownOperationError",
    "UnrepresentableResult",
    "interferes",
    "operation",
]
