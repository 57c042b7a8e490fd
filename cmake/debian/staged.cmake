# CPack runs this between staging the files and packing them. In Debian packages manual pages and changelogs are compressed,
# each package says where it comes from, licence texts are common, and no search path is built in: the loader finds the
# libraries of the system by itself.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
if(CPACK_SLIPSTREAM_TORCH_FOLDER)
  message(FATAL_ERROR "a Debian package takes the LibTorch of the system: configure without SLIPSTREAM_TORCH_FOLDER "
                      "(./dev package --torch system)")
endif()

# packed FILE TO
function(packed file to)
  get_filename_component(folder ${to} DIRECTORY)
  file(MAKE_DIRECTORY ${folder})
  execute_process(COMMAND gzip -9nc ${file} OUTPUT_FILE ${to} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

foreach(component ${CPACK_COMPONENTS_ALL})
  string(TOUPPER ${component} upper)
  set(package ${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  set(root ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr)
  if(NOT IS_DIRECTORY ${root})
    message(FATAL_ERROR "there is no staged folder ${root}")
  endif()
  set(documents ${root}/share/doc/${package})
  if(component STREQUAL "development")  # its documents are those of its package
    file(RENAME ${root}/share/doc/slipstream ${documents})
  endif()
  packed(${CPACK_SLIPSTREAM_BUILD}/debian_changelog ${documents}/changelog.Debian.gz)
  configure_file(${CPACK_SLIPSTREAM_BUILD}/debian_copyright ${documents}/copyright COPYONLY)
endforeach()

set(root ${CPACK_TEMPORARY_DIRECTORY}/program/usr)
packed(${root}/share/doc/slipstream/CHANGELOG.md ${root}/share/doc/slipstream/changelog.gz)
file(REMOVE ${root}/share/doc/slipstream/CHANGELOG.md ${root}/share/doc/slipstream/LICENSE)
if(EXISTS ${root}/share/man/man1/slipstream.1)  # not in a cross build, which cannot run the program that writes it
  packed(${root}/share/man/man1/slipstream.1 ${root}/share/man/man1/slipstream.1.gz)
  file(REMOVE ${root}/share/man/man1/slipstream.1)
endif()

file(GLOB libraries ${CPACK_TEMPORARY_DIRECTORY}/library/usr/${CPACK_SLIPSTREAM_LIBDIR}/*.so.*.*)
foreach(file ${root}/bin/slipstream ${root}/${CPACK_SLIPSTREAM_LIBEXECDIR}/slipstream/slipstream-compute ${libraries})
  file(RPATH_REMOVE FILE ${file})
endforeach()
