# cw_room(name [ROOMS room…] [LIBRARIES target…] [NOT file…])
#
# Makes the static library cw_<name> of every .c file in the room's folder, at any depth. The
# room's folder is on its own include path only; the headers rooms share are in include/.
# ROOMS are the rooms it may use.
function(cw_room name)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "" "ROOMS;LIBRARIES;NOT")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}
    ${CMAKE_SOURCE_DIR}/${name}/*.c)
  if(room_NOT)
    list(REMOVE_ITEM sources ${room_NOT})
  endif()
  add_library(cw_${name} STATIC ${sources})
  target_include_directories(cw_${name} PRIVATE ${CMAKE_SOURCE_DIR}/${name})
  list(TRANSFORM room_ROOMS PREPEND cw_)
  target_link_libraries(cw_${name}
    PUBLIC ${room_ROOMS}
    PRIVATE cw_options cw_warnings cw_hardening ${room_LIBRARIES})
endfunction()
