#include "http_chunks.h"

#include "suite.h"

#include <stdio.h>

/* The data of a body that comes `step` bytes at a time; how it ended. */
static enum http_chunks_state decode(struct str text, size_t step, char *data, size_t *used_out)
{
    struct http_chunks chunks = {0};
    size_t at = 0, size = 0;

    while (at < text.len && chunks.state < CHUNKS_WHOLE) {
        struct str piece = str_sub(text, at, step);
        if (chunks.state == CHUNKS_DATA) {
            piece = str_sub(piece, 0, (size_t)chunks.left);
            memcpy(data + size, piece.ptr, piece.len);
            size += piece.len;
            http_chunks_read(&chunks, piece.len);
            at += piece.len;
        } else {
            at += http_chunks_take(&chunks, piece);
        }
    }
    data[size] = '\0';
    *used_out = at;
    return chunks.state;
}

static const struct {
    const char *text, *data;
} whole[] = {
    {"0\r\n\r\n", ""},
    {"5\r\nhello\r\n0\r\n\r\n", "hello"},
    {"3\r\nhel\r\n2\r\nlo\r\n000\r\n\r\n", "hello"},
    {"A\r\n0123456789\r\n1;name=\"v\";x\r\nX\r\n0;end\r\n\r\n", "0123456789X"},
    {"1 \t\r\nX\r\n0\r\nTrailer: 1\r\nOther: 2\r\n\r\n", "X"},
    {"00000000000000000000000001\r\n\r\r\n0\r\n\r\n", "\r"},
};

static const char *const broken[] = {
    "\r\n",
    ";x\r\n",
    " 1\r\nX\r\n",
    "1\nX\r\n",
    "1\rX\r\n",
    "x\r\n",
    "-1\r\n",
    "0x1\r\n",
    "1,\r\n",
    "1\r\nXY\r\n",
    "1\r\nX\n0\r\n",
    "1\r\nX\rY",
    "1;a\nX",
    "1;a\001\r\n",
    "1;a\rb",
    "8000000000000000\r\n",
    "10000000000000000\r\n",
    "0\r\nTrailer: 1\n",
    "0\r\nTrailer: 1\rX",
    "0\r\n\rX",
    "0\r\n\n",
};

START_TEST(whole_bodies)
{
    char data[64];
    size_t used;

    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        char behind[128];
        snprintf(behind, sizeof behind, "%sHTTP/1.1", whole[i].text);
        for (size_t step = 1; step < 40; step++) {
            ck_assert_int_eq(decode(str_from(behind), step, data, &used), CHUNKS_WHOLE);
            ck_assert_str_eq(data, whole[i].data);
            ck_assert_uint_eq(used, strlen(whole[i].text));
        }
    }
}
END_TEST

START_TEST(what_breaks_them)
{
    char data[64];
    size_t used;

    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        for (size_t step = 1; step < 40; step++)
            ck_assert_msg(decode(str_from(broken[i]), step, data, &used) == CHUNKS_BROKEN, "%s",
                          broken[i]);
}
END_TEST

/* A body that goes on for ever without a byte of data ends. */
START_TEST(extras_are_bounded)
{
    static const char *const begins[] = {"0", "1;", "0\r\nX: "};
    static char more[20000];

    memset(more, '0', sizeof more);
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        struct http_chunks chunks = {0};
        http_chunks_take(&chunks, str_from(begins[i]));
        ck_assert_int_lt(chunks.state, CHUNKS_WHOLE);
        http_chunks_take(&chunks, (struct str){more, sizeof more});
        ck_assert_int_eq(chunks.state, CHUNKS_BROKEN);
    }
    /* Many short trailers are as bad as a long one. */
    struct http_chunks chunks = {0};
    http_chunks_take(&chunks, STR("0\r\n"));
    for (int i = 0; i < 20000 && chunks.state != CHUNKS_BROKEN; i++)
        http_chunks_take(&chunks, STR("a\r\n"));
    ck_assert_int_eq(chunks.state, CHUNKS_BROKEN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/http_chunks");
    TCase *tcase = tcase_create("http_chunks");

    tcase_add_test(tcase, whole_bodies);
    tcase_add_test(tcase, what_breaks_them);
    tcase_add_test(tcase, extras_are_bounded);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
