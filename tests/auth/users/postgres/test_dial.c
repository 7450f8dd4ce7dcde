/* The way to a server: names that are looked up by others, addresses in turn, and certificates that are for names. */
#include "users_backend.h"

#include "postgres_case.h"

#include "certificates.h"
#include "names_file.h"
#include "postgres_files.h"
#include "slowness.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BY_NAME "postgresql://" POSTGRES_USER ":" POSTGRES_PASSWORD "@"

static void open_own(void)
{
    names_file_open();
    ck_assert_int_eq(putenv((char *)(uintptr_t)names_file_variable()), 0);
    set_up_own();
    snprintf(url, sizeof url, BY_NAME "db.test:%d/%s", postgres_server_port(server), database);
}

static void close_own(void)
{
    tear_down();
    names_file_close();
}

/* The silence has no end. */
START_TEST(name_servers_that_are_silent)
{
    names_file_say("db.test silent\n");
    refuse_to_open(ERR_UPSTREAM_DOWN, "look-up of the host db.test: no answer of a name server");
    names_file_say("db.test 127.0.0.1\n");
    open_users();
}
END_TEST

START_TEST(name_servers_that_fall_silent)
{
    names_file_say("db.test 127.0.0.1\n");
    open_users();
    int64_t id = users_backend_add(users, "alice", "hash");
    int asked = names_file_asked("db.test");
    names_file_say("db.test silent\n");
    postgres_server_kill(server);
    while (find(id) == ERR_OK)
        nap();
    names_file_wait_asked("db.test", asked + 1);
    postgres_server_start_again(server);
    wait_until_found(id);
    ck_assert_int_le(names_file_asked("db.test"), asked + 2);
}
END_TEST

START_TEST(names_that_are_unknown)
{
    names_file_say("db.test fails\n");
    refuse_to_open(ERR_UPSTREAM_DOWN, "look-up of the host db.test: ");
}
END_TEST

START_TEST(every_address_is_tried)
{
    names_file_say("db.test 127.0.0.3 ::1 127.0.0.1\n");
    open_users();
}
END_TEST

/* What each of them said is told. */
START_TEST(every_host_is_tried)
{
    int port = postgres_server_port(server);

    names_file_say("away.test 127.0.0.3\ndb.test 127.0.0.1\n");
    snprintf(url, sizeof url, BY_NAME "away.test:%d,db.test:%d/%s", port, port, database);
    open_users();
    users_close(&users);
    snprintf(url, sizeof url, BY_NAME "away.test:1,db.test/%s?port=1,%d", database, port);
    open_users();
    users_close(&users);
    snprintf(url, sizeof url, BY_NAME "away.test,127.0.0.4:%d/%s", port, database);
    refuse_to_open(ERR_UPSTREAM_DOWN, "away.test: connection to server at \"127.0.0.3\"");
    ck_assert_msg(strstr(error.caller, "; "), "%s", error.caller);
    /* A socket folder is no name, and what is settled by an address neither. */
    snprintf(url, sizeof url,
             "postgresql://" POSTGRES_USER ":" POSTGRES_PASSWORD "@/%s?host=away.test,%s&port=%d",
             database, postgres_server_directory(server), port);
    open_users();
    users_close(&users);
    snprintf(url, sizeof url, BY_NAME "settled.test:%d/%s?hostaddr=127.0.0.1", port, database);
    names_file_say("settled.test silent\n");
    open_users();
    ck_assert_int_eq(names_file_asked("settled.test"), 0);
}
END_TEST

/* The last one has an answer. */
START_TEST(many_silent_hosts_take_no_longer_than_two)
{
    enum { SILENT = 12, TIMEOUT_MS = 3000 };
    size_t used;

    names_file_say("db.test 127.0.0.1\na.test silent\nb.test silent\nc.test silent\nd.test silent\n"
                   "e.test silent\nf.test silent\ng.test silent\nh.test silent\ni.test silent\n"
                   "j.test silent\nk.test silent\nl.test silent\n");
    used = (size_t)snprintf(url, sizeof url, BY_NAME);
    for (int i = 0; i < SILENT; i++)
        used += (size_t)snprintf(url + used, sizeof url - used, "%c.test:1,", 'a' + i);
    snprintf(url + used, sizeof url - used, "db.test:%d/%s?connect_timeout=%d",
             postgres_server_port(server), database, TIMEOUT_MS / 1000);
    int64_t begin_ns = clock_mono_ns();
    open_users();
    expect_within_ms((clock_mono_ns() - begin_ns) / NS_PER_MS, 3 * TIMEOUT_MS);
}
END_TEST

START_TEST(the_environment_has_the_host)
{
    char port[16];

    names_file_say("db.test 127.0.0.1\n");
    snprintf(port, sizeof port, "%d", postgres_server_port(server));
    setenv("PGHOST", "db.test", 1);
    setenv("PGPORT", port, 1);
    snprintf(url, sizeof url, BY_NAME "/%s", database);
    open_users();
    ck_assert_int_ge(names_file_asked("db.test"), 1);
}
END_TEST

static void speak_tls(void)
{
    struct postgres_identity identity = postgres_find_identity();
    const char *directory = postgres_server_directory(server);
    char path[200];

    certificates_authority(directory, "ca");
    certificates_issue(directory, &(struct certificate){"server", "ca", "DNS:db.test", 0, 0});
    snprintf(path, sizeof path, "%s/server.key", directory);
    if (identity.is_other)
        ck_assert_int_eq(chown(path, identity.uid, identity.gid), 0);
    snprintf(path, sizeof path, "%s/server.pem", directory);
    ck_assert_int_eq(chmod(path, 0644), 0);
    postgres_server_do(server, "postgres", "ALTER SYSTEM SET ssl_cert_file = '%s'", path);
    postgres_server_do(server, "postgres", "ALTER SYSTEM SET ssl_key_file = '%s/server.key'",
                       directory);
    postgres_server_do(server, "postgres", "ALTER SYSTEM SET ssl = on");
    postgres_server_shut_down(server);
    postgres_server_start_again(server);
}

/* The address goes beside the name: a certificate is for the name. */
START_TEST(certificates_are_for_names)
{
    int port = postgres_server_port(server);

    names_file_say("db.test 127.0.0.1\nother.test 127.0.0.1\n");
    speak_tls();
    snprintf(url, sizeof url, BY_NAME "db.test:%d/%s?sslmode=verify-full&sslrootcert=%s/ca.pem",
             port, database, postgres_server_directory(server));
    open_users();
    users_close(&users);
    snprintf(url, sizeof url, BY_NAME "other.test:%d/%s?sslmode=verify-full&sslrootcert=%s/ca.pem",
             port, database, postgres_server_directory(server));
    refuse_to_open(ERR_UPSTREAM_DOWN, "server certificate for \"db.test\"");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/postgres/dial");
    TCase *own = tcase_create("a server of its own");

    tcase_add_checked_fixture(own, open_own, close_own);
    tcase_add_test(own, name_servers_that_are_silent);
    tcase_add_test(own, name_servers_that_fall_silent);
    tcase_add_test(own, names_that_are_unknown);
    tcase_add_test(own, every_address_is_tried);
    tcase_add_test(own, every_host_is_tried);
    tcase_add_test(own, many_silent_hosts_take_no_longer_than_two);
    tcase_add_test(own, the_environment_has_the_host);
    tcase_add_test(own, certificates_are_for_names);
    suite_add_tcase(suite, own);
    return suite_run(suite);
}
