/* Opening a PostgreSQL database: hosts, rights, schemas, and many who do it at once. */
#include "users/postgres/postgres_private.h"
#include "users/postgres/schema.h"

#include "postgres_case.h"
#include "self_signed.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <pwd.h>
#include <sys/wait.h>

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
    open_users();
    users_backend_add(users, "alice", "h");
    ck_assert_int_eq(postgres_server_ask_integer(server, database, "SELECT count(*) FROM accounts"),
                     1);
    postgres_server_stop(&first);
}
END_TEST

/* What the server of a test may read, whoever it runs as. */
static void write_certificate(struct temp_folder *folder, const char *name)
{
    static const char *const endings[] = {"pem", "key"};
    const struct passwd *nobody = getpwnam("nobody");
    char path[300];

    self_signed_write(folder->path, name);
    ck_assert_int_eq(chmod(folder->path, 0755), 0);
    for (size_t i = 0; geteuid() == 0 && i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s.%s", folder->path, name, endings[i]);
        ck_assert_int_eq(chown(path, nobody->pw_uid, nobody->pw_gid), 0);
    }
}

START_TEST(over_tls)
{
    struct temp_folder folder;
    char certificate[320], key[320], verified[POSTGRES_URL_SIZE + 400];

    temp_folder_init(&folder);
    write_certificate(&folder, "server");
    write_certificate(&folder, "other");
    snprintf(certificate, sizeof certificate, "ssl_cert_file=%s/server.pem", folder.path);
    snprintf(key, sizeof key, "ssl_key_file=%s/server.key", folder.path);
    struct postgres_server *encrypted = postgres_server_start(&(struct postgres_server_options){
        .tcp = true, .args = (const char *const[]){"ssl=on", certificate, key, NULL}});
    postgres_server_tcp_url(postgres_server_port(encrypted), database, url);

    snprintf(verified, sizeof verified, "%s?sslmode=verify-full&sslrootcert=%s/server.pem", url,
             folder.path);
    ck_assert_msg(users_open(str_from(verified), &users, &error) == ERR_OK, "%s", error.caller);
    users_backend_add(users, "alice", "h");
    ck_assert_int_eq(postgres_server_ask_integer(
                         encrypted, "postgres",
                         "SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)"
                         " WHERE datname = '%s' AND ssl",
                         database),
                     1);
    users_close(&users);

    snprintf(url + strlen(url), sizeof url - strlen(url),
             "?sslmode=verify-full&sslrootcert=%s/other.pem", folder.path);
    refuse_to_open(ERR_UPSTREAM_DOWN, "certificate verify failed");
    postgres_server_stop(&encrypted);
    temp_folder_fini(&folder);
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

/* Found once, our tables are found again, wherever the database's settings lead by then. */
START_TEST(the_search_path_changes)
{
    open_users();
    int64_t id = users_backend_add(users, "alice", "h");
    postgres_server_do(server, database, "CREATE SCHEMA elsewhere AUTHORIZATION %s", POSTGRES_USER);
    postgres_server_do(server, "postgres", "ALTER DATABASE %s SET search_path = elsewhere",
                       database);
    close_connections();
    expect(find(id), ERR_OK);
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

static void *open_and_close(void *arg)
{
    struct users *own = NULL;
    struct error why;
    (void)arg;

    error_clear(&why);
    ck_assert_msg(users_open(str_from(url), &own, &why) == ERR_OK, "%s", why.caller);
    users_close(&own);
    return NULL;
}

/* As the first version of this program left it. */
START_TEST(an_older_schema_is_migrated_by_whoever_comes_first)
{
    PGconn *owner = PQconnectdb(url);
    PQclear(PQexec(owner, users_postgres_migrations[0]));
    PQclear(PQexec(owner, "INSERT INTO cachewarden_schema VALUES (1, 1);"
                          "INSERT INTO accounts (username, username_key, email, email_key,"
                          " password_hash, created_at_s)"
                          " VALUES ('Alice', 'alice', 'a@b.c', 'a@b.c', 'h', 7)"));
    ck_assert_str_eq(PQerrorMessage(owner), "");
    PQfinish(owner);

    pthread_t others[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&others[i], NULL, open_and_close, NULL), 0);
    open_users();
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(others[i], NULL), 0);
    ck_assert_int_eq(
        postgres_server_ask_integer(server, database, "SELECT count(*) FROM cachewarden_schema"),
        users_postgres_version);
    ck_assert_int_eq(users_find_by_name(users, arena, STR("alice"), &user, &error), ERR_OK);
    ck_assert_int_eq(user.created_at_s, 7);
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
    static const char latin[] = "latin";

    postgres_server_do(server, "postgres",
                       "CREATE DATABASE %s OWNER %s ENCODING 'LATIN1' LOCALE 'C'"
                       " TEMPLATE template0",
                       latin, POSTGRES_USER);
    postgres_server_url(server, latin, url);
    refuse_to_open(ERR_UPSTREAM_DOWN, "its encoding is LATIN1");
}
END_TEST

/* Every statement of users/statements.def is good PostgreSQL, too; some are for tables of one transaction. */
START_TEST(all_statements_can_be_prepared)
{
    const struct users_driver *driver = &users_postgresql_driver;
    struct users_connection *connection;
    struct users_db *db;
    char name[USERS_POSTGRES_NAME_SIZE];

    expect(driver->open(str_from(url + strlen(driver->prefix)), &db, &error), ERR_OK);
    expect(driver->begin(db, USERS_TRIAL, &connection, &error), ERR_OK);
    for (int i = 0; i < USERS_STATEMENT_COUNT; i++) {
        enum err err = users_postgres_prepare(connection, (enum users_statement)i, name, &error);
        ck_assert_msg(err == ERR_OK, "statement %d: %s", i, error.detail);
    }
    expect(driver->end(&connection, ERR_OK, &error), ERR_OK);
    driver->close(&db);
}
END_TEST

/* Everybody makes the tables, or finds them made; nobody fails. */
START_TEST(many_open_a_new_one_at_once)
{
    enum { THREADS = 6, PROCESSES = 2 };
    for (int turn = 0; turn < 3; turn++) {
        pthread_t threads[THREADS];
        pid_t children[PROCESSES];
        int status;

        postgres_server_empty(server);
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

int main(void)
{
    Suite *suite = suite_create("auth/users/postgres/schema");
    TCase *opening = tcase_create("opening"), *hosts = tcase_create("hosts");

    tcase_add_checked_fixture(opening, set_up, tear_down);
    tcase_add_test(opening, both_names_of_its_urls);
    tcase_add_test(opening, a_wrong_password);
    tcase_add_test(opening, no_such_database);
    tcase_add_test(opening, nobody_is_there);
    tcase_add_test(opening, over_tls);
    tcase_add_test(opening, few_rights_will_do);
    tcase_add_test(opening, two_installations_in_one_database);
    tcase_add_test(opening, the_search_path_changes);
    tcase_add_test(opening, another_programs_tables);
    tcase_add_test(opening, the_schema_tells_its_version);
    tcase_add_test(opening, a_newer_schema);
    tcase_add_test(opening, an_older_schema_is_migrated_by_whoever_comes_first);
    tcase_add_test(opening, texts_are_compared_byte_by_byte);
    tcase_add_test(opening, an_encoding_that_has_no_room_for_all_names);
    tcase_add_test(opening, all_statements_can_be_prepared);
    tcase_add_test(opening, many_open_a_new_one_at_once);
    suite_add_tcase(suite, opening);

    tcase_add_checked_fixture(hosts, set_up_own, tear_down);
    tcase_add_test(hosts, several_hosts);
    suite_add_tcase(suite, hosts);

    return users_backends_run(suite);
}
