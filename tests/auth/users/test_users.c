/* What users.h promises about accounts, on every kind of database. */
#include "users_case.h"

#include "cachewarden/clock.h"
#include "suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static struct user user;

static enum err find(int64_t id)
{
    return users_find_by_id(users, arena, id, &user, &error);
}

static struct user account(const char *name, const char *email)
{
    return (struct user){.username = str_from(name),
                         .email = str_from(email),
                         .password_hash = STR("hash"),
                         .is_active = true};
}

START_TEST(an_account_is_found_again)
{
    open_backend(_i);
    struct str groups[] = {STR("Readers"), STR("Admin"), STR("Größe")};
    struct user added = {.username = STR("Alice.B"),
                         .email = STR("Alice@Example.org"),
                         .password_hash = STR("$argon2id$x"),
                         .is_superuser = true,
                         .is_active = true,
                         .groups = groups,
                         .group_count = 3};
    int64_t id, before = clock_wall_s();

    ck_assert_str_eq(users_driver_name(users), backend->name);
    ck_assert_int_eq(users_add(users, &added, &id, &error), ERR_OK);
    for (int by = 0; by < 3; by++) {
        enum err err =
            by == 0   ? find(id)
            : by == 1 ? users_find_by_name(users, arena, STR("aLICE.b"), &user, &error)
                      : users_find_by_email(users, arena, STR("alicE@exAMPLE.ORG"), &user, &error);
        ck_assert_int_eq(err, ERR_OK);
        ck_assert_int_eq(user.id, id);
        ck_assert(str_eq(user.username, STR("Alice.B")));
        ck_assert(str_eq(user.email, STR("Alice@Example.org")));
        ck_assert(str_eq(user.password_hash, STR("$argon2id$x")));
        ck_assert(user.is_superuser && user.is_active && !user.is_deleted);
        ck_assert_uint_eq(user.group_count, 3);
        ck_assert(str_eq(user.groups[0], STR("Admin")));
        ck_assert(str_eq(user.groups[1], STR("Größe")));
        ck_assert(str_eq(user.groups[2], STR("Readers")));
        ck_assert_int_ge(user.created_at_s, before);
        ck_assert_int_le(user.created_at_s, clock_wall_s());
        ck_assert_int_eq(user.tokens_not_before_s, 0);
    }
    close_backend();
}
END_TEST

/* Twice before it is opened: a look makes nothing. */
START_TEST(a_look_before_it_is_opened)
{
    struct users_sight sight;

    backend = &users_backends[_i];
    backend->init();
    arena = arena_new(4096, 0);
    error_clear(&error);
    for (int i = 0; i < 2; i++) {
        enum err err = users_look(str_from(users_backend_url), &sight, &error);
        ck_assert(err == ERR_OK || err == ERR_NOT_FOUND);
        ck_assert_int_eq(sight.version, 0);
        ck_assert_int_gt(sight.known, 0);
        ck_assert_str_eq(sight.install, "");
    }
    ck_assert_int_eq(users_open(str_from(users_backend_url), &users, &error), ERR_OK);
    ck_assert_int_eq(users_look(str_from(users_backend_url), &sight, &error), ERR_OK);
    ck_assert_int_eq(sight.version, sight.known);
    ck_assert_str_eq(sight.driver, backend->name);
    struct str install;
    ck_assert_int_eq(users_fact_get(users, arena, STR("install_id"), &install, &error), ERR_OK);
    ck_assert(str_eq(str_from(sight.install), install));
    ck_assert_int_eq(users_fact_set(users, STR("backup_last"), STR("1 failed of text"), &error),
                     ERR_OK);
    ck_assert_int_eq(users_fact_set(users, STR("backup_good"), STR("2 good"), &error), ERR_OK);
    ck_assert_int_eq(users_fact_set(users, STR("backup_since_s"), STR("42"), &error), ERR_OK);
    ck_assert_int_eq(users_look(str_from(users_backend_url), &sight, &error), ERR_OK);
    ck_assert_str_eq(sight.backup_last, "1 failed of text");
    ck_assert_str_eq(sight.backup_good, "2 good");
    ck_assert_int_eq(sight.backup_since_s, 42);
}
END_TEST

START_TEST(nobody_is_not_found)
{
    open_backend(_i);
    users_backend_add(users, "alice", "h");
    ck_assert_int_eq(find(0), ERR_NOT_FOUND);
    ck_assert_int_eq(find(-1), ERR_NOT_FOUND);
    ck_assert_int_eq(find(INT64_MAX), ERR_NOT_FOUND);
    ck_assert_int_eq(users_find_by_name(users, arena, STR("alic"), &user, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_find_by_name(users, arena, STR("alice "), &user, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_find_by_name(users, arena, STR("alice\0"), &user, &error),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(users_find_by_name(users, arena, STR("%"), &user, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_find_by_name(users, arena, STR("' OR 1=1 --"), &user, &error),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(users_find_by_name(users, arena, STR_NONE, &user, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_find_by_email(users, arena, STR("alice"), &user, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(user.id, 0);
    close_backend();
}
END_TEST

START_TEST(names_and_emails_are_taken_once_whatever_the_case)
{
    open_backend(_i);
    struct user first = account("Alice", "alice@example.org");
    struct user same_name = account("aLICE", "other@example.org");
    struct user same_email = account("other", "ALICE@EXAMPLE.ORG");
    struct user both = account("ALICE", "ALICE@example.org");
    struct user *list;
    size_t count;
    int64_t id;

    ck_assert_int_eq(users_add(users, &first, &id, &error), ERR_OK);
    ck_assert_int_eq(users_add(users, &same_name, &id, &error), ERR_CONFLICT);
    ck_assert_str_eq(error.caller, "A user with that username already exists.");
    ck_assert_int_eq(id, 0);
    ck_assert_int_eq(users_add(users, &same_email, &id, &error), ERR_CONFLICT);
    ck_assert_str_eq(error.caller, "A user with that email already exists.");
    ck_assert_int_eq(users_add(users, &both, &id, &error), ERR_CONFLICT);
    ck_assert_str_eq(error.caller, "A user with that username already exists.");
    ck_assert_int_eq(users_list(users, arena, &list, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, 1);
    close_backend();
}
END_TEST

START_TEST(malformed_accounts_are_refused)
{
    open_backend(_i);
    struct str bad_group = STR("a,b");
    struct user accounts[] = {account("al ice", "a@example.org"), account("alice", "nonsense"),
                              account("", "a@example.org"), account("alice", ""),
                              account("alice", "a@example.org")};
    struct user *list;
    size_t count;
    int64_t id;

    accounts[4].groups = &bad_group;
    accounts[4].group_count = 1;
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(users_add(users, &accounts[i], &id, &error), ERR_BAD_INPUT);
    ck_assert_int_eq(users_list(users, arena, &list, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, 0);
    close_backend();
}
END_TEST

START_TEST(a_group_named_twice)
{
    open_backend(_i);
    struct str groups[] = {STR("Admin"), STR("Admin")};
    struct user twice = account("alice", "alice@example.org");
    int64_t id;

    twice.groups = groups;
    twice.group_count = 2;
    ck_assert_int_eq(users_add(users, &twice, &id, &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert_uint_eq(user.group_count, 1);
    close_backend();
}
END_TEST

START_TEST(listing)
{
    open_backend(_i);
    struct user *list;
    size_t count = 99;

    ck_assert_int_eq(users_list(users, arena, &list, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, 0);
    int64_t alice = users_backend_add(users, "alice", "h");
    int64_t bob = users_backend_add(users, "bob", "h");
    int64_t carol = users_backend_add(users, "carol", "h");
    ck_assert_int_eq(users_set_group(users, alice, STR("b"), true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(users, alice, STR("a"), true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(users, carol, STR("c"), true, &error), ERR_OK);
    ck_assert_int_eq(users_set_active(users, carol, false, &error), ERR_OK);
    int64_t dora = users_backend_add(users, "dora", "h");
    ck_assert_int_eq(users_delete(users, bob, &error), ERR_OK);

    ck_assert_int_eq(users_list(users, arena, &list, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(list[0].id, alice);
    ck_assert_uint_eq(list[0].group_count, 2);
    ck_assert(str_eq(list[0].groups[0], STR("a")));
    ck_assert(str_eq(list[0].groups[1], STR("b")));
    ck_assert_int_eq(list[1].id, carol);
    ck_assert_uint_eq(list[1].group_count, 1);
    ck_assert(str_eq(list[1].groups[0], STR("c")));
    ck_assert(!list[1].is_active);
    ck_assert_int_eq(list[2].id, dora);
    ck_assert_uint_eq(list[2].group_count, 0);
    close_backend();
}
END_TEST

START_TEST(a_long_list)
{
    open_backend(_i);
    enum { ACCOUNTS = 300 };
    struct user *list;
    size_t count;
    char name[32];

    for (int i = 0; i < ACCOUNTS; i++) {
        snprintf(name, sizeof name, "user%d", i);
        users_backend_add(users, name, "h");
    }
    ck_assert_int_eq(users_list(users, arena, &list, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, ACCOUNTS);
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "user%zu", i);
        ck_assert(str_eq(list[i].username, str_from(name)));
    }
    close_backend();
}
END_TEST

START_TEST(superuser_and_active)
{
    open_backend(_i);
    int64_t id = users_backend_add(users, "alice", "h");

    ck_assert_int_eq(users_set_superuser(users, id, true, &error), ERR_OK);
    ck_assert_int_eq(users_set_superuser(users, id, true, &error), ERR_OK);
    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert(user.is_superuser && !user.is_active);
    ck_assert_int_eq(users_set_superuser(users, id, false, &error), ERR_OK);
    ck_assert_int_eq(users_set_active(users, id, true, &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert(!user.is_superuser && user.is_active);
    close_backend();
}
END_TEST

START_TEST(groups)
{
    open_backend(_i);
    int64_t id = users_backend_add(users, "alice", "h");

    ck_assert_int_eq(users_set_group(users, id, STR("Admin"), true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(users, id, STR("Admin"), true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(users, id, STR("admin"), true, &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert_uint_eq(user.group_count, 2);
    ck_assert_int_eq(users_set_group(users, id, STR("Admin"), false, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(users, id, STR("Admin"), false, &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert_uint_eq(user.group_count, 1);
    ck_assert(str_eq(user.groups[0], STR("admin")));
    ck_assert_int_eq(users_set_group(users, id, STR("a,b"), true, &error), ERR_BAD_INPUT);
    close_backend();
}
END_TEST

START_TEST(a_new_password_ends_what_came_before)
{
    open_backend(_i);
    int64_t id = users_backend_add(users, "alice", "old"), before = clock_wall_s();

    ck_assert_int_eq(users_set_password(users, id, STR("new"), &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert(str_eq(user.password_hash, STR("new")));
    /* This very second is over for tokens. */
    ck_assert_int_gt(user.tokens_not_before_s, before);
    ck_assert_int_le(user.tokens_not_before_s, clock_wall_s() + 1);
    /* Again within the second: whatever was issued in between is dated with the first. */
    int64_t first_s = user.tokens_not_before_s;
    ck_assert_int_eq(users_set_password(users, id, STR("newer"), &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert_int_gt(user.tokens_not_before_s, first_s);
    close_backend();
}
END_TEST

START_TEST(the_same_password_hashed_anew)
{
    open_backend(_i);
    int64_t id = users_backend_add(users, "alice", "old");

    ck_assert_int_eq(users_replace_hash(users, id, STR("other"), STR("new"), &error),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(users_replace_hash(users, id, STR("old"), STR("new"), &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert(str_eq(user.password_hash, STR("new")));
    ck_assert_int_eq(user.tokens_not_before_s, 0);
    close_backend();
}
END_TEST

START_TEST(a_deleted_account_keeps_its_id_and_nothing_else)
{
    open_backend(_i);
    int64_t alice = users_backend_add(users, "alice", "secret hash");

    ck_assert_int_eq(users_set_superuser(users, alice, true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(users, alice, STR("Admin"), true, &error), ERR_OK);
    ck_assert_int_eq(users_delete(users, alice, &error), ERR_OK);

    ck_assert_int_eq(find(alice), ERR_OK);
    ck_assert(user.is_deleted && !user.is_active && !user.is_superuser);
    ck_assert_uint_eq(
        user.username.len + user.email.len + user.password_hash.len + user.group_count, 0);
    ck_assert_int_eq(users_find_by_name(users, arena, STR("alice"), &user, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_find_by_email(users, arena, STR("alice@example.org"), &user, &error),
                     ERR_NOT_FOUND);

    /* Nothing can be done to it any more. */
    ck_assert_int_eq(users_delete(users, alice, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_set_active(users, alice, true, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_set_superuser(users, alice, true, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_set_password(users, alice, STR("x"), &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_replace_hash(users, alice, STR(""), STR("x"), &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_set_group(users, alice, STR("Admin"), true, &error), ERR_NOT_FOUND);

    /* Its name is free, its id is not: not even the newest one's. */
    int64_t again = users_backend_add(users, "alice", "h");
    ck_assert_int_gt(again, alice);
    ck_assert_int_eq(users_delete(users, again, &error), ERR_OK);
    ck_assert_int_gt(users_backend_add(users, "alice", "h"), again);
    close_backend();
}
END_TEST

START_TEST(nobody_cannot_be_changed)
{
    open_backend(_i);
    ck_assert_int_eq(users_delete(users, 5, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_set_active(users, 5, true, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_set_superuser(users, 5, true, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_set_password(users, 5, STR("x"), &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_set_group(users, 5, STR("Admin"), true, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_set_group(users, 5, STR("Admin"), false, &error), ERR_NOT_FOUND);
    close_backend();
}
END_TEST

START_TEST(it_answers)
{
    open_backend(_i);
    ck_assert_int_eq(users_ping(users, &error), ERR_OK);
    close_backend();
}
END_TEST

START_TEST(everything_is_there_after_reopening)
{
    open_backend(_i);
    int64_t alice = users_backend_add(users, "alice", "h");
    struct str before, after;

    ck_assert_int_eq(users_set_group(users, alice, STR("Admin"), true, &error), ERR_OK);
    ck_assert_int_eq(users_fact_get(users, arena, STR("install_id"), &before, &error), ERR_OK);
    users_close(&users);
    users = users_backend_open();
    ck_assert_int_eq(find(alice), ERR_OK);
    ck_assert_uint_eq(user.group_count, 1);
    ck_assert_int_eq(users_fact_get(users, arena, STR("install_id"), &after, &error), ERR_OK);
    ck_assert(str_eq(before, after));
    close_backend();
}
END_TEST

START_TEST(two_openings_see_one_database)
{
    open_backend(_i);
    struct users *other = users_backend_open();
    int64_t id = users_backend_add(other, "alice", "h");

    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
    ck_assert_int_eq(users_find_by_id(other, arena, id, &user, &error), ERR_OK);
    ck_assert(!user.is_active);
    users_close(&other);
    close_backend();
}
END_TEST

/* Database libraries do not survive a fork with connections open: closed before, opened anew after. */
static pid_t fork_closed(void)
{
    users_close(&users);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child > 0)
        users = users_backend_open();
    return child;
}

enum { WRITERS = 6, WRITES = 25 };

static void add_many(struct users *to, int writer)
{
    char name[32];

    for (int i = 0; i < WRITES; i++) {
        snprintf(name, sizeof name, "w%d.%d", writer, i);
        users_backend_add(to, name, "h");
    }
}

static void *add_many_here(void *arg)
{
    add_many(users, *(const int *)arg);
    return NULL;
}

static void *find_many(void *arg)
{
    struct arena *own = arena_new(1024, 0);
    struct user found;

    while (!atomic_load((atomic_bool *)arg)) {
        struct error why;
        ck_assert_int_eq(users_find_by_name(users, own, STR("reader"), &found, &why), ERR_OK);
        arena_reset(own);
    }
    arena_free(&own);
    return NULL;
}

/* Threads of this process, and another process, at once; readers go on meanwhile. */
START_TEST(writers_side_by_side)
{
    open_backend(_i);
    pthread_t threads[WRITERS], reader;
    int numbers[WRITERS], status;
    atomic_bool is_done = false;
    struct user *list;
    size_t count;

    users_backend_add(users, "reader", "h");
    pid_t child = fork_closed();
    if (child == 0) {
        struct users *theirs = users_backend_open();
        add_many(theirs, WRITERS);
        users_close(&theirs);
        _exit(0);
    }
    ck_assert_int_eq(pthread_create(&reader, NULL, find_many, &is_done), 0);
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, add_many_here, &numbers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    atomic_store(&is_done, true);
    ck_assert_int_eq(pthread_join(reader, NULL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    ck_assert_int_eq(users_list(users, arena, &list, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, (WRITERS + 1) * WRITES + 1);
    close_backend();
}
END_TEST

static atomic_int winners, losers;

static void *add_the_same(void *arg)
{
    struct user same = account("alice", "alice@example.org");
    struct error why;
    int64_t id;
    (void)arg;

    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    enum err err;
    do
        err = users_add(users, &same, &id, &why);
    while (users_backend_must_retry(err, &why, deadline_ns));
    ck_assert_msg(err == ERR_OK || err == ERR_CONFLICT, "%s: %s", err_name(err), why.caller);
    atomic_fetch_add(err == ERR_OK ? &winners : &losers, 1);
    return NULL;
}

START_TEST(one_name_goes_to_one_of_many)
{
    open_backend(_i);
    pthread_t threads[WRITERS];

    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, add_the_same, NULL), 0);
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(winners, 1);
    ck_assert_int_eq(losers, WRITERS - 1);
    close_backend();
}
END_TEST

/* What was acknowledged is there after the process was killed at any moment. */
START_TEST(a_killed_writer_loses_nothing_it_told)
{
    open_backend(_i);
    int ends[2], told = 0, status;
    char name[32], byte;

    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork_closed();
    if (child == 0) {
        struct users *theirs = users_backend_open();
        for (int i = 0;; i++) {
            snprintf(name, sizeof name, "killed%d", i);
            users_backend_add(theirs, name, "h");
            if (write(ends[1], "+", 1) != 1)
                _exit(1);
        }
    }
    close(ends[1]);
    while (told < 40 && read(ends[0], &byte, 1) == 1)
        told++;
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    while (read(ends[0], &byte, 1) == 1)
        told++;
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));

    users_close(&users);
    users = users_backend_open();
    for (int i = 0; i < told; i++) {
        snprintf(name, sizeof name, "killed%d", i);
        ck_assert_int_eq(users_find_by_name(users, arena, str_from(name), &user, &error), ERR_OK);
    }
    users_backend_add(users, "afterwards", "h");
    close_backend();
}
END_TEST

START_TEST(urls_of_no_database)
{
    static const char *const bad[] = {
        "", "users.db", "sqlite", "SQLITE:x", "mysql://root@host", "postgres:secret-password@host"};
    struct users *none = NULL;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        error_clear(&error);
        ck_assert_int_eq(users_open(str_from(bad[i]), &none, &error), ERR_BAD_INPUT);
        ck_assert_ptr_null(none);
        ck_assert_ptr_nonnull(strstr(error.caller, "users.database"));
        ck_assert_ptr_null(strstr(error.caller, "secret-password"));
    }
    users_close(&none);
}
END_TEST

int main(void)
{
    const TTest *const contract[] = {
        an_account_is_found_again,
        a_look_before_it_is_opened,
        nobody_is_not_found,
        names_and_emails_are_taken_once_whatever_the_case,
        malformed_accounts_are_refused,
        a_group_named_twice,
        listing,
        a_long_list,
        superuser_and_active,
        groups,
        a_new_password_ends_what_came_before,
        the_same_password_hashed_anew,
        a_deleted_account_keeps_its_id_and_nothing_else,
        nobody_cannot_be_changed,
        it_answers,
        everything_is_there_after_reopening,
        two_openings_see_one_database,
        writers_side_by_side,
        one_name_goes_to_one_of_many,
        a_killed_writer_loses_nothing_it_told,
    };
    Suite *suite = suite_create("auth/users/users");
    TCase *tcase = tcase_create("users");

    for (size_t i = 0; i < sizeof contract / sizeof *contract; i++)
        tcase_add_loop_test(tcase, contract[i], 0, USERS_BACKEND_COUNT);
    tcase_add_test(tcase, urls_of_no_database);
    suite_add_tcase(suite, tcase);
    return users_backends_run(suite);
}
