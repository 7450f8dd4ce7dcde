# CivetWeb, from the distribution's source package, patched and compiled our way.
#
# The packaged binary crashes at the first TLS handshake under OpenSSL 3 and lacks IPv6, so we
# compile the packaged *source*. packaging/civetweb/fetch gets it (./dev calls that); nothing is
# downloaded here. None of the source is in our tree, only its checksum and our patches.

set(CW_CIVETWEB_TARBALL "$ENV{CW_CIVETWEB_TARBALL}" CACHE FILEPATH
  "CivetWeb's original source archive; empty: where packaging/civetweb/fetch puts it")

set(CW_CIVETWEB_SOURCE "" CACHE PATH
  "CivetWeb's original source, unpacked, in place of the archive: for a package build, where the \
source package holds it and vouches for it")

set(dir ${CMAKE_SOURCE_DIR}/packaging/civetweb)
file(STRINGS ${dir}/source.sha256 pinned LIMIT_COUNT 1)
string(REGEX MATCH "^([0-9a-f]+)  (.+)$" matched "${pinned}")
set(sha256 ${CMAKE_MATCH_1})
set(tarball_name ${CMAKE_MATCH_2})

set(tarball ${CW_CIVETWEB_TARBALL})
if(NOT tarball AND NOT CW_CIVETWEB_SOURCE)
  set(cache $ENV{XDG_CACHE_HOME})
  if(NOT cache)
    set(cache $ENV{HOME}/.cache)
  endif()
  foreach(place ${CMAKE_SOURCE_DIR}/.deps ${cache}/cachewarden)
    if(EXISTS ${place}/${tarball_name})
      set(tarball ${place}/${tarball_name})
      break()
    endif()
  endforeach()
endif()
if(NOT tarball AND NOT CW_CIVETWEB_SOURCE)
  message(FATAL_ERROR
    "CivetWeb's source (${tarball_name}) is not here yet. Run ./dev build, or "
    "packaging/civetweb/fetch, or set CW_CIVETWEB_TARBALL to a copy.")
endif()
if(NOT CW_CIVETWEB_SOURCE)
  file(SHA256 ${tarball} found)
  if(NOT found STREQUAL sha256)
    message(FATAL_ERROR "${tarball} has SHA-256 ${found}, not the pinned ${sha256}. Remove it.")
  endif()
endif()

# The unpacked tree is named by what went into it, so a changed patch gets a fresh tree.
file(GLOB patches CONFIGURE_DEPENDS ${dir}/*.patch)
list(SORT patches)
set(ingredients "${sha256}${CW_CIVETWEB_SOURCE}")
foreach(patch IN LISTS patches)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${patch})
  file(SHA256 ${patch} sum)
  string(APPEND ingredients ${sum})
endforeach()
string(SHA256 key ${ingredients})
string(SUBSTRING ${key} 0 12 key)
set(unpacked ${CMAKE_BINARY_DIR}/civetweb)
set(stamp ${unpacked}/unpacked.${key})

if(NOT EXISTS ${stamp})
  find_program(PATCH patch REQUIRED)
  file(REMOVE_RECURSE ${unpacked})
  if(CW_CIVETWEB_SOURCE)
    foreach(part src include LICENSE.md)
      file(COPY ${CW_CIVETWEB_SOURCE}/${part} DESTINATION ${unpacked}/source)
    endforeach()
  else()
    file(ARCHIVE_EXTRACT INPUT ${tarball} DESTINATION ${unpacked}
      PATTERNS "*/src/*" "*/include/*" "*/LICENSE.md")
    file(GLOB top LIST_DIRECTORIES true ${unpacked}/*)
    file(RENAME ${top} ${unpacked}/source)
  endif()
  foreach(patch IN LISTS patches)
    execute_process(
      COMMAND ${PATCH} --strip=1 --forward --fuzz=0 --silent --input=${patch}
      WORKING_DIRECTORY ${unpacked}/source
      RESULT_VARIABLE failed)
    if(failed)
      message(FATAL_ERROR "${patch} does not apply")
    endif()
  endforeach()
  file(TOUCH ${stamp})
endif()

# NO_FILES and NO_FILESYSTEMS: it opens no file but certificates. The two external functions, its
# log and its access log, are ours (the .inl files next to the patches).
set(CW_CIVETWEB_LICENSE ${unpacked}/source/LICENSE.md)
set(CW_CIVETWEB_INCLUDE ${unpacked}/source/include)

# Bytes. 77 KiB is the measured need of the deepest library call; sanitizers pad every frame.
set(stack_size 262144)
if(CW_SANITIZE)
  set(stack_size 1048576)
endif()

add_library(civetweb STATIC ${unpacked}/source/src/civetweb.c)
target_include_directories(civetweb SYSTEM PUBLIC ${unpacked}/source/include ${dir})
target_compile_definitions(civetweb PRIVATE
  NO_SSL_DL OPENSSL_API_3_0 USE_IPV6
  NO_CGI NO_FILES NO_FILESYSTEMS NO_CACHING NO_NONCE_CHECK
  MG_EXTERNAL_FUNCTION_mg_cry_internal_impl MG_EXTERNAL_FUNCTION_log_access
  SOCKET_TIMEOUT_QUANTUM=200 # ms: how soon a waiting worker notices mg_stop()
  USE_STACK_SIZE=${stack_size})
target_compile_options(civetweb PRIVATE -w)
target_link_libraries(civetweb
  PRIVATE cw_hardening
  PUBLIC cw_sanitize OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
