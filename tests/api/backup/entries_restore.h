/* Two nodes that make backups with entries, and restores of them (entries/entries_case.h has the nodes). */
#ifndef TESTS_BACKUP_ENTRIES_RESTORE_H
#define TESTS_BACKUP_ENTRIES_RESTORE_H

#include "cachewarden/backup_restore.h"
#include "entries/entries_case.h"
#include "temp_folder.h"

static struct temp_folder folder;
static struct backup backup;

static inline void set_up(void)
{
    temp_folder_init(&folder);
    backup_directory = folder.path;
    open_two_nodes();
}

static inline void set_up_apart(void)
{
    temp_folder_init(&folder);
    backup_directory = folder.path;
    open_two_nodes_apart();
}

static inline void tear_down(void)
{
    close_two_nodes();
    temp_folder_fini(&folder);
}

/* ---- what is done ---- */

static const struct backup_watch unwatched;

static inline void create_watched(const struct backup_watch *watch)
{
    error_clear(&error);
    expect_ok(backup_create(nodes[0].app, watch, &backup, &error));
    ck_assert(backup.has_entries);
}

static inline void create(int64_t entries)
{
    create_watched(&unwatched);
    ck_assert_int_eq(backup.entries, entries);
}

static inline void lose_all(void)
{
    redis_server_do(redis, "FLUSHALL");
    if (store != redis)
        redis_server_do(store, "FLUSHALL");
}

static inline struct backup_entries_counts restore_by(struct app *app, const struct backup *which,
                                                      const struct backup_watch *watch)
{
    const struct backup_restore_order order = {.id = str_from(which->id), .takes_foreign = true};
    struct backup_restore_order told = order;
    struct backup_restored restored;

    error_clear(&error);
    told.watch = watch;
    expect_ok(backup_restore_users(app, &order, &restored, &error));
    expect_ok(backup_restore_redis(app, &told, &restored, &error));
    ck_assert(restored.has_told_redis);
    return restored.entries;
}

static inline struct backup_entries_counts restore(void)
{
    return restore_by(nodes[0].app, &backup, &unwatched);
}

static inline void expect_counts(struct backup_entries_counts counts, enum backup_entries state,
                                 int64_t restored, int64_t left)
{
    ck_assert_msg(counts.state == state && counts.restored == restored &&
                      counts.expired + counts.cleared + counts.taken + counts.refused +
                              counts.earlier ==
                          left,
                  "%s: restored %lld, expired %lld, cleared %lld, taken %lld, refused %lld, "
                  "earlier %lld",
                  backup_entries_name(counts.state), (long long)counts.restored,
                  (long long)counts.expired, (long long)counts.cleared, (long long)counts.taken,
                  (long long)counts.refused, (long long)counts.earlier);
}

static inline void put(struct namespace space, const char *label, const char *body)
{
    put_on(0, space, label, NULL, body, STR_NONE);
}

#endif
