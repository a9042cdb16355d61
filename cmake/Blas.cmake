# Target etastar_blas: any BLAS with CBLAS. BLA_VENDOR chooses it as for FindBLAS (OpenBLAS, FlexiBLAS, FLAME for BLIS,
# Intel10_64_dyn for MKL, Generic); without one OpenBLAS is taken if it is there, else any.
include(CheckCXXSourceCompiles)

if(BLA_VENDOR)
  find_package(BLAS REQUIRED)
else()
  set(BLA_VENDOR OpenBLAS)
  find_package(BLAS QUIET)
  if(NOT BLAS_FOUND)
    set(BLA_VENDOR All)
    find_package(BLAS REQUIRED)
  endif()
  unset(BLA_VENDOR)
endif()

# Headers of another library than the one that is found will do: CBLAS is one interface. Beside a library of MKL is its own.
find_path(CBLAS_INCLUDE_DIR NAMES cblas.h mkl_cblas.h HINTS ENV MKLROOT
  PATH_SUFFIXES include openblas openblas-pthread openblas-openmp openblas-serial openblas64 flexiblas blis mkl REQUIRED)

# etastar_blas_has(OUTPUT NAME): whether ETASTAR_BLAS_LIBRARIES have such a function.
function(etastar_blas_has output name)
  set(CMAKE_REQUIRED_LIBRARIES ${ETASTAR_BLAS_LIBRARIES} ${CMAKE_DL_LIBS} m)
  set(CMAKE_REQUIRED_QUIET TRUE)
  string(MAKE_C_IDENTIFIER "ETASTAR_BLAS_HAS_${name} ${ETASTAR_BLAS_LIBRARIES}" variable)
  check_cxx_source_compiles("extern \"C\" void ${name}(); int main() { ${name}(); }" ${variable})
  set(${output} ${${variable}} PARENT_SCOPE)
endfunction()

# That of netlib has CBLAS in a library of its own, which brings the BLAS.
set(ETASTAR_BLAS_LIBRARIES ${BLAS_LIBRARIES})
etastar_blas_has(found cblas_sgemm)
if(NOT found)
  find_library(CBLAS_LIBRARY cblas)
  if(CBLAS_LIBRARY)
    set(ETASTAR_BLAS_LIBRARIES ${CBLAS_LIBRARY} ${BLAS_LIBRARIES})
    etastar_blas_has(found cblas_sgemm)
  endif()
endif()
if(NOT found)
  message(FATAL_ERROR "The BLAS ${BLAS_LIBRARIES} has no cblas_sgemm: name one with CBLAS by BLA_VENDOR, or its CBLAS by "
                      "-DCBLAS_LIBRARY=FILE")
endif()

# A shared library is loaded by the program itself (src/engine/blas_library.hpp): by its soname, which the system's paths and
# LD_LIBRARY_PATH lead to, and from where it was found. Linked are static ones, several (MKL's layers), and what the compiler
# links by itself (Cray's wrappers).
set(others ${ETASTAR_BLAS_LIBRARIES})
list(POP_FRONT others file)
list(FILTER others INCLUDE REGEX "mkl|\\${CMAKE_STATIC_LIBRARY_SUFFIX}$")
set(ETASTAR_BLAS_LINKED OFF)
if(others OR file MATCHES "\\${CMAKE_STATIC_LIBRARY_SUFFIX}$" OR NOT IS_ABSOLUTE "${file}")
  set(ETASTAR_BLAS_LINKED ON)
endif()

add_library(etastar_blas INTERFACE)
target_include_directories(etastar_blas SYSTEM INTERFACE $<BUILD_INTERFACE:${CBLAS_INCLUDE_DIR}>)
target_link_libraries(etastar_blas INTERFACE ${CMAKE_DL_LIBS})
if(ETASTAR_BLAS_LINKED)
  set(extras "")
  foreach(name openblas_set_num_threads openblas_get_config openblas_get_corename MKL_Set_Num_Threads mkl_get_version_string
          bli_thread_set_num_threads bli_info_get_version_str bli_arch_query_id bli_arch_string)
    etastar_blas_has(found ${name})
    if(found)
      string(APPEND extras " _(${name})")
    endif()
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/etastar_blas.hpp
       CONTENT "#define ETASTAR_BLAS_LINKED\n#define ETASTAR_BLAS_EXTRAS(_)@extras@\n" @ONLY)
  target_link_libraries(etastar_blas INTERFACE ${ETASTAR_BLAS_LIBRARIES})
  message(STATUS "BLAS, linked: ${ETASTAR_BLAS_LIBRARIES}")
else()
  get_filename_component(folder ${file} DIRECTORY)
  get_filename_component(name ${file} NAME)
  execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${file} OUTPUT_VARIABLE headers ERROR_QUIET)
  if(headers MATCHES "SONAME +([^\n]+)")
    set(name ${CMAKE_MATCH_1})
  endif()
  set(names "\"${folder}/${name}\"")
  if(folder IN_LIST CMAKE_C_IMPLICIT_LINK_DIRECTORIES)
    set(names "\"${name}\", ${names}")
  else()
    set(names "${names}, \"${name}\"")
  endif()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/etastar_blas.hpp
       CONTENT "#define ETASTAR_BLAS_NAMES @names@\n" @ONLY)
  message(STATUS "BLAS, loaded at run time: ${names}")
endif()
