# CivetWeb, from Debian's source package, with Debian's patches and ours, compiled our way.
#
# Debian 12's binary crashes at the first TLS handshake under OpenSSL 3 and lacks IPv6, and none has
# our patches. So we compile the packaged *source* of Debian 13, the same on every system.
# packaging/civetweb/fetch gets it (./dev calls that); nothing is downloaded here. None of the
# source is in our tree, only the checksums of its two archives and our patches.

set(CW_CIVETWEB_ARCHIVES "$ENV{CW_CIVETWEB_ARCHIVES}" CACHE PATH
  "Folder of CivetWeb's two source archives; empty: where packaging/civetweb/fetch puts them")

set(CW_CIVETWEB_SOURCE "" CACHE PATH
  "CivetWeb's original source, unpacked, in place of the archives: for a package build, where the \
source package holds it and vouches for it")
set(CW_CIVETWEB_DEBIAN "" CACHE PATH "With CW_CIVETWEB_SOURCE: Debian's packaging of it, unpacked")

set(dir ${CMAKE_SOURCE_DIR}/packaging/civetweb)
file(STRINGS ${dir}/source.sha256 pinned)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${dir}/source.sha256)
set(archives)
set(ingredients "${CW_CIVETWEB_SOURCE}${CW_CIVETWEB_DEBIAN}")

# The unpacked tree is named by what went into it, so a changed patch gets a fresh tree.
foreach(line IN LISTS pinned)
  string(REGEX MATCH "^([0-9a-f]+)  (.+)$" matched "${line}")
  set(sha256 ${CMAKE_MATCH_1})
  set(name ${CMAKE_MATCH_2})
  string(APPEND ingredients ${sha256})
  if(CW_CIVETWEB_SOURCE)
    continue()
  endif()
  set(cache $ENV{XDG_CACHE_HOME})
  if(NOT cache)
    set(cache $ENV{HOME}/.cache)
  endif()
  set(places ${CMAKE_SOURCE_DIR}/.deps ${cache}/cachewarden)
  if(CW_CIVETWEB_ARCHIVES)
    set(places ${CW_CIVETWEB_ARCHIVES})
  endif()
  find_file(archive "${name}" PATHS ${places} NO_DEFAULT_PATH NO_CACHE)
  if(NOT archive)
    message(FATAL_ERROR
      "CivetWeb's source (${name}) is not here yet. Run ./dev build, or "
      "packaging/civetweb/fetch, or set CW_CIVETWEB_ARCHIVES to a folder that holds it.")
  endif()
  file(SHA256 ${archive} found)
  if(NOT found STREQUAL sha256)
    message(FATAL_ERROR "${archive} has SHA-256 ${found}, not the pinned ${sha256}. Remove it.")
  endif()
  list(APPEND archives ${archive})
  unset(archive)
endforeach()

file(GLOB patches CONFIGURE_DEPENDS ${dir}/*.patch)
list(SORT patches)
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
    file(COPY ${CW_CIVETWEB_SOURCE}/ DESTINATION ${unpacked}/source)
    file(COPY ${CW_CIVETWEB_DEBIAN}/ DESTINATION ${unpacked}/debian)
  else()
    list(GET archives 0 archive)
    file(ARCHIVE_EXTRACT INPUT ${archive} DESTINATION ${unpacked})
    file(GLOB top LIST_DIRECTORIES true ${unpacked}/*)
    file(RENAME ${top} ${unpacked}/source)
    list(GET archives 1 archive)
    file(ARCHIVE_EXTRACT INPUT ${archive} DESTINATION ${unpacked}) # makes debian/
  endif()
  file(STRINGS ${unpacked}/debian/patches/series series REGEX "^[^#]")
  list(TRANSFORM series PREPEND ${unpacked}/debian/patches/)
  foreach(patch IN LISTS series patches)
    execute_process(
      COMMAND ${PATCH} --strip=1 --forward --fuzz=0 --no-backup-if-mismatch --silent --input=${patch}
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
# Threads that are tried before the start have the same stacks: the workers take them over.
set_source_files_properties(${CMAKE_SOURCE_DIR}/server/http/capacity.c
  PROPERTIES COMPILE_DEFINITIONS CW_WORKER_STACK=${stack_size})

add_library(civetweb STATIC ${unpacked}/source/src/civetweb.c)
target_include_directories(civetweb SYSTEM PUBLIC ${unpacked}/source/include ${dir})
target_compile_definitions(civetweb PRIVATE
  NO_SSL_DL OPENSSL_API_3_0 USE_IPV6
  NO_CGI NO_FILES NO_FILESYSTEMS NO_CACHING NO_NONCE_CHECK
  MG_EXTERNAL_FUNCTION_mg_cry_internal_impl MG_EXTERNAL_FUNCTION_log_access
  USE_STACK_SIZE=${stack_size})
target_compile_options(civetweb PRIVATE -w)
target_link_libraries(civetweb
  PRIVATE cw_hardening
  PUBLIC cw_sanitize OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
