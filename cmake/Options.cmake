# The choices a build has, and the flags every target of ours is compiled with.

option(CW_WERROR "Warnings are errors (development and CI; not for packages)" OFF)
option(CW_TESTS "Build the tests" ON)
option(CW_BENCH "Build what tests/bench/run measures" OFF)
option(CW_FUZZ "Build tests/fuzz with libFuzzer (needs clang)" OFF)
set(CW_SANITIZE "" CACHE STRING "Value for -fsanitize=, such as address,undefined or thread")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Assertions follow the build type: on in Debug, off (NDEBUG) otherwise.
set(CMAKE_C_FLAGS_DEBUG "-Og -g")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g -DNDEBUG")
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
  # As clang does by itself: loops over the bytes of a request look at many at once.
  string(APPEND CMAKE_C_FLAGS_RELWITHDEBINFO " -fvect-cost-model=dynamic")
elseif(CMAKE_C_COMPILER_ID MATCHES Clang)
  set(CMAKE_C_FLAGS_DEBUG "-O1 -g") # clang's -Og is its -O1
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

# Hundreds of test programs are linked in each of three builds: mold takes a quarter of the time.
if(CW_TESTS AND NOT CMAKE_INTERPROCEDURAL_OPTIMIZATION)
  find_program(MOLD mold)
  if(MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
endif()

add_library(cw_options INTERFACE)
target_include_directories(cw_options INTERFACE ${CMAKE_SOURCE_DIR}/include)
target_compile_definitions(cw_options INTERFACE _GNU_SOURCE CW_VERSION="${PROJECT_VERSION}")

# Sanitizers change code and frame layout everywhere, so they apply to CivetWeb too.
add_library(cw_sanitize INTERFACE)
if(CW_SANITIZE)
  set(flags -fsanitize=${CW_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_compile_options(cw_sanitize INTERFACE ${flags})
  target_link_options(cw_sanitize INTERFACE ${flags})
endif()
if(CW_FUZZ)
  target_compile_options(cw_sanitize INTERFACE -fsanitize=fuzzer-no-link)
elseif(CW_SANITIZE)
  # Every program links it: a start takes a quarter less.
  add_library(cw_huge_bss OBJECT ${CMAKE_SOURCE_DIR}/tests/sanitizers/huge_bss.c)
endif()
target_link_libraries(cw_options INTERFACE cw_sanitize)
