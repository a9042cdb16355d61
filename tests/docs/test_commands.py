"""Every command and every Python snippet of README.md and docs/*.md, as a reader would type them: a page's blocks in order, in a
copy of the checkout, with etastar on PATH (README: not before it says so). pages.py has the comments that say otherwise."""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from pages import PYTHON, ROOT, SHELL, SHOWN, blocks, pages

BINARY = Path(os.environ["ETASTAR_BINARY"]).resolve()
LAUNCHER = shlex.split(os.environ.get("MPIEXEC", "mpirun"))[0]
# What the checkout has beside sources.
COPIED = ["bench", "docs", "examples", "jobs", "packaging", "python", "tools", "CITATION.cff", "README.md"]
# A block's shell leaves its environment and its folder to the next.
STATE = """if [[ -e "$STATE" ]]; then source "$STATE"; fi
trap 'code=$?; { export -p; printf "cd %q\\n" "$PWD"; } >"$STATE"; exit $code' EXIT
set -eo pipefail
"""
# Sweeps whose networks are narrow, shallow and few; all else as on the page.
SMALL = """#!/bin/bash
words=()
while (($#)); do
    case $1 in
        --width | --depth | --seeds) if [[ ${words[0]} == sweep ]]; then shift; else words+=("$1"); fi ;;
        *) words+=("$1") ;;
    esac
    shift
done
if [[ ${words[0]} == sweep ]]; then words+=(OPTIONS); fi
exec BINARY "${words[@]}"
"""


class Reader:
    """A folder, an environment, and what has been run there."""

    def __init__(self, page):
        self.top = Path(tempfile.mkdtemp(prefix="etastar-docs-"))
        self.folder, self.bin = self.top / "etastar", self.top / "bin"
        (self.folder / "build/release/bin").mkdir(parents=True)
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            elif (ROOT / name).exists():
                shutil.copy(ROOT / name, self.folder / name)
        (self.folder / "build/release/bin/etastar").symlink_to(BINARY)
        self.bin.mkdir()
        self.write("python3", f'#!/bin/bash\nexec {sys.executable} "$@"\n')
        self.write("mpirun", f'#!/bin/bash\nexec {LAUNCHER} "$@"\n')
        if page != "README.md":
            self.write("etastar", f'#!/bin/bash\nexec {BINARY} "$@"\n')
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("OMPI_", "PRTE_", "ETASTAR_", "PYTHONPATH"))}
        self.environment.update(PATH=f"{self.bin}:{os.environ['PATH']}", HOME=str(self.top), STATE=str(self.top / "state"),
                                MPLCONFIGDIR=str(self.top))
        if page != "README.md":
            self.environment.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                                    OMPI_MCA_rmaps_base_oversubscribe="1", PRTE_MCA_rmaps_default_mapping_policy=":oversubscribe")

    def write(self, name, text):
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run(self, text, timeout=300):
        return subprocess.run(["bash", "-c", STATE + text], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout)


class Commands(unittest.TestCase):
    """A test a page, made below."""

    def read(self, path):
        page = str(path.relative_to(ROOT))
        todo, left_out, ran = blocks(path), [], 0
        reader = Reader(page)
        self.addCleanup(shutil.rmtree, reader.top, ignore_errors=True)
        for block in todo:
            if "not run" in block.marks:
                left_out.append(f"{block.place}: not run: {block.marks['not run']}")
                continue
            if "file" in block.marks:
                (reader.folder / block.marks["file"]).write_text(block.text)
                continue
            if block.language in SHOWN:
                continue
            if block.language in SHELL:
                text = block.text
            elif block.language in PYTHON:
                text = f"python3 - <<'END_OF_SNIPPET'\n{block.text}\nEND_OF_SNIPPET\n"
            else:
                self.fail(f"{block.place}: nothing here runs {block.language}; say <!-- not run: why --> before it")
            if "small" in block.marks:
                options = re.search(r"--.*", block.marks["small"])
                text_of = SMALL.replace("OPTIONS", options[0] if options else "--width 16,24 --depth 4,8 --seeds 2")
                reader.write("etastar", text_of.replace("BINARY", str(BINARY)))
            if "before" in block.marks:
                first = reader.run(f"({block.marks['before']})")
                self.assertEqual(first.returncode, 0, f"{block.place}, before it: {first.stdout}")
            result = reader.run(text)
            self.assertEqual(result.returncode, int(block.marks.get("exit code", 0)),
                             f"{block.place}\n{block.text}prints\n{result.stdout[-3000:]}")
            ran += 1
        print(f"{page}: {ran} blocks run", *left_out, sep="\n  ", flush=True)


for path in pages():
    name = "test_" + path.stem.lower().replace("-", "_")
    setattr(Commands, name, lambda self, path=path: self.read(path))


class Blocks(unittest.TestCase):
    """The reader of pages itself."""

    def test_blocks(self):
        folder = Path(tempfile.mkdtemp(prefix="etastar-docs-"))
        self.addCleanup(shutil.rmtree, folder)
        page = folder / "page.md"
        page.write_text("# Title\n\ntext\n\n    first\n\n    still first\n\n- item\n\n    of the item\n\ntext\n\n<!-- not run: why not -->\n"
                        "```python\nx = 1\n```\n\n<!-- exit code: 4 -->\n<!-- before: touch x -->\n\n```bash\nfalse\n```\n1. item\n"
                        "   ```math\n   y\n   ```\n")
        found = blocks(page)
        self.assertEqual([(block.language, block.text) for block in found],
                         [("", "first\n\nstill first\n\n"), ("python", "x = 1\n"), ("bash", "false\n"), ("math", "y\n")])
        self.assertEqual([block.marks for block in found],
                         [{}, {"not run": "why not"}, {"exit code": "4", "before": "touch x"}, {}])
        page.write_text("<!-- small: minutes -->\n# Title\n\n    a\n\n<!-- not run: b -->\ntext\n")
        with self.assertRaisesRegex(AssertionError, "no block after it"):
            blocks(page)
        page.write_text("<!-- small: minutes -->\n# Title\n\n    a\n\n<!-- not run: b -->\n    b\n")
        self.assertEqual([block.marks for block in blocks(page)],
                         [{"small": "minutes"}, {"small": "minutes", "not run": "b"}])

    def test_a_page_that_fails(self):
        reader = Reader("README.md")
        self.addCleanup(shutil.rmtree, reader.top)
        self.assertEqual(reader.run("etastar --version").returncode, 127)
        self.assertEqual(reader.run('export PATH="$PWD/build/release/bin:$PATH"; mkdir x; cd x').returncode, 0)
        self.assertEqual(reader.run("[[ $PWD == */x ]] && etastar --version").returncode, 0)
        self.assertEqual(reader.run("false | cat\ntrue").returncode, 1)
        self.assertEqual(reader.run("etastar fit absent.h5").returncode, 3)


if __name__ == "__main__":
    unittest.main()
