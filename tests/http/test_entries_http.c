/* What the cache service makes of HTTP: bytes and types, conditions, lengths, HEAD, labels, namespaces. */
#include "patience.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES  "/api/v1/entries"
#define MAX_BODY 1048576 /* server.max_body, where nobody set it */

static struct stand stand;
static char key[STAND_KEY_SIZE], other_key[STAND_KEY_SIZE], flush_key[STAND_KEY_SIZE];

static void open_stand(void)
{
    stand_open(&stand, NULL);
    stand_key(&stand, key, "shop",
              (const char *const[]){"--scope", "entries", "--namespace", "shop", NULL});
    stand_key(&stand, other_key, "blog",
              (const char *const[]){"--scope", "entries", "--namespace", "blog", NULL});
    stand_key(&stand, flush_key, "deploy", (const char *const[]){"--scope", "flush", NULL});
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* ---- one request; NULL for a line of the head: there is none ---- */

struct ask {
    const char *as; /* NULL: the key of shop */
    const char *type, *condition, *lease, *coding;
    const char *bytes;
    size_t size;
};

static const struct http_reply *ask(const char *method, const char *target, const struct ask *how)
{
    static char lines[4][1200];
    const char *headers[6] = {how->as ? how->as : key};
    const char *const names[] = {"Content-Type", "If-None-Match", "X-Cache-Lease",
                                 "Content-Encoding"};
    const char *const values[] = {how->type, how->condition, how->lease, how->coding};
    size_t count = 1;

    for (size_t i = 0; i < 4; i++) {
        if (!values[i])
            continue;
        snprintf(lines[i], sizeof lines[i], "%s: %s", names[i], values[i]);
        headers[count++] = lines[i];
    }
    headers[count] = NULL;
    return http_send(stand.http, method, target, headers, how->bytes, how->size);
}

#define ASK(method, target, ...) ask(method, target, &(const struct ask){__VA_ARGS__})

static const struct http_reply *put(const char *target, const char *text)
{
    return ASK("PUT", target, .type = "text/plain", .bytes = text, .size = strlen(text));
}

static void expect_content(const struct http_reply *reply, const char *type, const char *bytes,
                           size_t size)
{
    expect_status(reply, 200);
    expect_header(reply, "Content-Type", type);
    expect_header(reply, "X-Cache", "HIT");
    ck_assert_uint_eq(reply->body_size, size);
    ck_assert_int_eq(memcmp(reply->body, bytes, size), 0);
}

static void expect_miss(const struct http_reply *reply)
{
    expect_body(reply, 404,
                "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                "\"detail\":\"Not found.\"}");
    expect_header(reply, "Content-Type", "application/problem+json");
    expect_header(reply, "X-Cache", "MISS");
    ck_assert_ptr_nonnull(http_header(reply, "X-Cache-Lease"));
    expect_header(reply, "ETag", NULL);
    expect_header(reply, "Age", NULL);
    expect_header(reply, "X-Cache-TTL", NULL);
}

/* A problem that names what is wrong. */
static void expect_problem(const char *what, const struct http_reply *reply, int status,
                           const char *says)
{
    const char *type = http_header(reply, "Content-Type");

    ck_assert_msg(reply->status == status && type &&
                      strcmp(type, "application/problem+json") == 0 &&
                      strstr(reply->body, says) != NULL,
                  "%s: %d %s does not say \"%s\"", what, reply->status, reply->body, says);
}

/* ---- bytes ---- */

START_TEST(any_bytes_come_back_as_what_they_were)
{
    char bytes[1024];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    expect_status(ASK("PUT", ENTRIES "/bytes", .type = "image/x-thing; a=\"b c\"", .bytes = bytes,
                      .size = sizeof bytes),
                  201);
    const struct http_reply *reply = http_get(stand.http, ENTRIES "/bytes", key);
    expect_content(reply, "image/x-thing; a=\"b c\"", bytes, sizeof bytes);
    /* What somebody stored runs in no page of ours. */
    expect_header(reply, "X-Content-Type-Options", "nosniff");
    expect_header(reply, "Content-Security-Policy", "sandbox");
    expect_header(reply, "Cache-Control", "no-store");
    ck_assert_ptr_nonnull(http_header(reply, "Age"));
    ck_assert_ptr_nonnull(http_header(reply, "X-Cache-TTL"));
    expect_status(put(ENTRIES "/bytes", "text"), 204);
    expect_content(http_get(stand.http, ENTRIES "/bytes", key), "text/plain", "text", 4);
}
END_TEST

START_TEST(no_bytes_are_a_value_too)
{
    expect_miss(http_get(stand.http, ENTRIES "/empty", key));
    expect_status(ASK("PUT", ENTRIES "/empty", .type = "text/css"), 201);
    expect_content(http_get(stand.http, ENTRIES "/empty", key), "text/css", "", 0);
    expect_header(http_get(stand.http, ENTRIES "/empty", key), "Content-Length", "0");
}
END_TEST

START_TEST(without_a_type_they_are_bytes)
{
    expect_status(ASK("PUT", ENTRIES "/untyped", .bytes = "x", .size = 1), 201);
    expect_content(http_get(stand.http, ENTRIES "/untyped", key), "application/octet-stream", "x",
                   1);
}
END_TEST

START_TEST(the_largest_body_and_one_byte_more)
{
    char *bytes = malloc(MAX_BODY + 1);

    for (size_t i = 0; i < MAX_BODY + 1; i++)
        bytes[i] = (char)(i * 31 >> 3);
    expect_status(ASK("PUT", ENTRIES "/large", .type = "a/b", .bytes = bytes, .size = MAX_BODY),
                  201);
    expect_content(http_get(stand.http, ENTRIES "/large", key), "a/b", bytes, MAX_BODY);
    expect_problem("one more", ASK("PUT", ENTRIES "/large", .bytes = bytes, .size = MAX_BODY + 1),
                   413, "Request body is too large.");
    expect_content(http_get(stand.http, ENTRIES "/large", key), "a/b", bytes, MAX_BODY);
    free(bytes);
}
END_TEST

/* Announced, and refused before a byte of it has come. */
START_TEST(too_large_is_said_before_it_is_read)
{
    struct raw *raw = raw_open(stand.server.port);

    raw_print(raw,
              "PUT " ENTRIES "/large HTTP/1.1\r\nHost: a\r\n%s\r\nContent-Length: %d\r\n"
              "Expect: 100-continue\r\n\r\n",
              key, MAX_BODY + 1);
    const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
    ck_assert_ptr_nonnull(reply);
    expect_status(reply, 413);
    raw_close(&raw);
}
END_TEST

START_TEST(a_body_cut_short_is_not_stored)
{
    struct raw *raw = raw_open(stand.server.port);

    expect_status(put(ENTRIES "/cut", "whole"), 201);
    raw_print(raw,
              "PUT " ENTRIES "/cut HTTP/1.1\r\nHost: a\r\n%s\r\nContent-Length: 10\r\n\r\nfour",
              key);
    raw_finish(raw);
    const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
    if (reply) /* else it was closed */
        ck_assert_int_eq(reply->status, 400);
    raw_close(&raw);
    expect_content(http_get(stand.http, ENTRIES "/cut", key), "text/plain", "whole", 5);
}
END_TEST

/* Chunks are one body; what ends in their middle is none. */
START_TEST(chunks)
{
    static const char head[] = "PUT " ENTRIES "/chunks HTTP/1.1\r\nHost: a\r\n%s\r\n"
                               "Content-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct raw *raw = raw_open(stand.server.port);

    raw_print(raw, head, key);
    raw_print(raw, "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
    ck_assert_ptr_nonnull(reply);
    expect_status(reply, 201);
    raw_print(raw, head, key);
    raw_print(raw, "3\r\nxyz\r\n4\r\nd");
    raw_finish(raw);
    reply = raw_reply(raw, PATIENCE_MS);
    if (reply) /* else it was closed */
        ck_assert_int_eq(reply->status, 400);
    raw_close(&raw);
    expect_content(http_get(stand.http, ENTRIES "/chunks", key), "a/b", "abcdefg", 7);
}
END_TEST

START_TEST(coded_bodies_and_types_that_are_none)
{
    static const char *const types[] = {"text", "text/", "a b/c", "text/plain, text/html", ";"};

    expect_status(put(ENTRIES "/kept", "kept"), 201);
    expect_problem("gzip", ASK("PUT", ENTRIES "/kept", .coding = "gzip", .bytes = "x", .size = 1),
                   415, "Content-Encoding");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        expect_problem(types[i],
                       ASK("PUT", ENTRIES "/kept", .type = types[i], .bytes = "x", .size = 1), 400,
                       "Content-Type: ");
    expect_content(http_get(stand.http, ENTRIES "/kept", key), "text/plain", "kept", 4);
    expect_status(ASK("PUT", ENTRIES "/kept", .coding = "identity", .bytes = "x", .size = 1), 204);
}
END_TEST

/* ---- HEAD and conditions ---- */

START_TEST(head_is_get_without_the_bytes)
{
    expect_status(put(ENTRIES "/head", "0123456789"), 201);
    const struct http_reply *reply = http_call(stand.http, "HEAD", ENTRIES "/head", key);
    expect_status(reply, 200);
    ck_assert_uint_eq(reply->body_size, 0);
    expect_header(reply, "Content-Length", "10");
    expect_header(reply, "Content-Type", "text/plain");
    expect_header(reply, "X-Cache", "HIT");
    ck_assert_ptr_nonnull(http_header(reply, "ETag"));

    reply = http_call(stand.http, "HEAD", ENTRIES "/nothing-here", key);
    expect_status(reply, 404);
    ck_assert_uint_eq(reply->body_size, 0);
    expect_header(reply, "X-Cache", "MISS");
    expect_problem("and then", http_get(stand.http, ENTRIES "/%00", key), 400, "label: ");
    expect_status(http_call(stand.http, "HEAD", ENTRIES "/%00", key), 400);
}
END_TEST

/* The tag as it was sent: in quotes. */
static void tag_of(const char *target, char out[256])
{
    const struct http_reply *reply = http_get(stand.http, target, key);

    expect_status(reply, 200);
    ck_assert_ptr_nonnull(http_header(reply, "ETag"));
    snprintf(out, 256, "%s", http_header(reply, "ETag"));
    ck_assert(out[0] == '"' && strlen(out) > 2 && out[strlen(out) - 1] == '"');
}

static void expect_not_modified(const struct http_reply *reply, const char *tag)
{
    expect_status(reply, 304);
    ck_assert_uint_eq(reply->body_size, 0);
    expect_header(reply, "ETag", tag);
    expect_header(reply, "X-Cache", "HIT");
    expect_header(reply, "Content-Type", NULL);
    expect_header(reply, "Content-Length", NULL);
    ck_assert_ptr_nonnull(http_header(reply, "X-Cache-TTL"));
}

START_TEST(who_has_it_already_is_told_so)
{
    char tag[256], condition[1024];

    expect_status(put(ENTRIES "/tag", "one"), 201);
    tag_of(ENTRIES "/tag", tag);
    expect_not_modified(ASK("GET", ENTRIES "/tag", .condition = tag), tag);
    expect_not_modified(ASK("HEAD", ENTRIES "/tag", .condition = tag), tag);
    expect_not_modified(ASK("GET", ENTRIES "/tag", .condition = "*"), tag);
    snprintf(condition, sizeof condition, "W/%s", tag);
    expect_not_modified(ASK("GET", ENTRIES "/tag", .condition = condition), tag);
    snprintf(condition, sizeof condition, "\"a,b\", W/\"x\" ,%s", tag);
    expect_not_modified(ASK("GET", ENTRIES "/tag", .condition = condition), tag);

    static const char *const others[] = {"\"other\"", "\"\"", "W/\"other\", \"x\"", "nonsense"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        expect_content(ASK("GET", ENTRIES "/tag", .condition = others[i]), "text/plain", "one", 3);

    /* Other bytes are another tag; so is another type. A connection that answered 304 goes on. */
    expect_status(put(ENTRIES "/tag", "two"), 204);
    expect_content(ASK("GET", ENTRIES "/tag", .condition = tag), "text/plain", "two", 3);
    tag_of(ENTRIES "/tag", tag);
    expect_status(ASK("PUT", ENTRIES "/tag", .type = "text/html", .bytes = "two", .size = 3), 204);
    expect_content(ASK("GET", ENTRIES "/tag", .condition = tag), "text/html", "two", 3);
}
END_TEST

START_TEST(a_miss_is_a_miss_whatever_the_condition)
{
    expect_miss(ASK("GET", ENTRIES "/no-such", .condition = "*"));
    expect_miss(ASK("GET", ENTRIES "/no-such", .condition = "\"a\""));
}
END_TEST

START_TEST(only_where_nothing_is)
{
    static const char *const bad[] = {"nonsense", "*, \"a\"", "\"a"};

    expect_status(
        ASK("PUT", ENTRIES "/once", .condition = "*", .type = "a/b", .bytes = "1", .size = 1), 201);
    const struct http_reply *reply =
        ASK("PUT", ENTRIES "/once", .condition = "*", .type = "a/b", .bytes = "2", .size = 1);
    expect_problem("again", reply, 412, "Precondition Failed");
    expect_content(http_get(stand.http, ENTRIES "/once", key), "a/b", "1", 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_problem(bad[i],
                       ASK("PUT", ENTRIES "/once", .condition = bad[i], .bytes = "3", .size = 1),
                       400, "If-None-Match");
    expect_content(http_get(stand.http, ENTRIES "/once", key), "a/b", "1", 1);
    expect_answer(http_call(stand.http, "DELETE", ENTRIES "/once", key), 200, "{\"deleted\":true}");
    expect_status(ASK("PUT", ENTRIES "/once", .condition = "*", .bytes = "4", .size = 1), 201);
}
END_TEST

/* ---- labels ---- */

START_TEST(labels_are_any_text)
{
    static const char *const labels[] = {
        "a%2Fb",        "%2Fitems%3Fpage%3D2",
        "a%20b",        "a+b",
        "caf%C3%A9",    "%F0%9F%9A%80",
        "%25",          "%2541",
        "a%3Bb%5Cc",    "...",
        ".hidden",      "a%2F.b",
        "%7B%7D",       "*",
        "increment",    "a%2Fincrement",
        "%5B0-9%5D%3F", "cw%3A%7Bapp%3Ashop%7D%3Ae%3Ax",
    };
    char target[256], text[32];
    size_t count = sizeof labels / sizeof *labels;

    for (size_t i = 0; i < count; i++) {
        snprintf(target, sizeof target, ENTRIES "/%s", labels[i]);
        snprintf(text, sizeof text, "value %zu", i);
        expect_status(put(target, text), 201);
    }
    for (size_t i = 0; i < count; i++) {
        snprintf(target, sizeof target, ENTRIES "/%s", labels[i]);
        snprintf(text, sizeof text, "value %zu", i);
        expect_content(http_get(stand.http, target, key), "text/plain", text, strlen(text));
    }
    /* Another spelling of one label. */
    expect_content(http_get(stand.http, ENTRIES "/%61%2fb", key), "text/plain", "value 0", 7);
}
END_TEST

START_TEST(bad_labels_are_named_and_change_nothing)
{
    static const char *const bad[] = {
        "",        "%00",    "a%00b",      "%0A",    "a%0d%0aFLUSHALL", "%1B",
        "%7f",     "%C2%85", "%80",        "%C3",    "%ED%A0%80",       "%",
        "%zz",     "a%2",    "..",         ".",      "%2e%2E",          ".%2e",
        "..%2F..", "a;b",    "a%2F..%2Fb", "%2F.%2F"};
    static const char *const methods[] = {"GET", "PUT", "DELETE"};
    char target[2048];

    expect_status(put(ENTRIES "/stays", "here"), 201);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(target, sizeof target, ENTRIES "/%s", bad[i]);
        for (size_t m = 0; m < 3; m++)
            expect_problem(target, http_call(stand.http, methods[m], target, key), 400, "label: ");
        snprintf(target, sizeof target, ENTRIES "/%s/increment", bad[i]);
        expect_problem(target, http_post_json(stand.http, target, key, "{\"by\":1}"), 400,
                       "label: ");
    }
    char label[514];
    memset(label, 'x', 513);
    label[512] = '\0';
    snprintf(target, sizeof target, ENTRIES "/%s", label);
    expect_status(put(target, "long"), 201);
    label[512] = 'x';
    label[513] = '\0';
    snprintf(target, sizeof target, ENTRIES "/%s", label);
    expect_problem("513", put(target, "longer"), 400, "label: Must be 1 to 512 bytes");
    /* An empty label is not the whole namespace. */
    expect_content(http_get(stand.http, ENTRIES "/stays", key), "text/plain", "here", 4);
}
END_TEST

START_TEST(other_paths_are_none)
{
    static const char *const paths[] = {ENTRIES "/a/b",       ENTRIES "/a/",
                                        ENTRIES "//",         ENTRIES "/a/increment/",
                                        "/api/v1//entries/a", "/API/v1/entries/a"};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        expect_body(http_get(stand.http, paths[i], key), 404, "{\"detail\":\"Not found.\"}");
    const struct http_reply *reply = http_call(stand.http, "PATCH", ENTRIES "/a", key);
    expect_status(reply, 405);
    expect_header(reply, "Allow", "DELETE, GET, HEAD, OPTIONS, PUT");
}
END_TEST

/* ---- parameters ---- */

START_TEST(bad_parameters_change_nothing)
{
    static const struct {
        const char *query, *says;
    } bad[] = {
        {"ttl=0", "ttl: Must be a whole number from 1 to 315360000."},
        {"ttl=-1", "ttl: "},
        {"ttl=9223372036854775808", "ttl: "},
        {"ttl=1.5", "ttl: "},
        {"ttl=", "ttl: "},
        {"ttl=1&ttl=2", "ttl: Given more than once."},
        {"model=", "model: "},
        {"model=a%2Fb", "model: "},
        {"model=..", "model: "},
        {"model=%00", "model: "},
        {"models=a", "models: Unknown parameter."},
        {"namespace=app:shop&namespace=app:shop", ""},
    };
    char target[512];

    expect_status(put(ENTRIES "/param", "kept"), 201);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(target, sizeof target, ENTRIES "/param?%s", bad[i].query);
        const struct http_reply *reply = put(target, "lost");
        ck_assert_msg(reply->status == 400 || (i == 11 && reply->status == 403), "%s: %d %s",
                      target, reply->status, reply->body);
        ck_assert_msg(strstr(reply->body, bad[i].says) != NULL, "%s: %s", target, reply->body);
    }
    expect_content(http_get(stand.http, ENTRIES "/param", key), "text/plain", "kept", 4);
}
END_TEST

/* The names of a model in a query and in a path are one, however a client writes a blank. */
START_TEST(models_have_one_name)
{
    expect_status(put(ENTRIES "/line?model=Order+Line&model=Other", "1"), 201);
    expect_status(http_get(stand.http, ENTRIES "/line", key), 200);
    expect_body_has(http_call(stand.http, "DELETE", "/api/v1/models/Order%20Line", key), 200,
                    "{\"model\":\"Order Line\",\"cleared\":true,\"generation\":");
    expect_miss(http_get(stand.http, ENTRIES "/line", key));
    expect_problem("slash", http_call(stand.http, "DELETE", "/api/v1/models/a%2Fb", key), 400,
                   "model: ");
    expect_problem("none", http_call(stand.http, "DELETE", "/api/v1/models/", key), 400, "model: ");
    expect_problem("dots", http_call(stand.http, "DELETE", "/api/v1/models/..", key), 400,
                   "model: ");
}
END_TEST

/* ---- namespaces ---- */

START_TEST(one_does_not_see_anothers)
{
    char target[256];

    expect_status(put(ENTRIES "/mine", "shop"), 201);
    expect_miss(http_get(stand.http, ENTRIES "/mine", other_key));
    expect_miss(http_get(stand.http, ENTRIES "/mine", stand.alice.bearer));
    expect_status(ASK("PUT", ENTRIES "/mine", .as = stand.alice.bearer, .bytes = "al", .size = 2),
                  201);
    expect_miss(http_get(stand.http, ENTRIES "/mine", stand.bob.bearer));

    /* Named, one's own; an admin may name any. */
    expect_content(http_get(stand.http, ENTRIES "/mine?namespace=app:shop", key), "text/plain",
                   "shop", 4);
    expect_content(http_get(stand.http, ENTRIES "/mine?namespace=app%3Ashop", stand.root.bearer),
                   "text/plain", "shop", 4);
    snprintf(target, sizeof target, ENTRIES "/mine?namespace=user:%lld", (long long)stand.alice.id);
    expect_status(http_get(stand.http, target, stand.alice.bearer), 200);
    expect_content(http_get(stand.http, target, stand.boss.bearer), "application/octet-stream",
                   "al", 2);
    expect_miss(http_get(stand.http, ENTRIES "/mine?namespace=app:blog", stand.root.bearer));
    expect_problem("none", http_get(stand.http, ENTRIES "/mine?namespace=shop", stand.root.bearer),
                   400, "namespace: ");
}
END_TEST

START_TEST(who_names_anothers_is_refused)
{
    static const char *const names[] = {"app:blog", "user:987654", "app:", "shop", "app:shop2",
                                        "",         "app:a/b"};
    char target[256];

    expect_status(ASK("PUT", ENTRIES "/theirs", .as = other_key, .bytes = "x", .size = 1), 201);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(target, sizeof target, ENTRIES "/theirs?namespace=%s", names[i]);
        expect_body(http_get(stand.http, target, key), 403, SAYS_403);
        expect_body(http_get(stand.http, target, stand.alice.bearer), 403, SAYS_403);
        expect_body(http_call(stand.http, "DELETE", target, key), 403, SAYS_403);
        snprintf(target, sizeof target, ENTRIES "?namespace=%s", names[i]);
        expect_body(http_call(stand.http, "DELETE", target, key), 403, SAYS_403);
    }
    expect_body(http_get(stand.http, ENTRIES "/theirs", flush_key), 403, SAYS_403);
    expect_body(http_get(stand.http, ENTRIES "/theirs", NULL), 401, SAYS_401);
    expect_status(http_get(stand.http, ENTRIES "/theirs", other_key), 200);
}
END_TEST

/* A lease is of a label and a namespace; another's is no lease. */
START_TEST(leases_that_are_none)
{
    char lease[1024];
    const struct http_reply *reply = http_get(stand.http, ENTRIES "/leased", other_key);

    expect_miss(reply);
    snprintf(lease, sizeof lease, "%s", http_header(reply, "X-Cache-Lease"));
    expect_problem("another namespace's",
                   ASK("PUT", ENTRIES "/leased", .lease = lease, .bytes = "x", .size = 1), 400,
                   "ease");
    expect_problem(
        "another label's",
        ASK("PUT", ENTRIES "/leased2", .as = other_key, .lease = lease, .bytes = "x", .size = 1),
        400, "ease");
    expect_problem("nonsense",
                   ASK("PUT", ENTRIES "/leased", .lease = "nonsense", .bytes = "x", .size = 1), 400,
                   "ease");
    expect_miss(http_get(stand.http, ENTRIES "/leased", key));
    expect_status(
        ASK("PUT", ENTRIES "/leased", .as = other_key, .lease = lease, .bytes = "x", .size = 1),
        201);
    expect_status(http_get(stand.http, ENTRIES "/leased", other_key), 200);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("entries_http");
    TCase *shared = tcase_create("shared");

    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_test(shared, any_bytes_come_back_as_what_they_were);
    tcase_add_test(shared, no_bytes_are_a_value_too);
    tcase_add_test(shared, without_a_type_they_are_bytes);
    tcase_add_test(shared, the_largest_body_and_one_byte_more);
    tcase_add_test(shared, too_large_is_said_before_it_is_read);
    tcase_add_test(shared, a_body_cut_short_is_not_stored);
    tcase_add_test(shared, chunks);
    tcase_add_test(shared, coded_bodies_and_types_that_are_none);
    tcase_add_test(shared, head_is_get_without_the_bytes);
    tcase_add_test(shared, who_has_it_already_is_told_so);
    tcase_add_test(shared, a_miss_is_a_miss_whatever_the_condition);
    tcase_add_test(shared, only_where_nothing_is);
    tcase_add_test(shared, labels_are_any_text);
    tcase_add_test(shared, bad_labels_are_named_and_change_nothing);
    tcase_add_test(shared, other_paths_are_none);
    tcase_add_test(shared, bad_parameters_change_nothing);
    tcase_add_test(shared, models_have_one_name);
    tcase_add_test(shared, one_does_not_see_anothers);
    tcase_add_test(shared, who_names_anothers_is_refused);
    tcase_add_test(shared, leases_that_are_none);
    suite_add_tcase(suite, shared);
    return suite_run(suite);
}
