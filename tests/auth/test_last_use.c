#include "last_use.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "patience.h"
#include "suite.h"
#include "users_backend.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

static const struct users_backend *backend = &users_backends[0];
static struct users *users;
static struct last_use *usage;
static struct arena *arena;
static struct error error;

static void add_key(const char *id)
{
    struct api_key key = {.id = str_from(id),
                          .name = str_from(id),
                          .secret_digest = STR("0123456789abcdef0123456789abcdef")};

    ck_assert_int_eq(api_keys_add(users, &key, &error), ERR_OK);
}

static void set_up(void)
{
    backend->init();
    users = users_backend_open();
    arena = arena_new(4096, 0);
    error_clear(&error);
    add_key("aaaaaaaaaaaa");
    add_key("bbbbbbbbbbbb");
    ck_assert_int_eq(last_use_new(users, &usage), ERR_OK);
}

static void tear_down(void)
{
    last_use_free(&usage);
    ck_assert_ptr_null(usage);
    arena_free(&arena);
    users_close(&users);
    backend->fini();
}

static int64_t last_used(const char *id)
{
    struct api_key key;

    ck_assert_int_eq(api_keys_find(users, arena, str_from(id), &key, &error), ERR_OK);
    return key.last_used_at_s;
}

/* Waits until the thread has written it. */
static void expect_last_used(const char *id, int64_t wanted)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);

    while (last_used(id) != wanted) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "%s: %lld", id, (long long)last_used(id));
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

START_TEST(a_use_is_written)
{
    last_use_note_key(usage, STR("aaaaaaaaaaaa"), 0, 1000);
    expect_last_used("aaaaaaaaaaaa", 1000);
    last_use_note_key(usage, STR("bbbbbbbbbbbb"), 0, 1001);
    expect_last_used("bbbbbbbbbbbb", 1001);
}
END_TEST

static int64_t last_login(int64_t id)
{
    struct user user;

    ck_assert_int_eq(users_find_by_id(users, arena, id, &user, &error), ERR_OK);
    return user.last_login_at_s;
}

/* The number of an account and the id of a key never meet in one note. */
START_TEST(a_sign_in_is_written)
{
    const struct user user = {.username = STR("alice"),
                              .email = STR("alice@example.com"),
                              .password_hash = STR("-"),
                              .is_active = true};
    int64_t id;

    ck_assert_int_eq(users_add(users, &user, &id, &error), ERR_OK);
    ck_assert_int_eq(last_login(id), 0);
    last_use_note_key(usage, STR("aaaaaaaaaaaa"), 0, 1000);
    last_use_note_login(usage, id, 0, 1000);
    last_use_note_login(usage, 0, 0, 1000);
    last_use_note_login(usage, id, 0, 1030); /* within the minute */
    last_use_note_login(usage, id, 1000, 1059);
    last_use_free(&usage);
    ck_assert_int_eq(last_login(id), 1000);
    ck_assert_int_eq(last_used("aaaaaaaaaaaa"), 1000);
    /* Nodes may tell in any order. */
    ck_assert_int_eq(users_note_login(users, id, 900, &error), ERR_OK);
    ck_assert_int_eq(last_login(id), 1000);
    ck_assert_int_eq(last_use_new(users, &usage), ERR_OK);
}
END_TEST

START_TEST(at_most_once_a_minute)
{
    /* The record says so. */
    last_use_note_key(usage, STR("aaaaaaaaaaaa"), 941, 1000);
    last_use_note_key(usage, STR("bbbbbbbbbbbb"), 940, 1000);
    expect_last_used("bbbbbbbbbbbb", 1000);
    ck_assert_int_eq(last_used("aaaaaaaaaaaa"), 0);

    /* The record is an old one, but we know better. */
    last_use_note_key(usage, STR("bbbbbbbbbbbb"), 0, 1059);
    last_use_note_key(usage, STR("aaaaaaaaaaaa"), 0, 1059);
    expect_last_used("aaaaaaaaaaaa", 1059);
    ck_assert_int_eq(last_used("bbbbbbbbbbbb"), 1000);
    last_use_note_key(usage, STR("bbbbbbbbbbbb"), 0, 1060);
    expect_last_used("bbbbbbbbbbbb", 1060);
}
END_TEST

START_TEST(what_is_noted_is_written_at_the_end)
{
    last_use_note_key(usage, STR("aaaaaaaaaaaa"), 0, 1000);
    last_use_note_key(usage, STR("bbbbbbbbbbbb"), 0, 1000);
    last_use_free(&usage);
    ck_assert_int_eq(last_used("aaaaaaaaaaaa"), 1000);
    ck_assert_int_eq(last_used("bbbbbbbbbbbb"), 1000);
}
END_TEST

START_TEST(ids_of_no_key)
{
    last_use_note_key(usage, STR("short"), 0, 1000);
    last_use_note_key(usage, STR_NONE, 0, 1000);
    last_use_note_key(usage, STR("cccccccccccc"), 0, 1000);
    last_use_note_key(usage, STR("aaaaaaaaaaaa"), 0, 1000);
    expect_last_used("aaaaaaaaaaaa", 1000);
}
END_TEST

/* More keys than places: some notes are lost, nothing else. */
START_TEST(more_keys_than_places)
{
    char id[16];

    for (int i = 0; i < 2000; i++) {
        snprintf(id, sizeof id, "%012d", i);
        last_use_note_key(usage, str_from(id), 0, 1000);
    }
    last_use_free(&usage);
    ck_assert_int_eq(last_use_new(users, &usage), ERR_OK);
    last_use_note_key(usage, STR("aaaaaaaaaaaa"), 0, 1000);
    expect_last_used("aaaaaaaaaaaa", 1000);
}
END_TEST

/* A database that is gone: said in the log, and neither a request nor the end waits for it. */
START_TEST(a_database_that_fails)
{
    char log_path[400], text[4096] = "";

    snprintf(log_path, sizeof log_path, "%s/log", users_backend_folder.path);
    int log = open(log_path, O_RDWR | O_CREAT, 0600);
    ck_assert_int_ge(log, 0);
    log_set_fd(log);
    backend->ruin();
    last_use_note_key(usage, STR("aaaaaaaaaaaa"), 0, 1000);
    last_use_note_key(usage, STR("bbbbbbbbbbbb"), 0, 1000);
    last_use_free(&usage);
    log_set_fd(STDERR_FILENO);
    ck_assert_int_gt(pread(log, text, sizeof text - 1, 0), 0);
    ck_assert_msg(strstr(text, "users.key_usage_failed") != NULL, "%s", text);
    close(log);
}
END_TEST

static void *note_often(void *arg)
{
    for (int64_t i = 0; i < 500; i++) {
        last_use_note_key(usage, STR("aaaaaaaaaaaa"), 0, 1000 + i);
        last_use_note_key(usage, str_from(arg), 0, 1000 + i);
    }
    return NULL;
}

START_TEST(all_threads_at_once)
{
    static char ids[4][13] = {"cccccccccccc", "dddddddddddd", "eeeeeeeeeeee", "ffffffffffff"};
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, note_often, ids[i]), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    last_use_free(&usage);
    ck_assert_int_ge(last_used("aaaaaaaaaaaa"), 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/last_use");
    TCase *tcase = tcase_create("last_use");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_use_is_written);
    tcase_add_test(tcase, a_sign_in_is_written);
    tcase_add_test(tcase, at_most_once_a_minute);
    tcase_add_test(tcase, what_is_noted_is_written_at_the_end);
    tcase_add_test(tcase, ids_of_no_key);
    tcase_add_test(tcase, more_keys_than_places);
    tcase_add_test(tcase, a_database_that_fails);
    tcase_add_test(tcase, all_threads_at_once);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
