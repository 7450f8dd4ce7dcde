# What an installed program gets. CivetWeb gets it too: it reads the network first.
include(CheckCCompilerFlag)
include(CheckPIESupported)

check_pie_supported(LANGUAGES C)

add_library(cw_hardening INTERFACE)

if(NOT CW_SANITIZE)
  foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection)
    string(MAKE_C_IDENTIFIER "HAVE${flag}" known)
    check_c_compiler_flag(${flag} ${known})
    if(${known})
      target_compile_options(cw_hardening INTERFACE ${flag})
    endif()
  endforeach()
  # Needs an optimising build. A package build may have set a level of its own.
  if(NOT CMAKE_BUILD_TYPE STREQUAL Debug AND NOT CMAKE_C_FLAGS MATCHES _FORTIFY_SOURCE)
    target_compile_options(cw_hardening INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  endif()
  target_link_options(cw_hardening INTERFACE LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
endif()
