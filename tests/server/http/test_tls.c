/* TLS listeners with certificates made on the spot: handshakes, versions, client certificates, complaints. */
#include "http/tls.h"

#include "cw_server.h"
#include "edge.h"
#include "expect.h"
#include "http_client.h"

#include "patience.h"
#include "suite.h"

#include "cachewarden/clock.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char *directory;

static const char *path_of(const char *name)
{
    static char paths[32][512];
    static int next;
    char *path = paths[next++ % 32];

    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

/* Runs a program in the folder; it must succeed. */
static void run(const char *const *arguments)
{
    char *argv[32] = {NULL}; /* posix_spawn changes nothing, but wants it unqualified */
    size_t count = 0;
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;

    while (arguments[count])
        count++;
    ck_assert_uint_lt(count, sizeof argv / sizeof *argv);
    memcpy(argv, arguments, count * sizeof *argv);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, directory);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", 1, 0);
    ck_assert_int_eq(posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s %s failed", arguments[0],
                  arguments[1]);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void make_self_signed(const char *name, const char *subject)
{
    char key[64], certificate[64];

    snprintf(key, sizeof key, "%s.key", name);
    snprintf(certificate, sizeof certificate, "%s.crt", name);
    RUN("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "2", "-keyout", key, "-out", certificate, "-subj", subject, "-addext",
        "subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost");
}

static void make_files(void)
{
    directory = cw_directory_new();
    make_self_signed("server", "/CN=server");
    make_self_signed("client", "/CN=client");
    make_self_signed("stranger", "/CN=stranger");
}

static void remove_files(void)
{
    edge_close();
    cw_directory_remove(&directory);
}

static const struct listen_address tls_port = {"127.0.0.1", 0, true};

static struct http_options tls_options(void)
{
    struct http_options options = edge_options();

    options.listen = &tls_port;
    options.tls_certificate = path_of("server.crt");
    options.tls_key = path_of("server.key");
    return options;
}

static const char *url_of(const char *scheme, const char *host, size_t listener)
{
    static char urls[4][64];
    static int next;
    char *url = urls[next++ % 4];

    snprintf(url, sizeof urls[0], "%s://%s:%d", scheme, host, http_port(edge_http(), listener));
    return url;
}

static void expect_served(const char *url)
{
    struct http_client *client = http_client_new(url);

    http_client_trust(client, path_of("server.crt"));
    const struct http_reply *got = http_get(client, "/plain", NULL);
    ck_assert_msg(got->status == 200, "%s: %s", url, got->failure);
    expect_body(got, 200, "{\"plain\":true}");
    ck_assert(http_get(client, "/plain", NULL)->is_reused);
    http_client_free(&client);
}

START_TEST(one_server_speaks_all)
{
    const struct listen_address listen[] = {{"127.0.0.1", 0, false},
                                            {"::1", 0, false},
                                            {"127.0.0.1", 0, true},
                                            {"::1", 0, true},
                                            {"localhost", 0, false}};
    struct http_options options = tls_options();

    options.listen = listen;
    options.listen_count = 5;
    edge_open(&options);
    expect_served(url_of("http", "127.0.0.1", 0));
    expect_served(url_of("http", "[::1]", 1));
    expect_served(url_of("https", "127.0.0.1", 2));
    expect_served(url_of("https", "[::1]", 3));
    expect_served(url_of("http", "127.0.0.1", 4));

    struct http_client *client = http_client_new(url_of("http", "[::1]", 1));
    expect_body_has(http_get(client, "/client", NULL), 200, "{\"client\":\"::1\",");
    http_client_free(&client);
}
END_TEST

START_TEST(key_and_certificate_may_share_a_file)
{
    struct http_options options = tls_options();
    char *certificate = cw_file_read(path_of("server.crt"));
    char *key = cw_file_read(path_of("server.key"));
    char both[4096];

    snprintf(both, sizeof both, "%s%s", certificate, key);
    cw_file_write(directory, "both.pem", both, 0600);
    free(certificate);
    free(key);
    options.tls_certificate = path_of("both.pem");
    options.tls_key = NULL;
    edge_open(&options);
    expect_served(url_of("https", "127.0.0.1", 0));
}
END_TEST

START_TEST(old_versions_are_refused)
{
    struct http_options options = tls_options();
    struct http_client *client;

    edge_open(&options);
    client = http_client_new(url_of("https", "127.0.0.1", 0));
    http_client_trust(client, NULL);
    http_client_limit_tls(client, "1.1");
    ck_assert_int_eq(http_get(client, "/plain", NULL)->status, 0);
    http_client_limit_tls(client, "1.2");
    ck_assert_int_eq(http_get(client, "/plain", NULL)->status, 200);
    http_client_free(&client);
}
END_TEST

static size_t count_bytes(char *bytes, size_t one, size_t size, void *arg)
{
    size_t *count = arg;

    for (size_t i = 0; i < size * one; i++)
        *count += bytes[i] == EDGE_BIG_BYTE;
    return size * one;
}

/* Twice on a connection that is kept, or on one each. */
START_TEST(a_big_answer_passes_tls)
{
    static const char *const paths[] = {"/big", "/lasting", "/made", "/made-chunked"};
    struct http_options options = tls_options();
    CURL *curl = curl_easy_init();
    struct curl_slist *close = curl_slist_append(NULL, "Connection: close");
    char url[128];

    edge_open(&options);
    snprintf(url, sizeof url, "%s%s", url_of("https", "127.0.0.1", 0), paths[_i % 4]);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, path_of("server.crt"));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, count_bytes);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, _i >= 4 ? close : NULL);
    for (int i = 0; i < 2; i++) {
        size_t count = 0;
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &count);
        ck_assert_int_eq(curl_easy_perform(curl), CURLE_OK);
        ck_assert_uint_eq(count, EDGE_BIG_SIZE);
    }
    curl_slist_free_all(close);
    curl_easy_cleanup(curl);
}
END_TEST

/* Who speaks plain HTTP to a TLS port, or nonsense, or nothing, is closed; the next client is served. */
START_TEST(a_broken_handshake_harms_nobody_else)
{
    struct http_options options = tls_options();

    options.threads = 1;
    options.header_timeout_ms = 300;
    edge_open(&options);
    struct raw *plain = raw_open(edge_port());
    raw_print(plain, "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
    struct raw *silent = raw_open(edge_port());
    expect_served(url_of("https", "127.0.0.1", 0));
    raw_close(&plain);
    raw_close(&silent);
}
END_TEST

static SSL *connect_tls(SSL_CTX *ctx)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)edge_port())};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SSL *ssl = SSL_new(ctx);
    const int on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(SSL_set_fd(ssl, fd), 1);
    ck_assert_int_eq(SSL_connect(ssl), 1);
    return ssl;
}

/* A worker waits 20 ms for the next byte: this much is not seen as silence. */
enum { GAP_MAX_NS = 10 * NS_PER_MS, DRIPS = 5000 };

/*
 * A request, and right behind it the next record byte by byte, until no worker has the connection. False:
 * there was a gap between two bytes, so that a worker that waits for more would have given up as well.
 */
static bool is_let_go(SSL_CTX *ctx, int *drips)
{
    static const char request[] = "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char header[] = {23, 3, 3, 0x40, 0}; /* of 16 KiB of data */
    SSL *ssl = connect_tls(ctx);
    int calls = edge_calls(), fd = SSL_get_fd(ssl);
    bool is_smooth = true;
    struct http_stats stats;

    ck_assert_int_gt(SSL_write(ssl, request, sizeof request - 1), 0);
    ck_assert_int_eq(send(fd, header, sizeof header, MSG_NOSIGNAL), sizeof header);
    int64_t sent_ns = clock_mono_ns();
    do {
        ck_assert_int_lt(++*drips, DRIPS);
        poll(NULL, 0, 1);
        ck_assert_int_eq(send(fd, "x", 1, MSG_NOSIGNAL), 1);
        int64_t now_ns = clock_mono_ns();
        is_smooth = is_smooth && now_ns - sent_ns < GAP_MAX_NS;
        sent_ns = now_ns;
        http_stats_read(edge_http(), &stats);
    } while (edge_calls() == calls || stats.active_connections > 0);
    SSL_free(ssl);
    close(fd);
    return is_smooth;
}

/* The worker that has served a request, and waits a moment for the next one, is not kept by drips. */
START_TEST(a_record_in_drips_keeps_no_worker)
{
    struct http_options options = tls_options();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    int drips = 0;

    options.header_timeout_ms = options.keep_alive_timeout_ms = 600000;
    edge_open(&options);
    while (!is_let_go(ctx, &drips))
        continue;
    SSL_CTX_free(ctx);
}
END_TEST

/* False: it did not come within PATIENCE_MS. */
static bool is_closed(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    char bytes[1024];
    ssize_t n = 1;

    while (n > 0 && poll(&readable, 1, PATIENCE_MS) == 1)
        n = recv(fd, bytes, sizeof bytes, 0);
    return n <= 0;
}

/*
 * OpenSSL says nothing more after a record that it cannot read, neither an answer nor a farewell. More
 * connections than there are workers end so, in the middle of a head.
 */
START_TEST(a_record_that_cannot_be_read_ends_the_connection)
{
    static const char half[] = "GET /plain HTTP/1.1\r\nHo";
    static const char record[37] = {23, 3, 3, 0, 32};
    struct http_options options = tls_options();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *clients[5];
    const int count = (int)(sizeof clients / sizeof *clients);

    SSL_CTX_set_max_proto_version(ctx, _i);
    options.threads = count - 1;
    edge_open(&options);
    for (int i = 0; i < count; i++) {
        clients[i] = connect_tls(ctx);
        ck_assert_int_gt(SSL_write(clients[i], half, sizeof half - 1), 0);
        ck_assert_int_eq(send(SSL_get_fd(clients[i]), record, sizeof record, MSG_NOSIGNAL),
                         sizeof record);
    }
    for (int i = 0; i < count; i++) {
        ck_assert_msg(is_closed(SSL_get_fd(clients[i])), "connection %d is open", i);
        close(SSL_get_fd(clients[i]));
        SSL_free(clients[i]);
    }
    expect_served(url_of("https", "127.0.0.1", 0));
    SSL_CTX_free(ctx);
}
END_TEST

/* Status of GET /plain with this client certificate (NULL: none); 0 when no answer came. */
static long ask_with_certificate(const char *name)
{
    CURL *curl = curl_easy_init();
    char url[128], certificate[512], key[512];
    long status = 0;

    snprintf(url, sizeof url, "%s/plain", url_of("https", "127.0.0.1", 0));
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, path_of("server.crt"));
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)PATIENCE_S);
    if (name) {
        snprintf(certificate, sizeof certificate, "%s/%s.crt", directory, name);
        snprintf(key, sizeof key, "%s/%s.key", directory, name);
        curl_easy_setopt(curl, CURLOPT_SSLCERT, certificate);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, key);
    }
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    return status;
}

START_TEST(client_certificates_are_checked)
{
    struct http_options options = tls_options();

    options.tls_client_ca = path_of("client.crt");
    edge_open(&options);
    ck_assert_int_eq(ask_with_certificate(NULL), 0);
    ck_assert_int_eq(ask_with_certificate("stranger"), 0);
    ck_assert_int_eq(ask_with_certificate("client"), 200);
    ck_assert_int_eq(ask_with_certificate("client"), 200);
}
END_TEST

/* ---- renewal ---- */

static atomic_bool is_over;
static char busy_url[64], busy_ca[512];

/* Connects again and again until it is over; NULL, or what went wrong. */
static void *shake_hands(void *arg)
{
    const char *failure = NULL;

    (void)arg;
    do {
        struct http_client *client = http_client_new(busy_url);
        http_client_trust(client, busy_ca);
        if (http_get(client, "/plain", NULL)->status != 200)
            failure = "no answer";
        http_client_free(&client);
    } while (!failure && !atomic_load(&is_over));
    return (void *)(uintptr_t)failure;
}

/* What handshakes use is replaced under them, by files that fit and by files that do not. */
START_TEST(handshakes_and_renewals_do_not_meet)
{
    enum { THREADS = 4, RENEWALS = 60 };
    const struct tls_files pairs[] = {
        {path_of("server.crt"), path_of("server.key"), NULL},
        {path_of("stranger.crt"), path_of("stranger.key"), NULL},
        {path_of("server.crt"), path_of("stranger.key"), NULL},
    };
    struct http_options options = tls_options();
    pthread_t threads[THREADS];
    char *first = cw_file_read(path_of("server.crt")),
         *second = cw_file_read(path_of("stranger.crt"));
    char both[4096];

    snprintf(both, sizeof both, "%s%s", first, second);
    cw_file_write(directory, "both.pem", both, 0600);
    free(first);
    free(second);
    edge_open(&options);
    snprintf(busy_url, sizeof busy_url, "%s", url_of("https", "localhost", 0));
    snprintf(busy_ca, sizeof busy_ca, "%s", path_of("both.pem"));
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, shake_hands, NULL), 0);
    for (int i = 1; i <= RENEWALS; i++) {
        bool changed[TLS_PARTS];
        struct error error = {0};
        enum err err = http_renew_tls(edge_http(), &pairs[i % 3], changed, &error);
        ck_assert_int_eq(err, i % 3 == 2 ? ERR_BAD_INPUT : ERR_OK);
        ck_assert_int_eq(changed[TLS_CERTIFICATE], i % 3 != 2);
        ck_assert_int_eq(changed[TLS_KEY], i % 3 != 2);
        ck_assert(!changed[TLS_AUTHORITIES]);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < THREADS; i++) {
        void *failure;
        pthread_join(threads[i], &failure);
        ck_assert_msg(!failure, "%s", (const char *)failure);
    }
}
END_TEST

START_TEST(without_tls_nothing_is_renewed)
{
    struct http_options options = edge_options();
    bool changed[TLS_PARTS] = {true, true, true};

    edge_open(&options);
    ck_assert_int_eq(http_renew_tls(edge_http(), &(struct tls_files){0}, changed, NULL), ERR_OK);
    ck_assert(!changed[TLS_CERTIFICATE] && !changed[TLS_KEY] && !changed[TLS_AUTHORITIES]);
}
END_TEST

/* The settings of a reload may have lost what running listeners cannot do without. */
START_TEST(listeners_keep_what_is_named_no_more)
{
    struct http_options options = tls_options();
    bool changed[TLS_PARTS];
    struct error error = {0};

    edge_open(&options);
    ck_assert_int_eq(http_renew_tls(edge_http(), &(struct tls_files){0}, changed, &error),
                     ERR_BAD_INPUT);
    ck_assert_msg(strstr(error.caller, "server.tls.certificate: it is not set") != NULL, "%s",
                  error.caller);
    expect_served(url_of("https", "127.0.0.1", 0));
}
END_TEST

/* ---- complaints ---- */

static void expect_complaint(const struct http_options *options, const char *setting,
                             const char *what)
{
    struct http *http = NULL;
    struct error error = {0};

    ck_assert_int_eq(http_start(options, &http, &error), ERR_BAD_INPUT);
    ck_assert_ptr_null(http);
    ck_assert_msg(strncmp(error.caller, setting, strlen(setting)) == 0, "%s", error.caller);
    ck_assert_msg(strstr(error.caller, what) != NULL, "\"%s\" does not say \"%s\"", error.caller,
                  what);
}

START_TEST(files_that_cannot_be_used_are_named)
{
    struct http_options options = tls_options();

    options.tls_certificate = path_of("nowhere.crt");
    expect_complaint(&options, "server.tls.certificate: ", "nowhere.crt: No such file");
    options.tls_certificate = path_of("server.key");
    expect_complaint(&options, "server.tls.certificate: ", "must hold a PEM certificate");

    options = tls_options();
    options.tls_key = path_of("nowhere.key");
    expect_complaint(&options, "server.tls.key: ", "nowhere.key: No such file");
    options.tls_key = path_of("stranger.key");
    expect_complaint(&options, "server.tls.key: ", "mismatch");
    options.tls_key = path_of("server.crt");
    expect_complaint(&options, "server.tls.key: ", "PEM key");

    options = tls_options();
    options.tls_key = NULL; /* then it must be in the certificate's file */
    expect_complaint(&options, "server.tls.certificate: ", "PEM key");

    options = tls_options();
    options.tls_client_ca = path_of("nowhere.crt");
    expect_complaint(&options, "server.tls.client_ca: ", "nowhere.crt: No such file");
    options.tls_client_ca = path_of("server.key");
    expect_complaint(&options, "server.tls.client_ca: ", "PEM certificates");

    options = tls_options();
    options.tls_certificate = NULL;
    expect_complaint(&options, "server.listen: ", "needs server.tls.certificate");
}
END_TEST

START_TEST(an_encrypted_key_is_no_question_on_the_terminal)
{
    struct http_options options = tls_options();

    RUN("openssl", "ec", "-in", "server.key", "-out", "encrypted.key", "-aes128", "-passout",
        "pass:secret");
    options.tls_key = path_of("encrypted.key");
    expect_complaint(&options, "server.tls.key: ", "not encrypted");
}
END_TEST

START_TEST(addresses_that_cannot_be_used_are_named)
{
    struct http_options options = edge_options();
    struct listen_address listen = {"127.0.0.1", 0, false};

    options.listen = &listen;
    edge_open(&options);
    listen.port = edge_port();
    expect_complaint(&options, "server.listen: ", "Address already in use");
    listen.port = 65536;
    expect_complaint(&options, "server.listen: port", "0 to 65535");
    listen.port = 0;
    listen.host = "no-such-host.invalid";
    expect_complaint(&options, "server.listen: ", "no-such-host.invalid");
    listen.host = "192.0.2.1";
    expect_complaint(&options, "server.listen: ", "192.0.2.1");
}
END_TEST

START_TEST(numbers_out_of_range_are_named)
{
    struct http_options options = edge_options();

    options.threads = 0;
    expect_complaint(&options, "server.threads: ", "1 to 1024");
    options.threads = 100000;
    expect_complaint(&options, "server.threads: ", "1 to 1024");
    options = edge_options();
    options.max_body = 0;
    expect_complaint(&options, "server.max_body: ", "out of range");
    options = edge_options();
    options.header_timeout_ms = 0;
    expect_complaint(&options, "server.header_timeout_ms: ", "out of range");
    options = edge_options();
    options.body_timeout_ms = -1;
    expect_complaint(&options, "server.body_timeout_ms: ", "out of range");
    options = edge_options();
    options.keep_alive_timeout_ms = INT64_MAX;
    expect_complaint(&options, "server.keep_alive_timeout_ms: ", "out of range");
    options = edge_options();
    options.listen_count = 0;
    expect_complaint(&options, "server.listen: ", "1 to");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/tls");
    TCase *tcase = tcase_create("tls");

    tcase_add_checked_fixture(tcase, make_files, remove_files);
    tcase_add_test(tcase, one_server_speaks_all);
    tcase_add_test(tcase, key_and_certificate_may_share_a_file);
    tcase_add_test(tcase, old_versions_are_refused);
    tcase_add_loop_test(tcase, a_big_answer_passes_tls, 0, 8);
    tcase_add_test(tcase, a_broken_handshake_harms_nobody_else);
    tcase_add_test(tcase, a_record_in_drips_keeps_no_worker);
    tcase_add_loop_test(tcase, a_record_that_cannot_be_read_ends_the_connection, TLS1_2_VERSION,
                        TLS1_3_VERSION + 1);
    tcase_add_test(tcase, client_certificates_are_checked);
    tcase_add_test(tcase, handshakes_and_renewals_do_not_meet);
    tcase_add_test(tcase, without_tls_nothing_is_renewed);
    tcase_add_test(tcase, listeners_keep_what_is_named_no_more);
    tcase_add_test(tcase, files_that_cannot_be_used_are_named);
    tcase_add_test(tcase, an_encrypted_key_is_no_question_on_the_terminal);
    tcase_add_test(tcase, addresses_that_cannot_be_used_are_named);
    tcase_add_test(tcase, numbers_out_of_range_are_named);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
