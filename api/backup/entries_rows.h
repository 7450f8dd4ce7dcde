/*
 * Entries of the cache service in a backup: lines of JSON. An entry is a line with where it lies, how often
 * its namespace had been cleared, when its life ends and what Redis held there: bytes (entries/envelope.h) or a
 * counter (entries/counter.h). What is longer than ENTRIES_CHUNK goes on in lines that follow it.
 */
#ifndef API_BACKUP_ENTRIES_ROWS_H
#define API_BACKUP_ENTRIES_ROWS_H

#include "cachewarden/arena.h"
#include "cachewarden/namespace.h"

/* Bytes of a value in one line: so a line with its label is shorter than a member may be. */
#define ENTRIES_CHUNK ((size_t)384 * 1024)
/* What Redis may hold under a label: a value of 60 MiB, and its head. */
#define ENTRIES_VALUE_MAX ((size_t)61 * 1024 * 1024)

enum entries_kind { ENTRIES_TEXT, ENTRIES_MORE, ENTRIES_COUNTER };

struct entries_row {
    enum entries_kind kind;
    /* Its name points into .where. */
    struct namespace space;
    struct str where; /* as namespace_text says */
    struct str label;
    int64_t clears;
    int64_t expires_ms; /* since 1970 */
    int64_t size;       /* of a text, all of it */
    struct str bytes;   /* of a text, or what goes on of it; of a counter its head */
    struct str number;  /* of a counter */
};

/* Adds a line. Its arena is for the time of the call; when memory is out, there or in `lines`, `lines` fails. */
void entries_row_write(const struct entries_row *row, struct arena *arena, struct strbuf *lines);
/* Strict; texts in the arena. ERR_BAD_INPUT: it has not the form of one. */
CW_MUST_CHECK enum err entries_row_read(struct arena *arena, struct str line,
                                        struct entries_row *row_out, struct error *error);

/* Lines one after the other, as they make entries. Begins as zeros. */
struct entries_lines {
    int64_t left; /* bytes that are to come of the text that has begun */
};
/* The next line. *is_whole_out: an entry ends with it. ERR_BAD_INPUT: it does not belong there. */
CW_MUST_CHECK enum err entries_lines_take(struct entries_lines *lines,
                                          const struct entries_row *row, bool *is_whole_out,
                                          struct error *error);
/* Behind the last one. ERR_BAD_INPUT: an entry has no end. */
CW_MUST_CHECK enum err entries_lines_end(const struct entries_lines *lines, struct error *error);

#endif
