/* The decoding of chunks where they lie: whatever pieces they come in, the outcome is the same. */
#include "suite.h"

#include <check.h>

#include "chunks.inl"

static const struct {
    const char *text;
    enum chunks_result result;
    const char *body; /* what has been decoded by then */
    size_t left;      /* bytes behind the end, which are the next request's */
} cases[] = {
    {"0\r\n\r\n", CHUNKS_WHOLE, "", 0},
    {"5\r\nhello\r\n0\r\n\r\nGET", CHUNKS_WHOLE, "hello", 3},
    {"5\r\nhello\r\n00000A\r\n0123456789\r\n000000000000000\r\n\r\n", CHUNKS_WHOLE,
     "hello0123456789", 0},
    {"c\r\nhello\r\n0\r\n\r\n\r\n", CHUNKS_MORE, "hello\r\n0\r\n\r\n", 0},
    {"5\r\nhello\r\n0\r\nA: b\r\n\r\n", CHUNKS_TRAILER, "hello", 7},
    {"5\r\nhello\r\n0\r\n\rx", CHUNKS_TRAILER, "hello", 0},
    {"5\r\nhel", CHUNKS_MORE, "hel", 0},
    {"5\r\nhelloX\r\n", CHUNKS_BROKEN, "hello", 2},
    {"5\r\nhello\r\r", CHUNKS_BROKEN, "hello", 0},
    {"5;a=b\r\nhello\r\n", CHUNKS_BROKEN, "", 12},
    {"+5\r\n", CHUNKS_BROKEN, "", 3},
    {"0x5\r\n", CHUNKS_BROKEN, "", 3},
    {" 5\r\n", CHUNKS_BROKEN, "", 3},
    {"5 \r\n", CHUNKS_BROKEN, "", 2},
    {"5\n", CHUNKS_BROKEN, "", 0},
    {"5\rx", CHUNKS_BROKEN, "", 0},
    {"\r\n", CHUNKS_BROKEN, "", 1},
    {"7fffffffffffff", CHUNKS_MORE, "", 0},
    {"fffffffffffffff\r\nabc", CHUNKS_MORE, "abc", 0},
    {"0000000000000005\r\n", CHUNKS_BROKEN, "", 2},
};
enum { CASES = sizeof cases / sizeof *cases };

/* Bytes that come `first` at once and then `piece` by `piece`. */
static void expect_case(size_t index, size_t first, size_t piece)
{
    const char *text = cases[index].text;
    size_t size = strlen(text), there = 0, next = 0, to = 0, from = 0, left;
    enum chunks_result result = CHUNKS_MORE;
    struct chunks chunks = {0};
    char bytes[128];

    for (size_t more = first; result == CHUNKS_MORE && next < size; more = piece) {
        size_t part = more < size - next ? more : size - next;
        memcpy(bytes + there, text + next, part);
        there += part;
        next += part;
        from = to;
        result = chunks_decode(&chunks, bytes, there, &from, &to);
        if (result == CHUNKS_MORE) {
            ck_assert_uint_eq(from, there);
            there = to; /* the framing is used up */
        }
    }
    left = there - from + size - next;
    ck_assert_msg(result == cases[index].result, "\"%s\" in pieces of %zu, %zu: %d", text, first,
                  piece, (int)result);
    ck_assert_msg(to == strlen(cases[index].body) && memcmp(bytes, cases[index].body, to) == 0,
                  "\"%s\" in pieces of %zu, %zu: \"%.*s\"", text, first, piece, (int)to, bytes);
    if (result != CHUNKS_MORE)
        ck_assert_msg(left == cases[index].left, "\"%s\" in pieces of %zu, %zu: %zu left", text,
                      first, piece, left);
}

START_TEST(pieces_do_not_matter)
{
    for (size_t i = 0; i < CASES; i++)
        for (size_t first = 1; first <= strlen(cases[i].text); first++)
            for (size_t piece = 1; piece <= strlen(cases[i].text); piece++)
                expect_case(i, first, piece);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("civetweb/chunks");
    TCase *tcase = tcase_create("chunks");

    tcase_add_test(tcase, pieces_do_not_matter);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
