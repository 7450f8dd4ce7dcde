/* What Redis holds comes back as it was stored, and what is no whole record is none. */
#include "gateway/record.h"

#include "gateway/rules/fields_of.h"
#include "suite.h"

static struct arena *arena;
static const struct gateway_digest digest = {{1, 2, 3, [15] = 9}};

static void open_arena(void)
{
    arena = arena_new(65536, 0);
}

static void close_arena(void)
{
    arena_free(&arena);
}

static const struct str two_tags[] = {STR("Product"), STR("p-7")};
static const int64_t counts[] = {1, 2, 3, 4, INT64_MAX};

static struct stored_response sample(void)
{
    return (struct stored_response){.id = {0xaa, [15] = 0xbb},
                                    .status = 404,
                                    .fields = fields_of("Content-Type: text/plain\nX-Empty: \n"
                                                        "Vary: Accept, X-A"),
                                    .request_time_ms = 1700000000123,
                                    .response_time_ms = 1700000000456,
                                    .vary = STR("accept,x-a"),
                                    .tags = two_tags,
                                    .tag_count = 2,
                                    .body = {"a\0b", 3}};
}

static const struct stored_numbers numbers = {.version = 5,
                                              .base = INT64_MAX,
                                              .any = 12,
                                              .counts = counts,
                                              .drop = {4, [7] = 5},
                                              .stamp = {7, [7] = 8}};

/* A response as Redis holds it. */
struct encoded {
    struct str start, head;
};

static struct encoded encode(const struct stored_response *response)
{
    struct encoded encoded = {.head = record_encode_head(arena, response, &numbers)};

    encoded.start = record_encode_response(arena, &digest, response, &numbers, encoded.head.len);
    return encoded;
}

START_TEST(a_response_comes_back)
{
    const struct stored_response response = sample();
    struct encoded encoded = encode(&response);
    struct record record;
    struct stored_response found;
    struct stored_numbers found_numbers;

    ck_assert_uint_eq(encoded.start.len, RECORD_RESPONSE_SIZE);
    ck_assert(record_decode(encoded.start, &record));
    ck_assert_int_eq(record.kind, RECORD_RESPONSE);
    ck_assert(gateway_digest_eq(&record.digest, &digest));
    ck_assert_mem_eq(record.drop, numbers.drop, sizeof record.drop);
    ck_assert_mem_eq(record.stamp, numbers.stamp, sizeof record.stamp);
    ck_assert_mem_eq(record.id, response.id, sizeof record.id);
    ck_assert_int_eq(record.version, 5);
    ck_assert_int_eq(record.base, INT64_MAX);
    ck_assert_int_eq(record.any, 12);
    ck_assert_uint_eq(record.body_length, 3);
    ck_assert(record_decode_head(encoded.head, &record, arena, &found, &found_numbers));
    ck_assert_int_eq(found.status, 404);
    ck_assert_int_eq(found.request_time_ms, response.request_time_ms);
    ck_assert_int_eq(found.response_time_ms, response.response_time_ms);
    ck_assert(str_eq(found.vary, response.vary));
    ck_assert_uint_eq(found.body.len, 0);
    ck_assert_uint_eq(found.fields.count, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(str_eq(found.fields.items[i].name, response.fields.items[i].name));
        ck_assert(str_eq(found.fields.items[i].value, response.fields.items[i].value));
    }
    ck_assert_uint_eq(found.tag_count, 2);
    ck_assert(str_eq(found.tags[1], STR("p-7")));
    ck_assert_mem_eq(found_numbers.counts, counts, sizeof counts);
    ck_assert_mem_eq(found_numbers.drop, numbers.drop, sizeof numbers.drop);
    ck_assert_mem_eq(found_numbers.stamp, numbers.stamp, sizeof numbers.stamp);
}
END_TEST

/* Cut anywhere, or with more behind it, it is none. */
START_TEST(cut_anywhere)
{
    const struct stored_response response = sample();
    struct encoded encoded = encode(&response);
    struct stored_response found;
    struct stored_numbers found_numbers;
    struct record record;

    for (size_t len = 0; len < encoded.start.len; len++)
        ck_assert(!record_decode(str_sub(encoded.start, 0, len), &record));
    char more[RECORD_RESPONSE_SIZE + 1] = "";
    memcpy(more, encoded.start.ptr, encoded.start.len);
    ck_assert(!record_decode((struct str){more, sizeof more}, &record));
    ck_assert(record_decode(encoded.start, &record));
    for (size_t len = 0; len < encoded.head.len; len++)
        ck_assert(!record_decode_head(str_sub(encoded.head, 0, len), &record, arena, &found,
                                      &found_numbers));
    record.head_length++;
    ck_assert(!record_decode_head(encoded.head, &record, arena, &found, &found_numbers));
}
END_TEST

START_TEST(lists)
{
    struct str list = record_encode_variants(arena, &digest, &numbers, STR("accept,x-a"));
    struct record record;

    ck_assert(record_decode(list, &record));
    ck_assert_int_eq(record.kind, RECORD_VARIANTS);
    ck_assert(str_eq(record.names, STR("accept,x-a")));
    ck_assert_mem_eq(record.stamp, numbers.stamp, sizeof record.stamp);
    ck_assert_mem_eq(record.drop, numbers.drop, sizeof record.drop);
    static const char *const bad[] = {"", ",", "a,", "a,,b", "a b", "a,a", "a\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        list = record_encode_variants(arena, &digest, &numbers, str_from(bad[i]));
        ck_assert_msg(!record_decode(list, &record), "\"%s\"", bad[i]);
    }
}
END_TEST

/* Whoever put it there: what would become a line of a head is one. */
START_TEST(fields_that_are_none)
{
    static const char *const bad[] = {"A B: x", "A: x\ry", ": x", "A: \x01"};
    struct stored_response response = sample(), found;
    struct stored_numbers found_numbers;
    struct record record;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        response.fields = fields_of(bad[i]);
        ck_assert_uint_eq(response.fields.count, 1);
        struct encoded encoded = encode(&response);
        ck_assert(record_decode(encoded.start, &record));
        ck_assert_msg(!record_decode_head(encoded.head, &record, arena, &found, &found_numbers),
                      "\"%s\"", bad[i]);
    }
}
END_TEST

START_TEST(what_is_somebody_elses)
{
    static const struct str texts[] = {
        STR(""),
        STR("x"),
        STR("{\"a\":1}"),
        STR("\xc1\x01"),
        STR("\xc7\x01"),
        STR("\xc7\x04"
            "0123456789abcdef0123456701234567"),
    };
    struct record record;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!record_decode(texts[i], &record), "%zu", i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/gateway/record");
    TCase *tcase = tcase_create("pure");

    tcase_add_checked_fixture(tcase, open_arena, close_arena);
    tcase_add_test(tcase, a_response_comes_back);
    tcase_add_test(tcase, cut_anywhere);
    tcase_add_test(tcase, lists);
    tcase_add_test(tcase, fields_that_are_none);
    tcase_add_test(tcase, what_is_somebody_elses);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
