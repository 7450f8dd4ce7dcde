#include "cachewarden/clock.h"

#include "peer_case.h"
#include "resolver_private.h"
#include "self_signed.h"
#include "suite.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

START_TEST(a_unix_socket)
{
    char path[64];

    snprintf(path, sizeof path, "/tmp/cw-peer-%d.sock", (int)getpid());
    scripted_origin_stop(&origin);
    origin = scripted_origin_start(&(struct scripted_origin_options){.unix_path = path});
    open_peer(scripted_origin_url(origin), NULL, PATIENCE_MS);
    expect("GET", 200, "hello");
    expect("GET", 200, "hello");
    ck_assert_int_eq(scripted_origin_connections(origin), 1);
    open_peer("unix:/nonexistent/socket", NULL, PATIENCE_MS);
    ck_assert_int_eq(ask("GET"), ERR_UPSTREAM_DOWN);
    ck_assert(is_unreached);
}
END_TEST

static void expect_unreached(const char *url, const char *ca_file)
{
    open_peer(url, ca_file, PATIENCE_MS);
    ck_assert_int_eq(ask("GET"), ERR_UPSTREAM_DOWN);
    ck_assert(is_unreached);
    ck_assert(error.detail[0] != '\0');
}

START_TEST(certificates_are_verified)
{
    char folder[] = "/tmp/cw-peer-XXXXXX", name[64], ca[80], other[80], url[64];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    self_signed_write(folder, "server");
    self_signed_write(folder, "other");
    snprintf(name, sizeof name, "%s/server", folder);
    snprintf(ca, sizeof ca, "%s/server.pem", folder);
    snprintf(other, sizeof other, "%s/other.pem", folder);
    scripted_origin_stop(&origin);
    origin = scripted_origin_start(&(struct scripted_origin_options){.certificate = name});
    open_peer(scripted_origin_url(origin), ca, PATIENCE_MS);
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n",
               .filler_size = 3000000);
    struct str body;
    ck_assert_msg(ask("GET") == ERR_OK, "%s", error.detail);
    ck_assert_int_eq(read_body(&body), ERR_OK);
    ck_assert_uint_eq(body.len, 3000000);
    struct pieces pieces = {.filler_size = 3000000};
    struct body_source source = source_of(&pieces, BODY_LENGTH_UNKNOWN);
    ck_assert_int_eq(send_with("PUT", &source, false), ERR_OK);
    ck_assert_int_eq(read_body(&body), ERR_OK);
    ck_assert_int_eq(scripted_origin_request(origin, 1)->body_size, 3000000);
    expect("GET", 200, "hello");
    ck_assert_int_eq(scripted_origin_request(origin, 1)->connection,
                     scripted_origin_request(origin, 2)->connection);
    expect_unreached(scripted_origin_url(origin), other);
    expect_unreached(scripted_origin_url(origin), NULL);
    /* That name reaches it, too, but is not in the certificate. */
    snprintf(url, sizeof url, "https://shop.localhost:%d", scripted_origin_port(origin));
    expect_unreached(url, ca);
    ck_assert_ptr_nonnull(strstr(error.detail, "ertificate"));
    ck_assert_uint_eq(scripted_origin_count(origin), 3);
    static const char *const files[] = {"server.pem", "server.key", "other.pem", "other.key"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s/%s", folder, files[i]);
        ck_assert_int_eq(unlink(name), 0);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* Nor does what the environment says lead anywhere else. */
START_TEST(no_proxy_is_asked)
{
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    expect("GET", 200, "hello");
    setenv("https_proxy", scripted_origin_url(origin), 1);
    expect_unreached("https://127.0.0.1:1", NULL);
    ck_assert_uint_eq(scripted_origin_count(origin), 1);
}
END_TEST

/* But where it was asked for, and TLS keeps the proxy from reading along. */
START_TEST(a_proxy_for_https)
{
    struct http_peer_options options = {.url = STR("https://shop.example"),
                                        .connect_timeout_ms = PATIENCE_MS,
                                        .timeout_ms = PATIENCE_MS,
                                        .uses_proxy = true};

    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    setenv("http_proxy", scripted_origin_url(origin), 1);
    setenv("https_proxy", scripted_origin_url(origin), 1);
    http_peer_free(&peer);
    ck_assert_int_eq(http_peer_new(&options, &peer, &error), ERR_OK);
    ORIGIN_SAY(origin, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    ck_assert_int_eq(ask("GET"), ERR_UPSTREAM_DOWN);
    ck_assert(is_unreached);
    ck_assert_ptr_nonnull(
        strstr(scripted_origin_request(origin, 0)->head, "CONNECT shop.example:443 HTTP/1.1\r\n"));
    /* What is not encrypted goes to nobody else. */
    options.url = STR("http://127.0.0.1:1");
    http_peer_free(&peer);
    ck_assert_int_eq(http_peer_new(&options, &peer, &error), ERR_OK);
    ck_assert_int_eq(ask("GET"), ERR_UPSTREAM_DOWN);
    ck_assert_uint_eq(scripted_origin_count(origin), 1);
}
END_TEST

static enum http_address_kind kind_of(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return http_address_kind((const struct sockaddr *)&v4);
    ck_assert_int_eq(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return http_address_kind((const struct sockaddr *)&v6);
}

START_TEST(kinds_of_addresses)
{
    static const char *const plain[] = {"127.0.0.1", "10.0.0.1", "169.253.0.1",    "169.255.0.1",
                                        "::1",       "fd00::1",  "::ffff:10.0.0.1"};
    static const char *const link_local[] = {"169.254.0.1", "169.254.169.254", "fe80::1",
                                             "::ffff:169.254.169.254", "::169.254.169.254"};
    static const char *const metadata[] = {"100.100.100.200", "192.0.0.192", "fd00:ec2::254",
                                           "fd20:ce::254", "::ffff:100.100.100.200"};

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        ck_assert_msg(kind_of(plain[i]) == HTTP_ADDRESS_PLAIN, "%s", plain[i]);
    for (size_t i = 0; i < sizeof link_local / sizeof *link_local; i++)
        ck_assert_msg(kind_of(link_local[i]) == HTTP_ADDRESS_LINK_LOCAL, "%s", link_local[i]);
    for (size_t i = 0; i < sizeof metadata / sizeof *metadata; i++)
        ck_assert_msg(kind_of(metadata[i]) == HTTP_ADDRESS_METADATA, "%s", metadata[i]);
}
END_TEST

/* Where a cloud hands out the machine's own credentials. */
START_TEST(nothing_link_local)
{
    expect_unreached("http://169.254.169.254", NULL);
    ck_assert_ptr_nonnull(strstr(error.detail, "link-local"));
    expect_unreached("http://[::ffff:169.254.169.254]", NULL);
    ck_assert_ptr_nonnull(strstr(error.detail, "link-local"));
    expect_unreached("http://100.100.100.200", NULL);
    ck_assert_ptr_nonnull(strstr(error.detail, "metadata"));
}
END_TEST

/* TLS that does not come about is no connection. */
START_TEST(silence_while_connecting)
{
    char url[64];
    struct http_peer_options options = {.connect_timeout_ms = SHORT_MS, .timeout_ms = PATIENCE_MS};

    snprintf(url, sizeof url, "https://127.0.0.1:%d", scripted_origin_port(origin));
    options.url = str_from(url);
    http_peer_free(&peer);
    ck_assert_int_eq(http_peer_new(&options, &peer, &error), ERR_OK);
    ck_assert_int_eq(ask("GET"), ERR_TIMEOUT);
    ck_assert(is_unreached);
}
END_TEST

/* ---- names ---- */

static atomic_bool name_servers_are_silent;

static int look_up(const char *name, struct resolver_answer *answer_out)
{
    while (atomic_load(&name_servers_are_silent))
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    if (strcmp(name, "origin.test") != 0)
        return EAI_NONAME;
    *answer_out = (struct resolver_answer){.count = 1};
    answer_out->addresses[0].socket.v4 =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    answer_out->addresses[0].size = sizeof answer_out->addresses[0].socket.v4;
    return 0;
}

static void open_named(const char *name, int timeout_ms)
{
    char url[64];
    struct http_peer_options options = {.connect_timeout_ms = timeout_ms,
                                        .timeout_ms = PATIENCE_MS};

    snprintf(url, sizeof url, "http://%s:%d", name, scripted_origin_port(origin));
    options.url = str_from(url);
    http_peer_free(&peer);
    ck_assert_int_eq(http_peer_new(&options, &peer, &error), ERR_OK);
}

static void tune_names(void)
{
    struct resolver_tuning tuning = resolver_default_tuning;

    tuning.look_up = look_up;
    resolver_tune(&tuning);
}

/* The silence has no end: whoever waited for it would not, either. */
START_TEST(a_name_while_name_servers_are_silent)
{
    tune_names();
    atomic_store(&name_servers_are_silent, true);
    open_named("origin.test", SHORT_MS);
    ck_assert_int_eq(ask("GET"), ERR_TIMEOUT);
    ck_assert(is_unreached);
    ck_assert_msg(strstr(error.detail, "look-up of the host origin.test"), "%s", error.detail);
    atomic_store(&name_servers_are_silent, false);
    open_named("origin.test", PATIENCE_MS);
    expect("GET", 200, "hello");
    atomic_store(&name_servers_are_silent, true);
    open_named("origin.test", PATIENCE_MS);
    expect("GET", 200, "hello");
    ck_assert_int_eq(scripted_origin_connections(origin), 2);
}
END_TEST

static bool no_more(void *with)
{
    return ++*(int *)with > 2;
}

/* Those who wait hear of it that nobody wants the answer any more. */
START_TEST(a_name_that_nobody_waits_for)
{
    int times = 0;
    const struct http_peer_request request = {
        .method = STR("GET"), .target = STR("/"), .is_unwanted = no_more, .unwanted_with = &times};

    tune_names();
    atomic_store(&name_servers_are_silent, true);
    open_named("origin.test", PATIENCE_MS);
    ck_assert_int_ne(http_peer_send(peer, &request, &work, &response, &is_unreached), ERR_OK);
    ck_assert_int_eq(times, 3);
}
END_TEST

START_TEST(a_name_that_is_unknown)
{
    tune_names();
    open_named("nobody.test", PATIENCE_MS);
    ck_assert_int_eq(ask("GET"), ERR_UPSTREAM_DOWN);
    ck_assert(is_unreached);
    ck_assert_msg(strstr(error.detail, "look-up of the host nobody.test"), "%s", error.detail);
}
END_TEST

/* ---- many at once ---- */

enum { ASKERS = 8, TIMES = 40 };

static void *ask_often(void *arg)
{
    struct error own_error;
    struct work own = {.arena = arena_new(4096, 0), .error = &own_error};
    const struct http_peer_request request = {
        .method = STR("GET"), .target = STR("/"), .may_repeat = true};

    for (int i = 0; i < *(const int *)arg; i++) {
        struct http_peer_response got;
        char buffer[100];
        size_t len;
        bool never;
        ck_assert_int_eq(http_peer_send(peer, &request, &own, &got, &never), ERR_OK);
        ck_assert_int_eq(got.body.next(got.body.with, &own, buffer, sizeof buffer, &len), ERR_OK);
        ck_assert_uint_eq(len, 5);
        got.body.close(got.body.with);
        arena_reset(own.arena);
    }
    arena_free(&own.arena);
    return NULL;
}

static void ask_by_many(int times)
{
    pthread_t threads[ASKERS];

    for (int i = 0; i < ASKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_often, &times), 0);
    for (int i = 0; i < ASKERS; i++)
        pthread_join(threads[i], NULL);
}

START_TEST(many_at_once)
{
    ask_by_many(TIMES);
    ck_assert_uint_eq(scripted_origin_count(origin), ASKERS * TIMES);
    ck_assert_int_le(scripted_origin_connections(origin), ASKERS);
}
END_TEST

/* A connection that follows on another one need not agree on keys anew, whichever thread makes it. */
START_TEST(tls_sessions_are_taken_up_again)
{
    enum { IN_TURN = 4, EACH = 3 };
    char folder[] = "/tmp/cw-peer-XXXXXX", name[64], ca[80], key[80];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    self_signed_write(folder, "server");
    snprintf(name, sizeof name, "%s/server", folder);
    snprintf(ca, sizeof ca, "%s/server.pem", folder);
    snprintf(key, sizeof key, "%s/server.key", folder);
    scripted_origin_stop(&origin);
    origin = scripted_origin_start(&(struct scripted_origin_options){.certificate = name});
    scripted_origin_always(
        origin, &(struct origin_answer){.bytes = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                                                 "Content-Length: 5\r\n\r\nhello",
                                        .then = ORIGIN_CLOSES});
    open_peer(scripted_origin_url(origin), ca, PATIENCE_MS);
    for (int i = 0; i < IN_TURN; i++)
        expect("GET", 200, "hello");
    ck_assert_int_eq(scripted_origin_connections(origin), IN_TURN);
    ck_assert_int_eq(scripted_origin_resumed(origin), IN_TURN - 1);
    ask_by_many(EACH);
    ck_assert_int_eq(scripted_origin_connections(origin), IN_TURN + ASKERS * EACH);
    ck_assert_int_gt(scripted_origin_resumed(origin), IN_TURN);
    ck_assert_int_eq(unlink(ca), 0);
    ck_assert_int_eq(unlink(key), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(urls)
{
    static const char *const good[] = {"http://shop", "http://shop:80/", "https://[::1]:8443",
                                       "unix:/run/shop.sock", "https://shop.example"};
    static const char *const bad[] = {"",
                                      "shop:80",
                                      "ftp://shop",
                                      "http://",
                                      "http:///",
                                      "http://shop/path",
                                      "http://shop?x",
                                      "http://user@shop",
                                      "http://sh op",
                                      "http://shop\r\n",
                                      "unix:shop.sock",
                                      "unix:",
                                      "file:///etc/passwd"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        open_peer(good[i], NULL, PATIENCE_MS);
    http_peer_free(&peer);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct http_peer_options options = {.url = str_from(bad[i])};
        ck_assert_msg(http_peer_new(&options, &peer, &error) == ERR_BAD_INPUT, "%s", bad[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/http_connection");
    TCase *tcase = tcase_create("http_connection");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_unix_socket);
    tcase_add_test(tcase, certificates_are_verified);
    tcase_add_test(tcase, no_proxy_is_asked);
    tcase_add_test(tcase, a_proxy_for_https);
    tcase_add_test(tcase, kinds_of_addresses);
    tcase_add_test(tcase, nothing_link_local);
    tcase_add_test(tcase, urls);
    tcase_add_test(tcase, many_at_once);
    tcase_add_test(tcase, tls_sessions_are_taken_up_again);
    tcase_add_test(tcase, silence_while_connecting);
    tcase_add_test(tcase, a_name_while_name_servers_are_silent);
    tcase_add_test(tcase, a_name_that_nobody_waits_for);
    tcase_add_test(tcase, a_name_that_is_unknown);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
