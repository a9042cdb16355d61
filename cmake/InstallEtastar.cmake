# What `cmake --install` installs: the program with its manual pages, completions, documents, job scripts and tools; and the
# libraries core, report and io for find_package(etastar).
include(CMakePackageConfigHelpers)

set(data ${CMAKE_INSTALL_DATADIR}/etastar)
set(generated_data ${CMAKE_BINARY_DIR}/share)

# --- The program ---
install(TARGETS etastar RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(PROGRAMS ${CMAKE_SOURCE_DIR}/tools/plot_sweep.py DESTINATION ${CMAKE_INSTALL_BINDIR} RENAME etastar-plot)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/jobs DESTINATION ${data} USE_SOURCE_PERMISSIONS)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/examples/library DESTINATION ${data}/examples)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/CHANGELOG.md
              ${CMAKE_SOURCE_DIR}/CITATION.cff DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs DESTINATION ${CMAKE_INSTALL_DOCDIR}
        FILES_MATCHING PATTERN "*.md" PATTERN "*.png" PATTERN "*.json" PATTERN "*.cfg" PATTERN "measurements" EXCLUDE)
# The program finds its data from where it is, also in the build tree.
file(MAKE_DIRECTORY ${generated_data}/etastar)
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/jobs ${generated_data}/etastar/jobs SYMBOLIC)

# Manual pages and completions, made of the program's own tables of options. A program for another machine cannot tell them
# unless there is an emulator of that.
if(NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR)
  set(stamp ${generated_data}/stamp)
  add_custom_command(OUTPUT ${stamp}
    COMMAND ${CMAKE_COMMAND} "-DPROGRAM=${CMAKE_CROSSCOMPILING_EMULATOR};$<TARGET_FILE:etastar>" -DFOLDER=${generated_data}
            -DSTAMP=${stamp} -P ${CMAKE_SOURCE_DIR}/cmake/WriteManuals.cmake
    DEPENDS etastar ${CMAKE_SOURCE_DIR}/cmake/WriteManuals.cmake
    COMMENT "Manual pages and completions" VERBATIM)
  add_custom_target(etastar_manuals ALL DEPENDS ${stamp})
  install(DIRECTORY ${generated_data}/man/man1 DESTINATION ${CMAKE_INSTALL_MANDIR})
  install(FILES ${generated_data}/completion/etastar DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${generated_data}/completion/_etastar DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
endif()

install(DIRECTORY ${CMAKE_SOURCE_DIR}/python/etastar DESTINATION ${data}/python PATTERN __pycache__ EXCLUDE)
install(FILES ${CMAKE_SOURCE_DIR}/python/pyproject.toml ${CMAKE_SOURCE_DIR}/python/README.md ${CMAKE_SOURCE_DIR}/python/LICENSE
        DESTINATION ${data}/python)

# --- The libraries ---
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/etastar)
set_target_properties(etastar_options PROPERTIES EXPORT_NAME options)
set_target_properties(etastar_blas PROPERTIES EXPORT_NAME blas)
set_target_properties(etastar_report PROPERTIES EXPORT_NAME report)
add_library(etastar::report ALIAS etastar_report)
install(TARGETS etastar_options etastar_blas etastar_core etastar_report EXPORT etastar_core
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS etastar_io EXPORT etastar_io
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(library core io)
  set_target_properties(etastar_${library} PROPERTIES EXPORT_NAME ${library})
  add_library(etastar::${library} ALIAS etastar_${library})
  install(EXPORT etastar_${library} NAMESPACE etastar:: FILE etastar-${library}.cmake DESTINATION ${package})
endforeach()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/etastar DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.hpp" PATTERN "app" EXCLUDE PATTERN "command_line" EXCLUDE PATTERN "parallel" EXCLUDE
        PATTERN "selftest" EXCLUDE)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/etastarConfig.cmake.in ${CMAKE_BINARY_DIR}/etastarConfig.cmake
                              INSTALL_DESTINATION ${package})
# Before 2.0 every version reads what the ones before it read.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/etastarConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_BINARY_DIR}/etastarConfig.cmake ${CMAKE_BINARY_DIR}/etastarConfigVersion.cmake DESTINATION ${package})
