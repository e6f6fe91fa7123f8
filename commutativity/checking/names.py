"""Names that differ as text and that a program may take for one: what to put in place of the names of two commands.

A table tells commands apart by their names as they are written. A program that folds names (case, spaces, Unicode
composition, length, numbers) makes one of two of them, and then commands meet that the table says do not.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

LENGTHS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 300)
"""Names that agree in so many characters: cut off anywhere below, they are one."""
SEPARATORS: Final = (
    "/",
    ":",
    ".",
    "-",
    "_",
    ",",
    "|",
    "@",
    "#",
    "+",
    "=",
    ";",
    " ",
    "?",
    "&",
    "~",
    "$",
    "%",
    "\t",
    "\0",
)
INTEGERS: Final = (2, 3, 4, 5, 7, 8, 10, 12, 16, 24, 32, 60, 64, 100, 128, 256, 1000, 1024, 65_536, 2**31, 2**32)
"""What a program could reduce numbers by."""

_SAME: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "case": (
        ("a", "A"), ("é", "É"), ("ß", "SS"), ("ß", "ss"), ("\u212a", "k"), ("ſ", "s"), ("İ", "i̇"), ("ς", "σ"),
        ("aB", "Ab"), ("a b", "A B"), ("a@b", "a@B"), ("a@b", "A@b"), ("ä", "Ä"), ("я", "Я"),
    ),
    "spaces": (
        ("a", " a"), ("a", "a "), ("a", "a\t"), ("a", "a\n"), ("a", "a\r"), ("a b", "a  b"), ("a b", "ab"),
        ("a b", "a\tb"), ("a b", "a\u00a0b"), ("a", "\u00a0a"), ("a", "a\u3000"), ("a", "a\u200b"), ("a", "a\0"),
        ("a", "\ufeffa"), ("", " "), ("a", "  a  "), ("a\r\nb", "a\nb"),
    ),
    "composition": (
        ("é", "e\u0301"), ("\u212b", "Å"), ("\uac00", "\u1100\u1161"), ("ﬁ", "fi"), ("Ａ", "A"), ("①", "1"),
        ("²", "2"), ("é", "e"), ("ö", "oe"), ("é", "ü"), ("aé", "aü"), ("é", ""), ("日", "本"), ("☺", "☺\ufe0f"),
        ("ø", "o"), ("a\u0323\u0307", "a\u0307\u0323"), ("a—b", "a-b"), ("“a”", '"a"'),
    ),
    "numbers": (
        ("1", "01"), ("1", "1.0"), ("1", "+1"), ("1", " 1"), ("10", "1_0"), ("10", "1e1"), ("3", "٣"), ("0", "-0"),
        ("1", "true"), ("1.5", "1.50"), ("1", "0x1"), ("1", "1.4"), ("1", "001"), ("1000", "1,000"), ("a1", "a01"),
        ("0", ""), ("1", "-1"), ("a1", "a2"),
    ),
    "words": (
        ("true", "True"), ("yes", "true"), ("on", "true"), ("no", "false"), ("", "none"), ("", "null"), ("", "0"),
        ("", "default"), ("a", ""),
    ),
    "punctuation": (
        ("a-b", "a_b"), ("a-b", "ab"), ("a_b", "a b"), ("a-b", "a b"), ("a.b", "ab"), ("a.b", "a_b"), ("a", "a."),
        ("a", "a!"), ("a", "#a"), ("a", "@a"), ("a", "+a"), ("a", '"a"'), ("a", "'a'"), ("a", "-a"), ("a", "_a"),
        ("a", "(a)"), ("a", "a,"), ("a", "$a"), ("a", "*a"), ("a", "a;"), ("aB", "a_b"), ("aB", "a-b"),
    ),
    "paths": (
        ("a", "a/"), ("a", "/a"), ("a", "./a"), ("a/b", "a//b"), ("a/b", "b"), ("a/b", "a/c"), ("a/../b", "b"),
        ("a\\b", "a/b"), ("a.b", "a.c"), ("a.b", "c.b"), ("a/b", "a/./b"), ("~", "a"),
    ),
    "escapes": (
        ("a", "%61"), ("a b", "a+b"), ("a b", "a%20b"), ("a&b", "a&amp;b"), ("http://a", "https://a"),
        ("http://a", "a"), ("www.a", "a"), ("a@b.c", "a+x@b.c"), ("a.b@c.d", "ab@c.d"), ("+1 23", "123"),
        ("a\\n", "a\n"),
    ),
    "dates and numbers of things": (
        ("2024-01-01", "20240101"), ("2024-01-01", "2024-1-1"),
        ("127.0.0.1", "127.000.0.1"), ("::1", "0:0:0:0:0:0:0:1"),
        ("00000000-0000-0000-0000-00000000000a", "0000000000000000000000000000000a"),
        ("00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000A"),
    ),
    "parts": (
        ("ab", "ba"), ("a b", "b a"), ("aa", "a"), ("ab", "ac"), ("ab", "cb"), ("xay", "xby"), ("abc", "xyz"),
        *(("a", letter) for letter in "bcdefghijklmnopq"),
    ),
}  # fmt: skip


def folds(names: Iterable[str], separators: Iterable[str], lengths: Iterable[int]) -> Iterator[tuple[str, str]]:
    """Pairs of names, each once. ``names`` are the program's own, ``lengths`` its constants."""
    yield from dict.fromkeys(_folds(tuple(names), tuple(separators), tuple(lengths)))


def _folds(names: tuple[str, ...], separators: tuple[str, ...], lengths: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    for pairs in _SAME.values():
        yield from pairs
    for length in (*LENGTHS, *(n + more for n in lengths if 1 < n <= 2000 for more in (-1, 0))):
        yield "x" * length + "a", "x" * length + "b"
    for length in (1, 2, 4, 8, 16, 64, 300):
        yield "a" + "x" * length, "b" + "x" * length
    for separator in dict.fromkeys((*SEPARATORS, *separators)):
        yield "a", f"a{separator}b"
        yield "b", f"a{separator}b"
    for name in names:
        yield "a", name
        yield from ((name, other) for other in _spelt_otherwise(name))
        yield from ((f"{name}a", "a"), (f"a{name}", "a")) if name else ()
    yield from itertools.combinations(names, 2)


def _spelt_otherwise(name: str) -> list[str]:
    spellings = [
        name.swapcase(),
        name.upper(),
        name.title(),
        f" {name}",
        f"{name} ",
        unicodedata.normalize("NFD", name),
    ]
    return [other for other in dict.fromkeys(spellings) if other != name]


def numbers(limits: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Pairs of integers that a program may take for one: by sign, remainder, quotient or bound."""
    known = tuple(dict.fromkeys((*limits, *INTEGERS)))
    yield from ((1, -1), (0, -1), (1, 2), (0, 1), (2, 3))
    for n in known:
        yield from ((1, 1 + n), (n + 1, n + 2), (-n - 1, -n - 2), (n, n - 1), (1, n), (-1, n - 1))
