/* A backup is put back while two nodes serve: what comes again, and what does not. */
#include "restore_case.h"

#include "cachewarden/control.h"
#include "control_data.h"
#include "session.h"
#include "suite.h"

#include <sys/stat.h>
#include <time.h>

static struct redis_server *redis;
static struct loopback nodes[2];
static struct archive_key *key;
static struct arena *arena;
static struct error error;
static struct restore_result result;

static void open_nodes(void)
{
    redis = redis_server_start(NULL);
    arena = arena_new(4096, 0);
    key = archives_key(ARCHIVES_SECRET);
    error_clear(&error);
    loopback_open(&nodes[0], &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .term_patience_ms = 200,
                                                        .is_registration_open = true});
    loopback_open(&nodes[1], &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .shares = &nodes[0],
                                                        .term_patience_ms = 200,
                                                        .is_registration_open = true});
}

static void close_nodes(void)
{
    loopback_close(&nodes[1]);
    loopback_close(&nodes[0]);
    archive_key_free(&key);
    arena_free(&arena);
    redis_server_stop(&redis);
}

static struct restore_order order_of(int fd)
{
    return (struct restore_order){.app = nodes[0].app, .fd = fd, .key = key};
}

static void restore(int fd)
{
    struct restore_order order = order_of(fd);

    ck_assert_msg(restore_users(&order, &result, &error) == ERR_OK, "%s / %s", error.caller,
                  error.detail);
    ck_assert_msg(restore_redis(&order, &result, &error) == ERR_OK, "%s / %s", error.caller,
                  error.detail);
}

/* A node that lost Redis a moment ago says so until it has tried again. */
static int64_t version_on(int node, int64_t user_id)
{
    struct cache_state state;
    const int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    const struct work work = {arena, deadline_ns, &error};

    while (control_status(nodes[node].app, work, user_id, NULL, &state) != ERR_OK) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "%s", error.detail);
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    }
    return state.version;
}

static int64_t clear_on(int node, int64_t user_id)
{
    struct cache_state state;
    const struct work work = {arena, clock_deadline_ns(PATIENCE_MS), &error};

    ck_assert_int_eq(control_clear(nodes[node].app, work, user_id, &state), ERR_OK);
    return state.version;
}

/* Both nodes come to say this of a token; and they keep saying it. */
static void expect_access(const struct session *session, enum err err)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);

    for (int i = 0; i < 2; i++)
        while (session_try_access(&nodes[i], session->access) != err) {
            ck_assert_msg(clock_mono_ns() < deadline_ns, "node %d: not %s", i, err_name(err));
            nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
        }
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(session_try_access(&nodes[i], session->access), err);
}

/* A node that has not agreed to the new term yet asks to come again: nothing is spent by that. */
static enum err refresh_on_other(const char *token)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    enum err err;

    while ((err = session_try_refresh(&nodes[1], token)) == ERR_UPSTREAM_DOWN &&
           clock_mono_ns() < deadline_ns)
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    return err;
}

static enum err sign_in(int node, const char *name, const char *password)
{
    char body[256];

    snprintf(body, sizeof body, "{\"username\":\"%s\",\"password\":\"%s\"}", name, password);
    struct loopback_answer *answer =
        LOOPBACK(&nodes[node], "auth.login", loopback_nobody(), .body = body);
    enum err err = answer->err;
    loopback_free(&answer);
    return err;
}

static struct session open_session(const char *name)
{
    struct session session;

    session_open(&nodes[0], name, &session);
    return session;
}

#define NEW_PASSWORD "battery-staple-horse"
#define OLD_TO_NEW \
    "{\"old_password\":\"" LOOPBACK_PASSWORD "\",\"new_password\":\"" NEW_PASSWORD "\"}"

static void change_password(const struct session *session)
{
    struct loopback_answer *answer =
        SESSION_CALL(&nodes[0], session, "auth.password", .body = OLD_TO_NEW);
    ck_assert_msg(answer->err == ERR_OK, "%s", answer->error.caller);
    loopback_free(&answer);
}

static void log_out(const struct session *session)
{
    struct loopback_answer *answer = SESSION_CALL(&nodes[0], session, "auth.logout", .body = "{}");
    ck_assert_int_eq(answer->err, ERR_OK);
    loopback_free(&answer);
}

/* Accounts: 1 stays as it is, 2 gets another password, 3 is deleted, 4 logs out, 5 comes later. */
START_TEST(two_nodes_under_way)
{
    static const char *const names[] = {"alice", "bob", "carol", "dave", "eve"};
    static struct session before[5], after;

    for (int i = 0; i < 4; i++) {
        session_register(&nodes[0], names[i]);
        before[i] = open_session(names[i]);
        ck_assert_int_eq(before[i].user_id, i + 1);
    }
    clear_on(0, 1);
    int fd = restore_case_archive(nodes[0].app, key);
    session_register(&nodes[0], names[4]);
    before[4] = open_session(names[4]);
    change_password(&before[1]);
    session_open_with(&nodes[0], "bob", NEW_PASSWORD, &after);
    ck_assert_int_eq(users_delete(nodes[0].app->users, 3, &error), ERR_OK);
    log_out(&before[3]);
    int64_t version = clear_on(1, 1), term = control_term(redis);

    restore(fd);
    ck_assert_str_eq(result.id, ARCHIVES_ID);
    ck_assert(result.users.accounts == 4 && result.users.added == 1 && result.users.removed == 1 &&
              result.users.passwords == 1);
    ck_assert_int_gt(control_term(redis), term);
    /* Who was signed in and did nothing stays so; no token is good that was not. */
    expect_access(&before[0], ERR_OK);
    ck_assert_int_eq(refresh_on_other(before[0].refresh), ERR_OK);
    expect_access(&after, ERR_UNAUTHENTICATED);
    ck_assert_int_eq(refresh_on_other(after.refresh), ERR_UNAUTHENTICATED);
    for (int i = 1; i < 5; i++) {
        expect_access(&before[i], ERR_UNAUTHENTICATED);
        ck_assert_int_eq(refresh_on_other(before[i].refresh), ERR_UNAUTHENTICATED);
    }
    for (int node = 0; node < 2; node++) {
        ck_assert_int_gt(version_on(node, 1), version);
        ck_assert_int_eq(sign_in(node, "bob", LOOPBACK_PASSWORD), ERR_OK);
        ck_assert_int_eq(sign_in(node, "bob", NEW_PASSWORD), ERR_UNAUTHENTICATED);
        ck_assert_int_eq(sign_in(node, "carol", LOOPBACK_PASSWORD), ERR_OK);
        ck_assert_int_eq(sign_in(node, "eve", LOOPBACK_PASSWORD), ERR_UNAUTHENTICATED);
    }
    /* The name is free, the number is not. */
    session_register(&nodes[1], "eve");
    struct session again = open_session("eve");
    ck_assert_int_eq(again.user_id, 6);
    for (int i = 0; i < 5; i++)
        session_free(&before[i]);
    session_free(&after);
    session_free(&again);
    close(fd);
}
END_TEST

/* Redis lost what the backup knows: who logged out stays so, and no version comes again. */
START_TEST(redis_lost_all_of_it)
{
    session_register(&nodes[0], "alice");
    struct session session = open_session("alice"), other = open_session("alice");
    int64_t version = clear_on(0, 1);
    log_out(&session);
    int fd = restore_case_archive(nodes[0].app, key);
    redis_server_do(redis, "FLUSHALL");
    session_look_at_redis(&nodes[0]);

    restore(fd);
    ck_assert_int_gt(result.control.revocations, 0);
    ck_assert_int_eq(result.control.clears, 1);
    ck_assert_int_eq(control_clears(redis, 1), 1);
    expect_access(&session, ERR_UNAUTHENTICATED);
    expect_access(&other, ERR_OK);
    ck_assert_int_gt(version_on(1, 1), version);
    session_free(&session);
    session_free(&other);
    close(fd);
}
END_TEST

/* The file may be another backup by the time that Redis is told. */
START_TEST(redis_is_told_of_the_same_backup_alone)
{
    session_register(&nodes[0], "alice");
    clear_on(0, 1);
    int fd = restore_case_archive(nodes[0].app, key);
    redis_server_do(redis, "FLUSHALL");
    session_look_at_redis(&nodes[0]);
    struct restore_order order = order_of(fd);

    ck_assert_int_eq(restore_users(&order, &result, &error), ERR_OK);
    result.id[0] = '1';
    ck_assert_int_eq(restore_redis(&order, &result, &error), ERR_CONFLICT);
    ck_assert_str_eq(error.caller, "The file has become another backup meanwhile.");
    ck_assert_int_eq(result.control.clears, 0);
    ck_assert_int_eq(control_clears(redis, 1), 0);
    result.id[0] = '2';
    ck_assert_int_eq(restore_redis(&order, &result, &error), ERR_OK);
    ck_assert_int_eq(control_clears(redis, 1), 1);
    close(fd);
}
END_TEST

START_TEST(switches_are_those_of_the_backup)
{
    struct cache_state state;
    const struct work work = {arena, clock_deadline_ns(PATIENCE_MS), &error};

    ck_assert_int_eq(control_switch(nodes[0].app, work, 7, false, &state), ERR_OK);
    int fd = restore_case_archive(nodes[0].app, key);
    ck_assert_int_eq(control_switch(nodes[0].app, work, 7, true, &state), ERR_OK);
    ck_assert_int_eq(control_switch(nodes[0].app, work, 8, false, &state), ERR_OK);
    restore(fd);
    for (int node = 0; node < 2; node++) {
        ck_assert_int_eq(control_status(nodes[node].app, work, 7, NULL, &state), ERR_OK);
        ck_assert(!state.enabled);
        ck_assert_int_eq(control_status(nodes[node].app, work, 8, NULL, &state), ERR_OK);
        ck_assert(state.enabled);
    }
    close(fd);
}
END_TEST

/* The rows are there, and every node moves on when Redis is back. */
START_TEST(redis_is_away)
{
    session_register(&nodes[0], "alice");
    int fd = restore_case_archive(nodes[0].app, key);
    session_register(&nodes[0], "bob");
    int64_t version = clear_on(0, 1), term = control_term(redis);
    struct restore_order order = order_of(fd);

    redis_server_kill(redis);
    ck_assert_msg(restore_users(&order, &result, &error) == ERR_OK, "%s", error.caller);
    ck_assert_int_eq(restore_redis(&order, &result, &error), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(result.users.removed, 1);
    redis_server_restart(redis);
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    while (redis_server_ask_integer(redis, "HEXISTS cw:dataset term") == 0 ||
           control_term(redis) <= term + 1) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "no term begins");
        nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    }
    ck_assert_int_gt(version_on(1, 1), version);
    /* What was left to do can be done now, or in a moment: a connection that broke is noticed when it is used. */
    ck_assert_int_eq(restore_users(&order, &result, &error), ERR_OK);
    while (restore_redis(&order, &result, &error) != ERR_OK) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "%s", error.detail);
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    }
    ck_assert(result.users.added == 0 && result.users.removed == 0);
    close(fd);
}
END_TEST

/* Another program moved it and died, or has no Redis: whoever watches finds out. */
START_TEST(nobody_tells_redis)
{
    session_register(&nodes[0], "alice");
    int fd = restore_case_archive(nodes[0].app, key);
    int64_t version = clear_on(0, 1);
    struct restore_order order = order_of(fd);

    ck_assert_int_eq(restore_users(&order, &result, &error), ERR_OK);
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    while (control_term(redis) <= result.term) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "no term begins");
        nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    }
    ck_assert_int_gt(version_on(0, 1), version);
    ck_assert_int_eq(version_on(0, 1), version_on(1, 1));
    close(fd);
}
END_TEST

static size_t count_users(void)
{
    struct user *all;
    size_t count;

    ck_assert_int_eq(users_list(nodes[0].app->users, arena, &all, &count, &error), ERR_OK);
    return count;
}

START_TEST(who_only_tries_is_told_what_would_be)
{
    session_register(&nodes[0], "alice");
    int fd = restore_case_archive(nodes[0].app, key);
    session_register(&nodes[0], "bob");
    struct restore_order order = order_of(fd);
    struct str before, after;

    order.only_tries = true;
    ck_assert_int_eq(
        users_fact_get(nodes[0].app->users, arena, STR("versions_reserved"), &before, &error),
        ERR_OK);
    ck_assert_int_eq(restore_users(&order, &result, &error), ERR_OK);
    ck_assert(result.users.accounts == 1 && result.users.removed == 1 && !result.has_become);
    ck_assert_uint_eq(count_users(), 2);
    ck_assert_int_eq(
        users_fact_get(nodes[0].app->users, arena, STR("versions_reserved"), &after, &error),
        ERR_OK);
    ck_assert(str_eq(before, after));
    close(fd);
}
END_TEST

/* Each byte of it counts; and what is whole may hold rows that are none. */
START_TEST(what_is_not_whole_changes_nothing)
{
    struct stat status;
    unsigned char byte;

    session_register(&nodes[0], "alice");
    int fd = restore_case_archive(nodes[0].app, key);
    session_register(&nodes[0], "bob");
    struct restore_order order = order_of(fd);
    struct archive_key *other = archives_key("another secret that is long enough, too");

    ck_assert_int_eq(fstat(fd, &status), 0);
    for (off_t at = 0; at < status.st_size; at += 1 + status.st_size / 40) {
        ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
        byte ^= 4;
        ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
        ck_assert_int_eq(restore_users(&order, &result, &error), ERR_UNPROCESSABLE);
        byte ^= 4;
        ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
    }
    order.key = other;
    ck_assert_int_eq(restore_users(&order, &result, &error), ERR_UNPROCESSABLE);
    ck_assert_uint_eq(count_users(), 2);
    order.key = key;
    ck_assert_int_eq(restore_users(&order, &result, &error), ERR_OK);
    ck_assert_uint_eq(count_users(), 1);
    archive_key_free(&other);
    close(fd);
}
END_TEST

static int archive_with(enum archive_kind kind, const char *lines)
{
    const struct archive_about about = archives_about();
    struct archive_counts counts = {0};
    struct archive_file file;
    struct backup_writer *writer;
    int fd = archives_file();

    ck_assert_int_eq(backup_writer_open(fd, key, &about, &writer, &error), ERR_OK);
    ck_assert_int_eq(backup_writer_add(writer, kind, str_from(lines), 1, &error), ERR_OK);
    ck_assert_int_eq(backup_writer_finish(writer, &counts, &file, &error), ERR_OK);
    backup_writer_free(&writer);
    return fd;
}

/* By a program that has the secret, and makes something else of it. */
START_TEST(rows_that_are_none)
{
    static const struct {
        enum archive_kind kind;
        const char *lines;
    } bad[] = {
        {ARCHIVE_ACCOUNTS, "{}\n"},
        {ARCHIVE_GROUPS, "{\"account_id\":99,\"name\":\"g\"}\n"},
        {ARCHIVE_FACTS, "{\"name\":\"versions_reserved\",\"value\":\"many\"}\n"},
        {ARCHIVE_FACTS, "{\"name\":\"tokens_longest_s\",\"value\":\"\"}\n"},
        {ARCHIVE_FACTS, "{\"name\":\"a\"}\n"},
        {ARCHIVE_CONTROL, "{\"kind\":\"clears\"}\n"},
    };

    session_register(&nodes[0], "alice");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int fd = archive_with(bad[i].kind, bad[i].lines);
        struct restore_order order = order_of(fd);
        order.takes_foreign = true;
        ck_assert_msg(restore_users(&order, &result, &error) == ERR_UNPROCESSABLE, "%s",
                      bad[i].lines);
        ck_assert_ptr_nonnull(strstr(error.caller, "The rows of this backup cannot be used: "));
        close(fd);
    }
    ck_assert_uint_eq(count_users(), 1);
}
END_TEST

/* A new machine, with a Redis that outlived the old one or came back empty. */
START_TEST(a_machine_that_was_lost)
{
    struct loopback fresh;
    struct str old_install, new_install;
    bool redis_is_there = _i == 0;

    session_register(&nodes[0], "alice");
    struct session session = open_session("alice");
    int64_t version = clear_on(0, 1);
    ck_assert_int_eq(
        users_fact_get(nodes[0].app->users, arena, STR("install_id"), &old_install, &error),
        ERR_OK);
    int fd = restore_case_archive(nodes[0].app, key);
    loopback_close(&nodes[1]);
    loopback_close(&nodes[0]);
    if (!redis_is_there)
        redis_server_do(redis, "FLUSHALL");
    struct loopback_options options = {
        .redis_url = redis_server_url(redis), .term_patience_ms = 200, .is_unwatched = true};
    loopback_open(&fresh, &options);
    struct restore_order order = {.app = fresh.app, .fd = fd, .key = key, .may_become = true};
    ck_assert_int_eq(restore_users(&order, &result, &error), ERR_OK);
    ck_assert(result.has_become);
    ck_assert_int_eq(
        users_fact_get(fresh.app->users, arena, STR("install_id"), &new_install, &error), ERR_OK);
    ck_assert(str_eq(old_install, new_install));
    /* Opened again, it is the installation that was lost. */
    options.shares = &fresh;
    options.is_registration_open = true;
    loopback_open(&nodes[0], &options);
    options.is_unwatched = false;
    loopback_open(&nodes[1], &options);
    order.app = nodes[0].app;
    ck_assert_msg(restore_redis(&order, &result, &error) == ERR_OK, "%s", error.detail);
    ck_assert(!app_is_foreign(nodes[0].app, &error));
    for (int i = 0; i < 2; i++) {
        ck_assert_int_gt(version_on(i, 1), version);
        ck_assert_int_eq(session_try_access(&nodes[i], session.access), ERR_UNAUTHENTICATED);
        ck_assert_int_eq(sign_in(i, "alice", LOOPBACK_PASSWORD), ERR_OK);
    }
    session_free(&session);
    loopback_close(&nodes[1]);
    loopback_close(&nodes[0]);
    nodes[0] = fresh;
    nodes[1] = (struct loopback){0};
    close(fd);
}
END_TEST

/* Where there are accounts, it stays what it is. */
START_TEST(an_installation_stays_itself)
{
    struct str before, after;

    session_register(&nodes[0], "alice");
    int fd = archive_with(ARCHIVE_FACTS, "{\"name\":\"install_id\",\"value\":"
                                         "\"0123456789abcdef0123456789abcdef\"}\n");
    struct restore_order order = order_of(fd);
    order.may_become = true;
    ck_assert_int_eq(restore_users(&order, &result, &error), ERR_UNPROCESSABLE);
    ck_assert_ptr_nonnull(strstr(error.caller, "another installation"));
    ck_assert_uint_eq(count_users(), 1);
    order.takes_foreign = true;
    ck_assert_int_eq(users_fact_get(nodes[0].app->users, arena, STR("install_id"), &before, &error),
                     ERR_OK);
    ck_assert_int_eq(restore_users(&order, &result, &error), ERR_OK);
    ck_assert(!result.has_become);
    ck_assert_int_eq(users_fact_get(nodes[0].app->users, arena, STR("install_id"), &after, &error),
                     ERR_OK);
    ck_assert(str_eq(before, after));
    close(fd);
}
END_TEST

static void count_progress(void *with, const char *what, int64_t done, int64_t total)
{
    int64_t *last = with;

    ck_assert_str_eq(what, "rows");
    ck_assert_int_gt(done, *last);
    ck_assert_int_le(done, total);
    *last = done;
}

START_TEST(it_tells_how_far_it_is_and_may_be_given_up)
{
    int64_t last = 0;
    _Atomic bool is_stopping = false;

    session_register(&nodes[0], "alice");
    int fd = restore_case_archive(nodes[0].app, key);
    session_register(&nodes[0], "bob");
    struct restore_order order = order_of(fd);
    const struct backup_watch watch = {
        .progress = count_progress, .with = &last, .is_stopping = &is_stopping};
    order.watch = &watch;
    is_stopping = true;
    ck_assert_int_eq(restore_users(&order, &result, &error), ERR_BUSY);
    ck_assert_uint_eq(count_users(), 2);
    is_stopping = false;
    last = 0;
    ck_assert_int_eq(restore_users(&order, &result, &error), ERR_OK);
    ck_assert_int_gt(last, 1);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/restore");
    TCase *back = tcase_create("back");

    tcase_add_checked_fixture(back, open_nodes, close_nodes);
    tcase_add_test(back, two_nodes_under_way);
    tcase_add_test(back, redis_lost_all_of_it);
    tcase_add_test(back, redis_is_told_of_the_same_backup_alone);
    tcase_add_test(back, switches_are_those_of_the_backup);
    tcase_add_test(back, redis_is_away);
    tcase_add_test(back, nobody_tells_redis);
    tcase_add_test(back, who_only_tries_is_told_what_would_be);
    tcase_add_test(back, what_is_not_whole_changes_nothing);
    tcase_add_test(back, rows_that_are_none);
    tcase_add_loop_test(back, a_machine_that_was_lost, 0, 2);
    tcase_add_test(back, an_installation_stays_itself);
    tcase_add_test(back, it_tells_how_far_it_is_and_may_be_given_up);
    suite_add_tcase(suite, back);
    return suite_run(suite);
}
