/*
 * Writing to a descriptor that others share and somebody else reads, such as standard error, without
 * ever being stopped by a reader who has stopped: a full pipe, a journal that hangs, a terminal
 * after Ctrl-S. What finds no room is waited for once and then lost, and counted.
 *
 * The descriptor's own flags stay as they are, for O_NONBLOCK would hold for everybody who has it. A
 * socket is asked not to wait by each call; a pipe is opened once more, for ourselves; where that may
 * not be (a pipe or a terminal of another user's), a thread of its own does the waiting. Regular
 * files are written as they are.
 *
 * sink_open, sink_start and sink_close are for one thread; the rest takes no lock and is for all.
 */
#ifndef CACHEWARDEN_SINK_H
#define CACHEWARDEN_SINK_H

#include "cachewarden/str.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

enum {
    /* What a pipe takes in one piece (PIPE_BUF of Linux): a line no longer than this is never torn
     * by another process that writes to the same one. */
    SINK_PIECE = 4096,
    /* How long a reader that is behind may hold everybody up: all threads and lines together, and once. */
    SINK_WAIT_MS = 100,
    /* What was waited is forgiven after so many times as long, so that a reader who is behind now and
     * then loses nothing, and one who is always too slow costs a tenth of the time. */
    SINK_REST = 10,
};

struct sink {
    int target; /* as given */
    int fd;     /* what is written to: the target, or a descriptor of ours */
    bool is_socket;
    bool may_block; /* a write may last as long as the reader likes */
    bool has_relay; /* a thread carries what is written to `fd` on to the target */
    int relay_from;
    atomic_bool is_torn;            /* the last text was written in part */
    _Atomic int64_t stuck_since_ns; /* nothing got through since then; 0: all is well */
    _Atomic int64_t rested_at_ns;   /* when all that was waited is forgiven */
    _Atomic uint64_t lost;
};

/* Written as it is, and waited for as long as that takes, until sink_open. */
#define SINK_PLAIN(fd_)                                 \
    {                                                   \
        .target = (fd_), .fd = (fd_), .may_block = true \
    }

/* Borrows `fd`. Never fails: at worst writes may block, until sink_start. */
void sink_open(struct sink *sink, int fd);
/* From now on no write blocks, whatever it takes: a thread, if nothing less does. A thread that hangs in a
 * write outlives sink_close, and keeps using the sink. */
void sink_start(struct sink *sink);
/* Lets go on its way what was written, for SINK_WAIT_MS at most. What is written later is lost. */
void sink_close(struct sink *sink);

/* Writes all of it, in one piece if it is no longer than SINK_PIECE; false: it was lost, in whole or in part.
 * Not counted. */
bool sink_try_write(struct sink *sink, struct str text) CW_MUST_CHECK;
/* The same, and counts what is lost. */
void sink_write(struct sink *sink, struct str text);
/* Counts a text that was not even tried. */
void sink_count_lost(struct sink *sink);
/* How many texts were lost. */
uint64_t sink_lost(const struct sink *sink);

#endif
