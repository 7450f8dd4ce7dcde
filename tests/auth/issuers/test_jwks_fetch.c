#include "issuers/jwks_fetch.h"

#include "issuers/jwks.h"
#include "key_server.h"
#include "self_signed.h"
#include "suite.h"
#include "temp_folder.h"

#include <pthread.h>
#include <stdlib.h>

enum { PATIENT_MS = 20000, SHORT_MS = 300 };

static struct key_server *server;
static struct error error;
static char *body;
static size_t size;

static void set_up(void)
{
    server = key_server_start(NULL, 0);
    error_clear(&error);
    body = NULL;
}

static void tear_down(void)
{
    key_server_stop(&server);
    free(body);
}

static enum err fetch(const char *url, int timeout_ms)
{
    const struct jwks_fetch_options options = {.url = url, .timeout_ms = timeout_ms};

    free(body);
    error_clear(&error);
    return jwks_fetch(&options, &body, &size, &error);
}

static void expect_refused(enum err err, const char *why)
{
    ck_assert_int_eq(fetch(key_server_url(server), PATIENT_MS), err);
    ck_assert_msg(strstr(error.caller, why) != NULL, "%s", error.caller);
    ck_assert_ptr_null(body);
    ck_assert_uint_eq(size, 0);
}

static void say(const char *text)
{
    key_server_say(server, text, strlen(text), 0);
}

START_TEST(a_set)
{
    key_server_publish(server, "{\"keys\":[1]}");
    ck_assert_int_eq(fetch(key_server_url(server), PATIENT_MS), ERR_OK);
    ck_assert_uint_eq(size, 12);
    ck_assert_mem_eq(body, "{\"keys\":[1]}", 12);
    /* Chunks will do. */
    say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n");
    ck_assert_int_eq(fetch(key_server_url(server), PATIENT_MS), ERR_OK);
    ck_assert_uint_eq(size, 2);
}
END_TEST

START_TEST(what_is_not_a_200)
{
    say("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}");
    expect_refused(ERR_UPSTREAM_DOWN, "it answered 404");
    say("HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}");
    expect_refused(ERR_UPSTREAM_DOWN, "it answered 500");
    say("HTTP/1.1 204 No Content\r\n\r\n");
    expect_refused(ERR_UPSTREAM_DOWN, "it answered 204");
    say("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}");
    expect_refused(ERR_UPSTREAM_DOWN, "");
    say("SSH-2.0-OpenSSH_9.2\r\n");
    expect_refused(ERR_UPSTREAM_DOWN, "");
}
END_TEST

/* Wherever it points: to itself, elsewhere, to a file, to another protocol. */
START_TEST(redirects_are_not_followed)
{
    static const char *const targets[] = {"/keys", "https://127.0.0.1:1/", "file:///etc/passwd",
                                          "ftp://127.0.0.1/", "http://169.254.169.254/"};
    char text[200];

    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        snprintf(text, sizeof text,
                 "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", targets[i]);
        say(text);
        expect_refused(ERR_UPSTREAM_DOWN, "it answered 302; redirects are not followed");
        ck_assert_int_eq(key_server_count(server), (int)i + 1);
    }
}
END_TEST

static char *huge(const char *head, size_t bytes, size_t *size_out)
{
    char *text = malloc(strlen(head) + bytes);

    memcpy(text, head, strlen(head));
    memset(text + strlen(head), ' ', bytes);
    *size_out = strlen(head) + bytes;
    return text;
}

START_TEST(a_huge_answer)
{
    size_t text_size;
    char *text =
        huge("HTTP/1.1 200 OK\r\nContent-Length: 262144\r\n\r\n", JWKS_MAX_SIZE, &text_size);

    key_server_say(server, text, text_size, 0);
    ck_assert_int_eq(fetch(key_server_url(server), PATIENT_MS), ERR_OK);
    ck_assert_uint_eq(size, JWKS_MAX_SIZE);
    free(text);
    /* It says so, or does not. */
    text = huge("HTTP/1.1 200 OK\r\nContent-Length: 262145\r\n\r\n", JWKS_MAX_SIZE + 1, &text_size);
    key_server_say(server, text, text_size, 0);
    expect_refused(ERR_TOO_LARGE, "more than 262144 bytes");
    free(text);
    text = huge("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", 20 * JWKS_MAX_SIZE, &text_size);
    key_server_say(server, text, text_size, 0);
    expect_refused(ERR_TOO_LARGE, "more than 262144 bytes");
    free(text);
}
END_TEST

START_TEST(a_slow_answer)
{
    static const char drip[] = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";

    key_server_say(server, drip, sizeof drip - 1, 50);
    ck_assert_int_eq(fetch(key_server_url(server), SHORT_MS), ERR_UPSTREAM_DOWN);
    ck_assert_msg(strstr(error.caller, "imeout") != NULL, "%s", error.caller);
    key_server_mute(server);
    ck_assert_int_eq(fetch(key_server_url(server), SHORT_MS), ERR_UPSTREAM_DOWN);
    ck_assert_msg(strstr(error.caller, "imeout") != NULL, "%s", error.caller);
}
END_TEST

START_TEST(nobody_is_there)
{
    char url[64];

    snprintf(url, sizeof url, "%s", key_server_url(server));
    key_server_stop(&server);
    ck_assert_int_eq(fetch(url, PATIENT_MS), ERR_UPSTREAM_DOWN);
    ck_assert_msg(strstr(error.caller, "connect") != NULL, "%s", error.caller);
}
END_TEST

/* A proxy of the environment is not asked for what is on this very machine. */
START_TEST(a_proxy)
{
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    ck_assert_int_eq(fetch(key_server_url(server), PATIENT_MS), ERR_OK);
}
END_TEST

/* ---- being stopped ---- */

static atomic_bool stops;

static void *stop_later(void *arg)
{
    (void)arg;
    key_server_wait_count(server, 1);
    atomic_store(&stops, true);
    return NULL;
}

START_TEST(given_up)
{
    const struct jwks_fetch_options options = {
        .url = key_server_url(server), .stops = &stops, .timeout_ms = 600000};
    pthread_t thread;

    key_server_mute(server);
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_later, NULL), 0);
    ck_assert_int_eq(jwks_fetch(&options, &body, &size, &error), ERR_UPSTREAM_DOWN);
    pthread_join(thread, NULL);
}
END_TEST

/* ---- https ---- */

START_TEST(certificates_are_verified)
{
    struct temp_folder folder;
    char name[300], ca[320], other[320], by_name[64];

    temp_folder_init(&folder);
    self_signed_write(folder.path, "server");
    self_signed_write(folder.path, "other");
    snprintf(name, sizeof name, "%s/server", folder.path);
    snprintf(ca, sizeof ca, "%s/server.pem", folder.path);
    snprintf(other, sizeof other, "%s/other.pem", folder.path);
    struct key_server *secure = key_server_start(name, 0);
    struct jwks_fetch_options options = {
        .url = key_server_url(secure), .ca_file = ca, .timeout_ms = PATIENT_MS};
    ck_assert_msg(jwks_fetch(&options, &body, &size, &error) == ERR_OK, "%s", error.caller);
    ck_assert_uint_eq(size, strlen("{\"keys\":[]}"));
    free(body);

    options.ca_file = other;
    ck_assert_int_eq(jwks_fetch(&options, &body, &size, &error), ERR_UPSTREAM_DOWN);
    ck_assert_msg(strstr(error.caller, "ertificate") != NULL, "%s", error.caller);
    options.ca_file = NULL; /* the system's authorities do not know it */
    ck_assert_int_eq(jwks_fetch(&options, &body, &size, &error), ERR_UPSTREAM_DOWN);
    /* That name reaches it, too, but is not in the certificate. */
    snprintf(by_name, sizeof by_name, "https://id.localhost:%d/keys", key_server_port(secure));
    options.url = by_name;
    options.ca_file = ca;
    ck_assert_int_eq(jwks_fetch(&options, &body, &size, &error), ERR_UPSTREAM_DOWN);
    ck_assert_msg(strstr(error.caller, "ertificate") != NULL, "%s", error.caller);
    ck_assert_int_eq(key_server_count(secure), 1);
    key_server_stop(&secure);
    temp_folder_fini(&folder);
}
END_TEST

/* ---- what may be configured ---- */

static const char *const good_urls[] = {
    "https://id.example/keys",    "https://id.example:8443/realms/a/certs?x=1",
    "https://[2001:db8::1]/k",    "http://127.0.0.1/keys",
    "http://127.9.9.9:8080/keys", "http://[::1]:8080/keys",
    "http://localhost/keys",      "http://LOCALHOST:1/keys",
};

static const struct {
    const char *url, *why;
} bad_urls[] = {
    {"http://id.example/keys", "must begin with https://"},
    {"http://127.0.0.1.example/keys", "must begin with https://"},
    {"http://localhost.example/keys", "must begin with https://"},
    {"http://10.0.0.1/keys", "must begin with https://"},
    {"http://127.0.0.1@id.example/keys", "must begin with https://"},
    {"http://[::2]/keys", "must begin with https://"},
    {"http://[::ffff:8.8.8.8]/keys", "must begin with https://"},
    {"https://user@id.example/keys", "must not have a user"},
    {"https://user:pass@id.example/keys", "must not have a user"},
    {"http://user@127.0.0.1/keys", "must not have a user"},
    {"file:///etc/passwd", "must begin with https://"},
    {"ftp://id.example/keys", "must begin with https://"},
    {"HTTPS://id.example/keys", "must begin with https://"},
    {"id.example/keys", "must begin with https://"},
    {"//id.example/keys", "must begin with https://"},
    {"https://", "is not a URL"},
    {"https:///keys", "is not a URL"},
    {"https://id.example:99999/", "is not a URL"},
    {"https://id example/", "has blanks"},
    {"https://id.example/a b", "has blanks"},
    {"https://id.example/\r\nHost: x", "has blanks"},
};

START_TEST(urls)
{
    for (size_t i = 0; i < sizeof good_urls / sizeof *good_urls; i++)
        ck_assert_msg(jwks_fetch_check(str_from(good_urls[i]), &error) == ERR_OK, "%s: %s",
                      good_urls[i], error.caller);
    for (size_t i = 0; i < sizeof bad_urls / sizeof *bad_urls; i++) {
        error_clear(&error);
        ck_assert_msg(jwks_fetch_check(str_from(bad_urls[i].url), &error) == ERR_BAD_INPUT, "%s",
                      bad_urls[i].url);
        ck_assert_msg(strstr(error.caller, bad_urls[i].why) != NULL, "%s: %s", bad_urls[i].url,
                      error.caller);
        ck_assert_ptr_null(strstr(error.caller, "pass@"));
    }
    ck_assert_int_eq(jwks_fetch_check(STR("https://id.example/\0x"), &error), ERR_BAD_INPUT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/issuers/jwks_fetch");
    TCase *tcase = tcase_create("jwks_fetch");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_set);
    tcase_add_test(tcase, what_is_not_a_200);
    tcase_add_test(tcase, redirects_are_not_followed);
    tcase_add_test(tcase, a_huge_answer);
    tcase_add_test(tcase, a_slow_answer);
    tcase_add_test(tcase, nobody_is_there);
    tcase_add_test(tcase, a_proxy);
    tcase_add_test(tcase, given_up);
    tcase_add_test(tcase, certificates_are_verified);
    tcase_add_test(tcase, urls);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
