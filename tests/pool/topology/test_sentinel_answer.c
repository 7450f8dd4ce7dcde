/* What sentinels say, and whom that makes the primary. */
#include "topology/sentinel_answer.h"

#include "suite.h"

#include <stdio.h>
#include <string.h>

/* ---- replies ---- */

#define STRING(text_)                                             \
    {                                                             \
        .kind = VALUE_STRING, .text = { text_, sizeof text_ - 1 } \
    }
#define FAILURE(text_)                                           \
    {                                                            \
        .kind = VALUE_ERROR, .text = { text_, sizeof text_ - 1 } \
    }
#define ARRAY(items_)                                                                   \
    {                                                                                   \
        .kind = VALUE_ARRAY, .items = items_, .count = sizeof items_ / sizeof *(items_) \
    }

static struct value address[] = {STRING("10.0.0.7"), STRING("6380")};
static struct value state[] = {STRING("name"),         STRING("m"),
                               STRING("ip"),           STRING("10.0.0.7"),
                               STRING("config-epoch"), STRING("12")};

static struct sentinel_answer read_of(struct value where)
{
    const struct value replies[SENTINEL_QUESTIONS] = {where, ARRAY(state), STRING("OK 3 usable")};
    struct sentinel_answer answer;

    sentinel_read_answer(replies, &answer);
    return answer;
}

START_TEST(a_primary_with_its_epoch)
{
    struct sentinel_answer answer = read_of((struct value)ARRAY(address));

    ck_assert_int_eq(answer.state, SENTINEL_NAMES);
    ck_assert_str_eq(answer.named.host, "10.0.0.7");
    ck_assert_int_eq(answer.named.port, 6380);
    ck_assert_int_eq(answer.named.epoch, 12);
    ck_assert(!answer.lacks_quorum);
    ck_assert_str_eq(answer.why, "");
}
END_TEST

START_TEST(a_name_that_it_does_not_know)
{
    struct sentinel_answer answer = read_of((struct value){.kind = VALUE_NIL});

    ck_assert_int_eq(answer.state, SENTINEL_UNAWARE);
    ck_assert_ptr_nonnull(strstr(answer.why, "redis.master_name"));
}
END_TEST

START_TEST(a_sentinel_that_refuses)
{
    struct sentinel_answer answer =
        read_of((struct value)FAILURE("NOAUTH Authentication required."));

    ck_assert_int_eq(answer.state, SENTINEL_REFUSES);
    ck_assert_ptr_nonnull(strstr(answer.why, "NOAUTH"));
}
END_TEST

static struct value no_port[] = {STRING("10.0.0.7"), STRING("0")};
static struct value no_number[] = {STRING("10.0.0.7"), STRING("6379x")};
static struct value no_host[] = {STRING(""), STRING("6379")};
static struct value bad_host[] = {STRING("a b"), STRING("6379")};
static struct value option_host[] = {STRING("-h"), STRING("6379")};
static struct value feed_host[] = {STRING("h\nevent=x"), STRING("6379")};
static struct value one[] = {STRING("10.0.0.7")};
static struct value numbers[] = {{.kind = VALUE_INTEGER, .integer = 1},
                                 {.kind = VALUE_INTEGER, .integer = 2}};
static struct value garbage[] = {
    ARRAY(no_port),          ARRAY(no_number),
    ARRAY(no_host),          ARRAY(bad_host),
    ARRAY(option_host),      ARRAY(one),
    ARRAY(numbers),          ARRAY(feed_host),
    STRING("10.0.0.7:6380"), {.kind = VALUE_STATUS, .text = {"OK", 2}},
};
#define GARBAGE (sizeof garbage / sizeof *garbage)

START_TEST(what_is_no_address)
{
    struct sentinel_answer answer = read_of(garbage[_i]);

    ck_assert_int_eq(answer.state, SENTINEL_GARBLED);
    ck_assert_int_eq(answer.named.port, 0);
}
END_TEST

START_TEST(what_it_does_not_tell)
{
    const struct value replies[][SENTINEL_QUESTIONS] = {
        {ARRAY(address), FAILURE("NOPERM no"), FAILURE("NOQUORUM 1 usable Sentinels.")},
        {ARRAY(address), ARRAY(one), FAILURE("NOPERM no")},
    };
    struct sentinel_answer answer;

    sentinel_read_answer(replies[0], &answer);
    ck_assert_int_eq(answer.named.epoch, SENTINEL_EPOCH_UNTOLD);
    ck_assert(answer.lacks_quorum);
    ck_assert_str_ne(answer.why, "");
    sentinel_read_answer(replies[1], &answer);
    ck_assert_int_eq(answer.state, SENTINEL_NAMES);
    ck_assert_int_eq(answer.named.epoch, SENTINEL_EPOCH_UNTOLD);
    ck_assert(!answer.lacks_quorum);
}
END_TEST

/* ---- whom they name ---- */

/* "a5": the host a, of epoch 5; "": none yet. The list is ended by NULL; the candidates in the same way. */
static const struct {
    const char *named[6], *candidates;
} choices[] = {
    {{"", "", ""}, ""},
    {{"a5", "", ""}, "a5x1"},
    {{"a5", "a5", "a5"}, "a5x3"},
    /* A failover of which one alone has heard yet; should that one be wrong, most are right. */
    {{"b6", "a5", "a5"}, "b6x1 a5x2"},
    /* One was cut off with the old primary. */
    {{"b6", "b6", "a5"}, "b6x2"},
    {{"b6", "a5", ""}, "b6x1"},
    /* One lies; the others have not been reached: they are believed as far as they are most. */
    {{"c99", "a5", "a5", "a5", ""}, "c99x1 a5x3"},
    {{"c99", "a5", "a5", "", ""}, "c99x1"},
    /* No epoch decides: most do. */
    {{"b0", "a0", "a0"}, "a0x2 b0x1"},
    {{"b-1", "a-1", "a-1"}, "a-1x2 b-1x1"},
    /* It was the primary before, and is again. */
    {{"a7", "a5", "b6"}, "a7x2"},
};
#define CHOICES (sizeof choices / sizeof *choices)

START_TEST(who_may_be_it)
{
    struct sentinel_primary named[6] = {0};
    struct sentinel_candidate found[6];
    char text[128] = "";
    size_t count = 0;

    for (; choices[_i].named[count]; count++) {
        const char *word = choices[_i].named[count];
        if (!*word)
            continue;
        named[count].host[0] = *word;
        named[count].port = 6379;
        named[count].epoch = strtol(word + 1, NULL, 10);
    }
    size_t kept = sentinel_find_candidates(named, count, found);
    for (size_t i = 0; i < kept; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.8s%lldx%zu", i ? " " : "",
                 found[i].primary->host, (long long)found[i].primary->epoch, found[i].votes);
    ck_assert_str_eq(text, choices[_i].candidates);
}
END_TEST

START_TEST(the_same_address)
{
    const struct sentinel_primary a = {.host = "Redis-1.example", .port = 6379},
                                  b = {.host = "redis-1.example", .port = 6379, .epoch = 3},
                                  c = {.host = "redis-1.example", .port = 6380};

    ck_assert(sentinel_same_primary(&a, &b));
    ck_assert(!sentinel_same_primary(&b, &c));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("topology/sentinel_answer");
    TCase *tcase = tcase_create("all");

    tcase_add_test(tcase, a_primary_with_its_epoch);
    tcase_add_test(tcase, a_name_that_it_does_not_know);
    tcase_add_test(tcase, a_sentinel_that_refuses);
    tcase_add_loop_test(tcase, what_is_no_address, 0, GARBAGE);
    tcase_add_test(tcase, what_it_does_not_tell);
    tcase_add_loop_test(tcase, who_may_be_it, 0, CHOICES);
    tcase_add_test(tcase, the_same_address);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
