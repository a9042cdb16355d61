"""An installed copy, in a folder that has been moved, without the source tree: program, manual pages, completions, tools, libraries;
and the recipes in packaging/."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["ETASTAR_BUILD"])
CMAKE = os.environ.get("CMAKE", "cmake")


def run(*command, code=0, **options):
    options = {"capture_output": True, "text": True, "timeout": 120, **options}
    result = subprocess.run([os.fspath(word) for word in command], **options)
    if result.returncode != code:
        raise AssertionError(f"{command}: {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = Path(tempfile.mkdtemp(prefix="etastar-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        run(CMAKE, "--install", BUILD, "--prefix", cls.dir / "first")
        # Nothing remembers where it was installed.
        cls.prefix = (cls.dir / "first").rename(cls.dir / "moved prefix")
        cls.etastar = cls.prefix / "bin" / "etastar"

    @classmethod
    def commands(cls):
        return re.findall(r"^  (?!etastar)([a-z]+) ", run(cls.etastar, "--help"), re.M)

    def options(self, command):
        return set(re.findall(r"^  (?:-[a-z] \[ )?(--[a-z-]+)", run(self.etastar, command, "--help"), re.M))

    def test_program(self):
        self.assertRegex(run(self.etastar, "--version", cwd="/"), r"^etastar \d+\.\d+\.\d+ ")
        jobs = Path(run(self.etastar, "--data-folder", cwd="/").strip()) / "jobs"
        self.assertEqual(jobs.parents[2], self.prefix.resolve())
        self.assertTrue(os.access(jobs / "sweep.sbatch", os.R_OK))
        self.assertIn("networks", run(self.etastar, "plan", "--config", jobs / "demo.cfg"))
        for page in ("README.md", "docs/install.md", "docs/science.md", "CITATION.cff"):
            self.assertTrue((self.prefix / "share/doc/etastar" / page).is_file(), page)
        self.assertFalse((self.prefix / "share/doc/etastar/docs/measurements").exists())

    def test_figures_with_any_python(self):
        run(self.etastar, "sweep", "--width", "32", "--depth", "2,4", "--seeds", "20", "--output", self.dir / "run.h5")
        # A python3 without NumPy comes first on PATH.
        bare = self.dir / "bare"
        bare.mkdir()
        (bare / "python3").write_text(f'#!/bin/sh\nexec {os.path.realpath(sys.executable)} -I -S "$@"\n')
        (bare / "python3").chmod(0o755)
        run(self.prefix / "bin/etastar-plot", self.dir / "run.h5", "-o", self.dir / "figures",
            env={**os.environ, "PATH": f"{bare}:{os.environ['PATH']}"})
        self.assertTrue((self.dir / "figures" / "eta_star.png").is_file())

    def test_manual_pages(self):
        pages = sorted((self.prefix / "share/man/man1").iterdir())
        self.assertEqual({page.name for page in pages}, {"etastar.1", *(f"etastar-{name}.1" for name in self.commands())})
        if shutil.which("mandoc"):
            self.assertEqual(run("mandoc", "-T", "lint", "-W", "warning", *pages), "")
        if shutil.which("man"):
            for page in pages:
                result = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True,
                                        env={**os.environ, "MANPAGER": "cat", "MANWIDTH": "100", "LC_ALL": "C.UTF-8"})
                self.assertEqual((result.returncode, result.stderr), (0, ""), page)
        # Every option that --help shows has an entry.
        for command in self.commands():
            text = (self.prefix / f"share/man/man1/etastar-{command}.1").read_text().replace("\\-", "-")
            for option in self.options(command):
                self.assertIn(option, text, command)

    def complete_bash(self, *words):
        """What bash offers for the last word."""
        script = (f'source "{self.prefix}/share/bash-completion/completions/etastar"; compopt() {{ :; }}; COMP_WORDS=("$@"); '
                  'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _etastar; printf "%s\\n" "${COMPREPLY[@]}"')
        return set(run("bash", "-c", script, "bash", *words, cwd=self.dir).split("\n")) - {""}

    def test_bash_completion(self):
        (self.dir / "table one.h5").touch()
        self.assertEqual(self.complete_bash("etastar", "s"), {"sweep", "status", "selftest"})
        self.assertLessEqual(set(self.commands()), self.complete_bash("etastar", ""))
        self.assertEqual(self.complete_bash("etastar", "sweep", "--wei"), {"--weight-variance", "--weight-budget"})
        self.assertEqual(self.complete_bash("etastar", "sweep", "--engine", ""), {"implicit", "dense"})
        self.assertEqual(self.complete_bash("etastar", "sweep", "--engine", "=", "d"), {"dense"})
        self.assertEqual(self.complete_bash("etastar", "sweep", "--engine", "="), {"implicit", "dense"})
        self.assertEqual(self.complete_bash("etastar", "theory", "--activation", "ge"), {"gelu"})
        self.assertEqual(self.complete_bash("etastar", "sweep", "--seeds", ""), set())
        self.assertEqual(self.complete_bash("etastar", "fit", "table"), {"table one.h5"})
        self.assertEqual(self.complete_bash("etastar", "sweep", "--output", "table"), {"table one.h5"})
        self.assertEqual(self.complete_bash("etastar", "sweep", "--data", "l"), {"linear"})
        self.assertEqual(self.complete_bash("etastar", "completion", ""), {"bash", "zsh"})
        self.assertIn("stable", self.complete_bash("etastar", "fit", "--criterion", ""))
        # Every option that --help shows is offered.
        for command in self.commands():
            self.assertEqual(self.options(command), self.complete_bash("etastar", command, "--"), command)

    def test_zsh_completion(self):
        script = self.prefix / "share/zsh/site-functions/_etastar"
        self.assertTrue(script.read_text().startswith("#compdef etastar\n"))
        if not shutil.which("zsh"):
            self.skipTest("no zsh here")
        run("zsh", "-n", script)
        try:
            for end in os.openpty():
                os.close(end)
        except OSError as error: # a root without /dev/pts
            self.skipTest(f"no pseudo-terminal here: {error}")
        # What a user sees who presses the tabulator.
        typed = (self.dir / "type.zsh")
        typed.write_text(f"""
            zmodload zsh/zpty
            zpty -b shell zsh -f
            say() {{ zpty -w shell "$1" }}
            until_text() {{ local line all; repeat 200; do
                while zpty -r shell line; do all+=$line; done
                [[ $all == *${{~1}}* ]] && return
                sleep 0.02
            done; print -r -- "nothing like $1 in: $all"; exit 1 }}
            say 'fpath=("{script.parent}" $fpath); autoload -U compinit; compinit -u -d "{self.dir}/dump"; PROMPT=; bindkey "^I" complete-word; print rea""dy'
            until_text ready
            zpty -w -n shell $'etastar sweep --engine=den\\t --first-se\\t'
            until_text 'engine=dense*first-seed*='
            print good
        """)
        self.assertIn("good", run("zsh", "-f", typed))

    def test_library(self):
        """The example, copied out of the installation, in a build of its own."""
        source = Path(shutil.copytree(self.prefix / "share/etastar/examples/library", self.dir / "mine"))
        run(CMAKE, "-S", source, "-B", source / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}", "-DCMAKE_BUILD_TYPE=Debug",
            "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror")
        run(CMAKE, "--build", source / "build")
        self.assertRegex(run(source / "build/depth_law"), r"fit: eta\* ~ L\^-1\.[45]\d+, .* exact theory L\^-1\.5")

    def test_headers(self):
        """All that are installed, without the source tree, in an order in which few find what they need in one before."""
        headers = sorted((self.prefix / "include").rglob("*.hpp"), reverse=True)
        self.assertGreater(len(headers), 30)
        unit = self.dir / "headers.cpp"
        unit.write_text("".join(f'#include "{header}"\n' for header in headers))
        run("c++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I", self.prefix / "include", unit)

    def test_run_path(self):
        """Names no folder of the build or of the source."""
        told = run("readelf", "-d", self.etastar)
        self.assertNotIn(str(BUILD), told)
        self.assertNotIn(str(ROOT), told)


if __name__ == "__main__":
    unittest.main()
