/*
 * A program that makes a backup, or puts one back, is killed at any moment. The folder has a whole backup or none; the
 * users database has what it had, or what the backup has. The moments are others in each run; what fails says which.
 */
#include "restore_case.h"

#include "backup/catalogue.h"
#include "cachewarden/backup.h"
#include "loopback.h"
#include "redis_server.h"

#include "cachewarden/random.h"
#include "cachewarden/users.h"
#include "postgres_server.h"
#include "sanitized.h"
#include "suite.h"
#include "temp_folder.h"

#include <dirent.h>

#include "moments.h"

static struct postgres_server *postgres;
static struct temp_folder folder;
static char url[POSTGRES_URL_SIZE], directory[300];
static struct archive_key *key;
static struct error error;

static struct users *open_users(void)
{
    struct users *users = NULL;

    if (users_open(str_from(url), &users, &error) != ERR_OK)
        ck_abort_msg("%s", error.caller);
    return users;
}

/* ---- two states ---- */

enum { ACCOUNTS = 60 };

/* Of each state other accounts, passwords, groups and keys. */
static void make_state(struct users *users, int state)
{
    char name[64], email[96], hash[64];
    int64_t id;

    for (int i = 0; i < ACCOUNTS; i++) {
        snprintf(name, sizeof name, "user%d.%d", i, i % 3 == 0 ? state : 0);
        snprintf(email, sizeof email, "%s@example.org", name);
        snprintf(hash, sizeof hash, "hash%d of %d", i, state);
        struct user user = {.username = str_from(name),
                            .email = str_from(email),
                            .password_hash = str_from(hash),
                            .is_active = true};
        enum err err = users_add(users, &user, &id, &error);
        ck_assert(err == ERR_OK || err == ERR_CONFLICT);
        if (err == ERR_OK && i % 2 == 0)
            ck_assert_int_eq(users_set_group(users, id, STR("group"), true, &error), ERR_OK);
        if (i % 10 == state)
            ck_assert_int_eq(users_switch_set(users, i + 1, true, &error), ERR_OK);
    }
    static const char digest[33] = "0123456789abcdef0123456789abcdef";
    snprintf(name, sizeof name, "%012d", state);
    struct api_key new_key = {
        .id = str_from(name), .name = str_from(name), .secret_digest = {digest, 32}, .scopes = 1};
    ck_assert_int_eq(api_keys_add(users, &new_key, &error), ERR_OK);
}

/* What people see of it, in the arena. */
static struct str describe(struct users *users, struct arena *arena)
{
    struct user *all;
    struct api_key *keys;
    struct users_ids off;
    struct strbuf text;
    size_t count;

    strbuf_init(&text, arena, 4096);
    ck_assert_msg(users_list(users, arena, &all, &count, &error) == ERR_OK, "%s", error.detail);
    for (size_t i = 0; i < count; i++)
        strbuf_addf(&text, "%lld %.*s %.*s %zu\n", (long long)all[i].id, STR_ARG(all[i].username),
                    STR_ARG(all[i].password_hash), all[i].group_count);
    ck_assert_int_eq(api_keys_list(users, arena, &keys, &count, &error), ERR_OK);
    for (size_t i = 0; i < count; i++)
        strbuf_addf(&text, "%.*s\n", STR_ARG(keys[i].name));
    ck_assert_int_eq(users_switches_off(users, arena, 0, 1000, &off, &error), ERR_OK);
    for (size_t i = 0; i < off.count; i++)
        strbuf_addf(&text, "%lld off\n", (long long)off.ids[i]);
    ck_assert(!text.failed);
    return strbuf_str(&text);
}

/* ---- a restore in a process of its own ---- */

static bool restore_in_child(void *with)
{
    struct app app = {.users = NULL};
    struct restore_order order = {.app = &app, .fd = *(int *)with, .key = key};
    struct restore_result result;

    if (users_open(str_from(url), &app.users, &error) != ERR_OK)
        return false;
    moments_begin();
    enum err err = restore_users(&order, &result, &error);
    users_close(&app.users);
    return err == ERR_OK;
}

static void set_up(int kind)
{
    key = archives_key(ARCHIVES_SECRET);
    moments_init();
    temp_folder_init(&folder);
    snprintf(directory, sizeof directory, "%.200s/backups", folder.path);
    if (kind == 1) {
        postgres_server_empty(postgres);
        postgres_server_url(postgres, POSTGRES_DATABASE, url);
    } else {
        snprintf(url, sizeof url, "sqlite:%.200s/users.db", folder.path);
    }
}

static void tear_down(void)
{
    archive_key_free(&key);
    temp_folder_fini(&folder);
}

START_TEST(it_is_the_old_state_or_the_new_one)
{
    struct arena *arena = arena_new(65536, 0), *look = arena_new(65536, 0);
    const int tries = moments_tries(IS_SANITIZED ? 3 : 12);
    int archives[2], kept = 0, ended = 0;
    struct str states[2];
    int64_t total, count;

    set_up(_i);
    for (int state = 0; state < 2; state++) {
        struct app app = {.users = open_users()};
        make_state(app.users, state + 1);
        archives[state] = restore_case_archive(&app, key);
        states[state] = describe(app.users, arena);
        users_close(&app.users);
    }
    ck_assert(!str_eq(states[0], states[1]));
    ck_assert(moments_run(0, restore_in_child, &archives[0], &total));
    ck_assert_int_gt(total, 20);
    for (int i = 0; i < tries; i++) {
        int target = (i + 1) % 2;
        uint32_t any;
        random_bytes(&any, sizeof any);
        int64_t moment = 1 + any % (uint32_t)total;
        bool is_done = moments_run(moment, restore_in_child, &archives[target], &count);
        struct users *users = open_users();
        arena_reset(look);
        struct str state = describe(users, look);
        users_close(&users);
        bool is_new = str_eq(state, states[target]);
        ck_assert_msg(is_new || (!is_done && str_eq(state, states[1 - target])),
                      "killed at moment %lld of %lld:\n%.*s", (long long)moment, (long long)total,
                      STR_ARG(state));
        kept += !is_new;
        ended += !is_done;
        /* The next one goes the other way from the state it is to leave. */
        if (!is_new)
            ck_assert(moments_run(0, restore_in_child, &archives[target], &count));
    }
    printf("%s: killed %d of %d times, the old state after %d of them\n",
           _i ? "postgresql" : "sqlite", ended, tries, kept);
    close(archives[0]);
    close(archives[1]);
    arena_free(&arena);
    arena_free(&look);
    tear_down();
}
END_TEST

/* ---- a backup that is made ---- */

static struct redis_server *redis;

static bool create_in_child(void *with)
{
    struct loopback loopback;
    struct backup backup;

    (void)with;
    loopback_open(&loopback, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .users_url = url,
                                                        .backup_directory = directory,
                                                        .is_unwatched = true});
    moments_begin();
    enum err err =
        backup_create(loopback.app, &(struct backup_watch){.with = NULL}, &backup, &error);
    moments->is_counting = false;
    loopback_close(&loopback);
    return err == ERR_OK;
}

/* All that are found are whole: how many. */
static size_t count_backups(struct arena *arena)
{
    struct archive_key *secret = archives_key(LOOPBACK_SECRET);
    struct work work = {.arena = arena, .error = &error};
    struct catalogue *catalogue;
    struct catalogue_listing listing;
    struct backup verified;

    arena_reset(arena);
    ck_assert_int_eq(catalogue_new(str_from(directory), secret, &catalogue, &error), ERR_OK);
    ck_assert_int_eq(catalogue_list(catalogue, NULL, work, &listing), ERR_OK);
    for (size_t i = 0; i < listing.count; i++)
        ck_assert_msg(catalogue_verify(catalogue, str_from(listing.backups[i].id), NULL, &verified,
                                       &error) == ERR_OK,
                      "%s", error.caller);
    catalogue_free(&catalogue);
    archive_key_free(&secret);
    return listing.count;
}

static size_t count_files(void)
{
    DIR *listing = opendir(directory);
    size_t count = 0;

    ck_assert_ptr_nonnull(listing);
    for (const struct dirent *entry; (entry = readdir(listing));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(listing);
    return count;
}

START_TEST(a_whole_backup_or_none)
{
    struct arena *arena = arena_new(65536, 0);
    const int tries = moments_tries(IS_SANITIZED ? 3 : 10);
    int64_t total, count;
    int made = 0, ended = 0;

    set_up(_i);
    redis = redis_server_start(NULL);
    struct users *users = open_users();
    make_state(users, 1);
    users_close(&users);
    ck_assert(moments_run(0, create_in_child, NULL, &total));
    ck_assert_int_gt(total, 20);
    ck_assert_uint_eq(count_backups(arena), 1);
    for (int i = 0; i < tries; i++) {
        uint32_t any;
        random_bytes(&any, sizeof any);
        int64_t moment = 1 + any % (uint32_t)total;
        size_t before = count_backups(arena);
        bool is_done = moments_run(moment, create_in_child, NULL, &count);
        size_t after = count_backups(arena);
        ck_assert_msg(after == before + 1 || (!is_done && after == before),
                      "killed at moment %lld of %lld: %zu and then %zu", (long long)moment,
                      (long long)total, before, after);
        made += after > before;
        ended += !is_done;
    }
    /* The next one finds nobody at it, and clears what was left. */
    size_t before = count_backups(arena);
    ck_assert(moments_run(0, create_in_child, NULL, &count));
    ck_assert_uint_eq(count_backups(arena), before + 1);
    ck_assert_uint_eq(count_files(), before + 1);
    printf("%s: killed %d of %d times, %d of them had a backup\n", _i ? "postgresql" : "sqlite",
           ended, tries, made);
    redis_server_stop(&redis);
    arena_free(&arena);
    tear_down();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/killed");
    TCase *killed = tcase_create("killed");

    tcase_add_loop_test(killed, a_whole_backup_or_none, 0, 2);
    tcase_add_loop_test(killed, it_is_the_old_state_or_the_new_one, 0, 2);
    suite_add_tcase(suite, killed);
    postgres = postgres_server_start(NULL);
    int status = suite_run(suite);
    postgres_server_stop(&postgres);
    return status;
}
