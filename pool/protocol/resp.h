/*
 * Commands to bytes (RESP2 arrays of bulk strings). Written straight into the caller's buffer;
 * hiredis's formatter would malloc a copy of each command first, and the format is two lines.
 */
#ifndef POOL_PROTOCOL_RESP_H
#define POOL_PROTOCOL_RESP_H

#include "cachewarden/str.h"

/* Binary-safe. out->failed is set when memory is out. */
void resp_add_command(struct strbuf *out, size_t argc, const struct str *argv);

/* Takes the first of commands that resp_add_command wrote away from *commands, and says its argument
 * `index`; {NULL,0}: it has not so many. */
struct str resp_take_command(struct str *commands, size_t index);

#endif
