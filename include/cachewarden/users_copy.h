/*
 * All rows of the users database, as they were at one moment: read a page at a time, and put in the place of those of
 * another database, of whatever driver. A row is one line of JSON: an object with the names of its columns.
 * Memory does not grow with the number of rows.
 *
 * Errors as in users.h.
 */
#ifndef CACHEWARDEN_USERS_COPY_H
#define CACHEWARDEN_USERS_COPY_H

#include "cachewarden/users.h"

/* In the order in which they are put back: a row may refer to one of a table before. */
enum users_table {
    USERS_ACCOUNTS,
    USERS_GROUPS,
    USERS_SUBJECTS,
    USERS_API_KEYS,
    USERS_SWITCHES,
    USERS_FACTS,
    USERS_TABLE_COUNT
};

/* "accounts", "groups", "subjects", "api_keys", "switches", "facts". */
const char *users_table_name(enum users_table table);

/* Which schema this program makes of a database of this kind. */
int users_schema_version(const struct users *users);

/* No line of a row is longer, its end included. */
enum { USERS_COPY_LINE_MAX = 64 * 1024 };

/*
 * ---- out ----
 *
 * One read transaction: writers go on, and are not seen. It belongs to one thread. Who leaves a PostgreSQL alone with
 * it for a minute has lost it.
 */
struct users_snapshot;

CW_MUST_CHECK enum err users_snapshot_begin(struct users *users,
                                            struct users_snapshot **snapshot_out,
                                            struct error *error);

struct users_rows {
    size_t rows;   /* how many lines were added */
    size_t living; /* of those; all, but of accounts those that are not deleted */
    bool is_done;  /* there are no more */
};
/*
 * Adds the table's next rows to `lines`: as many as fit in `limit` bytes, which is USERS_COPY_LINE_MAX or more. Call it
 * until is_done, which may come with no row. Each table is read from where it was left.
 */
CW_MUST_CHECK enum err users_snapshot_read(struct users_snapshot *snapshot, enum users_table table,
                                           size_t limit, struct strbuf *lines,
                                           struct users_rows *rows_out, struct error *error);
void users_snapshot_end(struct users_snapshot **snapshot);

/*
 * ---- in ----
 *
 * Rows are staged first, where nobody else sees them, and others change what they like. Then, in one write
 * transaction, they take the place of what is here: until it ends everybody sees what was there before, and other
 * changes wait, or fail after the time they always wait. What comes of it is not just the copy:
 *
 * - Accounts are those of the copy. One that is only here becomes a deleted one, for its id is never given again. One
 *   that was deleted here and is in the copy comes back.
 * - Tokens that were good for nobody before are good for nobody after. An account keeps its incarnation where it
 *   is the same one here (its number, and when it was made), lives, is switched neither on nor off and keeps its
 *   password; else it gets a new one. Where its password changes by this, or it comes back, tokens of others of up
 *   to now are void, too. What was voided on either side stays void.
 * - API keys are those of the copy, but one that is revoked here stays revoked, also where the copy does not have it.
 * - Groups, subjects and switches are those of the copy.
 * - Facts stay as they are here. What the copy has of them is the caller's to judge.
 * - No account gets an id again that one on either side had.
 */
struct users_import;

/* `only_counts`: nothing is changed, nobody waits, and the same is counted, in a snapshot; whether rows fit what is
 * here is not seen then. */
CW_MUST_CHECK enum err users_import_begin(struct users *users, bool only_counts,
                                          struct users_import **import_out, struct error *error);
/*
 * Whole lines of a table; tables in the order of their enum, of which USERS_FACTS is none here. ERR_BAD_INPUT: one has
 * not the form of a row, or does not fit the others; the caller's text says which.
 */
CW_MUST_CHECK enum err users_import_rows(struct users_import *import, enum users_table table,
                                         struct str lines, struct error *error);
/* A row of facts, read strictly; texts in the arena. ERR_BAD_INPUT. */
CW_MUST_CHECK enum err users_copy_read_fact(struct arena *arena, struct str line,
                                            struct str *name_out, struct str *value_out,
                                            struct error *error);
/*
 * All rows are there. Waits its turn as a change does; from here on others wait. What follows is for after it.
 */
CW_MUST_CHECK enum err users_import_hold(struct users_import *import, struct error *error);
/* Whether there has never been an account here. */
bool users_import_is_first(const struct users_import *import);
/* As users_fact_get and users_fact_set, inside. */
CW_MUST_CHECK enum err users_import_fact_get(struct users_import *import, struct arena *arena,
                                             struct str name, struct str *value_out,
                                             struct error *error);
CW_MUST_CHECK enum err users_import_fact_set(struct users_import *import, struct str name,
                                             struct str value, struct error *error);

struct users_import_counts {
    int64_t accounts;  /* there are now that are not deleted */
    int64_t added;     /* of those: were not here, or were deleted */
    int64_t passwords; /* of those: were here, and have another password now */
    int64_t removed;   /* were here, and are deleted now */
    int64_t keys;      /* of the copy */
    int64_t keys_removed;
};
/* The rows take their place. ERR_BAD_INPUT: they do not fit each other; the caller's text says of which table. */
CW_MUST_CHECK enum err users_import_finish(struct users_import *import,
                                           struct users_import_counts *counts_out,
                                           struct error *error);
/*
 * After that, what somebody else knows of the copy: no account gets an id up to `highest_id`, and if something was
 * voided up to `voided_s` that these rows do not know of, everybody's tokens of up to now are void. 0: not known.
 */
CW_MUST_CHECK enum err users_import_raise(struct users_import *import, int64_t highest_id,
                                          int64_t voided_s, struct error *error);
/* Keeps it when `outcome` is ERR_OK, else undoes it; the answer is `outcome`, or what the end said: ERR_UNCERTAIN, too.
 * Sets *import to NULL. */
CW_MUST_CHECK enum err users_import_end(struct users_import **import, enum err outcome,
                                        struct error *error);

#endif
