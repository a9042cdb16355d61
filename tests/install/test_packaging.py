"""The recipes in packaging/, against stand-ins for the tools that read them and against what is installed."""
import os
import re
import shutil
import subprocess
import sys
import types
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
CMAKE_LISTS = (ROOT / "CMakeLists.txt").read_text()
BUILD = Path(os.environ["ETASTAR_BUILD"])
VERSION = re.search(r"project\(etastar VERSION (\S+)", CMAKE_LISTS).group(1)
INSTALLED = subprocess.run([os.environ.get("CMAKE", "cmake"), "--install", BUILD, "--prefix", BUILD / "packaging"], text=True,
                           capture_output=True, check=True).stdout
CACHE = (BUILD / "CMakeCache.txt").read_text()


def installed(path):
    return (BUILD / "packaging" / path).exists()


def check_options(case, options):
    """Each is an option of the build, or of a CMake module that it calls."""
    sources = CMAKE_LISTS + "".join(path.read_text() for path in (ROOT / "cmake").glob("*"))
    for option in options:
        case.assertTrue(option in sources, option)


class Spack(unittest.TestCase):
    def load(self):
        """The class, made with Spack's directives that keep what they are told."""
        told = []
        module = types.ModuleType("spack.package")

        class CMakePackage:
            def define(self, name, value):
                return f"-D{name}={value}"

            def define_from_variant(self, name, variant):
                return f"-D{name}:{variant}"

        module.CMakePackage = CMakePackage
        module.Executable = None
        for name in ("version", "variant", "depends_on", "conflicts", "license"):
            setattr(module, name, lambda *words, directive=name, **options: told.append((directive, words, options)))
        module.run_after = lambda phase: lambda function: function
        module.on_package_attributes = lambda **attributes: lambda function: function
        module.__all__ = [name for name in vars(module) if not name.startswith("_")]
        sys.modules["spack"] = types.ModuleType("spack")
        sys.modules["spack.package"] = module
        space = {}
        exec(compile((PACKAGING / "package.py").read_text(), "package.py", "exec"), space)
        return space["Etastar"], told

    def test_recipe(self):
        package, told = self.load()
        variants = {words[0] for directive, words, _ in told if directive == "variant"}
        for _, _, options in told:
            for condition in re.findall(r"[+~](\w+)", options.get("when", "")):
                self.assertIn(condition, variants)
        needed = {re.match(r"[\w-]+", words[0]).group() for directive, words, _ in told if directive == "depends_on"}
        self.assertLessEqual({"mpi", "blas", "hdf5", "boost", "fmt", "eigen", "nlohmann-json", "zlib-api", "random123", "cmake"}, needed)
        cmake = re.search(r"cmake_minimum_required\(VERSION (\S+)\)", CMAKE_LISTS).group(1)
        self.assertIn(f"cmake@{cmake}:", [words[0] for directive, words, _ in told if directive == "depends_on"])

    def test_arguments(self):
        vendors = (ROOT / "cmake" / "Blas.cmake").read_text() + (ROOT / "docs" / "install.md").read_text()
        for blas in ("openblas", "flexiblas", "blis", "intel-oneapi-mkl", "netlib-lapack"):
            recipe = self.load()[0]()

            class Spec(dict):
                def satisfies(self, _):
                    return False

            recipe.spec = Spec(blas=types.SimpleNamespace(name=blas))
            arguments = recipe.cmake_args()
            check_options(self, [re.match(r"-D(\w+)", word).group(1) for word in arguments])
            for vendor in re.findall(r"BLA_VENDOR=(\w+)", " ".join(arguments)):
                self.assertIn(vendor, vendors)


class EasyBuild(unittest.TestCase):
    def test_recipe(self):
        (path,) = PACKAGING.glob("*.eb")
        recipe = {}
        exec(compile(path.read_text(), path.name, "exec"), recipe)
        self.assertEqual(path.name, "{name}-{version}-{0[name]}-{0[version]}.eb".format(recipe["toolchain"], **recipe))
        for name in recipe["sanity_check_paths"]["files"] + recipe["sanity_check_paths"]["dirs"]:
            self.assertTrue(installed(name), name)
        check_options(self, re.findall(r"-D(\w+)=", recipe["configopts"]))
        for entry in recipe["dependencies"] + recipe["builddependencies"]:
            self.assertEqual(len(entry), 2)
        for command in recipe["sanity_check_commands"]:
            subprocess.run(command.replace("$TMPDIR", "/tmp"), shell=True, check=True, capture_output=True,
                           env={**os.environ, "PATH": f"{BUILD}/packaging/bin:{os.environ['PATH']}"})


class Apptainer(unittest.TestCase):
    def test_definition(self):
        text = (PACKAGING / "etastar.def").read_text()
        first, last = re.split(r"^Bootstrap:", text, flags=re.M)[1:]
        self.assertIn("Stage: build", first)
        self.assertIn("%files from build\n    /opt/etastar /opt/etastar\n", last)
        for section in re.findall(r"^%(\w+)", text, re.M):
            self.assertIn(section, ("files", "post", "environment", "runscript", "test", "labels", "help"))
        for stage in (first, last):
            script = re.search(r"^%post\n((?:    .*\n|\n)+)", stage, re.M).group(1)
            subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        check_options(self, re.findall(r"-D(ETASTAR_\w+)=", text))
        # Debian's packages of the libraries that the program is linked with.
        release = Path("/etc/os-release").read_text()
        if "VERSION_CODENAME=bookworm" not in release or not shutil.which("dpkg"):
            self.skipTest("not Debian 12")
        names = set(re.search(r"no-install-recommends \\\n((?:.*\\\n)*.*)\n", last).group(1).replace("\\", " ").split())
        needed = subprocess.run(["readelf", "-d", BUILD / "bin" / "etastar"], capture_output=True, text=True).stdout
        for package, library in (("libopenmpi3", "libmpi.so.40"), ("libhdf5-103-1", "libhdf5_serial.so.103"), ("libfmt9", "libfmt.so.9"),
                                 ("libboost-program-options1.74.0", "libboost_program_options.so.1.74.0"), ("zlib1g", "libz.so.1")):
            self.assertIn(package, names)
            self.assertIn(library, needed)


class Modules(unittest.TestCase):
    def folders(self, text):
        return set(re.findall(r'prepend.path[( ]"?(\w+)"?,? +(?:pathJoin\()?\$?prefix(?:[/, "]+([\w./-]+))?', text))

    def test_both_say_the_same(self):
        tcl, lua = (self.folders((PACKAGING / f"etastar.{kind}").read_text()) for kind in ("tcl", "lua"))
        self.assertEqual(tcl, lua)
        self.assertGreater(len(tcl), 4)
        for _, folder in tcl:
            self.assertTrue(installed(folder or "."), folder)

    def test_loads(self):
        command = "/usr/lib/x86_64-linux-gnu/modulecmd.tcl"
        if not (os.path.exists(command) and shutil.which("tclsh")):
            self.skipTest("no Environment Modules here")
        module = BUILD / "packaging" / "modules" / "etastar" / "1.0.0"
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text((PACKAGING / "etastar.tcl").read_text().replace("/opt/etastar/1.0.0", str(BUILD / "packaging")))
        script = subprocess.run(["tclsh", command, "bash", "load", "etastar/1.0.0"], capture_output=True, text=True,
                                env={**os.environ, "MODULEPATH": str(module.parents[1])})
        self.assertEqual((script.returncode, script.stderr), (0, ""))
        told = subprocess.run(["bash", "-c", script.stdout + "\nwhich etastar; echo $ETASTAR_ROOT"], capture_output=True, text=True,
                              check=True).stdout.split()
        self.assertEqual(told, [str(BUILD / "packaging" / "bin" / "etastar"), str(BUILD / "packaging")])


class Citation(unittest.TestCase):
    def test_keys(self):
        """Those of CFF 1.2.0, and the release's version."""
        text = (ROOT / "CITATION.cff").read_text()
        keys = re.findall(r"^([a-z-]+):", text, re.M)
        self.assertEqual(len(keys), len(set(keys)))
        self.assertLessEqual({"cff-version", "message", "title", "authors"}, set(keys))
        self.assertLessEqual(set(keys), {"cff-version", "message", "title", "authors", "abstract", "type", "version", "date-released", "license",
                                         "keywords", "references", "url", "doi", "repository-code", "identifiers"})
        values = dict(re.findall(r"^([a-z-]+): *(\S.*)$", text, re.M))
        self.assertEqual((values["cff-version"], values["type"], values["license"]), ("1.2.0", "software", "MIT"))
        self.assertRegex(values["date-released"], r"^\d{4}-\d\d-\d\d$")
        # Before the release the version that is being worked on may be behind.
        self.assertGreaterEqual(tuple(map(int, values["version"].split("."))), tuple(map(int, VERSION.split("."))))


if __name__ == "__main__":
    unittest.main()
