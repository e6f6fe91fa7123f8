"""What the documents and comments refer to is there: sections of the protocol, headings, files, and short decisions."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PROTOCOL = ROOT / "docs" / "protocol.md"
DESIGN = ROOT / "DESIGN.md"
SOURCES = [path for package in ("commutativity", "genpaxos") for path in sorted((ROOT / package).rglob("*.py"))]
TOP_PAGES = ("README.md", "DESIGN.md", "CONTRIBUTING.md", "ARCHITECTURE.md")
PAGES = [*(ROOT / name for name in TOP_PAGES), *sorted((ROOT / "docs").glob("*.md"))]

PAPERS = (
    "Lamport", "Generalized Consensus", "Fast Paxos", "Cheap Paxos", "SwiftPaxos", "Omni-Paxos", "FrankenPaxos", "Raft",
    "MSR-TR",
)  # fmt: skip
"""A section sign behind one of these names is of that paper."""
ABOUT_A_PAPER = ("genpaxos/textbook/",)
"""Folders that follow Lamport's report: a section sign without a name is of the report."""


# Sections of the protocol ---------------------------------------------------------------------------------------------


class Reference(NamedTuple):
    """One section sign in a docstring or comment."""

    file: str
    line: int
    section: str
    part: str
    """What is named behind it: a paragraph, or numbers of steps; empty if nothing is."""


MARK = re.compile(r"§(?P<section>\d+(?:\.\d+)*)")
PART = re.compile(r",? steps? (?P<steps>\d+(?: to \d+)?)|, (?P<name>[A-Z][A-Za-z0-9]*(?: [a-z0-9]+)?(?: \([iv]+\))?)")
NAMED = re.compile(rf"protocol(?:\.md)?|{'|'.join(map(re.escape, PAPERS))}", re.IGNORECASE)


def about_the_protocol(before: str, *, paper: bool) -> bool:
    """Whether a section sign behind this text means the protocol page: unless a paper is named nearer, it does.

    ``paper``: if nothing is named in its sentence, the paper is meant that its folder follows.
    """
    names = NAMED.findall(re.split(r";|\. (?=[A-Z])|\"\"\"", before)[-1])
    return names[-1].lower().startswith("protocol") if names else not paper


def references(path: Path, text: str) -> Iterator[Reference]:
    """The references of one file to the protocol. A sentence may be broken into lines."""
    file = path.relative_to(ROOT).as_posix()
    paper = file.startswith(ABOUT_A_PAPER)
    flat = re.sub(r"\n[ #]*", lambda gap: " " + "\0" * (len(gap[0]) - 1), text)  # as long as before
    for mark in MARK.finditer(flat):
        if about_the_protocol(flat[max(0, mark.start() - 200) : mark.start()].replace("\0", ""), paper=paper):
            part = PART.match(flat[mark.end() :].replace("\0", ""))
            line = text.count("\n", 0, mark.start()) + 1
            yield Reference(file, line, mark["section"], "" if part is None else part["steps"] or part["name"])


def sections(page: str) -> dict[str, str]:
    """The text of each numbered section, its subsections included, by number."""
    found = {}
    headings = list(re.finditer(r"^(#+) (\d+(?:\.\d+)*)\.? .*$", page, re.MULTILINE))
    for place, heading in enumerate(headings):
        others = headings[place + 1 :]
        end = next((other.start() for other in others if len(other[1]) <= len(heading[1])), len(page))
        found[heading[2]] = page[heading.end() : end]
    return found


SECTIONS = sections(PROTOCOL.read_text(encoding="utf-8"))


def resolves(reference: Reference) -> bool:
    text = SECTIONS.get(reference.section)
    if text is None:
        return False
    if reference.part[:1].isdigit():
        return all(re.search(rf"^{number}\. ", text, re.MULTILINE) for number in re.findall(r"\d+", reference.part))
    if not reference.part:
        return True
    name, _, rule = reference.part.partition(" (")
    paragraph = re.search(rf"^\*\*{name}\.\*\*.*?(?=^\*\*|\Z)", text, re.MULTILINE | re.DOTALL)
    number = {"i)": 1, "ii)": 2, "iii)": 3}.get(rule)
    return paragraph is not None and (not rule or f"\n{number}. " in paragraph[0])


REFERENCES = [found for path in SOURCES for found in references(path, path.read_text(encoding="utf-8"))]


def test_references_to_the_protocol_and_to_papers_are_told_apart() -> None:
    def found(text: str, file: str = "genpaxos/x.py") -> list[tuple[str, str]]:
        return [(reference.section, reference.part) for reference in references(ROOT / file, text)]

    assert found('"""Learns (protocol §3, Learning (ii)).') == [("3", "Learning (ii)")]
    assert found("# (protocol.md\n    # §2).") == [("2", "")]
    assert found("(protocol §4.2, §4.3)") == [("4.2", ""), ("4.3", "")]
    assert found("(protocol §5 step 3; *Fast Paxos* rule O4)") == [("5", "3")]
    assert found("(protocol §5, steps 1 to 4)") == [("5", "1 to 4")]
    assert found("(protocol §3; Lamport, *Fast Paxos* §2.2, assumptions 1 and 2)") == [("3", "")]
    assert found("(protocol §5; Omni-Paxos §5, ballot leader election)") == [("5", "")]
    assert found("Lamport, *Generalized Consensus and Paxos* §5.3.2, in counting form") == []
    assert found("§4.2: the greatest common down-closed set") == [("4.2", "")]
    assert found("(*Fast Paxos* §3.1; protocol §3 and §5). From its messages.") == [("3", ""), ("5", "")]
    assert found("β (§5.1): for each acceptor", "genpaxos/textbook/provedsafe.py") == []
    assert len(REFERENCES) > 60


@pytest.mark.parametrize(
    "wrong", ["protocol §0.9", "protocol §3, Teleportation", "protocol §5 step 7", "protocol §3, Learning (iii)"]
)
def test_a_wrong_reference_is_found(wrong: str) -> None:
    (found,) = references(ROOT / "genpaxos" / "x.py", f"# ({wrong}).")
    assert not resolves(found)


def test_every_reference_to_the_protocol_leads_to_a_section() -> None:
    wrong = [
        f"{found.file}:{found.line}: protocol §{found.section} {found.part}".rstrip()
        for found in REFERENCES
        if not resolves(found)
    ]
    assert not wrong, "\n".join(["not in docs/protocol.md:", *wrong])


QUOTING = [ROOT / "tests" / "core" / name for name in ("test_lamport.py", "test_lamport_ballots.py")]


@pytest.mark.parametrize("path", QUOTING, ids=lambda path: path.name)
def test_what_tests_quote_of_the_protocol_is_there_word_for_word(path: Path) -> None:
    quotes = re.findall(
        r"§([\d.]+)(?:, [A-Z][\w ]*| step \d|, step \d)?: \"([^\"]+)\"", path.read_text(encoding="utf-8")
    )
    assert quotes
    for section, quote in quotes:
        text = " ".join(SECTIONS[section].split()).lower()
        for part in quote.split("…"):
            assert part.strip().lower() in text, f"§{section} does not say {part.strip()!r}"


# Headings -------------------------------------------------------------------------------------------------------------


def headings(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ (.+)$", text, re.MULTILINE)


def anchor(heading: str) -> str:
    """What a link to a heading ends with."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_link_to_a_heading_leads_to_one() -> None:
    for page in PAGES:
        for target, name in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
            there = page.parent / target if target else page
            assert name in map(anchor, headings(there)), f"{page.name}: {target}#{name}"


def test_every_decision_that_the_code_names_is_one() -> None:
    titles = headings(DESIGN)
    named = [
        (path, title)
        for path in [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]
        for title in re.findall(
            r"\(DESIGN\.md, \"?([^\")]+)\"?\)|DESIGN\.md, \"([^\"]+)\"", path.read_text(encoding="utf-8")
        )
    ]
    assert named
    for path, (short, long) in named:
        assert (short or long) in titles, f"{path.relative_to(ROOT)}: no decision {short or long!r}"


# Files ----------------------------------------------------------------------------------------------------------------

BASES = ("", "genpaxos/", "tests/", "docs/")
"""A page may leave out where most of what it names is."""
MADE = re.compile(
    r"^(machine|test_machine|client|orders|bank)\.py$|^(cluster|regions)\.toml$|^(etcd|python)/|^data/|^build/|^/|[*<>{}]"
)
"""What users or the program make, and names of other programs."""
ENDS = (".py", ".md", ".toml", ".txt", ".svg", "/")


def named_paths(page: Path) -> Iterator[str]:
    """The files, folders and modules that a page names in backquotes."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for name in re.findall(r"`([^`\s]+)`", text):
        if name.endswith(ENDS) and not MADE.search(name):
            yield name.rstrip("/")
        elif re.fullmatch(r"(?:genpaxos|commutativity|bench)(?:\.[a-z_]+)+", name):
            yield name.replace(".", "/")


def tree(page: Path) -> Iterator[str]:
    """The folders and modules of a drawing of the tree, each by its way from the top."""
    above: dict[int, str] = {}
    for line in page.read_text(encoding="utf-8").split("```")[1].splitlines()[1:]:
        depth = len(line) - len(line.lstrip())
        for name in re.split(r"  +", line.strip())[0].split(", "):
            yield above.get(depth - 2, "") + name.rstrip("/")
        above[depth] = above.get(depth - 2, "") + name


def exists(path: str) -> bool:
    if "/" not in path and path.endswith(".py"):
        return any((ROOT / package).rglob(path) for package in ("genpaxos", "commutativity", "tests", "bench"))
    return any((ROOT / f"{base}{path}{end}").exists() for base in BASES for end in ("", ".py"))


def is_name(path: str) -> bool:
    """Whether something is there, or is the name of a class or function of a module that is."""
    if exists(path):
        return True
    module, _, name = path.rpartition("/")
    files = [ROOT / f"{module}.py", ROOT / module / "__init__.py"]
    return any(file.exists() and re.search(rf"\b{name}\b", file.read_text(encoding="utf-8")) for file in files)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    missing = [path for path in named_paths(page) if not is_name(path)]
    assert not missing


def test_every_room_of_the_tree_is_there() -> None:
    drawn = list(tree(ROOT / "ARCHITECTURE.md"))
    assert {
        "bench/wan",
        "commutativity/value",
        "genpaxos/cli",
        "genpaxos/core/policies",
        "genpaxos/core/voting",
    } <= set(drawn)
    assert not [path for path in drawn if not exists(path)]


def test_the_tree_names_every_room() -> None:
    drawn = set(tree(ROOT / "ARCHITECTURE.md"))
    rooms = {f"genpaxos/{path.parent.name}" for path in (ROOT / "genpaxos").glob("*/__init__.py")}
    assert rooms <= drawn


# Decisions ------------------------------------------------------------------------------------------------------------

LINES_MAX = 10
PARTS = ["Context", "Decision", "Consequence"]


def decisions() -> dict[str, list[str]]:
    """The lines of each decision, by title."""
    text = DESIGN.read_text(encoding="utf-8")
    found = {}
    for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        title, *lines = re.split(r"^## ", part, flags=re.MULTILINE)[0].splitlines()
        assert title not in found, f"two decisions are called {title!r}"
        found[title] = [line for line in lines if line.strip()]
    return found


@pytest.mark.parametrize(("title", "lines"), decisions().items(), ids=decisions())
def test_a_decision_is_short_and_has_three_parts(title: str, lines: list[str]) -> None:
    assert len(lines) <= LINES_MAX, f"{title}: long arguments belong into docs/proofs.md"
    assert max(map(len, lines)) <= 120
    assert re.findall(r"^- \*\*(\w+)\.\*\*", "\n".join(lines), re.MULTILINE) == PARTS


def test_the_contents_list_every_group_of_decisions() -> None:
    text = DESIGN.read_text(encoding="utf-8")
    groups = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert re.findall(r"^- \[(.+?)\]\(#", text.partition("\n## ")[0], re.MULTILINE) == groups


def test_every_dependency_has_its_reason() -> None:
    table = DESIGN.read_text(encoding="utf-8").partition("\n## Dependencies\n")[2]
    declared = re.findall(r'^    "([a-z0-9]+)[>=]', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert declared
    assert [name for name in declared if f"| {name}" not in table] == []


def test_the_architecture_fits_one_page() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) <= 110


# Words ----------------------------------------------------------------------------------------------------------------


def sources() -> list[Path]:
    return [path for folder in ("genpaxos", "commutativity", "bench") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_no_docstring_begins_with_of() -> None:
    """It says what the thing is: "the credit of one connection", not "of one connection"."""
    begins = re.compile(r'^\s*"""Of ', re.MULTILINE)
    assert not [str(path.relative_to(ROOT)) for path in sources() if begins.search(path.read_text(encoding="utf-8"))]


PLAIN = {r"(?<![a-z])mend(s|ed|ing)?(?![a-z])": "fix, heal, correct or reconnect"}
"""Words that a reader of a second language does not take in at once, and what to write."""


@pytest.mark.parametrize("word", PLAIN)
def test_words_are_plain(word: str) -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "Makefile"]
    tests = [path for path in (ROOT / "tests").rglob("*") if path.suffix in (".py", ".txt") and path != Path(__file__)]
    found = [
        str(path.relative_to(ROOT))
        for path in [*sources(), *tests, *pages]
        if path.name != "CHANGELOG.md" and re.search(word, path.read_text(encoding="utf-8"), re.IGNORECASE)
    ]
    assert not found, f"write {PLAIN[word]}"
