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
 * outlet_open, outlet_start and outlet_close are for one thread; the rest takes no lock and is for all.
 */
#ifndef CACHEWARDEN_OUTLET_H
#define CACHEWARDEN_OUTLET_H

#include "cachewarden/str.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

enum {
    /* What a pipe takes in one piece (PIPE_BUF of Linux): a line no longer than this is never torn
     * by another process that writes to the same one. */
    OUTLET_PIECE = 4096,
    /* How long a reader that is behind may hold everybody up: all threads and lines together, and once. */
    OUTLET_WAIT_MS = 100,
    /* What was waited is forgiven after so many times as long, so that a reader who is behind now and
     * then loses nothing, and one who is always too slow costs a tenth of the time. */
    OUTLET_REST = 10,
};

struct outlet {
    int target; /* as given */
    int fd;     /* what is written to: the target, or a descriptor of ours */
    bool is_socket;
    bool may_block; /* a write may last as long as the reader likes */
    bool has_pump;  /* a thread carries what is written to `fd` on to the target */
    int pump_from;
    atomic_bool is_torn;            /* the last text was written in part */
    _Atomic int64_t stuck_since_ns; /* nothing got through since then; 0: all is well */
    _Atomic int64_t rested_at_ns;   /* when all that was waited is forgiven */
    _Atomic uint64_t lost;
};

/* Written as it is, and waited for as long as that takes, until outlet_open. */
#define OUTLET_PLAIN(fd_)                               \
    {                                                   \
        .target = (fd_), .fd = (fd_), .may_block = true \
    }

/* Borrows `fd`. Never fails: at worst writes may block, until outlet_start. */
void outlet_open(struct outlet *outlet, int fd);
/* From now on no write blocks, whatever it takes: a thread, if nothing less does. A thread that hangs in a
 * write outlives outlet_close, and keeps using the outlet. */
void outlet_start(struct outlet *outlet);
/* Lets go on its way what was written, for OUTLET_WAIT_MS at most. What is written later is lost. */
void outlet_close(struct outlet *outlet);

/* Writes all of it, in one piece if it is no longer than OUTLET_PIECE; false: it was lost, in whole or in part.
 * Not counted. */
bool outlet_try(struct outlet *outlet, struct str text) CW_MUST_CHECK;
/* The same, and counts what is lost. */
void outlet_put(struct outlet *outlet, struct str text);
/* Counts a text that was not even tried. */
void outlet_lose(struct outlet *outlet);
/* How many texts were lost. */
uint64_t outlet_lost(const struct outlet *outlet);

#endif
