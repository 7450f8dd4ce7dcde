/* Another user and password, while connections are used. */
#include "users/postgres/connections.h"

#include "log_capture.h"
#include "postgres_case.h"

#include <stdlib.h>

static const struct users_driver *driver = &users_postgresql_driver;
static struct users_db *db;

static struct str location_of(const char *full)
{
    return str_from(full + strlen("postgresql://"));
}

static void open_db(void)
{
    set_up();
    ck_assert_int_eq(driver->open(location_of(url), &db, &error), ERR_OK);
    log_capture_start();
}

static void close_db(void)
{
    free(log_capture_end());
    driver->close(&db);
    postgres_server_do(server, "postgres", "ALTER ROLE %s PASSWORD '%s'", POSTGRES_USER,
                       POSTGRES_PASSWORD);
    tear_down();
}

static bool renew(const char *password)
{
    char other[POSTGRES_URL_SIZE];
    const char *at = strstr(url, POSTGRES_PASSWORD);
    bool changed;

    snprintf(other, sizeof other, "%.*s%s%s", (int)(at - url), url, password,
             at + strlen(POSTGRES_PASSWORD));
    ck_assert_int_eq(driver->renew_login(db, location_of(other), &changed, &error), ERR_OK);
    return changed;
}

static int pid_of(struct users_connection *connection)
{
    char text[32];

    ck_assert_int_eq(users_postgres_text(connection, "SELECT pg_backend_pid()",
                                         USERS_POSTGRES_ANSWER_MS, text, sizeof text, &error),
                     ERR_OK);
    return (int)strtol(text, NULL, 10);
}

static struct users_connection *begin(void)
{
    struct users_connection *connection = NULL;

    ck_assert_msg(driver->begin(db, USERS_READ, &connection, &error) == ERR_OK, "%s", error.detail);
    return connection;
}

static void end(struct users_connection *connection)
{
    ck_assert_int_eq(driver->end(&connection, ERR_OK, &error), ERR_OK);
}

/* Over which connection a read goes. */
static int read_once(void)
{
    struct users_connection *connection = begin();
    int pid = pid_of(connection);

    end(connection);
    return pid;
}

START_TEST(those_of_before_are_replaced)
{
    struct users_connection *busy = begin();
    int old = pid_of(busy);

    postgres_server_do(server, "postgres", "ALTER ROLE %s PASSWORD 'other'", POSTGRES_USER);
    ck_assert(renew("other"));
    ck_assert_int_eq(pid_of(busy), old);
    end(busy);
    int new = read_once();
    ck_assert_int_ne(new, old);
    ck_assert_int_eq(read_once(), new);
    ck_assert(!renew("other"));
    ck_assert_int_eq(read_once(), new);
}
END_TEST

START_TEST(a_wrong_one_leaves_those_of_before)
{
    int old = read_once();

    ck_assert(renew("wrong"));
    ck_assert_int_eq(read_once(), old);
    char *log = log_capture_end();
    ck_assert_msg(strstr(log, "users.login_fails") && !strstr(log, "wrong"), "%s", log);
    free(log);
    log_capture_start();
}
END_TEST

/* That a connection could not be made is over with the right one: nobody waits for the next try. */
START_TEST(the_right_one_counts_at_once)
{
    struct users_connection *busy = begin(), *none = NULL;

    ck_assert(renew("wrong"));
    ck_assert_int_eq(driver->begin(db, USERS_READ, &none, &error), ERR_UPSTREAM_DOWN);
    ck_assert(renew(POSTGRES_PASSWORD));
    end(busy);
    (void)read_once();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/postgres/connections");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, open_db, close_db);
    tcase_add_test(all, those_of_before_are_replaced);
    tcase_add_test(all, a_wrong_one_leaves_those_of_before);
    tcase_add_test(all, the_right_one_counts_at_once);
    suite_add_tcase(suite, all);
    return users_backends_run(suite);
}
