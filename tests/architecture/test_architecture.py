"""The picture in docs/architecture.md against the code: which folder includes which."""
import re
import subprocess
import unittest
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text()

# Files outside the folders; they serve all of them.
COMMON = "common"


def arrows(page):
    """folder -> folders that an arrow leads to, as drawn."""
    picture = re.search(r"```mermaid\nflowchart TD\n(.*?)```", page, re.S).group(1)
    drawn = {}
    for line in picture.splitlines():
        found = re.fullmatch(r"\s*(\w+)\[\1: [^\]]+\](?: --> (\w+(?: & \w+)*))?", line)
        assert found, f"not a line of the picture: {line!r}"
        drawn[found[1]] = set(found[2].split(" & ")) if found[2] else set()
    return drawn


def reachable(drawn, start):
    seen, left = set(), list(drawn[start])
    while left:
        if (folder := left.pop()) not in seen:
            seen.add(folder)
            left += drawn[folder]
    return seen


def sources():
    for top in ("include/etastar", "src"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".hpp", ".cpp"):
                inner = path.relative_to(ROOT / top)
                yield path, inner.parts[0] if len(inner.parts) > 1 else COMMON


def folder_of(include, home):
    """Of a quoted include in a file of folder `home`."""
    if include.startswith("etastar/"):
        parts = include.split("/")[1:]
    elif include.startswith("../"):
        parts = include.split("/")[1:]
    else:
        return home
    return parts[0] if len(parts) > 1 else COMMON


def includes():
    """(file, its folder, folder included) for every quoted include."""
    for path, home in sources():
        for include in re.findall(r'^#include "([^"]+)"', path.read_text(), re.M):
            if not (include.startswith("etastar_") or (path.parent / include).exists() or include.startswith(("etastar/", "../"))):
                raise AssertionError(f"{path}: '{include}' is neither beside it nor from the root")
            yield path.relative_to(ROOT), home, folder_of(include, home)


class Picture(unittest.TestCase):
    drawn = arrows(PAGE)

    def test_has_every_folder_and_no_circle(self):
        self.assertEqual(set(self.drawn), {home for _, home in sources()} - {COMMON})
        for folder in self.drawn:
            self.assertNotIn(folder, reachable(self.drawn, folder))

    def test_includes_follow_the_arrows(self):
        against = [f"{path}: {home} -> {to}" for path, home, to in includes()
                   if to not in (home, COMMON) and (home == COMMON or to not in reachable(self.drawn, home))]
        self.assertEqual(against, [])

    def test_every_arrow_is_needed(self):
        used = defaultdict(set)
        for _, home, to in includes():
            used[home].add(to)
        for folder, targets in self.drawn.items():
            self.assertEqual(targets - used[folder], set(), f"arrows of {folder} that no include follows")
            for target in targets:
                others = set().union(*(reachable(self.drawn, other) for other in targets - {target}))
                self.assertNotIn(target, others, f"{folder} reaches {target} over another arrow")

    def test_an_arrow_the_other_way_is_noticed(self):
        turned = {**self.drawn, "io": set(), "trial": self.drawn["trial"] | {"io"}}
        self.assertTrue(any(to not in (home, COMMON) and home in turned and to not in reachable(turned, home)
                            for _, home, to in includes()))

    def test_who_may_know_what(self):
        allowed = {"hdf5.h": {"io"}, "mpi.h": {"parallel"}, "cblas.h": {"engine"}, "boost/program_options.hpp": {"command_line"}}
        for path, home in sources():
            for header in re.findall(r"^#include <([^>]+)>", path.read_text(), re.M):
                if header in allowed:
                    self.assertIn(home, allowed[header], f"{path} includes {header}")

    def test_libraries_have_their_folders(self):
        cmake = (ROOT / "src/CMakeLists.txt").read_text()
        for names, folders in re.findall(r"^\| (`etastar_\w+`[^|]*) \| ([\w, ]+) \|", PAGE, re.M):
            library = re.match(r"`(\w+)`", names)[1]
            listed = re.search(rf"add_library\({library} STATIC\n(.*?)\)", cmake, re.S).group(1)
            found = {line.split("/")[0] for line in listed.split() if "/" in line}
            self.assertEqual(found, set(folders.split(", ")), library)

    def test_files_named_on_the_page_exist(self):
        for name in re.findall(r"`([\w/]+\.(?:hpp|cpp|py|md))`", PAGE):
            self.assertTrue((ROOT / name).exists() or (ROOT / "include/etastar" / name).exists(), name)


class Page(unittest.TestCase):
    def test_is_one_page(self):
        self.assertLess(len(PAGE.splitlines()), 120)


if __name__ == "__main__":
    unittest.main()
