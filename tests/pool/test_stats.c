/* Counters of several pools together. */
#include "stats.h"

#include "suite.h"

#include <string.h>

#define WORDS (offsetof(struct redis_stats, breaker_open) / sizeof(uint64_t))
_Static_assert(sizeof(size_t) == sizeof(uint64_t), "all in front of the last are words");

/* A counter that is new is not to be forgotten here. */
START_TEST(every_counter_is_added)
{
    uint64_t words[WORDS];
    struct redis_stats one, sum = {0};

    for (size_t i = 0; i < WORDS; i++)
        words[i] = i + 1;
    memset(&one, 0, sizeof one);
    memcpy(&one, words, sizeof words);
    stats_add(&sum, &one);
    stats_add(&sum, &one);
    memcpy(words, &sum, sizeof words);
    for (size_t i = 0; i < WORDS; i++)
        ck_assert_msg(words[i] == 2 * (i + 1), "word %zu is %llu", i, (unsigned long long)words[i]);
    ck_assert(!sum.breaker_open);
}
END_TEST

START_TEST(one_open_breaker_is_enough)
{
    const struct redis_stats open = {.breaker_open = true}, closed = {0};
    struct redis_stats sum = {0};

    stats_add(&sum, &open);
    stats_add(&sum, &closed);
    ck_assert(sum.breaker_open);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool/stats");
    TCase *tcase = tcase_create("stats");

    tcase_add_test(tcase, every_counter_is_added);
    tcase_add_test(tcase, one_open_breaker_is_enough);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
