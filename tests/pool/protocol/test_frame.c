/* Where replies end, whatever they say and however they come. */
#include "protocol/frame.h"

#include "suite.h"

#include <string.h>

static const struct {
    const char *bytes;
    size_t ends; /* so many belong to the first reply; 0: it goes on */
    enum frame_step step;
} frames[] = {
    {"+OK\r\n+", 5, FRAME_END},
    {"-ERR no\r\n", 9, FRAME_END},
    {":12\r\n:", 5, FRAME_END},
    {"$3\r\na\nb\r\n$", 9, FRAME_END},
    {"$0\r\n\r\n+", 6, FRAME_END},
    {"$-1\r\n+", 5, FRAME_END},
    {"*0\r\n+", 4, FRAME_END},
    {"*-1\r\n+", 5, FRAME_END},
    {"*2\r\n:1\r\n$1\r\nx\r\n+", 15, FRAME_END},
    {"*2\r\n*2\r\n:1\r\n:2\r\n*0\r\n+", 20, FRAME_END},
    {"*1\r\n*1\r\n*1\r\n+x\r\n+", 16, FRAME_END},
    {"", 0, FRAME_MORE},
    {"*3\r\n:1\r\n", 0, FRAME_MORE},
    {"$5\r\nabc", 0, FRAME_MORE},
    {"$1073741824\r\n", 0, FRAME_MORE},
    {"$1073741825\r\n", 0, FRAME_LOST},
    {"*16777217\r\n", 0, FRAME_LOST},
    {"*16777216\r\n*16777216\r\n", 0, FRAME_LOST},
    {"%1\r\n", 0, FRAME_LOST},
    {"$\r\n", 0, FRAME_LOST},
    {"*x\r\n", 0, FRAME_LOST},
    {"$--1\r\n", 0, FRAME_LOST},
    {"$1-\r\n", 0, FRAME_LOST},
};

START_TEST(the_first_reply_ends_where_it_does)
{
    size_t size = strlen(frames[_i].bytes), most = size > 0 ? size : 1;

    for (size_t step = 1; step <= most; step++) {
        struct frame frame;
        enum frame_step outcome = FRAME_MORE;
        size_t at = 0;
        frame_begin(&frame);
        while (at < size && outcome == FRAME_MORE) {
            size_t used = 0, piece = step < size - at ? step : size - at;
            outcome = frame_take(&frame, frames[_i].bytes + at, piece, &used);
            at += used;
            ck_assert(outcome != FRAME_MORE || used == piece);
        }
        ck_assert_int_eq(outcome, frames[_i].step);
        if (outcome == FRAME_END)
            ck_assert_uint_eq(at, frames[_i].ends);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frame");
    TCase *tcase = tcase_create("frame");

    tcase_add_loop_test(tcase, the_first_reply_ends_where_it_does, 0,
                        sizeof frames / sizeof *frames);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
