"""Kernels of the BLAS that the dense engine may meet: each gives one table, whoever computes it and wherever in memory."""
import signal
import unittest

import h5py

from support import Case, environment, finished, flip_byte, raw_rows, read_text, trials, wait_for

# Core types of OpenBLAS, and what a processor needs to execute their kernels.
FAMILIES = {
    "Prescott": "pni",
    "Core2": "ssse3",
    "Nehalem": "sse4_2",
    "Sandybridge": "avx",
    "Haswell": "avx2 fma",
    "Zen": "avx2 fma",
    "SkylakeX": "avx512f avx512cd avx512dq avx512bw avx512vl",
    "Cooperlake": "avx512f avx512cd avx512dq avx512bw avx512vl avx512_vnni avx512_bf16",
    "SapphireRapids": "avx512f avx512cd avx512dq avx512bw avx512vl avx512_bf16 avx512_fp16 amx_tile amx_bf16",
}
SMALLEST = ["--engine", "dense", "--width", "2", "--depth", "1", "--seeds", "1", "--eta", "1"]
# Odd rows, in less than a block, in whole blocks and a rest; a matrix of width 257 needs 0.25 MiB in single precision.
GRID = ["--engine", "dense", "--width", "3,33,257", "--depth", "1,6", "--seeds", "4", "--eta", "0.5,2,8", "--input-dim", "7"]


def provenance(path):
    with h5py.File(path, "r") as file:
        return dict(file["provenance"].attrs)


def processor_flags():
    for line in read_text("/proc/cpuinfo").splitlines():
        if line.startswith("flags"):
            return set(line.split(":")[1].split())
    return set()


class Families(Case):
    """With the kernels of any processor only the spec decides the bytes of /trials."""

    def families(self):
        """Those that this processor executes and this OpenBLAS has, with the environment that chooses them."""
        flags = processor_flags()
        for core, needs in FAMILIES.items():
            if flags.issuperset(needs.split()):
                env = {**environment(), "OPENBLAS_CORETYPE": core}
                if provenance(self.sweep(*SMALLEST, "--overwrite", env=env))["blas_core"] == core:
                    yield core, env

    def check(self, core, env, precision):
        grid = [*GRID, "--precision", precision]
        alone = raw_rows(self.sweep(*grid, "--overwrite", name="alone.h5", env=env))

        def assert_same(path, what):
            with self.subTest(core=core, precision=precision, what=what):
                self.assertEqual(provenance(path)["blas_core"], core)
                self.assertTrue(raw_rows(path) == alone)

        for budget in ("0", "1"):
            assert_same(self.sweep(*grid, "--weight-budget", budget, "--overwrite", name="other.h5", env=env), f"{budget} MiB")
        # What came before in the same process, and how large it was, differs between ranks.
        for ranks in (2, 3):
            assert_same(self.sweep(*grid, "--overwrite", name="other.h5", ranks=ranks, env=env), f"{ranks} ranks")

        torn = self.dir / "other.h5"
        for row in range(0, len(alone), 5):
            flip_byte(torn, row, 40)
        self.assertEqual(self.etastar("sweep", *grid, "--resume", "--output", torn, env=env).returncode, 0)
        assert_same(torn, "torn rows run again")

        shards = [f"{i}.h5" for i in (1, 2, 3)]
        for i, shard in enumerate(shards, 1):
            self.sweep(*grid, "--shard", f"{i}/3", "--overwrite", name=shard, env=env)
        self.succeed("merge", "--output", "other.h5", "--overwrite", *shards, env=env)
        assert_same(self.dir / "other.h5", "shards")

    def test_bytes(self):
        cores = []
        for core, env in self.families():
            cores.append(core)
            for precision in ("single", "double"):
                self.check(core, env, precision)
        if not cores:
            self.skipTest("this BLAS has none of these kernels")

    def test_resume_after_a_kill(self):
        grid = ["--engine", "dense", "--precision", "double", "--width", "129", "--depth", "9", "--seeds", "300", "--eta", "0.5,2"]
        for core, env in self.families():
            with self.subTest(core=core):
                alone = self.sweep(*grid, "--overwrite", name="alone.h5", env=env)
                (self.dir / "killed.h5").unlink(missing_ok=True)
                running = self.start("sweep", *grid, "--weight-budget", "1", "--output", "killed.h5", env=env)
                wait_for(lambda: finished(self.dir / "killed.h5"), "the first row")
                running.signal(signal.SIGKILL)
                running.result()
                left = len(trials(alone)) - len(finished(self.dir / "killed.h5"))
                self.succeed("sweep", *grid, "--weight-budget", "0", "--resume", "--output", "killed.h5", env=env)
                self.assertTrue(raw_rows(self.dir / "killed.h5") == raw_rows(alone), f"{left} rows were left")


if __name__ == "__main__":
    unittest.main()
