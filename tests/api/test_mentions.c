/* A name in a text, under every disguise that some client or server between takes off. */
#include "mentions.h"

#include "suite.h"

#include <check.h>
#include <stdlib.h>

START_TEST(found)
{
    static const struct {
        struct str text;
        const char *name;
    } cases[] = {
        {STR("user_id"), "user_id"},
        {STR("xUserIDx"), "user_id"},
        {STR("user__-id"), "user_id"},
        {STR("user%5Fid"), "user_id"},
        {STR("\\u0075ser\\u005fid"), "user_id"},
        {STR("u\0s\0e\0r\0i\0d\0"), "user_id"},
        {STR("\0u\0s\0e\0r\0i\0d"), "user_id"},
        {STR("ususerid"), "user_id"},
        {STR("{\"dryRun\":1}"), "dry_run"},
        {STR("drdrydry-run"), "dry_run"},
        {STR("all=1"), "all"},
        {STR("aall"), "all"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(mentions(cases[i].text, cases[i].name), "case %zu", i);
}
END_TEST

START_TEST(not_found)
{
    static const struct {
        struct str text;
        const char *name;
    } cases[] = {
        {STR_NONE, "user_id"},       {STR(""), "user_id"},        {STR("user_i"), "user_id"},
        {STR("user id"), "user_id"}, {STR("user%id"), "user_id"}, {STR("\\u00"), "user_id"},
        {STR("%7"), "user_id"},      {STR("_____"), "user_id"},   {STR("dry run"), "dry_run"},
        {STR("al_"), "all"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(!mentions(cases[i].text, cases[i].name), "case %zu", i);
}
END_TEST

/* Each byte is looked at a few times at most: quadratic would take minutes. */
START_TEST(a_large_text_takes_no_longer_for_being_full_of_beginnings)
{
    static const char *const pieces[] = {"_", "u", "u_", "us_", "user_i", "%75", "\\u0075", "-u-"};
    size_t size = (size_t)1 << 20;
    char *text = malloc(size);

    ck_assert_ptr_nonnull(text);
    for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        size_t length = strlen(pieces[p]);
        for (size_t i = 0; i < size; i++)
            text[i] = pieces[p][i % length];
        ck_assert(!mentions((struct str){text, size}, "user_id"));
    }
    memset(text, '_', size);
    text[0] = 'u';
    ck_assert(!mentions((struct str){text, size}, "user_id"));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/mentions");
    TCase *tcase = tcase_create("mentions");

    tcase_add_test(tcase, found);
    tcase_add_test(tcase, not_found);
    tcase_add_test(tcase, a_large_text_takes_no_longer_for_being_full_of_beginnings);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
