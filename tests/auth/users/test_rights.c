/* Superuser and groups: several at once are given or taken wholly, or not at all, on every database. */
#include "users_case.h"

static const struct str groups[] = {STR("Ops"), STR("Admin")};
static const struct str with_a_bad_one[] = {STR("Ops"), STR("a,b")};

static struct user look(int64_t id)
{
    struct user user;
    ck_assert_int_eq(users_find_by_id(users, arena, id, &user, &error), ERR_OK);
    return user;
}

START_TEST(several_at_once)
{
    open_backend(_i);
    int64_t id = users_backend_add(users, "alice", "h");
    const struct users_rights all = {true, groups, 2}, one = {false, groups, 1};

    ck_assert_int_eq(users_set_rights(users, id, &all, true, &error), ERR_OK);
    struct user user = look(id);
    ck_assert(user.is_superuser);
    ck_assert_uint_eq(user.group_count, 2);
    ck_assert_int_eq(users_set_rights(users, id, &all, true, &error), ERR_OK);
    ck_assert_int_eq(users_set_rights(users, id, &one, false, &error), ERR_OK);
    user = look(id);
    ck_assert(user.is_superuser);
    ck_assert_uint_eq(user.group_count, 1);
    ck_assert(str_eq(user.groups[0], STR("Admin")));
    ck_assert_int_eq(users_set_rights(users, id, &all, false, &error), ERR_OK);
    user = look(id);
    ck_assert(!user.is_superuser);
    ck_assert_uint_eq(user.group_count, 0);
    close_backend();
}
END_TEST

START_TEST(nothing_where_one_will_not_do)
{
    open_backend(_i);
    int64_t id = users_backend_add(users, "alice", "h");
    const struct users_rights rights = {true, with_a_bad_one, 2};

    ck_assert_int_eq(users_set_rights(users, id, &rights, true, &error), ERR_BAD_INPUT);
    struct user user = look(id);
    ck_assert(!user.is_superuser);
    ck_assert_uint_eq(user.group_count, 0);
    close_backend();
}
END_TEST

/* The database itself refuses the last of them. */
static void refuse_admins(void)
{
    if (strcmp(backend->name, "sqlite") == 0) {
        sqlite3 *raw;
        ck_assert_int_eq(sqlite3_open(users_backend_url + strlen("sqlite:"), &raw), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(raw,
                                      "CREATE TRIGGER refuse BEFORE INSERT ON account_groups WHEN"
                                      " NEW.name = 'Admin' BEGIN SELECT RAISE(ABORT, 'no'); END",
                                      NULL, NULL, NULL),
                         SQLITE_OK);
        sqlite3_close(raw);
        return;
    }
    postgres_server_do(users_backend_server, POSTGRES_DATABASE,
                       "ALTER TABLE account_groups ADD CHECK (name <> 'Admin')");
}

START_TEST(nothing_where_the_database_refuses_one)
{
    open_backend(_i);
    int64_t id = users_backend_add(users, "alice", "h");
    const struct users_rights rights = {true, groups, 2};

    refuse_admins();
    ck_assert_int_ne(users_set_rights(users, id, &rights, true, &error), ERR_OK);
    struct user user = look(id);
    ck_assert(!user.is_superuser);
    ck_assert_uint_eq(user.group_count, 0);
    close_backend();
}
END_TEST

START_TEST(nobody_s_rights)
{
    open_backend(_i);
    const struct users_rights rights = {true, groups, 2}, none = {false, NULL, 0};

    ck_assert_int_eq(users_set_rights(users, 5, &rights, true, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_set_rights(users, 5, &none, true, &error), ERR_NOT_FOUND);
    close_backend();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("users_rights");
    TCase *tcase = tcase_create("backends");
    tcase_add_loop_test(tcase, several_at_once, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, nothing_where_one_will_not_do, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, nothing_where_the_database_refuses_one, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, nobody_s_rights, 0, USERS_BACKEND_COUNT);
    suite_add_tcase(suite, tcase);
    return users_backends_run(suite);
}
