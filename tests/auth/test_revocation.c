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
        {"x:12:a:b",
         {.kind = REVOKED_FOREIGN, .name = {"a:b", 3}, .user_id = 12, .expires_at_s = 7}},
        {"f:a:b", {.kind = REVOKED_FAMILY, .name = {"a:b", 3}, .expires_at_s = 7}},
        {"u:12::1700000000", {.kind = REVOKED_USER, .user_id = 12, .cut_s = 1700000000}},
        {"u:12:0a1b:1700000000",
         {.kind = REVOKED_USER,
          .user_id = 12,
          .name = {"0a1b", 4},
          .cut_s = 1700000000,
          .expires_at_s = 7}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct revocation *wanted = &cases[i].revocation;
        struct revocation read;
        ck_assert_str_eq(revocation_write(arena, wanted).ptr, cases[i].text);
        ck_assert(revocation_read(str_from(cases[i].text), 7, &read));
        ck_assert_int_eq(read.kind, wanted->kind);
        ck_assert(str_eq(read.name, wanted->name));
        ck_assert_int_eq(read.user_id, wanted->user_id);
        ck_assert_int_eq(read.cut_s, wanted->cut_s);
        ck_assert_int_eq(read.expires_at_s, 7);
    }
}
END_TEST

START_TEST(not_ours)
{
    static const char *const texts[] = {
        "",        "t",           "t:",        "f:",       "u:",       "x:abc",
        "x:1:",    "x:0:a",       "x:a:1",     "y:abc",    ":",        "::",
        "T:abc",   "tabc",        "u:12",      "u:12:",    "u::12",    "u:0::5",
        "u:-1::5", "u:12::-5",    "u:12::5:6", "u:012::5", "u:12::5 ", "u:99999999999999999999::5",
        "u:12:5",  "u:12:\x7f:5", "u:12::",    "u:12:a:",  "t:a\nb",   "f:\x7f",
    };
    char longest[REVOCATION_NAME_MAX_SIZE + 4] = "t:";
    struct revocation read;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!revocation_read(str_from(texts[i]), 7, &read), "%s", texts[i]);
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
    tcase_add_test(tcase, not_ours);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
