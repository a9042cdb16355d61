"""tools/plot_sweep.py."""
import sys
import unittest

import h5py

from support import Case, ROOT, environment, flip_byte, run, together

TOOL = ROOT / "tools" / "plot_sweep.py"
MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-"}


class Plot(Case):
    @classmethod
    def setUpClass(cls):
        cls.path = cls.shared_sweep("--width", "16,32", "--depth", "1,2,4", "--seeds", "6", "--eta", "0.1:10:log5")

    def plot(self, *words):
        # Matplotlib's cache goes beside the shared sweep: built once, and not in the user's home.
        env = {**environment(), "MPLCONFIGDIR": str(self.path.parent)}
        return run([sys.executable, TOOL, *words], self.dir, env=env)

    def draw(self, *words):
        result = self.plot(*words)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("Warning", result.stderr)
        return result

    def refuse_all(self, code, table):
        """table: arguments, and what the one line on standard error must contain."""
        for (words, says), result in zip(table, together(lambda words, _: self.plot(*words), table)):
            with self.subTest(words=words):
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
                self.assertTrue(result.stderr.startswith("plot_sweep: "), result.stderr)
                for word in says:
                    self.assertIn(word, result.stderr)
                self.assertEqual(result.stdout, "")

    def test_figures(self):
        result = self.draw(self.path, "-o", "new/figures")
        self.assertEqual(result.stderr, "")
        written = sorted((self.dir / "new/figures").iterdir())
        self.assertEqual([f.name for f in written], ["dz2.pdf", "dz2.png", "eta_star.pdf", "eta_star.png"])
        self.assertEqual(sorted(result.stdout.splitlines()), [f"new/figures/{f.name}" for f in written])
        for figure in written:
            data = figure.read_bytes()
            self.assertTrue(data.startswith(MAGIC[figure.suffix[1:]]), figure)
            self.assertGreater(len(data), 5000, figure)

    def test_sweeps_of_little(self):
        # One width, depth, rate and network, one row of it not finite.
        self.sweep("--width", "8", "--depth", "2", "--seeds", "1", "--eta", "1,1e200", "--eta-unit", "absolute")
        self.draw("sweep.h5", "-o", ".", "--format", "png", "--threshold", "0.01")
        self.assertEqual(self.names(), ["dz2.png", "eta_star.png", "sweep.h5"])

    def test_nothing_to_draw(self):
        self.sweep("--width", "8", "--depth", "2", "--seeds", "2", "--eta", "1", "--eta-unit", "absolute", "--train",
                   "last")
        self.assertIn("last", self.draw("sweep.h5", "-o", ".", "--format", "pdf").stderr)

    def test_damaged_rows_are_left_out(self):
        # A row whose check does not match may hold anything.
        for k in range(5):
            flip_byte(self.copy(self.path) if k == 0 else self.dir / "copy.h5", k, 95)
        self.assertIn("5", self.draw("copy.h5", "-o", ".", "--format", "png").stderr)

    def test_bad_usage(self):
        self.refuse_all(2, [([], ["FILE"]), ([self.path], ["-o"]), ([self.path, "x", "-o", "new"], ["x"]),
                            ([self.path, "-o", "new", "--format", "jpg"], ["--format", "'jpg'"]),
                            ([self.path, "-o", "new", "--threshold", "nan"], ["--threshold", "nan"]),
                            ([self.path, "-o", "new", "--thresh", "1"], ["--thresh"])])
        self.assertEqual(self.names(), [])

    def test_bad_files(self):
        (self.dir / "text").write_text("width,depth\n")
        (self.dir / "cut.h5").write_bytes(self.path.read_bytes()[:3000])
        with h5py.File(self.dir / "other.h5", "w") as file:
            file.attrs["filetype"] = "other"
        with h5py.File(self.copy(self.path, "newer.h5"), "r+") as file:
            file.attrs["format_version"] = [2, 0]
        with h5py.File(self.copy(self.path, "pending.h5"), "r+") as file:
            rows = file["trials"][:]
            rows["status"] = 0
            file["trials"][:] = rows
        table = [("absent.h5", []), ("text", ["HDF5"]), ("cut.h5", []), ("other.h5", ["etastar-sweep"]),
                 ("newer.h5", ["2"]), ("pending.h5", ["finished"])]
        self.refuse_all(3, [([name, "-o", "new"], [name, *says]) for name, says in table])
        self.assertNotIn("new", self.names())

    def test_folder_that_cannot_be(self):
        (self.dir / "text").write_text("")
        self.refuse_all(3, [([self.path, "-o", "text"], ["text"])])


if __name__ == "__main__":
    unittest.main()
