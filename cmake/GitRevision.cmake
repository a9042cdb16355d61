# Target etastar_revision writes generated/etastar_revision.hpp at every build, so that --version is never stale; the
# file only changes, and only then recompiles anything, when the revision does.
set(ETASTAR_GENERATED_DIR ${CMAKE_BINARY_DIR}/generated)
add_custom_target(etastar_revision
  COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${CMAKE_SOURCE_DIR} -DOUTPUT=${ETASTAR_GENERATED_DIR}/etastar_revision.hpp
          -P ${CMAKE_SOURCE_DIR}/cmake/WriteGitRevision.cmake
  BYPRODUCTS ${ETASTAR_GENERATED_DIR}/etastar_revision.hpp
  VERBATIM)
