# Language, warnings and sanitizers for every target of the project.
add_library(etastar_options INTERFACE)
target_compile_features(etastar_options INTERFACE cxx_std_20)
target_include_directories(etastar_options INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_options(etastar_options INTERFACE
  # Projects that use the installed libraries have warnings of their own.
  "$<BUILD_INTERFACE:-Wall;-Wextra;-Wpedantic;-Wconversion;-Wshadow;-Wnon-virtual-dtor;-Woverloaded-virtual>"
  $<BUILD_INTERFACE:$<$<BOOL:${ETASTAR_WERROR}>:-Werror>>
  # In a unit of many sources, by what another source has.
  # And only a header could be in more than one source: to GCC a source in a unit is one.
  $<$<BOOL:${CMAKE_UNITY_BUILD}>:-Wno-shadow;-Wno-subobject-linkage>
  # Results must not depend on whether a processor fuses multiplication and addition.
  -ffp-contract=off)
if(ETASTAR_SANITIZE)
  target_compile_options(etastar_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
    # It opens a pipe to look at an object, and calls every object bad where there are too many open files.
    -fno-sanitize=vptr
    # Instrumented, the standard library sets off GCC's flow analysis: std::regex in Catch2 (GCC 12), assigning {x} to a
    # vector (GCC 14).
    -Wno-maybe-uninitialized -Wno-array-bounds)
  target_link_options(etastar_options INTERFACE -fsanitize=address,undefined)
endif()

# etastar_unity(TARGET...): where CMAKE_UNITY_BUILD is on, the sources of one folder are one unit, and what they include is
# read once. So names in unnamed namespaces differ within a folder.
function(etastar_unity)
  foreach(target IN LISTS ARGN)
    set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
    get_target_property(sources ${target} SOURCES)
    foreach(source IN LISTS sources)
      get_filename_component(folder "${source}" DIRECTORY)
      if(source MATCHES "\\.cpp$")
        set_source_files_properties(${source} PROPERTIES UNITY_GROUP "${folder}")
      endif()
    endforeach()
  endforeach()
endfunction()

# etastar_vector_kernels(TARGET SOURCE...): adds each source to TARGET once per instruction set, as an object that only
# runs where the processor has it. ETASTAR_ISA is the namespace of the copy. Kernels are optimised in every build type:
# unoptimised they would take most of a debug run, and inline functions of the wide copies must not be emitted.
function(etastar_vector_kernels target)
  set(isas baseline)
  # They are without sanitizers, so that under these one copy is enough.
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND NOT ETASTAR_SANITIZE)
    list(APPEND isas avx2 avx512)
    target_compile_definitions(${target} PRIVATE ETASTAR_X86_KERNELS)
  endif()
  set(flags_baseline "")
  set(flags_avx2 -mavx2 -mfma -mbmi -mbmi2)
  set(flags_avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -mprefer-vector-width=512)
  # Of a source, because options of targets come before those that a target takes from others.
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -fno-sanitize=all)
  foreach(isa IN LISTS isas)
    set(object ${target}_${isa})
    add_library(${object} OBJECT ${ARGN})
    target_link_libraries(${object} PRIVATE etastar_options etastar_random123)
    target_compile_definitions(${object} PRIVATE ETASTAR_ISA=${isa} ETASTAR_ISA_NAME="${isa}")
    target_compile_options(${object} PRIVATE -O3 -Wno-psabi -fno-math-errno -fno-trapping-math ${flags_${isa}})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${object}>)
  endforeach()
endfunction()
