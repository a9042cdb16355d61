"""tools/remeasure and docs/measurements: every tie holds, theory's numbers are those of the program, and what is wrong is told."""
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ("tools", "docs")]
import measured
from measured import ANY, About, AtLeast, AtMost, Laboratory, Measured, Page
from support import BINARY, ROOT, Case, run

PROGRAM = ROOT / "tools/remeasure"
ENVIRONMENT = {**os.environ, "ETASTAR_BIN": str(BINARY)}


class Documents(Case):
    """The pages as they are."""

    def test_every_claim_is_in_its_page_once_and_no_number_is_unexplained(self):
        result = run([PROGRAM, "--list"], self.dir, timeout=250, env=ENVIRONMENT)
        complaints = [
            line for line in result.stdout.splitlines() if line.lstrip().startswith("broken") or " is unclaimed: " in line
        ]
        self.assertEqual(complaints, [], "after an edit of a page: mend or add its claim in docs/measurements")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_what_theory_says_is_what_pages_say(self):
        result = run([PROGRAM, "science:4 Exact", "--no-sweeps", "--data", "data", "--all"], self.dir, timeout=250, env=ENVIRONMENT)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertGreater(result.stdout.count("  same  "), 15)
        self.assertNotIn("MOVED", result.stdout)

    def test_names_that_are_none_are_refused(self):
        for arguments in (["nothing"], ["--jobs", "0"]):
            result = run([PROGRAM, *arguments], self.dir, timeout=250, env=ENVIRONMENT)
            self.assertEqual(result.returncode, 2, arguments)


class Vocabulary(unittest.TestCase):
    """Pages of our own, with errors in them."""

    def page(self, text, **options):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "page.md"
        path.write_text(text)
        return Page(str(path), **options)

    def verdicts(self, text, template, values):
        page = self.page(text)
        page.section().says(template, lambda: values)
        return [outcome.verdict for outcome in page.claims[0].check()]

    def test_a_number_is_compared_at_its_digits(self):
        for written, value, verdict in (
            ("1.50", 1.504, "same"),
            ("1.50", 1.506, "MOVED"),
            ("−1.50", -1.4951, "same"),
            ("+0.0003", 0.00034, "same"),
            ("1,200", 1200.4, "same"),
            (r"2.4 \cdot 10^{-5}", 2.44e-5, "same"),
            (r"2.4 \cdot 10^{-5}", 2.46e-5, "MOVED"),
            ("1.5", Measured(1.58, 0.1), "within"),
            ("1.5", Measured(1.68, 0.1), "MOVED"),
            ("1.5", AtMost(1.55), "same"),
            ("1.5", AtMost(1.56), "MOVED"),
            ("1.5", AtLeast(1.44), "MOVED"),
            ("20", About(21, 0.1), "same"),
            ("20", About(25, 0.1), "MOVED"),
            ("7", ANY, None),
        ):
            with self.subTest(written=written, value=value):
                self.assertEqual(self.verdicts(f"It is {written} here.\n", "is {} here", [value]), [verdict] if verdict else [])

    def test_text_that_is_gone_or_there_twice_breaks_a_claim(self):
        self.assertEqual(self.verdicts("It is 2 there.\n", "is {} here", [2]), ["broken"])
        self.assertEqual(self.verdicts("It is 2 here. It is 3 here.\n", "is {} here", [2]), ["broken"])
        self.assertEqual(self.verdicts("It is\n2 here.\n", "is {} here", [2]), ["same"])

    def test_intervals_and_their_open_ends(self):
        open_end = {"value": 1.0, "ci95": [0.9, None]}
        for text, verdicts in (
            ("x 1.0 [0.9, ?].", ["same", "same"]),
            ("x 1.0 [0.9, 1.1].", ["same", "same", "MOVED"]),
            ("x 1.0 [?, ?].", ["same", "MOVED"]),
        ):
            with self.subTest(text=text):
                self.assertEqual(self.verdicts(text, "x {} [{}, {}]", measured.interval(open_end)), verdicts)

    def test_rows_of_tables(self):
        table = "# A\n\n| n | x | y |\n|---|---|---|\n| 8 | 1.0 ± 0.1 | none |\n| exact | 2.0 | 3 |\n\n# B\n\n| n | x | y |\n|---|---|---|\n| 8 | 4 | 5 |\n"
        page = self.page(table)
        first, second = page.section("A"), page.section("B")
        first.row("8", lambda: [[1.0, 0.1], []])
        first.row_after("8", "exact", lambda: [[2.01], [4]])
        second.row("8", lambda: [ANY, [5]])
        second.row("9", lambda: [[1], [1]])
        second.row("8", lambda: [[4, 1], [5]])
        self.assertEqual(
            [[outcome.verdict for outcome in claim.check()] for claim in page.claims],
            [["same", "same"], ["same", "MOVED"], ["same"], ["broken"], ["MOVED", "same"]],
        )

    def test_numbers_that_nothing_claims(self):
        page = self.page(
            "# Title 1\n\nIt is 2.5 and 3.5 at $n = 64$, 95 % of `4.5`, with a bar of 7.\n\n    code 5.5\n\n| 6 | 7.5 |\n|---|---|\n| 8 | 9.5 |\n"
        )
        page.section().says("is {} and", lambda: [2.5])
        page.given("95 %", "the level")
        page.untied("bar of 7", "an example")
        tied, given, untied, loose = ([written.text for written in part] for part in page.sort())
        self.assertEqual((tied, given, untied, loose), (["2.5"], ["95"], ["7"], ["3.5", "9.5"]))

    def test_a_sweep_that_may_not_run_is_missing(self):
        with tempfile.TemporaryDirectory() as folder:
            lab = Laboratory(Path(folder), limit=0)
            page = self.page("It is 2 here.\n")
            page.section().says("is {} here", lambda: [lab.fit("demo").depth.value])
            self.assertEqual([outcome.verdict for outcome in page.claims[0].check()], ["missing"])


if __name__ == "__main__":
    unittest.main()
