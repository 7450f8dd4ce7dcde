/* What is PostgreSQL's own: connections, and a server that goes away. */
#include "users/postgres/postgres.h"

#include "log_capture.h"
#include "patience.h"
#include "postgres_case.h"
#include "slowness.h"

#include <libpq-fe.h>
#include <pthread.h>

/* --- connections --- */

static const struct users_driver *driver = &users_postgresql_driver;

static struct users_connection *begin(struct users_db *db, enum users_mode mode)
{
    struct users_connection *connection = NULL;

    expect(driver->begin(db, mode, &connection, &error), ERR_OK);
    return connection;
}

static enum err run(struct users_connection *connection, enum users_statement statement,
                    const struct users_value *values, size_t count)
{
    struct users_result result;

    return driver->run(connection, (struct users_query){statement, values, count}, arena, &result,
                       &error);
}

static struct users_db *open_db(void)
{
    struct users_db *db = NULL;

    expect(driver->open(str_from(url + strlen("postgresql://")), &db, &error), ERR_OK);
    return db;
}

static const struct users_value fact[] = {{USERS_TEXT, 0, {"fact", 4}},
                                          {USERS_TEXT, 0, {"value", 5}}};

static int64_t count_facts(void)
{
    return postgres_server_ask_integer(server, database,
                                       "SELECT count(*) FROM facts WHERE name = 'fact'");
}

START_TEST(a_reading_connection_cannot_write)
{
    struct users_db *db = open_db();
    struct users_connection *connection = begin(db, USERS_READ);

    expect(run(connection, FACT_SET, fact, 2), ERR_INTERNAL);
    ck_assert_int_eq(driver->end(&connection, ERR_INTERNAL, &error), ERR_INTERNAL);
    ck_assert_ptr_null(connection);
    ck_assert_int_eq(count_facts(), 0);
    driver->close(&db);
    ck_assert_ptr_null(db);
}
END_TEST

START_TEST(what_is_read_has_not_changed)
{
    struct users_db *db = open_db();
    struct users_connection *connection = begin(db, USERS_READ);
    const struct users_value name = {USERS_TEXT, 0, STR("install_id")};
    struct users_result result;

    expect(
        driver->run(connection, (struct users_query){FACT_GET, &name, 1}, arena, &result, &error),
        ERR_OK);
    ck_assert_uint_eq(result.row_count, 1);
    ck_assert_uint_eq(result.column_count, 1);
    ck_assert_int_eq(result.changed, 0);
    ck_assert_int_eq(driver->end(&connection, ERR_OK, &error), ERR_OK);
    driver->close(&db);
}
END_TEST

START_TEST(what_failed_is_undone_whatever_its_end_says)
{
    struct users_db *db = open_db();
    struct users_connection *connection = begin(db, USERS_WRITE);
    struct users_value broken = {USERS_TEXT, 0, STR("a\0b")};

    expect(run(connection, FACT_SET, fact, 2), ERR_OK);
    /* No such account: the transaction has failed from here on. */
    const struct users_value nobody[] = {{USERS_INTEGER, 77, STR_NONE}, fact[0]};
    expect(run(connection, GROUP_ADD, nobody, 2), ERR_NOT_FOUND);
    ck_assert_int_eq(driver->end(&connection, ERR_OK, &error), ERR_INTERNAL);
    ck_assert_int_eq(count_facts(), 0);

    connection = begin(db, USERS_WRITE);
    expect(run(connection, FACT_SET, fact, 2), ERR_OK);
    ck_assert_int_eq(driver->end(&connection, ERR_NOT_FOUND, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(count_facts(), 0);

    connection = begin(db, USERS_WRITE);
    expect(run(connection, FACT_SET, (const struct users_value[]){fact[0], broken}, 2),
           ERR_BAD_INPUT);
    ck_assert_int_eq(driver->end(&connection, ERR_BAD_INPUT, &error), ERR_BAD_INPUT);
    driver->close(&db);
}
END_TEST

START_TEST(what_is_no_text_is_not_found)
{
    struct api_key key;

    open_users();
    ck_assert_int_eq(api_keys_find(users, arena, STR("a\0b"), &key, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(api_keys_find(users, arena, STR("\xff\xfe"), &key, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(users_find_by_name(users, arena, STR("\xed\xa0\x80"), &user, &error),
                     ERR_NOT_FOUND);
}
END_TEST

/* Words of PostgreSQL and of ours never reach a caller. */
START_TEST(no_sql_for_the_caller)
{
    open_users();
    postgres_server_do(server, database, "ALTER TABLE accounts RENAME TO elsewhere");
    expect(find(1), ERR_INTERNAL);
    ck_assert_ptr_null(strstr(error.caller, "SELECT"));
    ck_assert_ptr_null(strstr(error.caller, "accounts"));
    ck_assert_ptr_nonnull(strstr(error.detail, "accounts"));
    ck_assert_ptr_nonnull(strstr(error.detail, "SQLSTATE 42P01"));
}
END_TEST

/* A key's id that is taken is told apart from its name; SQLite cannot. */
START_TEST(which_of_a_keys_fields_is_taken)
{
    struct api_key key = {.id = STR("aaaaaaaaaaaa"),
                          .name = STR("deploy"),
                          .secret_digest = STR("0123456789abcdef0123456789abcdef")};

    open_users();
    expect(api_keys_add(users, &key, &error), ERR_OK);
    key.name = STR("other");
    expect(api_keys_add(users, &key, &error), ERR_CONFLICT);
    ck_assert_str_eq(error.caller, "An API key with that id already exists.");
}
END_TEST

START_TEST(locked_by_another_program)
{
    open_users();
    int64_t id = users_backend_add(users, "alice", "h");
    PGconn *other = PQconnectdb(url);
    PQclear(PQexec(other, "BEGIN; UPDATE accounts SET is_active = is_active"));
    ck_assert_int_eq(PQtransactionStatus(other), PQTRANS_INTRANS);

    expect(find(id), ERR_OK);
    int64_t before = now_ms();
    expect(users_set_active(users, id, false, &error), ERR_UPSTREAM_DOWN);
    ck_assert_int_ge(now_ms() - before, USERS_POSTGRES_STATEMENT_MS);
    expect_within_ms(now_ms() - before, BUDGET_MS);
    ck_assert_str_eq(error.caller,
                     "The users database is out of reach: it did not answer in time.");
    PQfinish(other);
    expect(users_set_active(users, id, false, &error), ERR_OK);
}
END_TEST

enum { THREADS = 24, TURNS = 20 };

/* Looks up an account by its id, or else by its name. */
static enum err look(struct arena *own, int64_t id, struct str name, struct user *found,
                     struct error *why)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    enum err err;

    do {
        error_clear(why);
        err = id > 0 ? users_find_by_id(users, own, id, found, why)
                     : users_find_by_name(users, own, name, found, why);
    } while (users_backend_must_retry(err, why, deadline_ns));
    return err;
}

static void *work(void *arg)
{
    struct arena *own = arena_new(1024, 0);
    struct user found;
    struct error why;
    char name[32];
    int number = *(const int *)arg;

    for (int i = 0; i < TURNS; i++) {
        snprintf(name, sizeof name, "w%d.%d", number, i);
        int64_t id = users_backend_add(users, name, "h");
        ck_assert_msg(look(own, id, STR_NONE, &found, &why) == ERR_OK, "%s", why.detail);
        ck_assert(str_eq(found.username, str_from(name)));
        ck_assert_int_eq(look(own, 0, STR("nobody"), &found, &why), ERR_NOT_FOUND);
        arena_reset(own);
    }
    arena_free(&own);
    return NULL;
}

static void work_in_threads(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(postgres_server_ask_integer(server, database, "SELECT count(*) FROM accounts"),
                     THREADS * TURNS);
}

START_TEST(many_threads_few_connections)
{
    open_users();
    work_in_threads();
    ck_assert_int_le(count_connections(), 8);
    ck_assert_int_gt(count_connections(), 1);
}
END_TEST

/* Of the connections the server has, this program gets three. Nobody fails for that. */
START_TEST(a_server_with_few_connections)
{
    open_users();
    postgres_server_do(server, "postgres", "ALTER DATABASE %s CONNECTION LIMIT 3", database);
    work_in_threads();
    ck_assert_int_le(count_connections(), 3);
}
END_TEST

START_TEST(the_database_is_replaced)
{
    open_users();
    ck_assert_int_eq(users_ping(users, &error), ERR_OK);
    close_connections();
    postgres_server_do(server, "postgres", "ALTER DATABASE %s RENAME TO %s_old", database,
                       database);
    postgres_server_do(server, "postgres", "CREATE DATABASE %s OWNER %s TEMPLATE template0",
                       database, POSTGRES_USER);
    expect(users_ping(users, &error), ERR_UPSTREAM_DOWN);
    ck_assert_ptr_nonnull(strstr(error.caller, "it was replaced by another one"));
    /* Nor does it become the old one by having our tables. */
    struct users *other = NULL;
    ck_assert_int_eq(users_open(str_from(url), &other, &error), ERR_OK);
    expect(find(1), ERR_UPSTREAM_DOWN);
    users_close(&other);
}
END_TEST

/* --- a connection that goes away --- */

START_TEST(closed_while_idle)
{
    open_users();
    int64_t id = users_backend_add(users, "alice", "h");

    close_connections();
    expect(find(id), ERR_OK);
    close_connections();
    expect(users_set_active(users, id, false, &error), ERR_OK);
    close_connections();
    expect(users_ping(users, &error), ERR_OK);
}
END_TEST

/* After the look, before the statement. */
START_TEST(closed_behind_our_back)
{
    struct users_db *db = open_db();
    struct users_connection *connection = begin(db, USERS_READ);

    close_connections();
    expect(run(connection, FACT_GET, fact, 1), ERR_OK);
    ck_assert_int_eq(driver->end(&connection, ERR_OK, &error), ERR_OK);

    /* A change is not begun anew, because of what was done in it before. */
    connection = begin(db, USERS_WRITE);
    expect(run(connection, FACT_SET, fact, 2), ERR_OK);
    close_connections();
    expect(run(connection, FACT_SET, fact, 2), ERR_UPSTREAM_DOWN);
    ck_assert_ptr_nonnull(strstr(error.caller, "it is shutting down"));
    ck_assert_int_eq(driver->end(&connection, ERR_UPSTREAM_DOWN, &error), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(count_facts(), 0);

    /* Nor is it uncertain what became of it, as long as nobody asked for a commit. */
    connection = begin(db, USERS_WRITE);
    expect(run(connection, FACT_SET, fact, 2), ERR_OK);
    close_connections();
    expect(driver->end(&connection, ERR_OK, &error), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(count_facts(), 0);
    driver->close(&db);
}
END_TEST

/* As poolers between us and the server do it that hand out other connections. */
START_TEST(prepared_statements_are_forgotten)
{
    struct users_db *db = open_db();

    for (int i = 0; i < 2; i++) {
        struct users_connection *connection = begin(db, USERS_READ);
        expect(run(connection, FACT_GET, fact, 1), ERR_OK);
        PGresult *result = PQexec(connection->conn, "DEALLOCATE ALL");
        ck_assert_int_eq(PQresultStatus(result), PGRES_COMMAND_OK);
        PQclear(result);
        expect(run(connection, FACT_GET, fact, 1), ERR_OK);
        ck_assert_int_eq(driver->end(&connection, ERR_OK, &error), ERR_OK);
    }
    driver->close(&db);
}
END_TEST

START_TEST(the_server_restarts)
{
    open_users();
    int64_t id = users_backend_add(users, "alice", "h");

    postgres_server_shut_down(server);
    postgres_server_start_again(server);
    expect(find(id), ERR_OK);
    postgres_server_shut_down(server);
    postgres_server_start_again(server);
    expect(users_set_active(users, id, false, &error), ERR_OK);
    postgres_server_kill(server);
    postgres_server_start_again(server);
    expect(find(id), ERR_OK);
    ck_assert(!user.is_active);
}
END_TEST

START_TEST(the_server_is_away_for_a_while)
{
    open_users();
    int64_t id = users_backend_add(users, "alice", "h");

    log_capture_start();
    postgres_server_kill(server);
    for (int i = 0; i < 20; i++) {
        int64_t before = now_ms();
        expect(find(id), ERR_UPSTREAM_DOWN);
        ck_assert_str_eq(error.caller,
                         "The users database is out of reach: it cannot be connected to.");
        ck_assert_ptr_nonnull(strstr(error.detail, postgres_server_directory(server)));
        expect(users_set_active(users, id, false, &error), ERR_UPSTREAM_DOWN);
        expect_within_ms(now_ms() - before, 1000);
    }
    postgres_server_start_again(server);
    wait_until_found(id);
    ck_assert(user.is_active);
    expect(users_set_active(users, id, false, &error), ERR_OK);

    char *log = log_capture_end();
    ck_assert_ptr_nonnull(strstr(log, "event=users.down"));
    ck_assert_ptr_nonnull(strstr(log, "event=users.up"));
    ck_assert_ptr_null(strstr(log, POSTGRES_PASSWORD));
    free(log);
}
END_TEST

START_TEST(killed_during_a_transaction)
{
    struct users_db *db = open_db();
    struct users_connection *connection = begin(db, USERS_WRITE);

    expect(run(connection, FACT_SET, fact, 2), ERR_OK);
    postgres_server_kill(server);
    expect(driver->end(&connection, ERR_OK, &error), ERR_UPSTREAM_DOWN);
    postgres_server_start_again(server);
    ck_assert_int_eq(count_facts(), 0);
    driver->close(&db);
}
END_TEST

/* Nobody can tell, so nobody says that it failed: here it even happened. */
START_TEST(a_commit_without_an_answer_is_uncertain)
{
    struct users_db *db = open_db();
    struct users_connection *connection = begin(db, USERS_WRITE);

    expect(run(connection, FACT_SET, fact, 2), ERR_OK);
    postgres_server_pause(server);
    int64_t before = now_ms();
    expect(driver->end(&connection, ERR_OK, &error), ERR_UNCERTAIN);
    expect_within_ms(now_ms() - before, BUDGET_MS);
    ck_assert_str_eq(
        error.caller,
        "The users database did not confirm the change: it may or may not have been made.");
    postgres_server_resume(server);
    int64_t give_up = now_ms() + PATIENCE_MS;
    while (count_facts() == 0)
        ck_assert_int_lt(now_ms(), give_up);
    driver->close(&db);
}
END_TEST

static void *find_while_paused(void *arg)
{
    struct arena *own = arena_new(1024, 0);
    struct user found;
    struct error why;

    error_clear(&why);
    int64_t before = now_ms();
    ck_assert_int_eq(users_find_by_id(users, own, *(const int64_t *)arg, &found, &why),
                     ERR_UPSTREAM_DOWN);
    expect_within_ms(now_ms() - before, BUDGET_MS);
    arena_free(&own);
    return NULL;
}

START_TEST(a_paused_server_costs_nobody_more_than_its_budget)
{
    pthread_t threads[THREADS];

    open_users();
    int64_t id = users_backend_add(users, "alice", "h");
    postgres_server_pause(server);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, find_while_paused, &id), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    /* Known by now: all but one attempt a second are refused at once. */
    int refused_at_once = 0;
    for (int i = 0; i < 10; i++) {
        int64_t before = now_ms();
        expect(find(id), ERR_UPSTREAM_DOWN);
        expect_within_ms(now_ms() - before, BUDGET_MS);
        refused_at_once += slowness_allows(now_ms() - before, 500);
    }
    ck_assert_int_ge(refused_at_once, 7);
    postgres_server_resume(server);
    wait_until_found(id);
}
END_TEST

START_TEST(opening_a_paused_one_gives_up)
{
    struct users *none = NULL;

    postgres_server_pause(server);
    for (int tcp = 0; tcp < 2; tcp++) {
        if (tcp)
            postgres_server_tcp_url(postgres_server_port(server), database, url);
        int64_t before = now_ms();
        expect(users_open(str_from(url), &none, &error), ERR_UPSTREAM_DOWN);
        expect_within_ms(now_ms() - before, BUDGET_MS);
        ck_assert_ptr_nonnull(strstr(error.caller, "timeout expired"));
    }
    postgres_server_resume(server);
    open_users();
}
END_TEST

/* A primary that came back as a standby takes no changes and may be behind: it is not read, either.
 */
START_TEST(the_server_becomes_a_standby)
{
    char signal_file[128];

    open_users();
    int64_t id = users_backend_add(users, "alice", "h");
    postgres_server_shut_down(server);
    snprintf(signal_file, sizeof signal_file, "%s/data/standby.signal",
             postgres_server_directory(server));
    FILE *file = fopen(signal_file, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fclose(file), 0);
    postgres_server_start_again(server);
    expect(find(id), ERR_UPSTREAM_DOWN);
    ck_assert_ptr_nonnull(strstr(error.detail, "read-only"));
    expect(users_set_active(users, id, false, &error), ERR_UPSTREAM_DOWN);

    /* Promoted while a connection was open: the next change finds out. */
    postgres_server_do(server, "postgres", "SELECT pg_promote()");
    wait_until_found(id);
    expect(users_set_active(users, id, false, &error), ERR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/postgres/postgres");
    TCase *connections = tcase_create("connections"), *trouble = tcase_create("trouble");

    tcase_add_checked_fixture(connections, set_up, tear_down);
    tcase_add_test(connections, a_reading_connection_cannot_write);
    tcase_add_test(connections, what_is_read_has_not_changed);
    tcase_add_test(connections, what_failed_is_undone_whatever_its_end_says);
    tcase_add_test(connections, what_is_no_text_is_not_found);
    tcase_add_test(connections, no_sql_for_the_caller);
    tcase_add_test(connections, which_of_a_keys_fields_is_taken);
    tcase_add_test(connections, locked_by_another_program);
    tcase_add_test(connections, many_threads_few_connections);
    tcase_add_test(connections, a_server_with_few_connections);
    tcase_add_test(connections, the_database_is_replaced);
    tcase_add_test(connections, closed_while_idle);
    tcase_add_test(connections, closed_behind_our_back);
    tcase_add_test(connections, prepared_statements_are_forgotten);
    suite_add_tcase(suite, connections);

    tcase_add_checked_fixture(trouble, set_up_own, tear_down);
    tcase_add_test(trouble, the_server_restarts);
    tcase_add_test(trouble, the_server_is_away_for_a_while);
    tcase_add_test(trouble, killed_during_a_transaction);
    tcase_add_test(trouble, a_commit_without_an_answer_is_uncertain);
    tcase_add_test(trouble, a_paused_server_costs_nobody_more_than_its_budget);
    tcase_add_test(trouble, opening_a_paused_one_gives_up);
    tcase_add_test(trouble, the_server_becomes_a_standby);
    suite_add_tcase(suite, trouble);

    return users_backends_run(suite);
}
