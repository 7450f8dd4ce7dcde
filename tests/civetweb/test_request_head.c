/* The strict reading of request heads that our patch puts before CivetWeb's own parser. */
#include "suite.h"

#include <check.h>
#include <stdint.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#include "request_head.inl"
#pragma GCC diagnostic pop

enum { FIELDS_MAX = 4 };

#define LINE "GET /a?b=c HTTP/1.1\r\n"

struct head {
    const char *text;
    int length; /* what head_length says: -1, 0, or WHOLE */
    int status; /* what head_status says of a whole one */
};

enum { WHOLE = 1000 };

static const struct head heads[] = {
    {LINE "\r\n", WHOLE, 0},
    {LINE "Host: x\r\n\r\n", WHOLE, 0},
    {"\r\n" LINE "Host: x\r\n\r\n", WHOLE, 0},
    {LINE "Host: x\r\nA:\r\nB: \t a\tb \t\r\n\r\n", WHOLE, 0},
    {LINE "Caf: \xc3\xa9\r\n\r\n", WHOLE, 0},
    {LINE "!#$%&'*+-.^_`|~09AZaz: x\r\n\r\n", WHOLE, 0},
    {"FOO * HTTP/9.9\r\n\r\n", WHOLE, 0},
    {"CONNECT a:1 HTTP/1.0\r\n\r\n", WHOLE, 0},
    {LINE "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\n\r\n", WHOLE, 0},
    {LINE "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\n\r\n", WHOLE, 431},

    /* Not all there yet. */
    {"", 0, 0},
    {"\r", 0, 0},
    {"\r\n", 0, 0},
    {"G", 0, 0},
    {LINE "Host: x\r\n", 0, 0},
    {LINE "Host: x\r\n\r", 0, 0},

    /* Never a head, and known before its end. */
    {"\n", -1, 0},
    {"\r\n\r\n", -1, 0},
    {"\r\n\n", -1, 0},
    {" GET / HTTP/1.1\r\n", -1, 0},
    {"\x16\x03\x01", -1, 0},
    {"GET / HTTP/1.1\n", -1, 0},
    {LINE "A: b\n", -1, 0},
    {LINE "A: b\rC", -1, 0},
    {LINE "A: b\r\r\n", -1, 0},
    {LINE "A: b\r\n\n", -1, 0},
    {LINE "A: \x01", -1, 0},
    {LINE "A: \x7f", -1, 0},
    {LINE "A: \x0b", -1, 0},

    /* The request line. */
    {"GET  / HTTP/1.1\r\n\r\n", WHOLE, 400},
    {"GET /  HTTP/1.1\r\n\r\n", WHOLE, 400},
    {"GET / HTTP/1.1 \r\n\r\n", WHOLE, 400},
    {"GET\t/ HTTP/1.1\r\n\r\n", WHOLE, 400},
    {"GET / a HTTP/1.1\r\n\r\n", WHOLE, 400},
    {"GET /\r\n\r\n", WHOLE, 400},
    {"GET\r\n\r\n", WHOLE, 400},
    {"GET \r\n\r\n", WHOLE, 400},
    {"G(T / HTTP/1.1\r\n\r\n", WHOLE, 400},
    {"GET /\xc3\xa9 HTTP/1.1\r\n\r\n", WHOLE, 400},
    {"GET / http/1.1\r\n\r\n", WHOLE, 400},
    {"GET / HTTP/1\r\n\r\n", WHOLE, 400},
    {"GET / HTTP/11\r\n\r\n", WHOLE, 400},
    {"GET / HTTP/1.10\r\n\r\n", WHOLE, 400},
    {"GET / HTTP/+1.1\r\n\r\n", WHOLE, 400},
    {"GET / HTTP/1.<\r\n\r\n", WHOLE, 400},

    /* The fields. */
    {LINE "A : b\r\n\r\n", WHOLE, 400},
    {LINE "A\t: b\r\n\r\n", WHOLE, 400},
    {LINE " A: b\r\n\r\n", WHOLE, 400},
    {LINE "A: b\r\n c\r\n\r\n", WHOLE, 400},
    {LINE "A: b\r\n\tc\r\n\r\n", WHOLE, 400},
    {LINE ": b\r\n\r\n", WHOLE, 400},
    {LINE "A\r\n\r\n", WHOLE, 400},
    {LINE "A b: c\r\n\r\n", WHOLE, 400},
    {LINE "A\xc3: c\r\n\r\n", WHOLE, 400},
    {LINE "(A): c\r\n\r\n", WHOLE, 400},
};

START_TEST(reads_heads)
{
    const struct head *head = &heads[_i];
    int size = (int)strlen(head->text);
    int wanted = head->length == WHOLE ? size : head->length;

    ck_assert_msg(head_length(head->text, size) == wanted, "length of \"%s\" is %d", head->text,
                  head_length(head->text, size));
    if (head->length == WHOLE) {
        ck_assert_msg(head_status(head->text, size, FIELDS_MAX) == head->status,
                      "status of \"%s\" is %d", head->text,
                      head_status(head->text, size, FIELDS_MAX));
    }
}
END_TEST

START_TEST(nul_is_refused)
{
    static const char head[] = "GET / HTTP/1.1\r\nA: \0\r\n\r\n";

    ck_assert_int_eq(head_length(head, sizeof head - 1), -1);
    ck_assert_int_eq(head_length("\0", 1), -1);
}
END_TEST

/* A head that is whole stays one when more follows, and no part of it is one. */
START_TEST(finds_the_end)
{
    static const char text[] = "\r\nPOST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n\r\n\r\nGET";
    const int whole = (int)(strstr(text, "4\r\n\r\n") - text) + 5;

    for (int size = 0; size < (int)sizeof text; size++)
        ck_assert_int_eq(head_length(text, size), size < whole ? 0 : whole);
}
END_TEST

START_TEST(reads_content_lengths)
{
    static const char *const bad[] = {"",
                                      "+5",
                                      "-1",
                                      " 5",
                                      "5 ",
                                      "5x",
                                      "0x5",
                                      "5,5",
                                      "5.0",
                                      "9223372036854775808",
                                      "٥",
                                      "1e3",
                                      "99999999999999999999999"};

    ck_assert_int_eq(head_content_length("0"), 0);
    ck_assert_int_eq(head_content_length("007"), 7);
    ck_assert_int_eq(head_content_length("1048576"), 1048576);
    ck_assert_int_eq(head_content_length("9223372036854775807"), INT64_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(head_content_length(bad[i]) == -1, "\"%s\" was taken", bad[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("civetweb/request_head");
    TCase *tcase = tcase_create("request_head");

    tcase_add_loop_test(tcase, reads_heads, 0, (int)(sizeof heads / sizeof *heads));
    tcase_add_test(tcase, nul_is_refused);
    tcase_add_test(tcase, finds_the_end);
    tcase_add_test(tcase, reads_content_lengths);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
