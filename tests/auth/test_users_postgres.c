/* What is PostgreSQL's own: opening, rights, schemas, and a server that goes away. */
#include "users_postgres_private.h"
#include "users_postgres_schema.h"

#include "cachewarden/clock.h"
#include "log_capture.h"
#include "suite.h"
#include "users_backend.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

/* All waits of the driver, one after the other, and something for two busy cores. */
enum { BUDGET_MS = 2000 + USERS_POSTGRES_ANSWER_MS + 3000 };

static struct postgres_server *shared; /* started by main */
static struct postgres_server *server; /* `shared`, or the test's own */
static char database[POSTGRES_SHORT_NAME_SIZE];
static char url[POSTGRES_URL_SIZE];
static struct users *users;
static struct arena *arena;
static struct error error;
static struct user user;

static void set_up_on(struct postgres_server *on)
{
    server = on;
    postgres_server_database(server, database);
    postgres_server_url(server, database, url);
    arena = arena_new(4096, 0);
    error_clear(&error);
}

static void set_up(void)
{
    set_up_on(shared);
}

/* For what breaks the server. */
static void set_up_own(void)
{
    set_up_on(postgres_server_start(&(struct postgres_server_options){.tcp = true}));
}

static void tear_down(void)
{
    users_close(&users);
    arena_free(&arena);
    if (server != shared)
        postgres_server_stop(&server);
}

static void open_users(void)
{
    ck_assert_msg(users_open(str_from(url), &users, &error) == ERR_OK, "%s", error.caller);
}

static void refuse_to_open(enum err wanted, const char *reason)
{
    error_clear(&error);
    enum err err = users_open(str_from(url), &users, &error);
    ck_assert_msg(err == wanted, "%s: %s", err_name(err), error.caller);
    ck_assert_ptr_null(users);
    ck_assert_msg(strstr(error.caller, reason) != NULL, "%s", error.caller);
    ck_assert_ptr_null(strstr(error.caller, POSTGRES_PASSWORD));
    ck_assert_ptr_null(strstr(error.detail, POSTGRES_PASSWORD));
}

static void expect(enum err err, enum err wanted)
{
    ck_assert_msg(err == wanted, "%s, not %s: %s (%s)", err_name(err), err_name(wanted),
                  error.caller, error.detail);
}

static enum err find(int64_t id)
{
    error_clear(&error);
    return users_find_by_id(users, arena, id, &user, &error);
}

static int64_t now_ms(void)
{
    return clock_mono_ns() / NS_PER_MS;
}

static void nap(void)
{
    const struct timespec five_ms = {0, 5000000};

    nanosleep(&five_ms, NULL);
}

/* It is back within a second or two of the server. */
static void wait_until_found(int64_t id)
{
    int64_t give_up = now_ms() + 20000;

    while (find(id) != ERR_OK) {
        ck_assert_int_eq(error.code, ERR_UPSTREAM_DOWN);
        ck_assert_msg(now_ms() < give_up, "%s", error.detail);
        nap();
    }
}

static int64_t count_connections(void)
{
    return postgres_server_ask_integer(
        server, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname = '%s'", database);
}

/* What an administrator does, or a server that ends: every connection of ours is closed. */
static void close_connections(void)
{
    postgres_server_do(server, "postgres",
                       "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                       " WHERE datname = '%s'",
                       database);
    ck_assert_int_eq(count_connections(), 0);
}

/* --- opening --- */

START_TEST(both_names_of_its_urls)
{
    char other[POSTGRES_URL_SIZE];

    snprintf(other, sizeof other, "postgres://%s", url + strlen("postgresql://"));
    open_users();
    int64_t id = users_backend_add(users, "alice", "h");
    users_close(&users);
    ck_assert_int_eq(users_open(str_from(other), &users, &error), ERR_OK);
    ck_assert_str_eq(users_driver_name(users), "postgresql");
    expect(find(id), ERR_OK);
}
END_TEST

START_TEST(a_wrong_password)
{
    snprintf(url, sizeof url, "postgresql://%s:wrong-canary@/%s?host=%s", POSTGRES_USER, database,
             postgres_server_directory(server));
    refuse_to_open(ERR_UPSTREAM_DOWN, "password authentication failed");
    ck_assert_ptr_null(strstr(error.caller, "canary"));
    ck_assert_ptr_null(strstr(error.detail, "canary"));
}
END_TEST

START_TEST(no_such_database)
{
    postgres_server_url(server, "nowhere", url);
    refuse_to_open(ERR_UPSTREAM_DOWN, "database \"nowhere\" does not exist");
}
END_TEST

START_TEST(nobody_is_there)
{
    postgres_server_tcp_url(1, database, url);
    refuse_to_open(ERR_UPSTREAM_DOWN, "Connection refused");
    snprintf(url, sizeof url, "postgresql:///%s?host=/nonexistent", database);
    refuse_to_open(ERR_UPSTREAM_DOWN, "/nonexistent");
}
END_TEST

/* Not the first host that answers, but the first that takes changes. */
START_TEST(several_hosts)
{
    static const char *const read_only[] = {"default_transaction_read_only=on", NULL};
    struct postgres_server *first =
        postgres_server_start(&(struct postgres_server_options){.tcp = true, .args = read_only});

    snprintf(url, sizeof url, "postgresql://%s:%s@127.0.0.1:1,127.0.0.1:%d,127.0.0.1:%d/%s",
             POSTGRES_USER, POSTGRES_PASSWORD, postgres_server_port(first),
             postgres_server_port(server), database);
    postgres_server_do(first, "postgres", "CREATE DATABASE %s", database);
    open_users();
    users_backend_add(users, "alice", "h");
    ck_assert_int_eq(postgres_server_ask_integer(server, database, "SELECT count(*) FROM accounts"),
                     1);
    postgres_server_stop(&first);
}
END_TEST

/* A role that owns nothing and may only make tables in one schema; and once they are made, not even
 * that. */
START_TEST(few_rights_will_do)
{
    postgres_server_do(server, database, "DROP SCHEMA public; CREATE SCHEMA room");
    snprintf(url + strlen(url), sizeof url - strlen(url), "&options=-csearch_path%%3Droom");
    refuse_to_open(ERR_UPSTREAM_DOWN, "no schema of the search path");
    postgres_server_do(server, database, "ALTER DATABASE %s OWNER TO %s", database,
                       POSTGRES_SUPERUSER);
    postgres_server_do(server, database, "GRANT USAGE ON SCHEMA room TO %s", POSTGRES_USER);
    refuse_to_open(ERR_UPSTREAM_DOWN, "permission denied for schema room");
    ck_assert_int_eq(
        postgres_server_ask_integer(server, database,
                                    "SELECT count(*) FROM pg_class WHERE relnamespace = "
                                    "'room'::regnamespace"),
        0);
    postgres_server_do(server, database, "GRANT CREATE ON SCHEMA room TO %s", POSTGRES_USER);
    open_users();
    int64_t id = users_backend_add(users, "alice", "h");
    users_close(&users);
    postgres_server_do(server, database, "REVOKE CREATE ON SCHEMA room FROM %s", POSTGRES_USER);
    open_users();
    expect(users_delete(users, id, &error), ERR_OK);
}
END_TEST

START_TEST(two_installations_in_one_database)
{
    struct users *other = NULL;
    char other_url[POSTGRES_URL_SIZE + 64];

    postgres_server_do(server, database, "CREATE SCHEMA \"Odd \"\"room\" AUTHORIZATION %s",
                       POSTGRES_USER);
    snprintf(other_url, sizeof other_url,
             "%s&options=-csearch_path%%3D%%22Odd%%5C%%20%%22%%22room%%22", url);
    open_users();
    ck_assert_msg(users_open(str_from(other_url), &other, &error) == ERR_OK, "%s", error.caller);
    users_backend_add(users, "alice", "h");
    ck_assert_int_eq(users_find_by_name(other, arena, STR("alice"), &user, &error), ERR_NOT_FOUND);
    users_backend_add(other, "alice", "h");
    ck_assert_int_eq(users_ping(users, &error), ERR_OK);
    ck_assert_int_eq(users_ping(other, &error), ERR_OK);
    users_close(&other);
}
END_TEST

START_TEST(another_programs_tables)
{
    postgres_server_do(server, database, "CREATE TABLE accounts (id integer)");
    refuse_to_open(ERR_UPSTREAM_DOWN, "another program's table \"accounts\"");
    ck_assert_int_eq(
        postgres_server_ask_integer(
            server, database, "SELECT count(*) FROM pg_class WHERE relname = 'cachewarden_schema'"),
        0);
}
END_TEST

START_TEST(the_schema_tells_its_version)
{
    open_users();
    ck_assert_int_eq(postgres_server_ask_integer(server, database,
                                                 "SELECT max(version) FROM cachewarden_schema"),
                     users_postgres_version);
    ck_assert_int_eq(
        postgres_server_ask_integer(server, database, "SELECT count(*) FROM cachewarden_schema"),
        users_postgres_version);
}
END_TEST

START_TEST(a_newer_schema)
{
    open_users();
    users_close(&users);
    postgres_server_do(server, database, "INSERT INTO cachewarden_schema VALUES (%d, 1)",
                       users_postgres_version + 1);
    refuse_to_open(ERR_CONFLICT, "use a newer one");
    postgres_server_do(server, database, "DELETE FROM cachewarden_schema");
    refuse_to_open(ERR_UPSTREAM_DOWN, "does not tell a version");
}
END_TEST

/* A database sorts and compares as its owner chose; our texts are bytes, as in SQLite. */
START_TEST(texts_are_compared_byte_by_byte)
{
    open_users();
    ck_assert_int_eq(postgres_server_ask_integer(
                         server, database,
                         "SELECT count(*) FROM pg_attribute a JOIN pg_class t ON t.oid = attrelid"
                         " JOIN pg_collation c ON c.oid = attcollation"
                         " WHERE (relname, attname) IN (('accounts', 'username_key'),"
                         " ('accounts', 'email_key'), ('account_groups', 'name'),"
                         " ('api_keys', 'id'), ('api_keys', 'name'), ('facts', 'name'))"
                         " AND collname = 'C'"),
                     6);
}
END_TEST

START_TEST(an_encoding_that_has_no_room_for_all_names)
{
    postgres_server_do(server, "postgres",
                       "CREATE DATABASE %s_latin OWNER %s ENCODING 'LATIN1' LOCALE 'C'"
                       " TEMPLATE template0",
                       database, POSTGRES_USER);
    strncat(database, "_latin", sizeof database - strlen(database) - 1);
    postgres_server_url(server, database, url);
    refuse_to_open(ERR_UPSTREAM_DOWN, "its encoding is LATIN1");
}
END_TEST

/* Every statement of users_statements.def is good PostgreSQL, too. */
START_TEST(all_statements_can_be_prepared)
{
    struct users_session *session;
    char name[USERS_POSTGRES_NAME_SIZE];

    open_users();
    ck_assert_int_eq(users_postgres_new(&session), ERR_OK);
    expect(users_postgres_connect(session, url, &error), ERR_OK);
    for (int i = 0; i < USERS_STATEMENT_COUNT; i++) {
        enum err err = users_postgres_prepare(session, (enum users_statement)i, name, &error);
        ck_assert_msg(err == ERR_OK, "statement %d: %s", i, error.detail);
    }
    users_postgres_free(&session);
}
END_TEST

static atomic_int openings;

static void *open_and_close(void *arg)
{
    struct users *own = NULL;
    struct error why;
    (void)arg;

    error_clear(&why);
    ck_assert_msg(users_open(str_from(url), &own, &why) == ERR_OK, "%s", why.caller);
    users_close(&own);
    atomic_fetch_add(&openings, 1);
    return NULL;
}

/* Everybody makes the tables, or finds them made; nobody fails. */
START_TEST(many_open_a_new_one_at_once)
{
    enum { THREADS = 6, PROCESSES = 2 };
    for (int turn = 0; turn < 3; turn++) {
        pthread_t threads[THREADS];
        pid_t children[PROCESSES];
        int status;

        postgres_server_database(server, database);
        postgres_server_url(server, database, url);
        for (int i = 0; i < PROCESSES; i++) {
            children[i] = fork();
            ck_assert_int_ge(children[i], 0);
            if (children[i] == 0) {
                open_and_close(NULL);
                _exit(0);
            }
        }
        for (int i = 0; i < THREADS; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, open_and_close, NULL), 0);
        for (int i = 0; i < THREADS; i++)
            ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        for (int i = 0; i < PROCESSES; i++) {
            ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
            ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        }
        ck_assert_int_eq(postgres_server_ask_integer(server, database,
                                                     "SELECT count(*) FROM cachewarden_schema"),
                         users_postgres_version);
        ck_assert_int_eq(
            postgres_server_ask_integer(server, database, "SELECT count(*) FROM facts"), 1);
    }
}
END_TEST

/* --- sessions --- */

static const struct users_driver *driver = &users_postgresql_driver;

static struct users_session *begin(struct users_db *db, enum users_mode mode)
{
    struct users_session *session = NULL;

    expect(driver->begin(db, mode, &session, &error), ERR_OK);
    return session;
}

static enum err run(struct users_session *session, enum users_statement statement,
                    const struct users_value *values, size_t count)
{
    struct users_result result;

    return driver->run(session, statement, values, count, arena, &result, &error);
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

START_TEST(a_reading_session_cannot_write)
{
    struct users_db *db = open_db();
    struct users_session *session = begin(db, USERS_READ);

    expect(run(session, FACT_SET, fact, 2), ERR_INTERNAL);
    ck_assert_int_eq(driver->end(&session, ERR_INTERNAL, &error), ERR_INTERNAL);
    ck_assert_ptr_null(session);
    ck_assert_int_eq(count_facts(), 0);
    driver->close(&db);
    ck_assert_ptr_null(db);
}
END_TEST

START_TEST(what_failed_is_undone_whatever_its_end_says)
{
    struct users_db *db = open_db();
    struct users_session *session = begin(db, USERS_WRITE);
    struct users_value broken = {USERS_TEXT, 0, STR("a\0b")};

    expect(run(session, FACT_SET, fact, 2), ERR_OK);
    /* No such account: the transaction has failed from here on. */
    const struct users_value nobody[] = {{USERS_INTEGER, 77, STR_NONE}, fact[0]};
    expect(run(session, GROUP_ADD, nobody, 2), ERR_NOT_FOUND);
    ck_assert_int_eq(driver->end(&session, ERR_OK, &error), ERR_INTERNAL);
    ck_assert_int_eq(count_facts(), 0);

    session = begin(db, USERS_WRITE);
    expect(run(session, FACT_SET, fact, 2), ERR_OK);
    ck_assert_int_eq(driver->end(&session, ERR_NOT_FOUND, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(count_facts(), 0);

    session = begin(db, USERS_WRITE);
    expect(run(session, FACT_SET, (const struct users_value[]){fact[0], broken}, 2), ERR_BAD_INPUT);
    ck_assert_int_eq(driver->end(&session, ERR_BAD_INPUT, &error), ERR_BAD_INPUT);
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
    ck_assert_int_lt(now_ms() - before, BUDGET_MS);
    ck_assert_str_eq(error.caller,
                     "The users database is out of reach: it did not answer in time.");
    PQfinish(other);
    expect(users_set_active(users, id, false, &error), ERR_OK);
}
END_TEST

enum { THREADS = 24, TURNS = 20 };

static void *work(void *arg)
{
    struct arena *own = arena_new(1024, 0);
    struct user found;
    struct error why;
    char name[32];
    int number = *(const int *)arg;

    for (int i = 0; i < TURNS; i++) {
        error_clear(&why);
        snprintf(name, sizeof name, "w%d.%d", number, i);
        int64_t id = users_backend_add(users, name, "h");
        ck_assert_msg(users_find_by_id(users, own, id, &found, &why) == ERR_OK, "%s", why.detail);
        ck_assert(str_eq(found.username, str_from(name)));
        ck_assert_int_eq(users_find_by_name(users, own, STR("nobody"), &found, &why),
                         ERR_NOT_FOUND);
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
    postgres_server_do(server, "postgres", "CREATE DATABASE %s OWNER %s", database, POSTGRES_USER);
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
    struct users_session *session = begin(db, USERS_READ);

    close_connections();
    expect(run(session, FACT_GET, fact, 1), ERR_OK);
    ck_assert_int_eq(driver->end(&session, ERR_OK, &error), ERR_OK);

    /* A change is not begun anew, because of what was done in it before. */
    session = begin(db, USERS_WRITE);
    expect(run(session, FACT_SET, fact, 2), ERR_OK);
    close_connections();
    expect(run(session, FACT_SET, fact, 2), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(driver->end(&session, ERR_UPSTREAM_DOWN, &error), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(count_facts(), 0);

    /* Nor is it uncertain what became of it, as long as nobody asked for a commit. */
    session = begin(db, USERS_WRITE);
    expect(run(session, FACT_SET, fact, 2), ERR_OK);
    close_connections();
    expect(driver->end(&session, ERR_OK, &error), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(count_facts(), 0);
    driver->close(&db);
}
END_TEST

/* As poolers between us and the server do it that hand out other connections. */
START_TEST(prepared_statements_are_forgotten)
{
    struct users_db *db = open_db();

    for (int i = 0; i < 2; i++) {
        struct users_session *session = begin(db, USERS_READ);
        expect(run(session, FACT_GET, fact, 1), ERR_OK);
        PGresult *result = PQexec(session->conn, "DEALLOCATE ALL");
        ck_assert_int_eq(PQresultStatus(result), PGRES_COMMAND_OK);
        PQclear(result);
        expect(run(session, FACT_GET, fact, 1), ERR_OK);
        ck_assert_int_eq(driver->end(&session, ERR_OK, &error), ERR_OK);
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
        ck_assert_int_lt(now_ms() - before, 1000);
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
    struct users_session *session = begin(db, USERS_WRITE);

    expect(run(session, FACT_SET, fact, 2), ERR_OK);
    postgres_server_kill(server);
    expect(driver->end(&session, ERR_OK, &error), ERR_UPSTREAM_DOWN);
    postgres_server_start_again(server);
    ck_assert_int_eq(count_facts(), 0);
    driver->close(&db);
}
END_TEST

/* Nobody can tell, so nobody says that it failed: here it even happened. */
START_TEST(a_commit_without_an_answer_is_uncertain)
{
    struct users_db *db = open_db();
    struct users_session *session = begin(db, USERS_WRITE);

    expect(run(session, FACT_SET, fact, 2), ERR_OK);
    postgres_server_pause(server);
    int64_t before = now_ms();
    expect(driver->end(&session, ERR_OK, &error), ERR_UNCERTAIN);
    ck_assert_int_lt(now_ms() - before, BUDGET_MS);
    ck_assert_str_eq(
        error.caller,
        "The users database did not confirm the change: it may or may not have been made.");
    postgres_server_resume(server);
    int64_t give_up = now_ms() + 20000;
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
    ck_assert_int_lt(now_ms() - before, BUDGET_MS);
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
        ck_assert_int_lt(now_ms() - before, BUDGET_MS);
        if (now_ms() - before < 500)
            refused_at_once++;
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
        ck_assert_int_lt(now_ms() - before, BUDGET_MS);
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
    Suite *suite = suite_create("auth/users_postgres");
    TCase *opening = tcase_create("opening"), *trouble = tcase_create("trouble");

    tcase_add_checked_fixture(opening, set_up, tear_down);
    tcase_add_test(opening, both_names_of_its_urls);
    tcase_add_test(opening, a_wrong_password);
    tcase_add_test(opening, no_such_database);
    tcase_add_test(opening, nobody_is_there);
    tcase_add_test(opening, few_rights_will_do);
    tcase_add_test(opening, two_installations_in_one_database);
    tcase_add_test(opening, another_programs_tables);
    tcase_add_test(opening, the_schema_tells_its_version);
    tcase_add_test(opening, a_newer_schema);
    tcase_add_test(opening, texts_are_compared_byte_by_byte);
    tcase_add_test(opening, an_encoding_that_has_no_room_for_all_names);
    tcase_add_test(opening, all_statements_can_be_prepared);
    tcase_add_test(opening, many_open_a_new_one_at_once);
    tcase_add_test(opening, a_reading_session_cannot_write);
    tcase_add_test(opening, what_failed_is_undone_whatever_its_end_says);
    tcase_add_test(opening, what_is_no_text_is_not_found);
    tcase_add_test(opening, no_sql_for_the_caller);
    tcase_add_test(opening, which_of_a_keys_fields_is_taken);
    tcase_add_test(opening, locked_by_another_program);
    tcase_add_test(opening, many_threads_few_connections);
    tcase_add_test(opening, a_server_with_few_connections);
    tcase_add_test(opening, the_database_is_replaced);
    tcase_add_test(opening, closed_while_idle);
    tcase_add_test(opening, closed_behind_our_back);
    tcase_add_test(opening, prepared_statements_are_forgotten);
    suite_add_tcase(suite, opening);

    tcase_add_checked_fixture(trouble, set_up_own, tear_down);
    tcase_add_test(trouble, several_hosts);
    tcase_add_test(trouble, the_server_restarts);
    tcase_add_test(trouble, the_server_is_away_for_a_while);
    tcase_add_test(trouble, killed_during_a_transaction);
    tcase_add_test(trouble, a_commit_without_an_answer_is_uncertain);
    tcase_add_test(trouble, a_paused_server_costs_nobody_more_than_its_budget);
    tcase_add_test(trouble, opening_a_paused_one_gives_up);
    tcase_add_test(trouble, the_server_becomes_a_standby);
    suite_add_tcase(suite, trouble);

    shared = postgres_server_start(NULL);
    int status = suite_run(suite);
    postgres_server_stop(&shared);
    return status;
}
