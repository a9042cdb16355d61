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

set(BLA_VENDOR OpenBLAS)
find_package(BLAS REQUIRED)
find_path(CBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas openblas-pthread openblas-openmp openblas-serial openblas64 REQUIRED)
find_path(RANDOM123_INCLUDE_DIR Random123/philox.h REQUIRED)

add_library(etastar_blas INTERFACE)
target_include_directories(etastar_blas SYSTEM INTERFACE ${CBLAS_INCLUDE_DIR})
# A shared OpenBLAS is loaded by the program itself (src/engine/blas_library.hpp): by its soname, which the system's paths and
# LD_LIBRARY_PATH lead to, and from where it was found.
list(GET BLAS_LIBRARIES 0 ETASTAR_BLAS_FILE)
if(ETASTAR_BLAS_FILE MATCHES "\\${CMAKE_STATIC_LIBRARY_SUFFIX}$")
  target_compile_definitions(etastar_blas INTERFACE ETASTAR_BLAS_LINKED)
  target_link_libraries(etastar_blas INTERFACE BLAS::BLAS)
else()
  get_filename_component(ETASTAR_BLAS_FOLDER ${ETASTAR_BLAS_FILE} DIRECTORY)
  get_filename_component(ETASTAR_BLAS_NAME ${ETASTAR_BLAS_FILE} NAME)
  execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${ETASTAR_BLAS_FILE} OUTPUT_VARIABLE blas_headers ERROR_QUIET)
  if(blas_headers MATCHES "SONAME +([^\n]+)")
    set(ETASTAR_BLAS_NAME ${CMAKE_MATCH_1})
  endif()
  set(ETASTAR_BLAS_NAMES "\"${ETASTAR_BLAS_FOLDER}/${ETASTAR_BLAS_NAME}\"")
  if(ETASTAR_BLAS_FOLDER IN_LIST CMAKE_C_IMPLICIT_LINK_DIRECTORIES)
    set(ETASTAR_BLAS_NAMES "\"${ETASTAR_BLAS_NAME}\",${ETASTAR_BLAS_NAMES}")
  else()
    set(ETASTAR_BLAS_NAMES "${ETASTAR_BLAS_NAMES},\"${ETASTAR_BLAS_NAME}\"")
  endif()
  target_link_libraries(etastar_blas INTERFACE ${CMAKE_DL_LIBS})
endif()

add_library(etastar_random123 INTERFACE)
target_include_directories(etastar_random123 SYSTEM INTERFACE ${RANDOM123_INCLUDE_DIR})
