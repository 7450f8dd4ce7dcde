/*
 * Control data in a backup: lines of JSON, one for each thing that is kept. Clears and revocations can be put into a
 * Redis that has some of its own: both only rise. Not in it are:
 *
 * - tokens' records: they say who is signed in, and an old copy of them cannot tell which were spent since;
 * - switches: the users database has those that are off;
 * - clears of models: a hash of them that is made anew repeats no number (entries/models.h);
 * - counters of limits, jobs, the audit: they end by themselves, or belong to the place they were written at.
 */
#ifndef API_BACKUP_CONTROL_ROWS_H
#define API_BACKUP_CONTROL_ROWS_H

#include "cachewarden/arena.h"
#include "cachewarden/namespace.h"
#include "cachewarden/revocations.h"

enum control_kind { CONTROL_MARKS, CONTROL_REVOCATION, CONTROL_CLEARS };

/* Numbers that only rise; 0: there was none. */
struct control_marks {
    int64_t term, epoch, reserved; /* of the dataset */
    int64_t highest_id, voided_s;  /* cw:ids, cw:voided */
};

struct control_row {
    enum control_kind kind;
    struct control_marks marks;
    struct revocation revocation; /* its name points into .text */
    struct str text; /* the revocation as Redis has it; the namespace as namespace_text says */
    struct namespace space; /* its name points into .text */
    int64_t clears;
};

/* Adds a line. Of a revocation .text and the expiry are written, of clears .text and the number. */
void control_row_write(const struct control_row *row, struct strbuf *lines);
/* Strict; texts in the arena. ERR_BAD_INPUT: it has not the form of one. */
CW_MUST_CHECK enum err control_row_read(struct arena *arena, struct str line,
                                        struct control_row *row_out, struct error *error);

#endif
