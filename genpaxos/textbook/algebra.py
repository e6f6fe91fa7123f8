"""What a c-struct is, and what must hold of it (Lamport, *Generalized Consensus and Paxos* §3.3).

A *c-struct set* has a bottom ⊥ and an operator • that appends a command; all else is defined from these two:

- ``v • σ``: the commands of the sequence σ appended one by one; ``Str(P) = {⊥ • σ : σ ∈ Seq(P)}``;
- ``v ⊑ w`` (v is a *prefix* of w, w *extends* v) iff ``w = v • σ`` for some σ;
- ``v ⊓ w``: the greatest lower bound; ``v ⊔ w``: the least upper bound;
- v and w are *compatible* iff they have a common upper bound; a set is iff any two of its elements are;
- v *contains* C iff ``v = ⊥ • σ • C • τ`` for some σ and τ.

:class:`CStruct` is one value; each c-struct set computes these directly. :class:`Scope` computes them by the
definitions, over a finite set of commands: the axioms are stated on it, and the tests compare the two.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable
from functools import reduce
from itertools import combinations
from typing import Generic, Self, TypeAlias, TypeVar

Command: TypeAlias = str
"""A command's id. A command occurs in a c-struct at most once: appending it again changes nothing."""


class IncompatibleError(ValueError):
    """A least upper bound was asked for of c-structs that have no upper bound in common."""

    def __init__(self, one: "CStruct", other: "CStruct") -> None:
        super().__init__(f"{one!r} and {other!r} are not compatible: no c-struct extends both")


class CStruct(ABC):
    """An immutable value of a c-struct set. Both operands of an operator are of the same set."""

    __slots__ = ()

    @abstractmethod
    def bottom(self) -> Self:
        """⊥ of this c-struct set."""

    @abstractmethod
    def append(self, command: Command) -> Self:
        """v • C."""

    @property
    @abstractmethod
    def commands(self) -> tuple[Command, ...]:
        """A shortest σ with ``⊥ • σ = v``, always the same one."""

    @abstractmethod
    def __le__(self, other: Self) -> bool:
        """v ⊑ w."""

    @abstractmethod
    def __and__(self, other: Self) -> Self:
        """v ⊓ w."""

    @abstractmethod
    def compatible(self, other: Self) -> bool:
        """Whether some c-struct extends both."""

    @abstractmethod
    def _join(self, other: Self) -> Self:
        """v ⊔ w of compatible v and w."""

    def __or__(self, other: Self) -> Self:
        """v ⊔ w. Raises :class:`IncompatibleError` if there is none."""
        if not self.compatible(other):
            raise IncompatibleError(self, other)
        return self._join(other)

    def __lt__(self, other: Self) -> bool:
        """v ⊏ w."""
        return self <= other and self != other

    def extend(self, commands: Iterable[Command]) -> Self:
        """v • σ."""
        return reduce(lambda value, command: value.append(command), commands, self)

    def contains(self, command: Command) -> bool:
        """Whether ``v = ⊥ • σ • C • τ`` for some σ and τ."""
        return command in self.commands

    def is_constructible_from(self, commands: Collection[Command]) -> bool:
        """v ∈ Str(P)."""
        return set(self.commands) <= set(commands)


V = TypeVar("V", bound=CStruct)


def glb(values: Iterable[V]) -> V:
    """⊓ of at least one c-struct."""
    return reduce(lambda one, other: one & other, values)


def lub(values: Iterable[V]) -> V:
    """⊔ of at least one c-struct. Raises :class:`IncompatibleError` if there is none."""
    return reduce(lambda one, other: one | other, values)


def are_compatible(values: Iterable[V]) -> bool:
    """Whether any two of the c-structs are compatible (by CS3 they then have an upper bound together)."""
    return all(one.compatible(other) for one, other in combinations(values, 2))


class Scope(Generic[V]):
    """A c-struct set over finitely many commands, and §3.3 by its definitions: from ⊥ and • alone, by enumeration.

    ``values`` is what the c-struct set is said to be; CS0 and CS1 ask whether ⊥ and • make just that.
    """

    def __init__(self, bottom: V, commands: Iterable[Command], values: Iterable[V]) -> None:
        self.bottom = bottom
        self.commands = tuple(commands)
        self.values = tuple(dict.fromkeys(values))
        self._place = {value: place for place, value in enumerate(self.values)}
        self._appended = [[self._place.get(value.append(c), -1) for c in self.commands] for value in self.values]
        everything = range(len(self.commands))
        # Sets of values are bit masks: value number i is bit 1 << i.
        self._above = [self._closure(place, everything) for place in range(len(self.values))]
        self._below = [sum(1 << low for low, above in enumerate(self._above) if above >> i & 1) for i in self._places]

    @property
    def _places(self) -> range:
        return range(len(self.values))

    def _closure(self, start: int, commands: Iterable[int]) -> int:
        """``{v • σ : σ ∈ Seq(P)}``, for the value numbered ``start``."""
        found, todo = 1 << start, [start]
        while todo:
            appended = self._appended[todo.pop()]
            for place in (appended[command] for command in commands):
                if place >= 0 and not found >> place & 1:
                    found |= 1 << place
                    todo.append(place)
        return found

    def constructible(self, commands: Collection[Command]) -> set[V]:
        """Str(P)."""
        chosen = [place for place, command in enumerate(self.commands) if command in commands]
        made = self._closure(self._place[self.bottom], chosen)
        return {value for place, value in enumerate(self.values) if made >> place & 1}

    def is_prefix(self, v: V, w: V) -> bool:
        """v ⊑ w: ∃ σ: w = v • σ."""
        return bool(self._above[self._place[v]] >> self._place[w] & 1)

    def compatible(self, v: V, w: V) -> bool:
        """∃ u: v ⊑ u and w ⊑ u."""
        return bool(self._above[self._place[v]] & self._above[self._place[w]])

    def glb(self, v: V, w: V) -> V | None:
        """v ⊓ w: the lower bound that extends every lower bound; None if there is none."""
        bounds = self._below[self._place[v]] & self._below[self._place[w]]
        return self._first(lambda place: bounds >> place & 1 and self._below[place] == bounds)

    def lub(self, v: V, w: V) -> V | None:
        """v ⊔ w: the upper bound that every upper bound extends; None if there is none."""
        bounds = self._above[self._place[v]] & self._above[self._place[w]]
        return self._first(lambda place: bounds >> place & 1 and self._above[place] == bounds)

    def contains(self, v: V, command: Command) -> bool:
        """∃ u: v = u • C • τ (every u is ⊥ • σ, by CS1)."""
        chosen = self.commands.index(command)
        behind = {appended[chosen] for appended in self._appended if appended[chosen] >= 0}
        return any(self._above[place] >> self._place[v] & 1 for place in behind)

    def pairs(self) -> list[tuple[V, V]]:
        """All pairs of values, each once, a value with itself too."""
        return [(v, w) for place, v in enumerate(self.values) for w in self.values[place:]]

    def is_closed(self) -> bool:
        """Whether every v • C is one of the values."""
        return all(place >= 0 for appended in self._appended for place in appended)

    def _first(self, wanted: Callable[[int], object]) -> V | None:
        return next((self.values[place] for place in self._places if wanted(place)), None)


def cs0(scope: Scope[V]) -> bool:
    """CS0: v • C is a c-struct for every c-struct v and command C."""
    return scope.is_closed()


def cs1(scope: Scope[V]) -> bool:
    """CS1: CStruct = Str(Cmd)."""
    return scope.constructible(scope.commands) == set(scope.values)


def cs2(scope: Scope[V]) -> bool:
    """CS2: ⊑ is a partial order. It is reflexive and transitive by its definition; here it is also antisymmetric."""
    return not any(scope.is_prefix(v, w) and scope.is_prefix(w, v) for v, w in scope.pairs() if v != w)


def cs3(scope: Scope[V]) -> bool:
    """CS3: for every P ⊆ Cmd and all u, v, w in Str(P):

    - v ⊓ w exists and is in Str(P);
    - if v and w are compatible, then v ⊔ w exists and is in Str(P);
    - if {u, v, w} is compatible, then u and v ⊔ w are compatible.
    """
    subsets = [c for size in range(len(scope.commands) + 1) for c in combinations(scope.commands, size)]
    made = [scope.constructible(subset) for subset in subsets]
    friends = {v: {u for u in scope.values if scope.compatible(u, v)} for v in scope.values}
    for v, w in scope.pairs():
        bounds = [scope.glb(v, w)]
        if scope.compatible(v, w):
            bounds.append(scope.lub(v, w))
            if bounds[1] is None or not friends[v] & friends[w] <= friends[bounds[1]]:
                return False
        if not all(set(bounds) <= values for values in made if v in values and w in values):
            return False
    return True


def cs4(scope: Scope[V]) -> bool:
    """CS4: if compatible v and w both contain C, then v ⊓ w contains C."""
    for v, w in scope.pairs():
        if scope.compatible(v, w):
            bound = scope.glb(v, w)
            both = [c for c in scope.commands if scope.contains(v, c) and scope.contains(w, c)]
            if both and (bound is None or not all(scope.contains(bound, c) for c in both)):
                return False
    return True


AXIOMS: tuple[Callable[[Scope[CStruct]], bool], ...] = (cs0, cs1, cs2, cs3, cs4)
