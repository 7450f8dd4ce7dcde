/* IPv4 and IPv6, plain and TLS, by name and by port. */
#include "self_signed.h"
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cw_server server;
static char *directory;
static char ca_file[300], other_ca_file[300];

/* `more` are further variables of the environment. */
static void start(const char *listen, const char *const *more)
{
    const char *environment[16] = {listen, "CACHEWARDEN_SERVER_TLS_CERTIFICATE=node.pem",
                                   "CACHEWARDEN_SERVER_TLS_KEY=node.key",
                                   "CACHEWARDEN_SERVER_HEADER_TIMEOUT_MS=600000",
                                   "CACHEWARDEN_SERVER_THREADS=4"};
    for (size_t count = 5; more && *more; more++)
        environment[count++] = *more;
    cw_server_start(
        &server, &(struct cw_server_options){.environment = environment, .directory = directory});
}

static void prepare(void)
{
    directory = cw_directory_new();
    self_signed_write(directory, "node");
    self_signed_write(directory, "other");
    snprintf(ca_file, sizeof ca_file, "%s/node.pem", directory);
    snprintf(other_ca_file, sizeof other_ca_file, "%s/other.pem", directory);
}

static void clean_up(void)
{
    cw_server_stop(&server);
    cw_directory_remove(&directory);
}

/* A client of listener `index`; `scheme_host` such as "https://[::1]". */
static struct http_client *client_of(const char *scheme_host, size_t index)
{
    char url[128];
    snprintf(url, sizeof url, "%s:%d", scheme_host, cw_server_port(&server, index));
    struct http_client *client = http_client_new(url);
    http_client_trust(client, ca_file);
    return client;
}

START_TEST(all_four_kinds)
{
    static const char *const hosts[] = {"http://127.0.0.1", "http://[::1]", "https://127.0.0.1",
                                        "https://[::1]"};
    start("CACHEWARDEN_LISTEN=127.0.0.1:0,[::1]:0,127.0.0.1:0s,[::1]:0s", NULL);
    for (size_t i = 0; i < 4; i++) {
        struct http_client *client = client_of(hosts[i], i);
        for (int n = 0; n < 3; n++) {
            const struct http_reply *reply = http_get(client, "/health/live", NULL);
            ck_assert_msg(reply->status == 200, "%s: %d %s", hosts[i], reply->status,
                          reply->failure);
            ck_assert_msg(n == 0 || reply->is_reused, "%s is not kept", hosts[i]);
        }
        http_client_free(&client);
    }
}
END_TEST

START_TEST(tls_is_what_it_should_be)
{
    start("CACHEWARDEN_LISTEN=127.0.0.1:0s", NULL);
    struct http_client *client = client_of("https://127.0.0.1", 0);
    /* Whoever does not know the certificate does not talk to us. */
    http_client_trust(client, other_ca_file);
    expect_status(http_get(client, "/health/live", NULL), 0);
    http_client_free(&client);
    /* TLS 1.1 is gone (RFC 8996), 1.2 is not. */
    client = client_of("https://127.0.0.1", 0);
    http_client_limit_tls(client, "1.1");
    expect_status(http_get(client, "/health/live", NULL), 0);
    http_client_free(&client);
    client = client_of("https://127.0.0.1", 0);
    http_client_limit_tls(client, "1.2");
    expect_status(http_get(client, "/health/live", NULL), 200);
    http_client_free(&client);
}
END_TEST

/* Plain text on the TLS port, silence, and half a greeting: none of it may hold the four workers. */
START_TEST(strangers_on_the_tls_port)
{
    enum { STRANGERS = 8 };
    struct raw *strangers[STRANGERS];
    start("CACHEWARDEN_LISTEN=127.0.0.1:0s", NULL);
    for (int i = 0; i < STRANGERS; i++) {
        strangers[i] = raw_open(server.port);
        if (i % 4 == 1)
            raw_print(strangers[i], "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
        if (i % 4 == 2)
            raw_send(strangers[i], "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
        if (i % 4 == 3)
            raw_send(strangers[i], "\x16\x03\x01\xff\xff garbage", 13);
    }
    struct http_client *client = client_of("https://127.0.0.1", 0);
    const struct http_reply *reply = http_get(client, "/health/live", NULL);
    ck_assert_msg(reply->status == 200, "%d %s", reply->status, reply->failure);
    expect_within_ms(reply->elapsed_ms, 8000);
    http_client_free(&client);
    for (int i = 0; i < STRANGERS; i++)
        raw_close(&strangers[i]);
}
END_TEST

START_TEST(clients_can_be_asked_for_a_certificate)
{
    start("CACHEWARDEN_LISTEN=127.0.0.1:0s",
          (const char *const[]){"CACHEWARDEN_SERVER_TLS_CLIENT_CA=other.pem", NULL});
    struct http_client *client = client_of("https://127.0.0.1", 0);
    expect_status(http_get(client, "/health/live", NULL), 0);
    http_client_free(&client);
}
END_TEST

/* What cannot be listened on is said at the start, by name, and nothing runs. */
START_TEST(bad_listeners)
{
    static const struct {
        const char *listen, *certificate, *says;
    } bad[] = {
        {"CACHEWARDEN_LISTEN=127.0.0.1", "", "listen"},
        {"CACHEWARDEN_LISTEN=127.0.0.1:99999", "", "99999"},
        {"CACHEWARDEN_LISTEN=::1:8000", "", "::1:8000"},
        {"CACHEWARDEN_LISTEN=127.0.0.1:0x", "", "0x"},
        {"CACHEWARDEN_LISTEN=192.0.2.1:0", "", "192.0.2.1"},
        {"CACHEWARDEN_LISTEN=127.0.0.1:0s", "CACHEWARDEN_SERVER_TLS_CERTIFICATE=", "certificate"},
        {"CACHEWARDEN_LISTEN=127.0.0.1:0s", "CACHEWARDEN_SERVER_TLS_CERTIFICATE=missing.pem",
         "missing.pem"},
        {"CACHEWARDEN_LISTEN=127.0.0.1:0s", "CACHEWARDEN_SERVER_TLS_CERTIFICATE=node.key",
         "node.key"},
        {"CACHEWARDEN_LISTEN=127.0.0.1:0s", "CACHEWARDEN_SERVER_TLS_CERTIFICATE=other.pem", "key"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cw_result result;
        const char *environment[] = {bad[i].listen, "CACHEWARDEN_SERVER_TLS_CERTIFICATE=node.pem",
                                     "CACHEWARDEN_SERVER_TLS_KEY=node.key",
                                     bad[i].certificate[0] ? bad[i].certificate : "LANG=C", NULL};
        cw_run(&(struct cw_command){.arguments = (const char *const[]){"serve", NULL},
                                    .environment = environment,
                                    .directory = directory},
               &result);
        ck_assert_msg(result.status == 1, "%s %s: status %d\n%s", bad[i].listen, bad[i].certificate,
                      result.status, result.err);
        ck_assert_msg(strstr(result.err, bad[i].says) != NULL, "%s %s: nothing of \"%s\" in\n%s",
                      bad[i].listen, bad[i].certificate, bad[i].says, result.err);
        cw_result_fini(&result);
    }
}
END_TEST

START_TEST(a_port_that_is_taken)
{
    char listen[64], port[16];
    struct cw_result result;
    start("CACHEWARDEN_LISTEN=127.0.0.1:0", NULL);
    snprintf(listen, sizeof listen, "CACHEWARDEN_LISTEN=127.0.0.1:%d", server.port);
    snprintf(port, sizeof port, "%d", server.port);
    cw_run(&(struct cw_command){.arguments = (const char *const[]){"serve", NULL},
                                .environment = (const char *const[]){listen, NULL},
                                .directory = directory},
           &result);
    ck_assert_msg(result.status == 1 && strstr(result.err, port), "status %d\n%s", result.status,
                  result.err);
    cw_result_fini(&result);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("listeners");
    TCase *each = tcase_create("all");
    tcase_add_checked_fixture(each, prepare, clean_up);
    tcase_add_test(each, all_four_kinds);
    tcase_add_test(each, tls_is_what_it_should_be);
    tcase_add_test(each, strangers_on_the_tls_port);
    tcase_add_test(each, clients_can_be_asked_for_a_certificate);
    tcase_add_test(each, bad_listeners);
    tcase_add_test(each, a_port_that_is_taken);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
