/*
 * RESP2 replies to values. It is hiredis's reader with object functions of ours, so a reply is built
 * once, in the arena of the pipeline that owns it. It adds limits that hiredis lacks, checks the end
 * of bulk strings, which hiredis does not, and refuses RESP3, which later versions of hiredis read.
 * A reply over the limits is passed over to its end, and an error stands in its place: those behind it have other
 * owners. After anything but REPLY_READY and REPLY_MORE the connection must be closed. One thread at a time.
 */
#ifndef POOL_PROTOCOL_REPLY_H
#define POOL_PROTOCOL_REPLY_H

#include "cachewarden/arena.h"
#include "cachewarden/value.h"

/* Ours. Redis itself allows 512 MiB a string (proto-max-bulk-len) and no bound on a whole reply. */
#define REPLY_BYTES_MAX (64u * 1024 * 1024)
#define REPLY_ITEMS_MAX (1u << 20) /* all arrays of one reply together */
#define REPLY_DEPTH_MAX 7 /* arrays around an array; what hiredis 0.14 has, later ones more */
/* Status, error, integer and length lines; Redis writes errors of some hundred bytes. */
#define REPLY_LINE_MAX (64u * 1024)

/* The first word of the error that stands in the place of a reply that was passed over. */
#define REPLY_TOO_LARGE_WORD "TOOLARGE"

enum reply_status {
    REPLY_READY,
    REPLY_MORE,           /* feed more bytes and ask again, with the same arena and value */
    REPLY_PROTOCOL_ERROR, /* not RESP2, or nested too deep */
    REPLY_TOO_LARGE,      /* one of the limits above, and its end is not to be found (frame.h) */
    REPLY_NO_MEMORY
};

struct reply_reader;

struct reply_reader *reply_reader_new(void); /* NULL when memory is out */
void reply_reader_free(struct reply_reader **reader);

/* False when memory is out or the stream is broken already. */
CW_MUST_CHECK bool reply_reader_feed(struct reply_reader *reader, const char *bytes, size_t size);
/* The next reply into *value, its text and items into the arena. */
CW_MUST_CHECK enum reply_status reply_reader_next(struct reply_reader *reader, struct arena *arena,
                                                  struct value *value);
/* Bytes fed and not yet part of a whole reply. */
size_t reply_reader_left(const struct reply_reader *reader);

#endif
