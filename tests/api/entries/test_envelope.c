#include "entries/envelope.h"

#include "suite.h"

#include <stdio.h>

static struct arena *arena;

static void open_arena(void)
{
    arena = arena_new(4096, 0);
}

static void close_arena(void)
{
    arena_free(&arena);
}

static struct envelope sample(void)
{
    struct envelope envelope = {
        .version = 7,
        .stored_at_ms = 1769860800000,
        .life_ms = 3600000,
        .fill_ms = 250,
        .content_type = STR("application/json"),
        .models = {.count = 2,
                   .names = {STR("Product"), STR("Ürün/1")},
                   .counts = {0, 300},
                   .base = INT64_MAX},
        .body = STR("{\"a\":\0 1}"),
    };

    ck_assert_int_eq(envelope_make_tag(envelope.content_type, envelope.body, envelope.tag), ERR_OK);
    return envelope;
}

static void expect_same(const struct envelope *a, const struct envelope *b)
{
    ck_assert_int_eq(a->version, b->version);
    ck_assert_int_eq(a->stored_at_ms, b->stored_at_ms);
    ck_assert_int_eq(a->life_ms, b->life_ms);
    ck_assert_int_eq(a->fill_ms, b->fill_ms);
    ck_assert_mem_eq(a->tag, b->tag, ENVELOPE_TAG_SIZE);
    ck_assert(str_eq(a->content_type, b->content_type));
    ck_assert(str_eq(a->body, b->body));
    ck_assert_uint_eq(a->models.count, b->models.count);
    for (size_t i = 0; i < a->models.count; i++) {
        ck_assert(str_eq(a->models.names[i], b->models.names[i]));
        ck_assert_int_eq(a->models.counts[i], b->models.counts[i]);
        ck_assert_int_eq(a->models.base, b->models.base);
    }
}

static void expect_round(const struct envelope *envelope)
{
    struct envelope back;
    struct str bytes = envelope_encode(arena, envelope);

    ck_assert_ptr_nonnull(bytes.ptr);
    ck_assert(envelope_decode(bytes, &back));
    expect_same(envelope, &back);
}

START_TEST(what_goes_in_comes_out)
{
    struct envelope envelope = sample();

    expect_round(&envelope);
    envelope.body = STR_NONE;
    expect_round(&envelope);
    envelope.content_type = STR_NONE;
    envelope.models.count = 0;
    expect_round(&envelope);
    envelope.content_type = STR("application/vnd.example+json; v=3");
    envelope.version = INT64_MAX;
    envelope.life_ms = ENTRY_TTL_MAX_S * 1000;
    envelope.fill_ms = 0;
    expect_round(&envelope);
}
END_TEST

START_TEST(the_longest_head_is_as_long_as_is_said)
{
    char name[ENTRY_MODEL_MAX], type[ENTRY_TYPE_MAX];
    struct envelope envelope = sample();

    memset(name, 'n', sizeof name);
    memset(type, 't', sizeof type);
    envelope.version = INT64_MAX;
    envelope.fill_ms = INT64_MAX;
    envelope.content_type = (struct str){type, sizeof type};
    envelope.models.count = ENTRY_MODELS_MAX;
    for (size_t i = 0; i < ENTRY_MODELS_MAX; i++) {
        envelope.models.names[i] = (struct str){name, sizeof name};
        envelope.models.counts[i] = INT64_MAX;
    }
    expect_round(&envelope);
    ck_assert_uint_le(envelope_encode_head(arena, &envelope).len, ENVELOPE_HEAD_MAX);
}
END_TEST

/* Without models and of a common type: with a value of 100 bytes and Redis' own four it fills 128, which is a size that
 * its allocator has. */
START_TEST(a_usual_head_is_short)
{
    struct envelope envelope = sample();

    envelope.models.count = 0;
    ck_assert_uint_le(envelope_encode_head(arena, &envelope).len, 24);
}
END_TEST

START_TEST(a_head_alone_is_an_envelope_without_a_body)
{
    struct envelope envelope = sample(), back;

    ck_assert(envelope_decode(envelope_encode_head(arena, &envelope), &back));
    ck_assert_uint_eq(back.body.len, 0);
    envelope.body = STR_NONE;
    expect_same(&envelope, &back);
}
END_TEST

/* It would become lines of an answer's head. */
START_TEST(a_type_that_no_head_can_have_is_nothing)
{
    static const char *const types[] = {"text/plain\r\nSet-Cookie: a=b", "a/b\n", "a/b;c=\x7f"};
    struct envelope envelope = sample(), back;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        envelope.content_type = str_from(types[i]);
        ck_assert_msg(!envelope_decode(envelope_encode(arena, &envelope), &back), "%s", types[i]);
    }
}
END_TEST

START_TEST(what_is_cut_within_the_head_is_nothing)
{
    struct envelope envelope = sample(), back;
    struct str head = envelope_encode_head(arena, &envelope);

    for (size_t len = 0; len < head.len; len++)
        ck_assert_msg(!envelope_decode(str_sub(head, 0, len), &back), "%zu bytes", len);
}
END_TEST

START_TEST(what_others_put_there_is_nothing)
{
    static const struct str strange[] = {
        {"hello", 5},
        {"{\"a\":1}", 7},
        {"\xc2", 1},
        {"\xc2\x01", 2},
        {"42", 2},
        /* a number of ten bytes; a longer form of 1 */
        {"\xc2\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
        {"\xc2\x81\x00", 3},
    };
    struct envelope back;

    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        ck_assert_msg(!envelope_decode(strange[i], &back), "row %zu", i);
}
END_TEST

START_TEST(what_no_entry_can_have_is_nothing)
{
    struct envelope envelope = sample(), back;

    envelope.life_ms = 0;
    ck_assert(!envelope_decode(envelope_encode(arena, &envelope), &back));
    envelope.life_ms = (ENTRY_TTL_MAX_S + 1) * 1000;
    ck_assert(!envelope_decode(envelope_encode(arena, &envelope), &back));
    envelope = sample();
    envelope.stored_at_ms = INT64_MAX; /* and a life behind it: more than a number holds */
    ck_assert(!envelope_decode(envelope_encode(arena, &envelope), &back));
    envelope = sample();
    envelope.models.names[1] = STR_NONE;
    ck_assert(!envelope_decode(envelope_encode(arena, &envelope), &back));
}
END_TEST

START_TEST(the_tag_is_of_type_and_body)
{
    unsigned char tags[4][ENVELOPE_TAG_SIZE];

    ck_assert_int_eq(envelope_make_tag(STR("text/plain"), STR("a"), tags[0]), ERR_OK);
    ck_assert_int_eq(envelope_make_tag(STR("text/plain"), STR("a"), tags[1]), ERR_OK);
    ck_assert_int_eq(envelope_make_tag(STR("text/plain"), STR("b"), tags[2]), ERR_OK);
    ck_assert_int_eq(envelope_make_tag(STR("text/html"), STR("a"), tags[3]), ERR_OK);
    ck_assert_mem_eq(tags[0], tags[1], ENVELOPE_TAG_SIZE);
    ck_assert_mem_ne(tags[0], tags[2], ENVELOPE_TAG_SIZE);
    ck_assert_mem_ne(tags[0], tags[3], ENVELOPE_TAG_SIZE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/envelope");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_arena, close_arena);
    tcase_add_test(all, what_goes_in_comes_out);
    tcase_add_test(all, the_longest_head_is_as_long_as_is_said);
    tcase_add_test(all, a_usual_head_is_short);
    tcase_add_test(all, a_head_alone_is_an_envelope_without_a_body);
    tcase_add_test(all, a_type_that_no_head_can_have_is_nothing);
    tcase_add_test(all, what_is_cut_within_the_head_is_nothing);
    tcase_add_test(all, what_others_put_there_is_nothing);
    tcase_add_test(all, what_no_entry_can_have_is_nothing);
    tcase_add_test(all, the_tag_is_of_type_and_body);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
