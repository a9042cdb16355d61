"""Kernels of the BLAS that the dense engine may meet: each gives one table, whoever computes it and wherever in memory."""
import resource
import signal
import unittest

import h5py
import numpy as np

from support import Case, TINY, environment, finished, flip_byte, own_lines, raw_rows, read_text, trials, wait_for

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


class Choice(Case):
    """Kernels fit the processor, and what runs is told."""

    CLASSES = {"baseline": {"Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Atom", "Nano", "Opteron",
                            "Opteron_SSE3", "Barcelona", "Bobcat", "Sandybridge", "Bulldozer", "Piledriver",
                            "Steamroller", "Excavator"},
               "avx2": {"Haswell", "Zen"}, "avx512": {"SkylakeX", "Cooperlake", "SapphireRapids"}}

    def kernels(self, **variables):
        """Core type, who chose it, and the file."""
        env = {key: value for key, value in environment().items() if key not in ("OPENBLAS_CORETYPE", "ETASTAR_ISA")}
        grid = ["--engine", "dense", "--precision", "double", "--width", "33", "--depth", "3", "--seeds", "2", "--eta", "0.1"]
        path = self.sweep(*grid, "--overwrite", name="_".join(["run", *variables.values()]) + ".h5", env={**env, **variables})
        found = provenance(path)
        return found["blas_core"], found["blas_core_chosen_by"], path

    def setUp(self):
        super().setUp()
        flags = processor_flags()
        self.isas = ["baseline"]
        if flags.issuperset({"avx2", "fma", "bmi2"}):
            self.isas.append("avx2")
        if flags.issuperset(FAMILIES["SkylakeX"].split()):
            self.isas.append("avx512")
        if not flags.issuperset({"sse4_2"}) or "DYNAMIC_ARCH" not in provenance(self.kernels()[2])["blas"]:
            self.skipTest("this BLAS has no choice of kernels here")

    def test_of_the_processor(self):
        core, by, _ = self.kernels()
        self.assertIn(by, ("openblas", "etastar"))
        if any(core in cores for cores in self.CLASSES.values()):
            self.assertIn(core, self.CLASSES[self.isas[-1]])
        # One that is set but empty, which OpenBLAS takes for an unknown type.
        self.assertEqual(self.kernels(OPENBLAS_CORETYPE="")[:2], (core, by))

    def test_limited(self):
        values = []
        for isa in self.isas:
            core, by, path = self.kernels(ETASTAR_ISA=isa)
            self.assertIn(core, self.CLASSES[isa])
            self.assertIn(by, ("openblas", "etastar"))
            values.append(trials(path)["dz2_last"])
            np.testing.assert_allclose(values[-1], values[0], rtol=1e-9)
        self.assertEqual(self.kernels(ETASTAR_ISA="baseline", OPENBLAS_CORETYPE="Prescott")[:2], ("Prescott", "environment"))

    def test_implicit_rows_do_not_depend_on_it(self):
        rows = [raw_rows(self.sweep(*TINY, "--engine", "implicit", name=f"{isa}.h5", env={**environment(), "ETASTAR_ISA": isa}))
                for isa in self.isas]
        self.assertTrue(all(each == rows[0] for each in rows))

    def test_bad_limit(self):
        for value in ("AVX2", "sse", "avx2 ", "x" * 10000):
            for words in (["plan", *TINY], ["sweep", *TINY], ["theory", "--width", "8", "--depth", "2"], ["--version"]):
                result = self.refuse(2, *words, says=["ETASTAR_ISA", value[:40], "avx512"], env={**environment(), "ETASTAR_ISA": value})
                self.assertLess(len(result.stderr), 200)
        result = self.etastar("sweep", *TINY, ranks=3, env={**environment(), "ETASTAR_ISA": "sse"})
        self.assertEqual((result.returncode, len(own_lines(result))), (2, 1), result.stderr)
        self.assertEqual(self.names(), ["run.h5"])

    def test_change_is_told(self):
        def on(core):
            return {**environment(), "OPENBLAS_CORETYPE": core}
        for engine, lines in (("dense", 1), ("implicit", 0)):
            with self.subTest(engine=engine):
                grid = [*TINY, "--engine", engine, "--overwrite"]
                path = self.sweep(*grid, env=on("Prescott"))
                resume = ["sweep", *grid[:-1], "--resume", "--output", path]
                # Nothing is left to be done.
                self.assertEqual(own_lines(self.etastar(*resume, env=on("Nehalem"))), [])
                for core, told in (("Nehalem", lines), ("Prescott", 0)):
                    flip_byte(path, 3, 40)
                    result = self.etastar(*resume, env=on(core))
                    self.assertEqual(result.returncode, 0, result.stderr)
                    said = [line for line in own_lines(result) if "kernels" in line]
                    self.assertEqual(len(said), told, result.stderr)
                    for line in said:
                        self.assertRegex(line, "Prescott.*Nehalem")

                for i, core in ((1, "Prescott"), (2, "Nehalem")):
                    self.sweep(*grid, "--shard", f"{i}/2", name=f"{i}.h5", env=on(core))
                result = self.etastar("merge", "1.h5", "2.h5", "--output", "merged.h5", "--overwrite")
                self.assertEqual((result.returncode, len(own_lines(result))), (0, lines), result.stderr)
                self.assertEqual(provenance(self.dir / "merged.h5")["blas_core"], "Prescott, Nehalem")
                if lines:
                    self.assertIn("Prescott, Nehalem", result.stderr)


class LittleMemory(Case):
    """OpenBLAS waits for ever for threads that it could not start and for a buffer that it could not map: it must not try."""

    def test_ends(self):
        path = self.sweep(*TINY)
        commands = [["--version"], ["plan", *TINY], ["theory", "--width", "8", "--depth", "2"], ["fit", path],
                    ["sweep", "--engine", "dense", "--width", "512", "--depth", "2", "--seeds", "1", "--eta", "0.1:1:lin9",
                     "--output", "new.h5", "--overwrite"]]
        for kilobytes in range(80000, 200001, 20000):
            def limit():
                resource.setrlimit(resource.RLIMIT_AS, (1024 * kilobytes, 1024 * kilobytes))
            for words in commands:
                with self.subTest(kilobytes=kilobytes, words=words):
                    # A hang alone runs out of this time.
                    result = self.etastar(*words, preexec_fn=limit, timeout=60)
                    if result.returncode != 0:
                        self.assertNotEqual(result.stderr, "")


if __name__ == "__main__":
    unittest.main()
