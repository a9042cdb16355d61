# Spack recipe: copy it to packages/etastar/package.py of a Spack repository of yours.
from spack.package import *


class Etastar(CMakePackage):
    """Measures the largest learning rate that deep networks take, and how it scales with width and depth."""

    homepage = "https://arxiv.org/abs/2305.07810"
    # The repository at your site; a checkout alone will do with: spack dev-build etastar@1.0.0
    git = "file:///srv/git/etastar.git"

    license("MIT")

    version("main", branch="main")
    version("1.0.0", tag="v1.0.0")

    variant("tests", default=False, description="Build the tests")
    variant("plot", default=True, description="Python with NumPy, h5py and Matplotlib, for etastar-plot")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.23:", type="build")

    depends_on("mpi@3:")
    depends_on("blas")
    depends_on("hdf5@1.10:")
    depends_on("boost@1.74:+program_options")
    depends_on("fmt@9:")
    depends_on("nlohmann-json@3.10:")
    depends_on("zlib-api")
    depends_on("eigen@3.4:", type="build")
    depends_on("random123", type="build")
    depends_on("catch2@2.13:", type=("build", "test"), when="+tests")
    depends_on("py-numpy", type="run", when="+plot")
    depends_on("py-h5py", type="run", when="+plot")
    depends_on("py-matplotlib", type="run", when="+plot")

    # std::format's predecessors and concepts: C++20.
    conflicts("%gcc@:10", msg="Etastar is C++20: GCC 11 or newer")
    conflicts("%clang@:13", msg="Etastar is C++20: Clang 14 or newer")

    def cmake_args(self):
        args = [
            self.define_from_variant("ETASTAR_TESTS", "tests"),
            self.define("ETASTAR_BENCHMARKS", False),
            self.define("HDF5_PREFER_PARALLEL", self.spec.satisfies("^hdf5+mpi")),
        ]
        vendors = {
            "openblas": "OpenBLAS",
            "flexiblas": "FlexiBLAS",
            "blis": "FLAME",
            "amdblis": "FLAME",
            "intel-oneapi-mkl": "Intel10_64_dyn",
        }
        vendor = vendors.get(self.spec["blas"].name)
        if vendor:
            args.append(self.define("BLA_VENDOR", vendor))
        return args

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def selftest(self):
        Executable(self.prefix.bin.etastar)("selftest", "--dir", self.stage.path)
