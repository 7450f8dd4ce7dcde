/* The tags that an upstream names. */
#include "gateway/response_tags.h"

#include "gateway/stored.h"
#include "rules/fields_of.h"
#include "suite.h"

static void expect_tags(const char *lines, const char *wanted)
{
    const struct http_fields fields = fields_of(lines);
    struct arena *arena = arena_new(1024, 0);
    const struct str *tags;
    size_t count;
    struct strbuf text;

    ck_assert_int_eq(response_tags(arena, &fields, &tags, &count), ERR_OK);
    strbuf_init(&text, arena, 64);
    for (size_t i = 0; i < count; i++)
        strbuf_addf(&text, "%.*s|", STR_ARG(tags[i]));
    ck_assert_msg(str_eq(strbuf_str(&text), str_from(wanted)), "%.*s, not %s",
                  STR_ARG(strbuf_str(&text)), wanted);
    arena_free(&arena);
}

START_TEST(both_fields_name_them)
{
    expect_tags("Accept: a", "");
    expect_tags("Cache-Tag: a, b c ,,d\nCache-Tag: e", "a|b c|d|e|");
    expect_tags("surrogate-key: a  b\tc\nSurrogate-Key: d", "a|b\tc|d|");
    expect_tags("Surrogate-Key: a b\nCache-Tag: c", "c|a|b|");
    expect_tags("Cache-Tag: \nSurrogate-Key: ", "");
}
END_TEST

/* So that who stores it sees that there are too many, however many there are. */
START_TEST(no_more_are_read_than_are_too_many)
{
    struct arena *arena = arena_new(1024, 0);
    struct strbuf line;
    const struct str *tags;
    size_t count;

    strbuf_init(&line, arena, 1024);
    strbuf_addf(&line, "Surrogate-Key:");
    for (int i = 0; i < 1000; i++)
        strbuf_addf(&line, " %d", i);
    strbuf_add_char(&line, '\0');
    const struct http_fields fields = fields_of(line.ptr);
    ck_assert_int_eq(response_tags(arena, &fields, &tags, &count), ERR_OK);
    ck_assert_uint_eq(count, STORED_TAGS_MAX + 1);
    arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway/response_tags");
    TCase *tcase = tcase_create("response_tags");

    tcase_add_test(tcase, both_fields_name_them);
    tcase_add_test(tcase, no_more_are_read_than_are_too_many);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
