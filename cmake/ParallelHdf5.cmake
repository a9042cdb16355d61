# The headers of a parallel HDF5 include mpi.h.
target_link_libraries(HDF5::HDF5 INTERFACE MPI::MPI_CXX)

# A parallel HDF5 brings the MPI it was built with into the program, where there can only be one. Both are shared libraries
# that name one another, or else nothing is said here and it is for the linker.
function(etastar_check_mpi_of_hdf5)
  if(NOT CMAKE_READELF OR NOT HDF5_C_LIBRARY_hdf5)
    return()
  endif()
  execute_process(COMMAND ${CMAKE_READELF} -d ${HDF5_C_LIBRARY_hdf5} OUTPUT_VARIABLE hdf5 ERROR_QUIET)
  if(NOT hdf5 MATCHES "NEEDED[^\n]*\\[(lib[^]]*mpi[^]]*)\\]")
    return()
  endif()
  set(needed ${CMAKE_MATCH_1})
  set(found "")
  foreach(library IN LISTS MPI_CXX_LIBRARIES)
    execute_process(COMMAND ${CMAKE_READELF} -d ${library} OUTPUT_VARIABLE mpi ERROR_QUIET)
    if(mpi MATCHES "SONAME[^\n]*\\[([^]]*)\\]")
      list(APPEND found ${CMAKE_MATCH_1})
    endif()
  endforeach()
  if(found AND NOT needed IN_LIST found)
    message(FATAL_ERROR "The parallel HDF5 ${HDF5_C_LIBRARY_hdf5} was built with another MPI (${needed}) than the program's "
                        "(${found}): choose its h5pcc with HDF5_C_COMPILER_EXECUTABLE, or a serial HDF5")
  endif()
endfunction()
etastar_check_mpi_of_hdf5()
