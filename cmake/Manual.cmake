# Manual pages and completions, printed by the program that was just built: they cannot be older than it.
set(manual ${CMAKE_BINARY_DIR}/manual)
set(pages)

# cw_page(name-of-the-page file-it-becomes destination)
function(cw_page page file destination)
  add_custom_command(
    OUTPUT ${manual}/${file}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${manual}
    COMMAND cachewarden docs ${page} > ${manual}/${file}
    DEPENDS cachewarden VERBATIM)
  install(FILES ${manual}/${file} DESTINATION ${destination})
  set(pages ${pages} ${manual}/${file} PARENT_SCOPE)
endfunction()

cw_page(cachewarden.1 cachewarden.1 ${CMAKE_INSTALL_MANDIR}/man1)
cw_page(cachewarden.conf.5 cachewarden.conf.5 ${CMAKE_INSTALL_MANDIR}/man5)
cw_page(cachewarden-serve.8 cachewarden-serve.8 ${CMAKE_INSTALL_MANDIR}/man8)
cw_page(bash cachewarden ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
cw_page(zsh _cachewarden ${CW_ZSH_DIR})
cw_page(openapi openapi.json ${CMAKE_INSTALL_DOCDIR})
add_custom_target(manual ALL DEPENDS ${pages})
