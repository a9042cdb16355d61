# Every library the program uses, each found once. tools/dependencies names the Debian packages.

# The C++ bindings of MPI are gone from the standard; asking for them breaks some installations.
set(MPI_CXX_SKIP_MPICXX TRUE)
find_package(MPI REQUIRED COMPONENTS CXX)
# FindMPI keeps what an earlier run found, and takes the default MPI where there is none with the suffix.
if(MPI_EXECUTABLE_SUFFIX AND NOT MPI_CXX_COMPILER MATCHES "\\${MPI_EXECUTABLE_SUFFIX}$")
  message(FATAL_ERROR "MPI_EXECUTABLE_SUFFIX=${MPI_EXECUTABLE_SUFFIX}, but the MPI is ${MPI_CXX_LIBRARIES}: "
                      "install mpicxx${MPI_EXECUTABLE_SUFFIX}, or configure in an empty build folder")
endif()

# Debian names the compiler wrapper of a parallel HDF5 as it names those of its MPI.
if(HDF5_PREFER_PARALLEL AND MPI_EXECUTABLE_SUFFIX)
  find_program(HDF5_C_COMPILER_EXECUTABLE NAMES h5pcc${MPI_EXECUTABLE_SUFFIX})
endif()
find_package(HDF5 REQUIRED COMPONENTS C)
if(HDF5_IS_PARALLEL)
  include(ParallelHdf5)
endif()
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(Eigen3 CONFIG REQUIRED NO_MODULE)
find_package(Boost CONFIG REQUIRED COMPONENTS program_options)

find_path(RANDOM123_INCLUDE_DIR Random123/philox.h REQUIRED)
include(Blas)

add_library(etastar_random123 INTERFACE)
target_include_directories(etastar_random123 SYSTEM INTERFACE $<BUILD_INTERFACE:${RANDOM123_INCLUDE_DIR}>)
