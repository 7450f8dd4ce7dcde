/* All of one users database into another: a copy that is put in place of nothing. */
#include "cachewarden/users_move.h"

#include "users/import_private.h"

enum { LINES_BYTES = 256 * 1024, ARENA_FIRST = 64 * 1024 };

struct moving {
    struct users *from, *to;
    struct users_snapshot *snapshot;
    struct users_import *import;
    struct arena *arena;
    struct strbuf lines; /* of a page */
    struct strbuf facts; /* all of them; a database has a few */
};

static const struct str install_fact = STR("install_id");

/* ---- whether there is anything to do ---- */

static enum err read_install(struct users *users, struct arena *arena, struct str *install_out,
                             struct error *error)
{
    enum err err = users_fact_get(users, arena, install_fact, install_out, error);

    return err == ERR_NOT_FOUND
               ? error_set_detail(error, ERR_INTERNAL, "users database: it has no install_id")
               : err;
}

/* Of all rows but facts, whatever their order: the same of two databases that hold the same. */
struct contents {
    int64_t rows;
    uint64_t sum;
};

static uint64_t hash_line(struct str line)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (size_t i = 0; i < line.len; i++)
        hash = (hash ^ (unsigned char)line.ptr[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static enum err read_contents(struct moving *moving, struct users *users, struct users_moved *moved,
                              struct contents *contents_out, struct error *error)
{
    struct users_snapshot *snapshot;
    enum err err = users_snapshot_begin(users, &snapshot, error);

    *contents_out = (struct contents){0};
    *moved = (struct users_moved){0};
    if (err)
        return err;
    snapshot_takes_incarnations(snapshot);
    for (enum users_table table = 0; !err && table < USERS_FACTS; table++) {
        struct users_rows rows = {.is_done = false};
        while (!err && !rows.is_done) {
            struct str lines, line;
            moving->lines.len = 0;
            err = users_snapshot_read(snapshot, table, LINES_BYTES, &moving->lines, &rows, error);
            lines = strbuf_str(&moving->lines);
            while (!err && str_take_line(&lines, &line))
                contents_out->sum += hash_line(line) * (table + 1);
            contents_out->rows += (int64_t)rows.rows;
            moved->accounts += table == USERS_ACCOUNTS ? (int64_t)rows.living : 0;
            moved->keys += table == USERS_API_KEYS ? (int64_t)rows.rows : 0;
        }
    }
    users_snapshot_end(&snapshot);
    return err;
}

/* Two of one id are the same database, or one was moved into the other. */
static enum err compare(struct moving *moving, struct users_moved *moved, struct error *error)
{
    struct contents here, there;
    enum err err = read_contents(moving, moving->from, moved, &here, error);

    if (!err)
        err = read_contents(moving, moving->to, moved, &there, error);
    if (err)
        return err;
    moved->was_there = here.rows == there.rows && here.sum == there.sum;
    return moved->was_there
               ? ERR_OK
               : error_set(error, ERR_CONFLICT,
                           "This installation is in that database already, with other rows: it is "
                           "in use there, or an old copy. An old copy has to go first.");
}

static enum err look_at_target(struct moving *moving, struct users_moved *moved,
                               struct error *error)
{
    struct str here, there;
    enum err err = read_install(moving->from, moving->arena, &here, error);

    if (!err)
        err = read_install(moving->to, moving->arena, &there, error);
    return !err && str_eq(here, there) ? compare(moving, moved, error) : err;
}

/* ---- rows ---- */

static enum err move_rows(struct moving *moving, enum users_table table, struct error *error)
{
    struct users_rows rows = {.is_done = false};
    enum err err = ERR_OK;

    while (!err && !rows.is_done) {
        moving->lines.len = 0;
        err =
            users_snapshot_read(moving->snapshot, table, LINES_BYTES, &moving->lines, &rows, error);
        if (!err)
            err = users_import_rows(moving->import, table, strbuf_str(&moving->lines), error);
    }
    return err;
}

static enum err read_facts(struct moving *moving, struct error *error)
{
    struct users_rows rows = {.is_done = false};
    enum err err = ERR_OK;

    while (!err && !rows.is_done)
        err = users_snapshot_read(moving->snapshot, USERS_FACTS, LINES_BYTES, &moving->facts, &rows,
                                  error);
    return err;
}

static enum err put_facts(struct moving *moving, struct error *error)
{
    struct str lines = strbuf_str(&moving->facts), line, name, value;
    enum err err = ERR_OK;

    while (!err && str_take_line(&lines, &line)) {
        err = users_copy_read_fact(moving->arena, line, &name, &value, error);
        if (!err)
            err = users_import_fact_set(moving->import, name, value, error);
    }
    return err;
}

/* ---- all of it ---- */

/* Held: so it stays as it is found. */
static enum err expect_empty(const struct users_import *import, struct error *error)
{
    if (users_import_is_first(import) && import->counts.keys_removed == 0)
        return ERR_OK;
    return error_set(error, ERR_CONFLICT,
                     "There are accounts or API keys of another installation in that database; "
                     "take an empty one.");
}

static enum err put_in_place(struct moving *moving, struct users_moved *moved, struct error *error)
{
    struct users_import_counts counts = {0};
    enum err err = users_import_hold(moving->import, error);

    if (!err)
        err = expect_empty(moving->import, error);
    if (!err)
        err = users_import_finish(moving->import, &counts, error);
    if (!err)
        err = put_facts(moving, error);
    moved->accounts = counts.accounts;
    moved->keys = counts.keys;
    return err;
}

static enum err move_all(struct moving *moving, struct users_moved *moved, struct error *error)
{
    enum err err = read_facts(moving, error);

    for (enum users_table table = 0; !err && table < USERS_FACTS; table++)
        err = move_rows(moving, table, error);
    return err ? err : put_in_place(moving, moved, error);
}

static enum err begin_and_move(struct moving *moving, struct users_moved *moved,
                               struct error *error)
{
    enum err err = users_snapshot_begin(moving->from, &moving->snapshot, error);

    if (err)
        return err;
    snapshot_takes_incarnations(moving->snapshot);
    err = users_import_begin(moving->to, false, &moving->import, error);
    if (!err) {
        moving->import->has_incarnations = true;
        err = users_import_end(&moving->import, move_all(moving, moved, error), error);
    }
    users_snapshot_end(&moving->snapshot);
    return err;
}

enum err users_move(struct users *from, struct users *to, struct users_moved *moved_out,
                    struct error *error)
{
    struct moving moving = {.from = from, .to = to, .arena = arena_new(ARENA_FIRST, 0)};

    *moved_out = (struct users_moved){0};
    if (!moving.arena)
        return ERR_NO_MEMORY;
    strbuf_init(&moving.lines, NULL, LINES_BYTES);
    strbuf_init(&moving.facts, NULL, 4096);
    enum err err = look_at_target(&moving, moved_out, error);
    if (!err && !moved_out->was_there)
        err = begin_and_move(&moving, moved_out, error);
    strbuf_fini(&moving.lines);
    strbuf_fini(&moving.facts);
    arena_free(&moving.arena);
    return err;
}
