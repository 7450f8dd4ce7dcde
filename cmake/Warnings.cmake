# Warnings for our own code. CivetWeb's is compiled without them.
include(CheckCCompilerFlag)

add_library(cw_warnings INTERFACE)

set(wanted
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
  -Wvla -Wformat=2 -Wundef -Wpointer-arith -Wcast-qual -Wcast-align -Wwrite-strings
  -Wimplicit-fallthrough -Wmissing-declarations -Wredundant-decls -Wnested-externs
  -Wdouble-promotion)
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
  list(APPEND wanted -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init)
elseif(CMAKE_C_COMPILER_ID MATCHES Clang)
  # The lock annotations of lock.h are checked by it.
  list(APPEND wanted -Wthread-safety -Wunreachable-code-aggressive -Wassign-enum)
endif()

# Worker threads have stacks of 256 KiB. Sanitizers pad frames, so the limit is for plain builds.
if(NOT CW_SANITIZE)
  list(APPEND wanted -Wframe-larger-than=8192)
endif()

# All at once, because each question starts a build; one by one where a compiler does not know them all.
string(JOIN " " all ${wanted})
string(SHA256 known "${all}")
check_c_compiler_flag("${all}" HAVE_WARNINGS_${known})
if(HAVE_WARNINGS_${known})
  target_compile_options(cw_warnings INTERFACE ${wanted})
else()
  foreach(flag IN LISTS wanted)
    string(MAKE_C_IDENTIFIER "HAVE${flag}" known)
    check_c_compiler_flag(${flag} ${known})
    if(${known})
      target_compile_options(cw_warnings INTERFACE ${flag})
    endif()
  endforeach()
endif()

if(CW_WERROR)
  target_compile_options(cw_warnings INTERFACE -Werror)
endif()
