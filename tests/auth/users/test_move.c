/* What users_move.h promises: from SQLite into PostgreSQL. */
#include "users_backend.h"

#include "cachewarden/users_move.h"

enum { POSTGRES = 1, MANY = 510 };

static struct arena *arena;
static struct error error;
static struct users *from, *to;
static struct temp_folder folder;
static char from_url[600];
static struct users_moved moved;

static struct users *open_at(const char *url)
{
    struct users *opened = NULL;

    error_clear(&error);
    ck_assert_msg(users_open(str_from(url), &opened, &error) == ERR_OK, "%s", error.caller);
    return opened;
}

static void open_both(void)
{
    arena = arena_new(64 * 1024, 0);
    temp_folder_init(&folder);
    snprintf(from_url, sizeof from_url, "sqlite:%s/from.db", folder.path);
    users_backends[POSTGRES].init();
    from = open_at(from_url);
    to = open_at(users_backend_url);
}

static void close_both(void)
{
    users_close(&from);
    users_close(&to);
    users_backends[POSTGRES].fini();
    temp_folder_fini(&folder);
    arena_free(&arena);
}

static enum err move(void)
{
    error_clear(&error);
    enum err err = users_move(from, to, &moved, &error);
    users_close(&to);
    struct error kept = error;
    to = open_at(users_backend_url);
    error = kept;
    return err;
}

static void add_key(struct users *at, const char *id, const char *name)
{
    struct api_key key = {.id = str_from(id),
                          .name = str_from(name),
                          .secret_digest = STR("0123456789abcde\xff\x01 23456789abcdef"),
                          .scopes = 5};

    ck_assert_int_eq(api_keys_add(at, &key, &error), ERR_OK);
}

static void fill(void)
{
    char text[64];
    int64_t id;

    for (int i = 1; i <= MANY; i++) {
        snprintf(text, sizeof text, "User.%d", i);
        ck_assert_int_eq(users_backend_add(from, text, "$argon2id$x"), i);
    }
    for (int i = 1; i <= 10; i++) {
        snprintf(text, sizeof text, "Gr\xc3\xb6\xc3\x9f \"%d\"", i);
        ck_assert_int_eq(users_set_group(from, 3, str_from(text), true, &error), ERR_OK);
        ck_assert_int_eq(users_switch_set(from, 1000000 + i, true, &error), ERR_OK);
        snprintf(text, sizeof text, "%012d", i);
        add_key(from, text, text);
        ck_assert_int_eq(users_provision(from, STR("https://i"), str_from(text), &id, &error),
                         ERR_OK);
    }
    ck_assert_int_eq(users_delete(from, 7, &error), ERR_OK);
    ck_assert_int_eq(users_set_active(from, 8, false, &error), ERR_OK);
    ck_assert_int_eq(users_void_tokens(from, 9, &error), ERR_OK);
    ck_assert_int_eq(api_keys_revoke(from, STR("000000000002"), 5, &error), ERR_OK);
    ck_assert_int_eq(users_fact_set(from, STR("versions_reserved"), STR("3 4711"), &error), ERR_OK);
}

static struct str fact(struct users *at, const char *name)
{
    struct str value;

    ck_assert_int_eq(users_fact_get(at, arena, str_from(name), &value, &error), ERR_OK);
    return value;
}

static bool is_one_installation(void)
{
    return str_eq(fact(to, "install_id"), fact(from, "install_id"));
}

static void expect_same_account(int64_t id)
{
    struct user one, other;

    ck_assert_int_eq(users_find_by_id(from, arena, id, &one, &error), ERR_OK);
    ck_assert_int_eq(users_find_by_id(to, arena, id, &other, &error), ERR_OK);
    ck_assert_msg(str_eq(one.incarnation, other.incarnation) && one.incarnation.len > 0,
                  "another incarnation of %lld", (long long)id);
    ck_assert(str_eq(one.username, other.username) && str_eq(one.email, other.email));
    ck_assert(str_eq(one.password_hash, other.password_hash));
    ck_assert(one.is_active == other.is_active && one.is_deleted == other.is_deleted);
    ck_assert(one.is_superuser == other.is_superuser && one.group_count == other.group_count);
    ck_assert_int_eq(one.created_at_s, other.created_at_s);
    ck_assert_int_eq(one.tokens_not_before_s, other.tokens_not_before_s);
}

START_TEST(all_of_it_moves)
{
    struct api_key *keys, key;
    struct users_ids off;
    size_t count;
    int64_t id;

    fill();
    ck_assert_msg(move() == ERR_OK, "%s / %s", error.caller, error.detail);
    ck_assert(!moved.was_there);
    ck_assert_int_eq(moved.accounts, MANY + 10 - 1);
    ck_assert_int_eq(moved.keys, 10);
    /* Tokens name the incarnation: they stay good. */
    for (id = 1; id <= MANY + 10; id++)
        expect_same_account(id);
    ck_assert(is_one_installation());
    ck_assert(str_eq(fact(to, "versions_reserved"), STR("3 4711")));
    ck_assert_int_eq(users_switches_off(to, arena, 0, 100, &off, &error), ERR_OK);
    ck_assert_uint_eq(off.count, 10);
    ck_assert_int_eq(api_keys_list(to, arena, &keys, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, 10);
    ck_assert_int_eq(api_keys_find(to, arena, STR("000000000002"), &key, &error), ERR_OK);
    ck_assert_int_eq(key.revoked_at_s, 5);
    ck_assert_int_eq(users_find_subject(to, STR("https://i"), STR("000000000010"), &id, &error),
                     ERR_OK);
    ck_assert_int_eq(id, MANY + 10);
    /* Ids go on. */
    ck_assert_int_eq(users_backend_add(to, "next", "$argon2id$x"), MANY + 11);
}
END_TEST

START_TEST(once_more_changes_nothing)
{
    fill();
    ck_assert_int_eq(move(), ERR_OK);
    ck_assert_msg(move() == ERR_OK, "%s / %s", error.caller, error.detail);
    ck_assert(moved.was_there);
    ck_assert_int_eq(moved.accounts, MANY + 10 - 1);
    ck_assert_int_eq(moved.keys, 10);
}
END_TEST

/* Either side went on: neither is to be lost. */
START_TEST(what_has_gone_on_is_not_replaced)
{
    struct user user;

    fill();
    ck_assert_int_eq(move(), ERR_OK);
    if (_i == 0)
        ck_assert_int_eq(users_set_superuser(to, 5, true, &error), ERR_OK);
    else
        users_backend_add(from, "late", "$argon2id$x");
    ck_assert_int_eq(move(), ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(error.caller, "in use there, or an old copy"));
    ck_assert_int_eq(users_find_by_id(to, arena, 5, &user, &error), ERR_OK);
    ck_assert(user.is_superuser == (_i == 0));
}
END_TEST

START_TEST(another_installation_is_not_touched)
{
    struct user user;
    struct api_key key;

    users_backend_add(from, "alice", "$argon2id$x");
    if (_i == 0)
        users_backend_add(to, "bob", "$argon2id$x");
    else
        add_key(to, "0123456789ab", "deploy");
    ck_assert_int_eq(move(), ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(error.caller, "of another installation"));
    ck_assert(!is_one_installation());
    if (_i == 0)
        ck_assert(users_find_by_id(to, arena, 1, &user, &error) == ERR_OK &&
                  str_eq(user.username, STR("bob")));
    else
        ck_assert_int_eq(api_keys_find(to, arena, STR("0123456789ab"), &key, &error), ERR_OK);
}
END_TEST

static int64_t count_backends(const char *where)
{
    return postgres_server_ask_integer(users_backend_server, POSTGRES_DATABASE,
                                       "SELECT count(*) FROM pg_stat_activity WHERE %s", where);
}

/* In a process of its own, which is killed while the last rows are put in place. */
static void move_and_be_killed(void)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    pid_t child = fork();

    if (child == 0) {
        struct users *a = open_at(from_url), *b = open_at(users_backend_url);
        _exit(users_move(a, b, &moved, &error) == ERR_OK);
    }
    while (count_backends("wait_event = 'PgSleep'") == 0)
        ck_assert_msg(clock_mono_ns() < deadline_ns, "it never came that far");
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    postgres_server_do(users_backend_server, POSTGRES_DATABASE,
                       "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                       " WHERE wait_event = 'PgSleep'");
    while (count_backends("usename = '" POSTGRES_USER "'") > 0)
        ck_assert_msg(clock_mono_ns() < deadline_ns, "a connection is left");
}

START_TEST(a_move_that_is_killed_leaves_nothing)
{
    int64_t highest = 1;

    fill();
    users_close(&from);
    users_close(&to);
    postgres_server_do(users_backend_server, POSTGRES_DATABASE,
                       "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS"
                       " 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';"
                       "CREATE TRIGGER stop BEFORE INSERT ON switches EXECUTE FUNCTION stop()");
    move_and_be_killed();
    postgres_server_do(users_backend_server, POSTGRES_DATABASE, "DROP FUNCTION stop CASCADE");
    from = open_at(from_url);
    to = open_at(users_backend_url);
    ck_assert_int_eq(users_highest_id(to, arena, &highest, &error), ERR_OK);
    ck_assert_int_eq(highest, 0);
    ck_assert(!is_one_installation());
    ck_assert_int_eq(move(), ERR_OK);
    ck_assert(!moved.was_there);
    expect_same_account(MANY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/move");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, open_both, close_both);
    tcase_add_test(all, all_of_it_moves);
    tcase_add_test(all, once_more_changes_nothing);
    tcase_add_loop_test(all, what_has_gone_on_is_not_replaced, 0, 2);
    tcase_add_loop_test(all, another_installation_is_not_touched, 0, 2);
    tcase_add_test(all, a_move_that_is_killed_leaves_nothing);
    suite_add_tcase(suite, all);
    return users_backends_run(suite);
}
