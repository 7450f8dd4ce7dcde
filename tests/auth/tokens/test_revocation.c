/* How a revocation is written down, and what is not one. */
#include "cachewarden/revocations.h"
#include "suite.h"

#include <check.h>

static struct arena *arena;

static void setup(void)
{
    arena = arena_new(1024, 0);
}

static void teardown(void)
{
    arena_free(&arena);
}

START_TEST(written_and_read)
{
    static const struct {
        const char *text;
        struct revocation revocation;
    } cases[] = {
        {"t:abc", {.kind = REVOKED_TOKEN, .name = {"abc", 3}, .expires_at_s = 7}},
        {"x:12::a:b",
         {.kind = REVOKED_FOREIGN, .name = {"a:b", 3}, .user_id = 12, .expires_at_s = 7}},
        {"x:12:0123:a",
         {.kind = REVOKED_FOREIGN,
          .name = {"a", 1},
          .user_id = 12,
          .whose = {"0123", 4},
          .expires_at_s = 7}},
        {"f:a:b", {.kind = REVOKED_FAMILY, .name = {"a:b", 3}, .expires_at_s = 7}},
        {"u:12::1",
         {.kind = REVOKED_USER, .user_id = 12, .cut_s = 1700000000, .expires_at_s = 1700086400}},
        {"u:12:0a1b:8",
         {.kind = REVOKED_USER,
          .user_id = 12,
          .whose = {"0a1b", 4},
          .cut_s = 0,
          .expires_at_s = 691200}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct revocation *wanted = &cases[i].revocation;
        struct revocation read;
        ck_assert_str_eq(revocation_write(arena, wanted).ptr, cases[i].text);
        ck_assert(revocation_read(str_from(cases[i].text), wanted->expires_at_s, &read));
        ck_assert_int_eq(read.kind, wanted->kind);
        ck_assert(str_eq(read.name, wanted->name));
        ck_assert(str_eq(read.whose, wanted->whose));
        ck_assert_int_eq(read.user_id, wanted->user_id);
        ck_assert_int_eq(read.cut_s, wanted->cut_s);
        ck_assert_int_eq(read.expires_at_s, wanted->expires_at_s);
    }
}
END_TEST

/* Few lifetimes, so that a user is few members; never too short, and never without end. */
START_TEST(days_a_user_is_kept)
{
    static const struct {
        int64_t until_s;
        const char *text;
    } cases[] = {
        {0, "u:5:0a1b:1"},
        {1000, "u:5:0a1b:1"},
        {1000 + 86400, "u:5:0a1b:1"},
        {1000 + 86401, "u:5:0a1b:2"},
        {1000 + 7 * 86400 + 31, "u:5:0a1b:8"},
        {1000 + 16 * 86400, "u:5:0a1b:16"},
        {INT64_C(9007199254740992), "u:5:0a1b:16777216"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct revocation made = revocation_of_user(5, STR("0a1b"), 1000, cases[i].until_s);
        struct revocation read;
        struct str text = revocation_write(arena, &made);
        ck_assert_str_eq(text.ptr, cases[i].text);
        ck_assert(revocation_read(text, made.expires_at_s, &read));
        ck_assert_int_eq(read.cut_s, 1000);
    }
}
END_TEST

START_TEST(not_ours)
{
    static const char *const texts[] = {
        "",        "t",           "t:",        "f:",       "u:",       "x:abc",
        "x:1:",    "x:1:a",       "x:1::",     "x:0::a",   "x:a:1:b",  "y:abc",
        "T:abc",   "tabc",        "u:12",      "u:12:",    "u::12",    "u:0::5",
        "u:-1::5", "u:12::-5",    "u:12::5:6", "u:012::5", "u:12::5 ", "u:99999999999999999999::5",
        "u:12:5",  "u:12:\x7f:5", "u:12::",    "u:12:a:",  "t:a\nb",   "f:\x7f",
        ":",       "::",          "u:12::0",   "u:12::05", "u:12::9",  "u:12::16777217",
    };
    char longest[REVOCATION_NAME_MAX_SIZE + 4] = "t:";
    struct revocation read;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!revocation_read(str_from(texts[i]), 8 * 86400, &read), "%s", texts[i]);
    memset(longest + 2, 'a', REVOCATION_NAME_MAX_SIZE + 1);
    ck_assert(revocation_read((struct str){longest, REVOCATION_NAME_MAX_SIZE + 2}, 7, &read));
    ck_assert(!revocation_read((struct str){longest, REVOCATION_NAME_MAX_SIZE + 3}, 7, &read));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("revocation");
    TCase *tcase = tcase_create("revocation");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, written_and_read);
    tcase_add_test(tcase, days_a_user_is_kept);
    tcase_add_test(tcase, not_ours);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
