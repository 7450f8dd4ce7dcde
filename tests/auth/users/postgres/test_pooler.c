/* PgBouncer in its modes, and what it refuses. What it does in the mode "transaction" all contract tests of the
 * users database show, which run through one, too. */
#include "users_backend.h"

#include "postgres_case.h"

#include <string.h>

static void open_pooler(const char *mode)
{
    set_up();
    users_backend_pooler = pooler_start(server, mode, 2);
    pooler_url(users_backend_pooler, database, url);
}

static void open_transactions(void)
{
    open_pooler("transaction");
}

static void close_pooler(void)
{
    tear_down();
    pooler_stop(&users_backend_pooler);
    postgres_server_do(server, "postgres", "ALTER ROLE " POSTGRES_USER " RESET ALL");
}

START_TEST(a_session_for_each_client)
{
    open_pooler("session");
    open_users();
    int64_t id = users_backend_add(users, "alice", "hash");
    ck_assert_int_eq(find(id), ERR_OK);
    close_pooler();
}
END_TEST

/* There is no transaction then, so it cannot be used, and says why. */
START_TEST(a_session_for_each_statement)
{
    open_pooler("statement");
    refuse_to_open(ERR_UPSTREAM_DOWN, "statement pooling mode");
    close_pooler();
}
END_TEST

START_TEST(options_are_a_sessions)
{
    size_t used = strlen(url);

    snprintf(url + used, sizeof url - used, "&options=-csearch_path%%3Down");
    refuse_to_open(ERR_UPSTREAM_DOWN, "options");
}
END_TEST

START_TEST(a_schema_of_its_own)
{
    postgres_server_do(server, "postgres", "ALTER ROLE " POSTGRES_USER " SET search_path = own");
    refuse_to_open(ERR_UPSTREAM_DOWN, "ALTER ROLE USER SET search_path = NAME");
    postgres_server_do(server, database, "CREATE SCHEMA own AUTHORIZATION " POSTGRES_USER);
    open_users();
    int64_t id = users_backend_add(users, "alice", "hash");
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert_int_eq(
        postgres_server_ask_integer(server, database, "SELECT count(*) FROM own.accounts"), 1);
}
END_TEST

/* The sessions of the pooler are lost, and it makes new ones. */
START_TEST(the_server_closes_the_sessions)
{
    open_users();
    int64_t id = users_backend_add(users, "alice", "hash");
    for (int i = 0; i < 3; i++) {
        postgres_server_do(server, "postgres",
                           "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                           " WHERE datname = '%s'",
                           database);
        wait_until_found(id);
        ck_assert_int_eq(users_set_active(users, id, i % 2 == 0, &error), ERR_OK);
    }
}
END_TEST

START_TEST(the_pooler_restarts)
{
    open_users();
    int64_t id = users_backend_add(users, "alice", "hash");
    pooler_stop(&users_backend_pooler);
    ck_assert_int_eq(find(id), ERR_UPSTREAM_DOWN);
    users_backend_pooler = pooler_start(server, "transaction", 2);
    wait_until_found(id);
    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/postgres/pooler");
    TCase *modes = tcase_create("modes"), *transactions = tcase_create("transactions");

    tcase_add_test(modes, a_session_for_each_client);
    tcase_add_test(modes, a_session_for_each_statement);
    suite_add_tcase(suite, modes);
    tcase_add_checked_fixture(transactions, open_transactions, close_pooler);
    tcase_add_test(transactions, options_are_a_sessions);
    tcase_add_test(transactions, a_schema_of_its_own);
    tcase_add_test(transactions, the_server_closes_the_sessions);
    tcase_add_test(transactions, the_pooler_restarts);
    suite_add_tcase(suite, transactions);
    return users_backends_run(suite);
}
