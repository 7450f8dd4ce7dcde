# What `cmake --install` puts where. The packages are made of the same rules.
#
# Settings are /etc/cachewarden/cachewarden.conf whatever the prefix is, for that is where the program
# looks; a file that is there already is the administrator's and is left alone.

set(CW_UNIT_DIR ${CMAKE_INSTALL_PREFIX}/lib/systemd/system CACHE PATH "Folder of systemd units")
set(CW_SYSUSERS_DIR ${CMAKE_INSTALL_PREFIX}/lib/sysusers.d CACHE PATH "Folder of sysusers.d files")
set(CW_ZSH_DIR ${CMAKE_INSTALL_DATADIR}/zsh/site-functions CACHE PATH "Folder of zsh completions")

set(systemd ${CMAKE_SOURCE_DIR}/packaging/systemd)

install(TARGETS cachewarden RUNTIME)

install(CODE "set(source \"${CMAKE_SOURCE_DIR}\")")
install(CODE [[
  set(settings /etc/cachewarden/cachewarden.conf)
  if(EXISTS $ENV{DESTDIR}${settings})
    message(STATUS "Left alone: $ENV{DESTDIR}${settings}")
  else()
    file(INSTALL ${source}/conf/cachewarden.conf DESTINATION /etc/cachewarden)
    # A relative folder would be another one for commands than for the service.
    file(READ $ENV{DESTDIR}${settings} text)
    string(REPLACE "#directory = \"./backups\";" "directory = \"/var/lib/cachewarden/backups\";" text "${text}")
    file(WRITE $ENV{DESTDIR}${settings} "${text}")
  endif()
]])

configure_file(${systemd}/cachewarden.service.in cachewarden.service @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/cachewarden.service DESTINATION ${CW_UNIT_DIR})
install(FILES ${systemd}/sysusers.conf DESTINATION ${CW_SYSUSERS_DIR} RENAME cachewarden.conf)

# As in the source, so that what the pages say of each other leads somewhere.
install(FILES CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/benchmarks docs/snippets DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs
  PATTERN __pycache__ EXCLUDE)
install(DIRECTORY clients DESTINATION ${CMAKE_INSTALL_DOCDIR}
  PATTERN __pycache__ EXCLUDE PATTERN "*.egg-info" EXCLUDE PATTERN build EXCLUDE PATTERN dist EXCLUDE)
install(CODE "execute_process(COMMAND ${CMAKE_SOURCE_DIR}/cmake/install_pages.sh
  \"\$ENV{DESTDIR}${CMAKE_INSTALL_FULL_DOCDIR}\" COMMAND_ERROR_IS_FATAL ANY)")
install(FILES conf/cachewarden.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(DIRECTORY conf/examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES ${CW_CIVETWEB_LICENSE} DESTINATION ${CMAKE_INSTALL_DOCDIR}
  RENAME civetweb-LICENSE.md)
