/* The rows that wait take the place of those that are here, in one transaction. statements.def has the rules. */
#include "users/import_private.h"

#include "cachewarden/clock.h"

static enum err ask_number(struct users_import *import, struct users_query query,
                           int64_t *number_out, struct error *error)
{
    struct users_result result = {0};
    enum err err = import_run(import, query, &result, error);

    *number_out = err ? 0 : users_integer(&result, 0, 0);
    return err;
}

/* ---- before ---- */

/* How many there are, and how many of those the copy has, too. */
static enum err count(struct users_import *import, struct error *error)
{
    int64_t accounts = 0, keys = 0, keys_kept = 0, kept = 0;
    struct users_result compared = {0};
    enum err err = ask_number(import, USERS_PLAIN(IMPORT_COUNT_ACCOUNTS), &accounts, error);

    if (!err)
        err = ask_number(import, USERS_PLAIN(IMPORT_COUNT_KEYS), &keys, error);
    if (!err)
        err = ask_number(import, USERS_PLAIN(IMPORT_COMPARE_KEYS), &keys_kept, error);
    if (!err)
        err = import_run(import, USERS_PLAIN(IMPORT_COMPARE_ACCOUNTS), &compared, error);
    if (err)
        return err;
    kept = users_integer(&compared, 0, 0);
    import->counts.passwords = users_integer(&compared, 0, 1);
    import->counts.added = import->counts.accounts - kept;
    import->counts.removed = accounts - kept;
    import->counts.keys_removed = keys - keys_kept;
    return ERR_OK;
}

static enum err look(struct users_import *import, struct error *error)
{
    int64_t highest = 0, voided_s = 0;
    enum err err = ask_number(import, USERS_PLAIN(ACCOUNT_HIGHEST), &highest, error);

    import->is_first = highest == 0;
    if (!err)
        err = ask_number(import, USERS_PLAIN(ACCOUNT_LAST_VOIDED), &voided_s, error);
    if (voided_s > import->last_voided_s)
        import->last_voided_s = voided_s;
    return err ? err : count(import, error);
}

enum err users_import_hold(struct users_import *import, struct error *error)
{
    enum err err = import_say_where(import->table, import->row, import_flush(import, error), error);

    if (!err)
        err = import->users->driver->replace(import->connection, error);
    if (!err)
        err = look(import, error);
    arena_reset(import->page);
    return err;
}

bool users_import_is_first(const struct users_import *import)
{
    return import->is_first;
}

/* ---- facts ---- */

enum err users_import_fact_get(struct users_import *import, struct arena *arena, struct str name,
                               struct str *value_out, struct error *error)
{
    struct users_result result = {0};
    enum err err = ERR_OK;

    /* What is read is to be true until the end, and the table is not locked. */
    *value_out = STR_NONE;
    if (!import->only_counts)
        err = import_change(import, USERS_QUERY(FACT_HOLD, USERS_STR(name)), error);
    if (!err)
        err = import->users->driver->run(import->connection, USERS_QUERY(FACT_GET, USERS_STR(name)),
                                         arena, &result, error);
    if (!err && result.row_count > 0)
        *value_out = users_bytes(&result, 0, 0);
    return !err && result.row_count == 0 ? ERR_NOT_FOUND : err;
}

enum err users_import_fact_set(struct users_import *import, struct str name, struct str value,
                               struct error *error)
{
    return import->only_counts
               ? ERR_OK
               : import_change(import, USERS_QUERY(FACT_SET, USERS_STR(name), USERS_STR(value)),
                               error);
}

/* ---- the rows ---- */

/* Which second a statement is told. Dates of tokens are whole seconds: to end those of this very second the next one
 * is named. */
enum step_date { DATE_NONE, DATE_NOW, DATE_NEXT };

/* In this order: names come free before others get them, and no row refers to one that is not there yet. */
static const struct {
    enum users_table table;
    enum users_statement statement;
    enum step_date date;
} steps[] = {
    {USERS_ACCOUNTS, IMPORT_MARK_ACCOUNTS, DATE_NONE},
    {USERS_ACCOUNTS, IMPORT_ACCOUNTS, DATE_NEXT},
    {USERS_ACCOUNTS, IMPORT_DELETE_ACCOUNTS, DATE_NOW},
    {USERS_GROUPS, IMPORT_CLEAR_GROUPS, DATE_NONE},
    {USERS_GROUPS, IMPORT_GROUPS, DATE_NONE},
    {USERS_SUBJECTS, IMPORT_CLEAR_SUBJECTS, DATE_NONE},
    {USERS_SUBJECTS, IMPORT_SUBJECTS, DATE_NONE},
    {USERS_API_KEYS, IMPORT_MARK_KEYS, DATE_NONE},
    {USERS_API_KEYS, IMPORT_KEYS, DATE_NONE},
    {USERS_API_KEYS, IMPORT_REMOVE_KEYS, DATE_NONE},
    {USERS_API_KEYS, IMPORT_KEEP_KEYS, DATE_NONE},
    {USERS_SWITCHES, IMPORT_CLEAR_SWITCHES, DATE_NONE},
    {USERS_SWITCHES, IMPORT_SWITCHES, DATE_NONE},
};

static enum err replace(struct users_import *import, struct error *error)
{
    int64_t now_s = clock_wall_s();
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < sizeof steps / sizeof *steps; i++) {
        struct users_value date = USERS_INT(steps[i].date == DATE_NEXT ? now_s + 1 : now_s);
        struct users_query query = {steps[i].statement, &date, steps[i].date == DATE_NONE ? 0 : 1};
        err = import_say_where(steps[i].table, 0, import_change(import, query, error), error);
    }
    if (!err && import->last_id > 0)
        err = import->users->driver->skip_ids(import->connection, import->last_id, error);
    return err;
}

enum err users_import_finish(struct users_import *import, struct users_import_counts *counts_out,
                             struct error *error)
{
    *counts_out = import->counts;
    return import->only_counts ? ERR_OK : replace(import, error);
}

/* ---- what others know ---- */

/* A date far ahead is a clock's mistake, and counts as now. */
static enum err void_up_to(struct users_import *import, int64_t voided_s, struct error *error)
{
    int64_t now_s = clock_wall_s();
    bool is_near = voided_s > now_s + 1 && voided_s <= now_s + USERS_VOID_AHEAD_S;

    if (voided_s <= import->last_voided_s)
        return ERR_OK;
    return import_change(
        import, USERS_QUERY(ACCOUNT_VOID_ALL_TOKENS, USERS_INT(is_near ? voided_s : now_s + 1)),
        error);
}

enum err users_import_raise(struct users_import *import, int64_t highest_id, int64_t voided_s,
                            struct error *error)
{
    enum err err = ERR_OK;

    if (import->only_counts)
        return ERR_OK;
    if (highest_id > import->last_id)
        err = import->users->driver->skip_ids(import->connection, highest_id, error);
    return !err && voided_s > 0 ? void_up_to(import, voided_s, error) : err;
}
