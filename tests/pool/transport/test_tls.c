/* TLS to a real Redis: who is trusted, what is said when not, and that nothing blocks or repeats. */
#include "transport/tls.h"

#include "conn.h"
#include "pool_case.h"

#include "certificates.h"
#include "cw_server.h"
#include "redis_server.h"
#include "sanitized.h"
#include "slowness.h"
#include "suite.h"
#include "tcp_proxy.h"

#include <openssl/ssl.h>

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define HOSTS "DNS:localhost,DNS:*.cache.test,IP:127.0.0.1,IP:::1"

static char *directory;
static struct redis_server *server;
static struct arena *arena;
static struct error error;

/* A few names at once may be in use: as many as an address has files, and one more. */
static char *file(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static void make_certificates(void)
{
    directory = cw_directory_new();
    certificates_authority(directory, "ca");
    certificates_authority(directory, "other-ca");
    certificates_issue(directory, &(struct certificate){"good", "ca", HOSTS, 0, 0});
    certificates_issue(directory, &(struct certificate){"elsewhere", "ca", "DNS:a.test", 0, 0});
    certificates_issue(directory, &(struct certificate){"localhost", "ca", NULL, 0, 0});
    certificates_issue(directory, &(struct certificate){"old", "ca", HOSTS, -7200, -3600});
    certificates_issue(directory, &(struct certificate){"early", "ca", HOSTS, 3600, 7200});
    certificates_issue(directory, &(struct certificate){"foreign", "other-ca", HOSTS, 0, 0});
    certificates_issue(directory, &(struct certificate){"client", "ca", NULL, 0, 0});
    certificates_issue(directory, &(struct certificate){"stranger", "other-ca", NULL, 0, 0});
    certificates_issue(directory, &(struct certificate){"old-client", "ca", NULL, -7200, -3600});
}

static void open_all(void)
{
    make_certificates();
    char certificate[512], key[512], ca[512];
    snprintf(certificate, sizeof certificate, "%s/good.pem", directory);
    snprintf(key, sizeof key, "%s/good.key", directory);
    snprintf(ca, sizeof ca, "%s/ca.pem", directory);
    const char *const args[] = {"--tls-cert-file",
                                certificate,
                                "--tls-key-file",
                                key,
                                "--tls-ca-cert-file",
                                ca,
                                "--requirepass",
                                "swordfish",
                                "--tls-auth-clients",
                                "no",
                                NULL};
    server = redis_server_start(&(struct redis_server_options){.tls = true, .args = args});
    arena = arena_new(0, 0);
}

static void close_all(void)
{
    redis_server_stop(&server);
    arena_free(&arena);
    cw_directory_remove(&directory);
}

/* In place of the C library's: localhost is ::1, too, and first, as many a system has it, whatever this
 * one says. Redis listens on 127.0.0.1 alone. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **found_out)
{
    int (*look_up)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&look_up = dlsym(RTLD_NEXT, "getaddrinfo");
    if (strcasecmp(host, "localhost") != 0 || (hints->ai_flags & AI_NUMERICHOST))
        return look_up(host, service, hints, found_out);
    int failure = look_up("::1", service, hints, found_out);
    return failure ? failure : look_up("127.0.0.1", service, hints, &(*found_out)->ai_next);
}

/* CONFIG SET, over the plain port, which needs the password. */
static void set(const char *name, const char *value)
{
    char url[64];
    snprintf(url, sizeof url, "redis://:swordfish@127.0.0.1:%d/0", redis_server_port(server));
    struct redis *redis = case_pool(url);
    case_err(CASE_RUN(redis, arena, PIPELINE_WRITE, EXPECT_OK, NULL, &error, STR("CONFIG"),
                      STR("SET"), str_from(name), str_from(value)),
             ERR_OK);
    redis_close(&redis);
}

/* Both at once, for they must fit each other. */
static void set_certificate(const char *name)
{
    char url[64], certificate[512], key[512];
    snprintf(url, sizeof url, "redis://:swordfish@127.0.0.1:%d/0", redis_server_port(server));
    snprintf(certificate, sizeof certificate, "%s/%s.pem", directory, name);
    snprintf(key, sizeof key, "%s/%s.key", directory, name);
    struct redis *redis = case_pool(url);
    case_err(CASE_RUN(redis, arena, PIPELINE_WRITE, EXPECT_OK, NULL, &error, STR("CONFIG"),
                      STR("SET"), STR("tls-cert-file"), str_from(certificate), STR("tls-key-file"),
                      str_from(key)),
             ERR_OK);
    redis_close(&redis);
}

struct door {
    const char *scheme, *host; /* NULL: rediss, localhost */
    const char *ca, *client;   /* NULL: ca.pem, none */
    bool is_plain_port;
    int64_t timeout_ms; /* 0: patient */
};

static struct redis_address address_of(const struct door *door)
{
    char url[128];
    struct redis_address address;
    snprintf(url, sizeof url, "%s://:swordfish@%s:%d/0", door->scheme ? door->scheme : "rediss",
             door->host ? door->host : "localhost",
             door->is_plain_port ? redis_server_port(server) : redis_server_tls_port(server));
    case_err(redis_address_parse(str_from(url), &address, &error), ERR_OK);
    address.tls_ca_file = strdup(file(door->ca ? door->ca : "ca.pem"));
    if (door->client) {
        char name[64];
        snprintf(name, sizeof name, "%s.pem", door->client);
        address.tls_certificate_file = strdup(file(name));
        snprintf(name, sizeof name, "%s.key", door->client);
        address.tls_key_file = strdup(file(name));
    }
    return address;
}

static struct redis *pool_through(const struct door *door)
{
    const int64_t timeout_ms = door->timeout_ms ? door->timeout_ms : CASE_PATIENCE_MS;
    struct redis_options options = {.address = address_of(door),
                                    .size = 4,
                                    .borrow_timeout_ms = timeout_ms,
                                    .connect_timeout_ms = timeout_ms,
                                    .command_timeout_ms = timeout_ms};
    struct redis *redis = NULL;
    ck_assert_msg(redis_open(&options, &redis, &error) == ERR_OK, "%s", error.caller);
    redis_address_fini(&options.address);
    return redis;
}

static enum err incr(struct redis *redis)
{
    return CASE_RUN(redis, arena, PIPELINE_WRITE, EXPECT_INTEGER, NULL, &error, STR("INCR"),
                    STR("n"));
}

static enum err try_door(const struct door *door)
{
    struct redis *redis = pool_through(door);
    enum err err = incr(redis);
    redis_close(&redis);
    return err;
}

/* ---- who is let in ---- */

START_TEST(a_trusted_redis_is_reached_by_name_and_by_address)
{
    static const char *const versions[] = {"TLSv1.2", "TLSv1.3", "TLSv1.2 TLSv1.3"};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        set("tls-protocols", versions[i]);
        case_err(try_door(&(struct door){.host = "localhost"}), ERR_OK);
        case_err(try_door(&(struct door){.host = "LocalHost"}), ERR_OK);
        case_err(try_door(&(struct door){.host = "127.0.0.1"}), ERR_OK);
    }
}
END_TEST

START_TEST(a_redis_that_wants_our_certificate_gets_it)
{
    static const char *const versions[] = {"TLSv1.2", "TLSv1.3"};
    set("tls-auth-clients", "yes");
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        set("tls-protocols", versions[i]);
        case_err(try_door(&(struct door){.client = "client"}), ERR_OK);
    }
}
END_TEST

/* Certificate of Redis, its settings, our side, and what the log is told. */
static const struct {
    const char *certificate, *protocols, *auth_clients;
    struct door door;
    const char *says;
} closed_doors[] = {
    {.door = {.ca = "other-ca.pem"}, .says = "not signed by an authority we trust; set redis.tls_"},
    {"foreign", .door = {.ca = "ca.pem"}, .says = "not signed by an authority we trust"},
    {"elsewhere", .says = "is not for this host; reach it by a name or address that"},
    {"elsewhere", .door = {.host = "127.0.0.1"}, .says = "is not for this host"},
    {"localhost", .says = "is not for this host"}, /* a common name only */
    {"old", .says = "has expired; renew it"},
    {"early", .says = "is not valid yet; compare the clocks"},
    {.protocols = "TLSv1.1", .says = "no version of TLS from 1.2 up"},
    {.auth_clients = "yes", .says = "set redis.tls_certificate and redis.tls_key"},
    {.protocols = "TLSv1.2", .auth_clients = "yes", .says = "set redis.tls_certificate and"},
    {.auth_clients = "yes", .door = {.client = "stranger"}, .says = "does not accept our certific"},
    {.protocols = "TLSv1.2",
     .auth_clients = "yes",
     .door = {.client = "stranger"},
     .says = "does not accept our certificate"},
    {.auth_clients = "yes",
     .door = {.client = "old-client"},
     .says = "our certificate has expired; renew redis.tls_certificate"},
    {.door = {.is_plain_port = true, .timeout_ms = 300}, .says = "speak TLS on this port"},
    {.door = {.scheme = "redis"}, .says = "if Redis speaks TLS on this port, use rediss://"},
};

START_TEST(a_closed_door_says_why_and_the_fix)
{
    if (closed_doors[_i].certificate)
        set_certificate(closed_doors[_i].certificate);
    if (closed_doors[_i].protocols)
        set("tls-protocols", closed_doors[_i].protocols);
    if (closed_doors[_i].auth_clients)
        set("tls-auth-clients", closed_doors[_i].auth_clients);
    enum err err = try_door(&closed_doors[_i].door);
    ck_assert_msg(strstr(error.detail, closed_doors[_i].says) != NULL, "%s: %s instead of %s",
                  err_name(err), error.detail, closed_doors[_i].says);
    ck_assert(err == ERR_UPSTREAM_DOWN || (closed_doors[_i].door.timeout_ms && err == ERR_TIMEOUT));
    ck_assert_ptr_null(strstr(error.detail, "swordfish"));
    ck_assert_ptr_null(strchr(error.detail, '\n'));
}
END_TEST

START_TEST(files_that_will_not_do_are_refused_at_the_start)
{
    static const struct {
        const char *ca, *certificate, *key;
        enum redis_tls_file file;
        const char *says;
    } cases[] = {
        {"none.pem", NULL, NULL, REDIS_TLS_CA, "cannot be read: "},
        {"ca.key", NULL, NULL, REDIS_TLS_CA, "it must hold the certificates of authorities"},
        {"empty", NULL, NULL, REDIS_TLS_CA, "it must hold the certificates of authorities"},
        {"ca.pem", "none.pem", "client.key", REDIS_TLS_CERTIFICATE, "cannot be read: "},
        {"ca.pem", "client.key", "client.key", REDIS_TLS_CERTIFICATE, "must hold a certificate"},
        {"ca.pem", "client.pem", "none.key", REDIS_TLS_KEY, "cannot be read: "},
        {"ca.pem", "client.pem", "stranger.key", REDIS_TLS_KEY, "key values mismatch"},
        {"ca.pem", "client.pem", "locked.key", REDIS_TLS_KEY, "unencrypted"},
        {"ca.pem", "client.pem", NULL, REDIS_TLS_KEY, "is missing: "},
        {"ca.pem", NULL, "client.key", REDIS_TLS_CERTIFICATE, "is missing: "},
    };
    cw_file_write(directory, "empty", "", 0600);
    /* The head alone makes OpenSSL ask for a password. */
    cw_file_write(directory, "locked.key",
                  "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
                  "DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\n"
                  "AAAAAAAAAAAAAAAAAAAAAA==\n-----END RSA PRIVATE KEY-----\n",
                  0600);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char host[] = "localhost";
        struct redis_address address = {
            .host = host,
            .tls = true,
            .tls_ca_file = file(cases[i].ca),
            .tls_certificate_file = cases[i].certificate ? file(cases[i].certificate) : NULL,
            .tls_key_file = cases[i].key ? file(cases[i].key) : NULL};
        enum redis_tls_file bad;
        case_err(redis_address_check_tls(&address, &bad, NULL, &error), ERR_BAD_INPUT);
        ck_assert_int_eq(bad, cases[i].file);
        ck_assert_msg(strstr(error.caller, cases[i].says) != NULL, "%zu: %s", i, error.caller);
        struct redis_options options = {.address = address,
                                        .size = 1,
                                        .borrow_timeout_ms = 1,
                                        .connect_timeout_ms = 1,
                                        .command_timeout_ms = 1};
        struct redis *redis = NULL;
        case_err(redis_open(&options, &redis, &error), ERR_BAD_INPUT);
        ck_assert_ptr_nonnull(strstr(error.caller, cases[i].says));
    }
}
END_TEST

/* ---- what flows ---- */

START_TEST(large_values_arrive_whole)
{
    static char bytes[3000000];
    const struct value *reply;
    struct redis *redis = pool_through(&(struct door){0});
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 4096);
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 200000, 500000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct str value = {bytes + i, sizes[i]};
        case_err(CASE_RUN(redis, arena, PIPELINE_WRITE, EXPECT_OK, NULL, &error, STR("SET"),
                          STR("big"), value),
                 ERR_OK);
        case_err(CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_STRING, &reply, &error, STR("GET"),
                          STR("big")),
                 ERR_OK);
        ck_assert(str_eq(reply->text, value));
    }
    /* Far more than the socket takes at once: sent in many parts. */
    case_err(CASE_RUN(redis, arena, PIPELINE_WRITE, EXPECT_OK, NULL, &error, STR("SET"),
                      STR("huge"), ((struct str){bytes, sizeof bytes})),
             ERR_OK);
    case_err(CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_INTEGER, &reply, &error, STR("STRLEN"),
                      STR("huge")),
             ERR_OK);
    ck_assert_int_eq(reply->integer, sizeof bytes);
    redis_close(&redis);
}
END_TEST

struct caller {
    pthread_t thread;
    struct redis *redis;
    int index, failures;
};

static void *count_up(void *arg)
{
    enum { ROUNDS = IS_SANITIZED ? 30 : 200 };
    struct caller *one = arg;
    struct arena *own = arena_new(0, 0);
    char key[16];
    snprintf(key, sizeof key, "caller-%d", one->index);
    for (int64_t i = 1; i <= ROUNDS; i++) {
        const struct value *reply;
        struct error why;
        enum err err = CASE_RUN(one->redis, own, PIPELINE_WRITE, EXPECT_INTEGER, &reply, &why,
                                STR("INCR"), str_from(key));
        one->failures += err != ERR_OK || reply->integer != i;
        arena_reset(own);
    }
    arena_free(&own);
    return NULL;
}

START_TEST(batches_are_sent_as_well)
{
    enum { CALLERS = 24 };
    static struct caller callers[CALLERS];
    struct redis *redis = pool_through(&(struct door){0});
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.redis = redis, .index = i};
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, count_up, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        ck_assert_int_eq(callers[i].failures, 0);
    }
    ck_assert_uint_gt(case_stats(redis).batches, 0);
    ck_assert_uint_gt(case_stats(redis).batched, case_stats(redis).batches);
    ck_assert_uint_eq(case_stats(redis).desynchronised, 0);
    redis_close(&redis);
}
END_TEST

/* ---- renewal ---- */

static struct redis_address files_of(const char *ca, const char *certificate, const char *key)
{
    return (struct redis_address){.tls_ca_file = file(ca),
                                  .tls_certificate_file = certificate ? file(certificate) : NULL,
                                  .tls_key_file = key ? file(key) : NULL};
}

static void expect_renewed(struct redis *redis, const struct redis_address *files, bool certificate,
                           bool key, bool authorities)
{
    bool changed[TLS_PARTS];
    case_err(redis_renew_tls(redis, files, changed, &error), ERR_OK);
    ck_assert_int_eq(changed[TLS_CERTIFICATE], certificate);
    ck_assert_int_eq(changed[TLS_KEY], key);
    ck_assert_int_eq(changed[TLS_AUTHORITIES], authorities);
}

START_TEST(renewed_files_are_used_and_bad_ones_are_not)
{
    struct redis_address files;
    bool changed[TLS_PARTS];
    certificates_issue(directory, &(struct certificate){"client2", "ca", NULL, 0, 0});
    set("tls-auth-clients", "yes");
    struct redis *redis = pool_through(&(struct door){.client = "client"});
    case_err(incr(redis), ERR_OK);
    uint64_t connects = case_stats(redis).connects;

    files = files_of("ca.pem", "client.pem", "client.key");
    expect_renewed(redis, &files, false, false, false);
    case_err(incr(redis), ERR_OK);
    ck_assert_uint_eq(case_stats(redis).connects, connects);

    /* What was connected with the old certificate is connected anew. */
    files = files_of("ca.pem", "client2.pem", "client2.key");
    expect_renewed(redis, &files, true, true, false);
    case_err(incr(redis), ERR_OK);
    ck_assert_uint_eq(case_stats(redis).connects, connects + 1);

    files = files_of("ca.pem", "client.pem", "client2.key");
    case_err(redis_renew_tls(redis, &files, changed, &error), ERR_BAD_INPUT);
    ck_assert_msg(strstr(error.caller, "redis.tls_key: ") != NULL, "%s", error.caller);
    ck_assert(!changed[TLS_CERTIFICATE] && !changed[TLS_KEY] && !changed[TLS_AUTHORITIES]);
    case_err(incr(redis), ERR_OK);
    ck_assert_uint_eq(case_stats(redis).connects, connects + 1);

    /* Who is trusted no longer is not reached, not by a session of before either. */
    files = files_of("other-ca.pem", "client2.pem", "client2.key");
    expect_renewed(redis, &files, false, false, true);
    case_err(incr(redis), ERR_UPSTREAM_DOWN);
    redis_close(&redis);
}
END_TEST

/* Files are replaced while connections are made and broken. */
START_TEST(renewals_harm_nobody_who_connects)
{
    enum { CALLERS = 8, RENEWALS = 40 };
    static struct caller callers[CALLERS];
    certificates_issue(directory, &(struct certificate){"client2", "ca", NULL, 0, 0});
    struct redis_address one = files_of("ca.pem", "client.pem", "client.key");
    one.tls_ca_file = strdup(one.tls_ca_file);
    one.tls_certificate_file = strdup(one.tls_certificate_file);
    one.tls_key_file = strdup(one.tls_key_file);
    set("tls-auth-clients", "yes");
    struct redis *redis = pool_through(&(struct door){.client = "client"});
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.redis = redis, .index = i};
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, count_up, &callers[i]), 0);
    }
    for (int i = 0; i < RENEWALS; i++) {
        struct redis_address two = files_of("ca.pem", "client2.pem", "client2.key");
        expect_renewed(redis, i % 2 ? &one : &two, true, true, false);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        ck_assert_int_eq(callers[i].failures, 0);
    }
    ck_assert_uint_gt(case_stats(redis).connects, 1);
    redis_close(&redis);
    redis_address_fini(&one);
}
END_TEST

static bool second_is_resumed(struct tls_context *tls, const struct redis_address *address)
{
    const struct conn_target target = {.address = address, .tls = tls, .client_name = "test"};
    bool is_resumed = false;
    for (int i = 0; i < 2; i++) {
        struct conn *conn;
        case_err(conn_open(&target, case_deadline_ns(), &conn, &error), ERR_OK);
        ck_assert_int_eq(conn_check_idle(conn), IO_IDLE);
        is_resumed = SSL_session_reused(conn->transport.session) == 1;
        conn_close(&conn);
    }
    return is_resumed;
}

START_TEST(sessions_are_resumed)
{
    static const char *const versions[] = {"TLSv1.2", "TLSv1.3"};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        struct redis_address address = address_of(&(struct door){0});
        struct tls_context *tls;
        enum redis_tls_file bad;
        set("tls-protocols", versions[i]);
        case_err(tls_context_new(&address, &tls, &bad, &error), ERR_OK);
        ck_assert_msg(second_is_resumed(tls, &address), "%s", versions[i]);
        tls_context_forget(tls);
        const struct conn_target target = {.address = &address, .tls = tls, .client_name = "test"};
        struct conn *conn;
        case_err(conn_open(&target, case_deadline_ns(), &conn, &error), ERR_OK);
        ck_assert_int_eq(SSL_session_reused(conn->transport.session), 0);
        conn_close(&conn);
        tls_context_free(&tls);
        redis_address_fini(&address);
    }
}
END_TEST

/* ---- what goes wrong on the way ---- */

START_TEST(a_redis_that_has_gone_is_no_signal_and_comes_back)
{
    struct redis *redis = pool_through(&(struct door){0});
    case_err(incr(redis), ERR_OK);
    redis_server_kill(server);
    for (int i = 0; i < 3; i++)
        ck_assert_int_ne(incr(redis), ERR_OK);
    redis_server_restart(server);
    while (incr(redis) != ERR_OK) /* the breaker tries once a second */
        ;
    /* Restarted while our connection was idle: found dead and made anew, nobody notices. */
    redis_server_restart(server);
    case_err(incr(redis), ERR_OK);
    redis_close(&redis);
}
END_TEST

START_TEST(a_paused_redis_costs_the_time_allowed_and_no_more)
{
    const int64_t allowed_ms = slowness_stretch_ms(200);
    const struct door door = {.timeout_ms = allowed_ms};
    struct redis *redis = pool_through(&door), *fresh = pool_through(&door);
    while (incr(redis) != ERR_OK)
        ; /* a busy machine may need more than one handshake */
    redis_server_pause(server);
    int64_t begin_ns = clock_mono_ns();
    case_err(incr(redis), ERR_UNCERTAIN);
    int64_t middle_ns = clock_mono_ns();
    case_err(incr(fresh), ERR_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(error.detail, "TLS handshake: no answer in time"));
    int64_t end_ns = clock_mono_ns();
    ck_assert_int_ge(middle_ns - begin_ns, allowed_ms * NS_PER_MS);
    ck_assert_int_ge(end_ns - middle_ns, allowed_ms * NS_PER_MS);
    expect_within_ms((end_ns - begin_ns) / NS_PER_MS, 2 * allowed_ms + 10 * 1000);
    redis_server_resume(server);
    redis_close(&redis);
    redis_close(&fresh);
}
END_TEST

/* What the other side of the proxy gets in place of the real answer. */
START_TEST(bytes_that_were_tampered_with_poison_the_connection)
{
    static char unsealed[5 + 257 + 1] = "\x17\x03\x03\x01\x01"; /* 257 bytes follow */
    memset(unsealed + 5, 'x', 257);
    const struct {
        const char *bytes;
        bool is_waited_out;
    } forgeries[] = {
        {":1\r\n$16\r\n0000000000000000\r\n", false}, /* plain words inside TLS */
        {unsealed, false},                            /* a record nobody sealed */
        {"\x17\x03\x03", true},                       /* the begin of a record, and no more */
    };
    struct tcp_proxy *proxy = tcp_proxy_start(redis_server_tls_port(server));
    struct redis_address address = address_of(&(struct door){0});
    address.port = tcp_proxy_port(proxy);
    struct redis_options options = {.address = address,
                                    .size = 1,
                                    .borrow_timeout_ms = CASE_PATIENCE_MS,
                                    .connect_timeout_ms = CASE_PATIENCE_MS,
                                    .command_timeout_ms = 1000};
    struct redis *redis = NULL;
    case_err(redis_open(&options, &redis, &error), ERR_OK);
    for (size_t i = 0; i < sizeof forgeries / sizeof *forgeries; i++) {
        while (incr(redis) != ERR_OK) /* late on a busy machine, or not closed yet */
            ;
        uint64_t closes = case_stats(redis).closes;
        tcp_proxy_garble(proxy, forgeries[i].bytes);
        case_err(incr(redis), ERR_UNCERTAIN);
        ck_assert_msg((strstr(error.detail, "in time") != NULL) == forgeries[i].is_waited_out,
                      "%zu: %s", i, error.detail);
        ck_assert_uint_gt(case_stats(redis).closes, closes);
        tcp_proxy_garble(proxy, NULL);
    }
    while (incr(redis) != ERR_OK)
        ;
    redis_close(&redis);
    redis_address_fini(&address);
    tcp_proxy_stop(&proxy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transport_tls");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, open_all, close_all);
    tcase_add_test(all, a_trusted_redis_is_reached_by_name_and_by_address);
    tcase_add_test(all, a_redis_that_wants_our_certificate_gets_it);
    tcase_add_loop_test(all, a_closed_door_says_why_and_the_fix, 0,
                        sizeof closed_doors / sizeof *closed_doors);
    tcase_add_test(all, files_that_will_not_do_are_refused_at_the_start);
    tcase_add_test(all, large_values_arrive_whole);
    tcase_add_test(all, batches_are_sent_as_well);
    tcase_add_test(all, renewed_files_are_used_and_bad_ones_are_not);
    tcase_add_test(all, renewals_harm_nobody_who_connects);
    tcase_add_test(all, sessions_are_resumed);
    tcase_add_test(all, a_redis_that_has_gone_is_no_signal_and_comes_back);
    tcase_add_test(all, a_paused_redis_costs_the_time_allowed_and_no_more);
    tcase_add_test(all, bytes_that_were_tampered_with_poison_the_connection);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
