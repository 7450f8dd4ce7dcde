# The libraries that come from the system's packages, each as one target.
find_package(PkgConfig REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Threads REQUIRED)

# "name version" pairs for the command `version`, one for each library the program is built with.
set(CW_LIBRARY_VERSIONS "civetweb 1.15" "openssl ${OPENSSL_VERSION}")

function(cw_library name module)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
  add_library(${name} INTERFACE IMPORTED GLOBAL)
  target_link_libraries(${name} INTERFACE PkgConfig::${name})
  set(CW_LIBRARY_VERSIONS ${CW_LIBRARY_VERSIONS} "${name} ${${name}_VERSION}" PARENT_SCOPE)
endfunction()

cw_library(hiredis hiredis>=0.14)
cw_library(libconfig libconfig>=1.5)
cw_library(jansson jansson>=2.13)
cw_library(argon2 libargon2)
cw_library(sqlite3 sqlite3>=3.34)
cw_library(libpq libpq>=13)
cw_library(curl libcurl>=7.85) # CURLOPT_PROTOCOLS_STR

list(JOIN CW_LIBRARY_VERSIONS "\\;" CW_LIBRARY_VERSIONS)
set_source_files_properties(server/cli/version.c PROPERTIES
  COMPILE_DEFINITIONS "CW_LIBRARY_VERSIONS=\"${CW_LIBRARY_VERSIONS}\"")

if(CW_TESTS)
  cw_library(check check>=0.15)
endif()
