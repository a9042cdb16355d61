"""The code blocks of Markdown pages, and what comments before them say of how they are run."""
import os
import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Shown, not run. Everything else is, or says why not.
SHOWN = {"text", "math", "mermaid", "json", "ini", "cmake", "cpp", "yaml", "latex", "html", "dockerfile", "lua"}
SHELL, PYTHON = {"bash", "sh", ""}, {"python"}
# <!-- not run: why -->              not at all
# <!-- small: why, --width ... -->   sweeps of small networks, and few of them; at the head of a page: all its blocks
# <!-- exit code: 4 -->              the block ends so, not with 0
# <!-- before: command -->           is run first, and not shown
# <!-- file: name -->                the block is this file's text
MARKS = ("not run", "small", "exit code", "before", "file")


@dataclass
class Block:
    page: str
    line: int
    language: str
    text: str
    marks: dict = field(default_factory=dict)

    @property
    def place(self):
        return f"{self.page}:{self.line}"


# Its examples, in four languages, have a test of their own: tests/cli/test_python.py.
ELSEWHERE = {"reading.md"}


def pages():
    return [ROOT / "README.md", *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.name not in ELSEWHERE)]


def blocks(path):
    """The page's blocks in order, fenced ones and those indented by four spaces, which are shell commands."""
    name, lines = os.path.relpath(path, ROOT), path.read_text().splitlines()
    found, marks, page_marks, in_list, previous = [], {}, {}, False, ""
    at = 0

    def add(line, language, body):
        nonlocal marks
        found.append(Block(name, line, language, textwrap.dedent("\n".join(body)) + "\n", {**page_marks, **marks}))
        marks = {}

    while at < len(lines):
        line = lines[at]
        fence = re.match(r"\s*(`{3,}|~{3,})\s*([\w+-]*)", line)
        if fence:
            end = at + 1
            while end < len(lines) and not re.match(rf"\s*{fence[1]}\s*$", lines[end]):
                end += 1
            add(at + 1, fence[2].lower(), lines[at + 1:end])
            at = end + 1
            continue
        if line.startswith("    ") and line.strip() and not in_list and (not previous.strip() or previous.startswith("<!--")):
            end = at
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            add(at + 1, "", lines[at:end])
            at, previous = end, ""
            continue
        mark = re.fullmatch(r"<!-- ([a-z ]+): (.+) -->", line.strip())
        if mark and mark[1] in MARKS:
            marks.setdefault(mark[1], mark[2])
        elif line.startswith("#") and not found and "small" in marks:
            page_marks, marks = marks, {}  # above the title: of the whole page
        elif line.strip() and not line.strip().startswith("<!--"):
            if marks:
                raise AssertionError(f"{name}:{at + 1}: a comment about a block, and no block after it: {marks}")
            if not line.startswith(" "):
                in_list = bool(re.match(r"([-*+]|\d+\.) ", line))
        previous = line
        at += 1
    return found
