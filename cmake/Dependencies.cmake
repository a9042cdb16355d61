# Every library the program uses, each found once. tools/dependencies names the Debian packages.

# The C++ bindings of MPI are gone from the standard; asking for them breaks some installations.
set(MPI_CXX_SKIP_MPICXX TRUE)
find_package(MPI REQUIRED COMPONENTS CXX)
find_package(HDF5 REQUIRED COMPONENTS C)
find_package(Threads REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(Eigen3 CONFIG REQUIRED NO_MODULE)
find_package(Boost CONFIG REQUIRED COMPONENTS program_options)

set(BLA_VENDOR OpenBLAS)
find_package(BLAS REQUIRED)
find_path(CBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas openblas-pthread openblas64 REQUIRED)
find_path(RANDOM123_INCLUDE_DIR Random123/philox.h REQUIRED)

add_library(etastar_blas INTERFACE)
target_include_directories(etastar_blas SYSTEM INTERFACE ${CBLAS_INCLUDE_DIR})
target_link_libraries(etastar_blas INTERFACE BLAS::BLAS)

add_library(etastar_random123 INTERFACE)
target_include_directories(etastar_random123 SYSTEM INTERFACE ${RANDOM123_INCLUDE_DIR})
