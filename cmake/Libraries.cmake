# The libraries that come from the system's packages, each as one target.
find_package(PkgConfig REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Threads REQUIRED)

# "name version" pairs for the command `version`, one for each library the program is built with.
set(CW_LIBRARY_VERSIONS "civetweb 1.16" "openssl ${OPENSSL_VERSION}")

function(cw_library name module)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
  add_library(${name} INTERFACE IMPORTED GLOBAL)
  target_link_libraries(${name} INTERFACE PkgConfig::${name})
  set(CW_LIBRARY_VERSIONS ${CW_LIBRARY_VERSIONS} "${name} ${${name}_VERSION}" PARENT_SCOPE)
endfunction()

# Two whose names and interfaces differ between distributions (libhiredis.so.0.14, .1.1.0, …;
# libconfig.so.9, .11): inside the program they cannot be missing where it is installed.
option(CW_STATIC_LIBRARIES "Link hiredis and libconfig statically" OFF)

function(cw_portable_library name module archive)
  cw_library(${name} ${module})
  if(CW_STATIC_LIBRARIES)
    find_library(${name}_ARCHIVE ${archive} HINTS ${${name}_LIBRARY_DIRS} REQUIRED)
    set_target_properties(${name} PROPERTIES INTERFACE_LINK_LIBRARIES ${${name}_ARCHIVE})
    target_include_directories(${name} SYSTEM INTERFACE ${${name}_INCLUDE_DIRS})
  endif()
  set(CW_LIBRARY_VERSIONS ${CW_LIBRARY_VERSIONS} PARENT_SCOPE)
endfunction()

cw_portable_library(hiredis hiredis>=0.14 libhiredis.a)
cw_portable_library(libconfig libconfig>=1.5 libconfig.a)
cw_library(jansson jansson>=2.13)
cw_library(argon2 libargon2)
cw_library(sqlite3 sqlite3>=3.34)
cw_library(libpq libpq>=13)
cw_library(curl libcurl>=7.85) # CURLOPT_PROTOCOLS_STR
cw_library(archive libarchive>=3.4) # zstd, both ways

list(JOIN CW_LIBRARY_VERSIONS "\\;" CW_LIBRARY_VERSIONS)
set_source_files_properties(server/cli/version.c PROPERTIES
  COMPILE_DEFINITIONS "CW_LIBRARY_VERSIONS=\"${CW_LIBRARY_VERSIONS}\"")

if(CW_TESTS)
  cw_library(check check>=0.15)
endif()
