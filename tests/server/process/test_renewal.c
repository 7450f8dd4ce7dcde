/* Certificates that are renewed under a running server: those of listeners, and those for Redis. */
#include "tls_case.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Status of an answer to a fresh connection by a client who trusts that authority alone; 0: none. */
static int ask(const char *host, const char *authority)
{
    char url[64];
    snprintf(url, sizeof url, "https://%s:%d", host, server.port);
    struct http_client *client = http_client_new(url);
    http_client_trust(client, path_of(authority));
    int status = http_get(client, "/health/live", NULL)->status;
    http_client_free(&client);
    return status;
}

/* ---- listeners ---- */

/* By address and by name, since a client that names the host is another case to OpenSSL. */
START_TEST(a_renewed_certificate_is_served_at_once)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    start(NULL);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(ask(hosts[i], "one-ca.pem"), 200);
        ck_assert_int_eq(ask(hosts[i], "two-ca.pem"), 0);
    }
    install("two");
    renew("event=tls.renewed setting=server.tls.certificate");
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(ask(hosts[i], "two-ca.pem"), 200);
        ck_assert_int_eq(ask(hosts[i], "one-ca.pem"), 0);
    }
    cw_server_wait_log(&server, "event=tls.renewed setting=server.tls.key");
    char *log = cw_server_log(&server);
    ck_assert_ptr_null(strstr(log, "setting=server.tls.client_ca"));
    ck_assert_ptr_null(strstr(log, "event=tls.kept"));
    free(log);
}
END_TEST

START_TEST(a_connection_goes_on_with_what_it_began_with)
{
    char url[64];
    start(NULL);
    snprintf(url, sizeof url, "https://127.0.0.1:%d", server.port);
    struct http_client *client = http_client_new(url);
    http_client_trust(client, path_of("one-ca.pem"));
    expect_status(http_get(client, "/health/live", NULL), 200);
    install("two");
    renew("event=tls.renewed setting=server.tls.certificate");
    const struct http_reply *reply = http_get(client, "/health/live", NULL);
    ck_assert_int_eq(reply->status, 200);
    ck_assert(reply->is_reused);
    http_client_free(&client);
}
END_TEST

static const struct {
    const char *certificate, *key, *says;
} bad_pairs[] = {
    {"two.pem", "one.key", "mismatch"}, {"one.key", "one.key", "must hold a PEM certificate"},
    {"two.pem", "two.pem", "PEM key"},  {NULL, "one.key", "No such file"},
    {"one.pem", NULL, "No such file"},
};

START_TEST(files_that_cannot_be_used_keep_the_old)
{
    char *log;
    start(NULL);
    unlink(path_of("node.pem"));
    unlink(path_of("node.key"));
    if (bad_pairs[_i].certificate)
        copy(bad_pairs[_i].certificate, "node.pem");
    if (bad_pairs[_i].key)
        copy(bad_pairs[_i].key, "node.key");
    renew("event=tls.kept of=listeners");
    log = cw_server_log(&server);
    ck_assert_msg(strstr(strstr(log, "event=tls.kept"), bad_pairs[_i].says) != NULL, "%s", log);
    ck_assert_ptr_null(strstr(log, "event=tls.renewed"));
    free(log);
    ck_assert_int_eq(ask("localhost", "one-ca.pem"), 200);
    install("two");
    renew("event=tls.renewed setting=server.tls.certificate");
    ck_assert_int_eq(ask("localhost", "two-ca.pem"), 200);
}
END_TEST

/* A slip in the settings keeps the settings; it must not keep a certificate until it has expired. */
START_TEST(bad_settings_keep_no_certificate)
{
    cw_server_start(&server,
                    &(struct cw_server_options){.environment = tls_environment,
                                                .directory = directory,
                                                .config = "log: { level = \"info\"; };\n"});
    cw_file_write(directory, "test.conf", "nonsense = 1;\n", 0600);
    install("two");
    renew("event=config.kept");
    cw_server_wait_log(&server, "event=tls.renewed setting=server.tls.certificate");
    ck_assert_int_eq(ask("localhost", "two-ca.pem"), 200);
}
END_TEST

START_TEST(other_files_can_be_named)
{
    char config[256];
    static const char form[] = "server: { listen = [\"127.0.0.1:0s\"]; tls: { certificate = "
                               "\"%s.pem\"; key = \"%s.key\"; }; };\n";
    snprintf(config, sizeof config, form, "one", "one");
    cw_server_start(&server, &(struct cw_server_options){
                                 .environment = (const char *const[]){"CACHEWARDEN_LISTEN=", NULL},
                                 .directory = directory,
                                 .config = config});
    snprintf(config, sizeof config, form, "two", "two");
    cw_file_write(directory, "test.conf", config, 0600);
    renew("event=tls.renewed setting=server.tls.certificate file=two.pem");
    ck_assert_int_eq(ask("localhost", "two-ca.pem"), 200);
    char *log = cw_server_log(&server);
    ck_assert_ptr_null(strstr(log, "needs_restart"));
    free(log);
}
END_TEST

/* ---- sessions, and clients with certificates ---- */

struct visit {
    bool is_answered, is_resumed;
};

/* One request as the holder of one.pem, on from the session (or none), which is replaced by the last
 * one the server gave. */
static struct visit visit(int version, SSL_SESSION **session)
{
    static const char request[] = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server.port)};
    struct visit seen = {0};
    char answer[1024], host[] = "localhost"; /* OpenSSL's macro takes no constant */
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);

    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    SSL_CTX_use_certificate_file(context, path_of("one.pem"), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context, path_of("one.key"), SSL_FILETYPE_PEM);
    SSL *ssl = SSL_new(context);
    SSL_set_tlsext_host_name(ssl, host);
    SSL_set_fd(ssl, fd);
    if (*session)
        SSL_set_session(ssl, *session);
    seen.is_answered = SSL_connect(ssl) == 1 && SSL_write(ssl, request, sizeof request - 1) > 0 &&
                       SSL_read(ssl, answer, sizeof answer) > 12 &&
                       memcmp(answer, "HTTP/1.1 200", 12) == 0;
    seen.is_resumed = SSL_session_reused(ssl);
    SSL_SESSION_free(*session);
    *session = seen.is_answered ? SSL_get1_session(ssl) : NULL;
    SSL_shutdown(ssl);
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    return seen;
}

static bool is_let_in(const void *with)
{
    SSL_SESSION *session = NULL;
    struct visit seen = visit(*(const int *)with, &session);
    SSL_SESSION_free(session);
    return seen.is_answered;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* A session that goes on shows no certificate: without care it would for ever be one of an authority
 * that nobody trusts any more. */
START_TEST(no_session_outlives_trust_in_its_authority)
{
    SSL_SESSION *session = NULL;
    signal(SIGPIPE, SIG_IGN);
    start("CACHEWARDEN_SERVER_TLS_CLIENT_CA=clients.pem");
    ck_assert(visit(versions[_i], &session).is_answered);
    struct visit second = visit(versions[_i], &session);
    ck_assert(second.is_answered);
    ck_assert_msg(second.is_resumed, "without a change sessions go on");

    copy("two-ca.pem", "clients.pem");
    renew("event=tls.renewed setting=server.tls.client_ca");
    struct visit third = visit(versions[_i], &session);
    ck_assert(!third.is_answered);

    copy("one-ca.pem", "clients.pem");
    cw_server_signal(&server, SIGHUP);
    /* The log has that line already, so the door itself is asked. */
    stand_wait(is_let_in, &versions[_i], "the client is let in again");
    SSL_SESSION_free(session);
}
END_TEST

/* Nor is a client left with the certificate of before. */
START_TEST(a_session_ends_with_its_certificate)
{
    SSL_SESSION *session = NULL;
    start(NULL);
    ck_assert(visit(versions[_i], &session).is_answered);
    ck_assert(visit(versions[_i], &session).is_resumed);
    install("two");
    renew("event=tls.renewed setting=server.tls.certificate");
    struct visit after = visit(versions[_i], &session);
    ck_assert(after.is_answered && !after.is_resumed);
    ck_assert(visit(versions[_i], &session).is_resumed);
    SSL_SESSION_free(session);
}
END_TEST

struct caller {
    struct http_client *client;
    const char *key;
};

static bool is_flushed(const void *with)
{
    const struct caller *caller = with;
    return http_call(caller->client, "DELETE", "/api/v1/cache", caller->key)->status == 200;
}

static bool is_connected(const void *with)
{
    struct http_client *const client = (struct http_client *)(uintptr_t)with;
    return strstr(http_get(client, "/health", NULL)->body, "\"connected\"") != NULL;
}

/* Redis moves to another authority, and so do our files; both the control data's pool and that of a
 * cache with a Redis of its own go along. */
START_TEST(the_certificates_of_redis_are_read_anew)
{
    char *variables[GUARDED_REDIS_VARIABLES], config[512], key[256];
    redis = guarded_redis_start(directory, NULL);
    guarded_redis_environment(redis, directory, variables);
    const char *environment[] = {variables[0], variables[1], variables[2], variables[3], NULL};
    snprintf(config, sizeof config,
             "caches = ( { name = \"messages\"; keys = [ \"whatsapp:{env}:in\" ]; "
             "redis_url = \"rediss://cachewarden:" GUARDED_REDIS_PASSWORD
             "@127.0.0.1:%d/0\"; } );\n",
             redis_server_tls_port(redis));
    cw_server_start(&server, &(struct cw_server_options){.environment = environment,
                                                         .directory = directory,
                                                         .config = config});
    make_key("flush", environment, key);
    struct http_client *client = http_client_new(server.base_url);
    expect_status(http_call(client, "DELETE", "/api/v1/cache", key), 200);

    /* Certificates of the new authority, in the files of the old. */
    certificates_authority(directory, "ca");
    issue("redis", "ca", 0, 0);
    issue("client", "ca", 0, 0);
    redis_server_do(redis, "CONFIG SET tls-cert-file %s tls-key-file %s tls-ca-cert-file %s",
                    path_of("redis.pem"), path_of("redis.key"), path_of("ca.pem"));
    redis_server_do(redis, "CLIENT KILL TYPE normal SKIPME yes");
    expect_status(http_call(client, "DELETE", "/api/v1/cache", key), 500);

    renew("event=tls.renewed setting=redis.tls_ca");
    cw_server_wait_log(&server, "event=tls.renewed setting=redis.tls_key");
    /* Both breakers try again by and by. */
    stand_wait(is_flushed, &(struct caller){client, key}, "the cache's Redis is reached");
    stand_wait(is_connected, client, "the control data's Redis is reached");

    /* And what cannot be used changes nothing. */
    copy("one.key", "client.key");
    renew("event=tls.kept of=redis");
    redis_server_do(redis, "CLIENT KILL TYPE normal SKIPME yes");
    expect_status(http_call(client, "DELETE", "/api/v1/cache", key), 200);
    http_client_free(&client);
    free_all(variables);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/process/renewal");
    TCase *each = tcase_create("all");
    tcase_add_checked_fixture(each, prepare, clean_up);
    tcase_add_test(each, a_renewed_certificate_is_served_at_once);
    tcase_add_test(each, a_connection_goes_on_with_what_it_began_with);
    tcase_add_loop_test(each, files_that_cannot_be_used_keep_the_old, 0,
                        sizeof bad_pairs / sizeof *bad_pairs);
    tcase_add_test(each, bad_settings_keep_no_certificate);
    tcase_add_test(each, other_files_can_be_named);
    tcase_add_loop_test(each, no_session_outlives_trust_in_its_authority, 0, 2);
    tcase_add_loop_test(each, a_session_ends_with_its_certificate, 0, 2);
    tcase_add_test(each, the_certificates_of_redis_are_read_anew);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
