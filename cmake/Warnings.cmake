# Warnings for our own code. CivetWeb's is compiled without them.
include(CheckCCompilerFlag)

add_library(cw_warnings INTERFACE)

set(wanted
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
  -Wvla -Wformat=2 -Wundef -Wpointer-arith -Wcast-qual -Wcast-align -Wwrite-strings
  -Wimplicit-fallthrough -Wmissing-declarations -Wredundant-decls -Wnested-externs
  -Wdouble-promotion
  # gcc's own
  -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init
  # clang's own; the lock annotations of lock.h are checked by it
  -Wthread-safety -Wunreachable-code-aggressive -Wassign-enum)

# Worker threads have stacks of 256 KiB. Sanitizers pad frames, so the limit is for plain builds.
if(NOT CW_SANITIZE)
  list(APPEND wanted -Wframe-larger-than=8192)
endif()

foreach(flag IN LISTS wanted)
  string(MAKE_C_IDENTIFIER "HAVE${flag}" known)
  check_c_compiler_flag(${flag} ${known})
  if(${known})
    target_compile_options(cw_warnings INTERFACE ${flag})
  endif()
endforeach()

if(CW_WERROR)
  target_compile_options(cw_warnings INTERFACE -Werror)
endif()
