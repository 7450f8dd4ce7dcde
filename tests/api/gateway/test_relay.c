/* Bodies on their way through the gateway. */
#include "gateway/relay.h"

#include "suite.h"

static int closed;

static enum err give(void *with, const struct work *work, char *buffer, size_t size,
                     size_t *len_out)
{
    (void)work;
    (void)size;
    buffer[0] = *(const char *)with;
    *len_out = 1;
    return ERR_OK;
}

static void count_close(void *with)
{
    (void)with;
    closed++;
}

static enum err next_of(const struct body_source *source, char *byte_out)
{
    struct error error;
    const struct work work = {.error = &error};
    size_t len;

    return source->next(source->with, &work, byte_out, 1, &len);
}

START_TEST(each_body_is_passed_on)
{
    struct body_source client = {
        .length = 7, .next = give, .close = count_close, .with = (char[]){'c'}};
    struct body_source upstream = {.length = BODY_LENGTH_UNKNOWN,
                                   .next = give,
                                   .close = count_close,
                                   .with = (char[]){'u'}},
                       body;
    struct relay *relay = relay_new(&client);
    char byte;

    ck_assert_int_eq(relay_request(relay)->length, 7);
    ck_assert_int_eq(next_of(relay_request(relay), &byte), ERR_OK);
    ck_assert_int_eq(byte, 'c');
    relay_end_request(relay);
    relay_take(relay, &upstream);
    relay_hand_over(&relay, &body);
    ck_assert_ptr_null(relay);
    ck_assert_int_eq(body.length, BODY_LENGTH_UNKNOWN);
    ck_assert_int_eq(next_of(&body, &byte), ERR_OK);
    ck_assert_int_eq(byte, 'u');
    closed = 0;
    body.close(body.with);
    ck_assert_int_eq(closed, 1); /* the upstream's, and not the client's */
}
END_TEST

/* Its worker has another request by then. */
START_TEST(no_body_is_read_when_its_request_was_answered)
{
    struct body_source client = {
        .length = 7, .next = give, .close = count_close, .with = (char[]){'c'}};
    struct relay *relay = relay_new(&client);
    char byte;

    relay_end_request(relay);
    ck_assert_int_eq(next_of(relay_request(relay), &byte), ERR_BUSY);
    relay_free(&relay);
}
END_TEST

static int pieces;

static enum err give_three(void *with, const struct work *work, char *buffer, size_t size,
                           size_t *len_out)
{
    (void)with;
    (void)work;
    (void)size;
    memcpy(buffer, "abc", 3);
    *len_out = pieces-- > 0 ? 3 : 0;
    return ERR_OK;
}

/* Of a body of nine bytes so many are read first; all of it is given. */
static void expect_read(size_t limit, bool is_whole, const char *read)
{
    struct body_source upstream = {.length = BODY_LENGTH_UNKNOWN,
                                   .next = give_three,
                                   .close = count_close},
                       body;
    struct relay *relay = relay_new(NULL);
    struct error error;
    const struct work work = {.error = &error};
    char buffer[8], all[16] = "";
    size_t len, total = 0;
    bool was_whole;

    pieces = 3;
    closed = 0;
    relay_take(relay, &upstream);
    ck_assert_int_eq(relay_read(relay, limit, (struct body_watch){0}, &work, &was_whole), ERR_OK);
    ck_assert(was_whole == is_whole);
    ck_assert(str_eq(relay_bytes(relay), str_from(read)));
    relay_hand_over(&relay, &body);
    do {
        ck_assert_int_eq(body.next(body.with, &work, buffer, 4, &len), ERR_OK);
        memcpy(all + total, buffer, len);
        total += len;
    } while (len > 0);
    ck_assert_str_eq(all, "abcabcabc");
    body.close(body.with);
    ck_assert_int_eq(closed, 1);
}

START_TEST(what_was_read_first_is_given_first)
{
    expect_read(100, true, "abcabcabc");
    expect_read(9, true, "abcabcabc");
    expect_read(8, false, "abcabcabc");
    expect_read(3, false, "abcabc");
    expect_read(0, false, "abc");
}
END_TEST

/* What was read is at hand, and so is what its upstream has at hand. */
START_TEST(what_is_at_hand_of_a_relay)
{
    static const bool at_hand[] = {true, false};

    for (size_t i = 0; i < 4; i++) {
        struct body_source upstream = {.length = BODY_LENGTH_UNKNOWN,
                                       .next = give_three,
                                       .close = count_close,
                                       .is_at_hand = at_hand[i % 2]},
                           body;
        struct relay *relay = relay_new(NULL);
        struct error error;
        const struct work work = {.error = &error};
        bool is_whole, is_read = i >= 2;

        pieces = 3;
        relay_take(relay, &upstream);
        if (is_read)
            ck_assert_int_eq(relay_read(relay, 2, (struct body_watch){0}, &work, &is_whole),
                             ERR_OK);
        relay_hand_over(&relay, &body);
        ck_assert_int_eq(body.is_at_hand, is_read || at_hand[i % 2]);
        body.close(body.with);
    }
}
END_TEST

/* Of a body that falls silent behind three bytes, for everybody who waits until a time. */
static enum err give_until(void *with, const struct work *work, char *buffer, size_t size,
                           size_t *len_out)
{
    struct body_watch *watch = with;

    *len_out = 0;
    if (pieces == 1 && watch->until_ns > 0) {
        watch->is_over = true;
        return ERR_OK;
    }
    if (watch->is_unwanted && watch->is_unwanted(watch->with))
        return ERR_UPSTREAM_DOWN;
    return give_three(NULL, work, buffer, size, len_out);
}

static bool is_unwanted(void *with)
{
    return *(bool *)with;
}

/* What came in time is given first, and the rest goes on; whoever waited for it is forgotten by then. */
START_TEST(reading_ahead_is_bounded)
{
    struct body_watch slot = {0}, taker = {.until_ns = 0};
    struct body_source upstream = {.length = BODY_LENGTH_UNKNOWN,
                                   .next = give_until,
                                   .close = count_close,
                                   .with = &slot,
                                   .watch = &slot},
                       body;
    struct relay *relay = relay_new(NULL);
    struct error error;
    const struct work work = {.error = &error};
    bool unwanted = false, is_whole = true;
    struct body_watch watch = {.is_unwanted = is_unwanted, .with = &unwanted, .until_ns = 1};
    char buffer[8];
    size_t len;

    pieces = 3;
    closed = 0;
    relay_take(relay, &upstream);
    ck_assert_int_eq(relay_read(relay, 100, watch, &work, &is_whole), ERR_OK);
    ck_assert(!is_whole);
    ck_assert(str_eq(relay_bytes(relay), STR("abcabc")));
    unwanted = true;
    relay_hand_over(&relay, &body);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(body_source_next(&body, &taker, &work, buffer, 3, &len), ERR_OK);
        ck_assert_uint_eq(len, 3);
        ck_assert(!taker.is_over);
    }
    ck_assert_int_eq(body_source_next(&body, &watch, &work, buffer, 3, &len), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(body.next(body.with, &work, buffer, 3, &len), ERR_OK);
    ck_assert_uint_eq(len, 0);
    body.close(body.with);
    ck_assert_int_eq(closed, 1);
}
END_TEST

START_TEST(nothing_is_read_ahead_for_nobody)
{
    struct body_watch slot = {0};
    struct body_source upstream = {.length = BODY_LENGTH_UNKNOWN,
                                   .next = give_until,
                                   .close = count_close,
                                   .with = &slot,
                                   .watch = &slot};
    struct relay *relay = relay_new(NULL);
    const struct work work = {0};
    bool unwanted = true, is_whole = true;
    const struct body_watch watch = {.is_unwanted = is_unwanted, .with = &unwanted};

    pieces = 3;
    closed = 0;
    relay_take(relay, &upstream);
    ck_assert_int_eq(relay_read(relay, 100, watch, &work, &is_whole), ERR_UPSTREAM_DOWN);
    ck_assert(!is_whole);
    relay_free(&relay);
    ck_assert_int_eq(closed, 1);
}
END_TEST

/* Where its upstream had nothing more, it may have been closed: nobody looks there. */
START_TEST(a_relay_that_is_whole_watches_nothing)
{
    struct body_watch slot = {0};
    struct body_source upstream = {.length = BODY_LENGTH_UNKNOWN,
                                   .next = give_until,
                                   .close = count_close,
                                   .with = &slot,
                                   .watch = &slot},
                       body;
    struct relay *relay = relay_new(NULL);
    const struct work work = {0};
    bool is_whole = false;

    pieces = 3;
    relay_take(relay, &upstream);
    ck_assert_int_eq(relay_read(relay, 100, (struct body_watch){0}, &work, &is_whole), ERR_OK);
    ck_assert(is_whole);
    relay_hand_over(&relay, &body);
    ck_assert_ptr_null(body.watch);
    body.close(body.with);
}
END_TEST

START_TEST(who_is_not_handed_over_closes_what_it_has)
{
    struct body_source upstream = {
        .length = BODY_LENGTH_UNKNOWN, .next = give_three, .close = count_close};
    struct relay *relay = relay_new(NULL);

    closed = 0;
    relay_take(relay, &upstream);
    relay_free(&relay);
    ck_assert_int_eq(closed, 1);
}
END_TEST

START_TEST(a_request_need_not_have_one)
{
    struct relay *relay = relay_new(NULL);

    ck_assert_ptr_null(relay_request(relay));
    relay_end_request(relay);
    relay_free(&relay);
    relay_free(&relay);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway/relay");
    TCase *tcase = tcase_create("relay");

    tcase_add_test(tcase, each_body_is_passed_on);
    tcase_add_test(tcase, no_body_is_read_when_its_request_was_answered);
    tcase_add_test(tcase, what_was_read_first_is_given_first);
    tcase_add_test(tcase, what_is_at_hand_of_a_relay);
    tcase_add_test(tcase, reading_ahead_is_bounded);
    tcase_add_test(tcase, nothing_is_read_ahead_for_nobody);
    tcase_add_test(tcase, a_relay_that_is_whole_watches_nothing);
    tcase_add_test(tcase, who_is_not_handed_over_closes_what_it_has);
    tcase_add_test(tcase, a_request_need_not_have_one);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
