/* PostgreSQL's errors in our words. */
#include "users/postgres/error.h"

#include "suite.h"
#include "users/postgres/schema.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *sqlstate;
    enum err err;
    bool lasts;
} states[] = {
    {"23505", ERR_CONFLICT, false},      {"23503", ERR_NOT_FOUND, false},
    {"23514", ERR_INTERNAL, true},       {"57014", ERR_UPSTREAM_DOWN, false},
    {"57P01", ERR_UPSTREAM_DOWN, true},  {"57P03", ERR_UPSTREAM_DOWN, true},
    {"40P01", ERR_UPSTREAM_DOWN, false}, {"40001", ERR_UPSTREAM_DOWN, false},
    {"25006", ERR_UPSTREAM_DOWN, true},  {"53100", ERR_UPSTREAM_DOWN, false},
    {"53200", ERR_UPSTREAM_DOWN, true},  {"42501", ERR_UPSTREAM_DOWN, true},
    {"42P01", ERR_INTERNAL, true},       {"08006", ERR_UPSTREAM_DOWN, true},
    {"26000", ERR_UPSTREAM_DOWN, true},  {"XX001", ERR_UPSTREAM_DOWN, true},
    {"XX000", ERR_INTERNAL, true},       {"", ERR_INTERNAL, true},
    {NULL, ERR_INTERNAL, true},
};

START_TEST(states_have_a_meaning)
{
    const struct users_postgres_meaning *meaning = users_postgres_meaning(states[_i].sqlstate);

    ck_assert_int_eq(meaning->err, states[_i].err);
    ck_assert_int_eq(meaning->lasts, states[_i].lasts);
    ck_assert_uint_gt(strlen(meaning->reason), 0);
}
END_TEST

/* The names are told to the caller by: they have to be those of the tables. */
START_TEST(constraints_are_the_schemas)
{
    static const char *const names[][2] = {
        {"accounts_username_key", "A user with that username already exists."},
        {"accounts_email_key", "A user with that email already exists."},
        {"api_keys_name", "An API key with that name already exists."},
        {"api_keys_id", "An API key with that id already exists."},
    };
    char written[64];

    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(users_postgres_conflict(names[i][0]), names[i][1]);
        snprintf(written, sizeof written, "CONSTRAINT %s ", names[i][0]);
        ck_assert_msg(strstr(users_postgres_migrations[0], written) != NULL, "%s", written);
    }
    ck_assert_ptr_null(users_postgres_conflict("other"));
    ck_assert_ptr_null(users_postgres_conflict(NULL));
}
END_TEST

START_TEST(messages_fit_a_line)
{
    char line[32];

    users_postgres_one_line(line, sizeof line, "  it failed:\n\tno\r\n  reason \n");
    ck_assert_str_eq(line, "it failed: no reason");
    users_postgres_one_line(line, sizeof line, NULL);
    ck_assert_str_eq(line, "");
    users_postgres_one_line(line, 5, "abcdefgh");
    ck_assert_str_eq(line, "abcd");
    users_postgres_one_line(line, 5, "abc   defgh");
    ck_assert_str_eq(line, "abc");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/postgres/error");
    TCase *tcase = tcase_create("users_postgres_error");

    tcase_add_loop_test(tcase, states_have_a_meaning, 0, sizeof states / sizeof *states);
    tcase_add_test(tcase, constraints_are_the_schemas);
    tcase_add_test(tcase, messages_fit_a_line);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
