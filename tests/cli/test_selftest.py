"""`etastar selftest`: passes where all is well, alone and on ranks, and says what is not; and the BLAS libraries there are."""
import re
import resource
import subprocess
import unittest
from pathlib import Path

import h5py
import numpy as np

from support import Case, environment, trials

CHECKS = ["messages", "random numbers", "kernels", "theory", "BLAS", "engines", "rows", "files", "sweep"]

# Products of a library that is out of its mind: right but for the last value of what sgemm gives.
WRONG_BLAS = """
void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float* a, int lda, const float* b, int ldb,
                 float beta, float* c, int ldc) {
    for (int i = 0; i < m; ++i)
        for (int j = 0; j < n; ++j) {
            double sum = 0;
            for (int p = 0; p < k; ++p)
                sum += (double)(ta == 111 ? a[i * lda + p] : a[p * lda + i]) * (tb == 111 ? b[p * ldb + j] : b[j * ldb + p]);
            c[i * ldc + j] = (beta == 0 ? 0 : beta * c[i * ldc + j]) + alpha * sum;
        }
    c[(m - 1) * ldc + n - 1] += 1;
}
void cblas_sgemv(int order, int t, int m, int n, float alpha, const float* a, int lda, const float* x, int incx, float beta,
                 float* y, int incy) {
    for (int i = 0; i < (t == 111 ? m : n); ++i) {
        double sum = 0;
        for (int k = 0; k < (t == 111 ? n : m); ++k) sum += (double)(t == 111 ? a[i * lda + k] : a[k * lda + i]) * x[k];
        y[i] = (beta == 0 ? 0 : beta * y[i]) + alpha * sum;
    }
}
void cblas_dgemm(void) {}
void cblas_dgemv(void) {}
"""


def lines_of(output):
    """Check -> (passed, text); the first and the last line apart."""
    found = {}
    lines = output.splitlines()
    for line in lines[1:-1]:
        passed, name, text = re.fullmatch(r"(ok|FAILED) +(\S+(?: \S+)*?)  +(.*)", line).groups()
        found[name] = (passed == "ok", text)
    return lines[0], found, lines[-1]


class SelfTest(Case):
    def test_alone(self):
        head, found, end = lines_of(self.succeed("selftest"))
        self.assertRegex(head, r"^etastar \S+ \(\S+\), 1 rank$")
        self.assertEqual([(name, passed) for name, (passed, _) in found.items()], [(name, True) for name in CHECKS])
        self.assertEqual(end, "all 9 checks passed")
        self.assertEqual(self.names(), [])

    def test_ranks_agree(self):
        alone = lines_of(self.succeed("selftest"))[1]
        for ranks in (2, 5):
            head, found, end = lines_of(self.succeed("selftest", ranks=ranks))
            self.assertTrue(head.endswith(f", {ranks} ranks"), head)
            self.assertEqual(end, "all 9 checks passed")
            self.assertIn(f" x {ranks}", found["messages"][1])
            self.assertEqual(found["rows"][1], alone["rows"][1] + ", the same on every rank")

    def test_rows_have_the_same_bits_by_every_instruction_set(self):
        checksums = {lines_of(self.succeed("selftest", env={**environment(), "ETASTAR_ISA": isa}))[1]["rows"][1]
                     for isa in ("baseline", "avx2", "avx512")}
        self.assertEqual(len(checksums), 1)

    def expect_failure(self, check, says, ranks=0, words=(), **options):
        result = self.etastar("selftest", *words, ranks=ranks, **options)
        self.assertEqual(result.returncode, 1, result.stderr + result.stdout)
        found = lines_of(result.stdout)[1]
        self.assertFalse(found[check][0], result.stdout)
        self.assertIn(says, found[check][1])
        return found

    def test_folder_that_does_not_exist(self):
        for ranks in (0, 2):
            found = self.expect_failure("files", "missing", ranks, ["--dir", "missing"])
            self.assertEqual(found["sweep"][1], "not run: there is no file to write")
            self.assertTrue(found["engines"][0])

    def test_no_room(self):
        self.expect_failure("files", "File too large", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
        self.assertEqual(self.names(), [])

    def test_wrong_blas(self):
        source, library = self.dir / "wrong.c", self.dir / "libwrong.so"
        source.write_text(WRONG_BLAS)
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-w", "-o", library, source], check=True)
        env = {**environment(), "ETASTAR_BLAS": str(library)}
        self.expect_failure("BLAS", "sgemm: ", env=env)
        found = self.expect_failure("BLAS", "rank 0 on ", 2, env=env)
        self.assertIn("(and 1 more ranks)", found["BLAS"][1])
        self.expect_failure("BLAS", "cannot be loaded", env={**environment(), "ETASTAR_BLAS": "/nowhere/libblas.so"})

    def test_bad_usage(self):
        for ranks in (0, 2):
            result = self.etastar("selftest", "--folder", "x", ranks=ranks)
            self.assertEqual(result.returncode, 2)
            self.assertIn("etastar: unrecognised option '--folder'", result.stderr)


class OtherBlas(Case):
    """Any library with CBLAS computes the dense engine's rows."""

    def libraries(self):
        folder = Path(subprocess.run(["gcc", "-print-file-name=libc.so"], capture_output=True, text=True).stdout.strip())
        found = {"reference": folder.parent / "blas" / "libblas.so.3"}
        for path in folder.parent.glob("blis-*/libblis.so.*"):
            found["BLIS"] = path
        return {name: path for name, path in found.items() if path.exists()}

    def test_rows_agree(self):
        libraries = self.libraries()
        if not libraries:
            self.skipTest("no other BLAS here")
        words = ["--engine", "dense", "--width", "33,200", "--depth", "4", "--seeds", "3", "--eta", "0.3,1"]
        expected = trials(self.sweep(*words, name="openblas.h5"))
        for name, path in libraries.items():
            with self.subTest(name):
                env = {**environment(), "ETASTAR_BLAS": str(path)}
                table = self.sweep(*words, name=f"{name}.h5", env=env)
                rows = trials(table)
                for column in ("output", "dz2_last", "response_last", "response_output"):
                    np.testing.assert_allclose(rows[column], expected[column], rtol=2e-3)
                with h5py.File(table) as file:
                    told = dict(file["provenance"].attrs)
                self.assertEqual(told["blas_core_chosen_by"], "library")
                self.assertRegex(told["blas"], {"reference": "^CBLAS of /.*/blas/libblas", "BLIS": r"^BLIS \d"}[name])
                if name == "BLIS":
                    self.assertNotEqual(told["blas_core"], "unknown")
                self.succeed("selftest", env=env)


if __name__ == "__main__":
    unittest.main()
