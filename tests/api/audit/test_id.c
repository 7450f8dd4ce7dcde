#include "audit/id.h"

#include "cachewarden/audit.h"
#include "suite.h"

static struct arena *arena;

static void make_arena(void)
{
    arena = arena_new(4096, 0);
}

static void free_arena(void)
{
    arena_free(&arena);
}

static struct audit_id shown(const char *entry, enum audit_part part)
{
    struct audit_id id;
    ck_assert(audit_id_of_entry(str_from(entry), part, &id));
    return id;
}

static void expect_end(const char *id, enum audit_part part, const char *wanted)
{
    struct audit_id before;
    ck_assert(audit_id_read(str_from(id), &before));
    ck_assert_str_eq(audit_id_end(arena, before, part).ptr, wanted);
}

START_TEST(no_two_records_have_one_id)
{
    ck_assert_str_eq(audit_id_write(arena, shown("17-3", AUDIT_CHANGES)).ptr, "17-12");
    ck_assert_str_eq(audit_id_write(arena, shown("17-3", AUDIT_CLEARS)).ptr, "17-13");
    ck_assert(audit_id_is_older(shown("17-3", AUDIT_CHANGES), shown("17-3", AUDIT_CLEARS)));
    ck_assert(audit_id_is_older(shown("17-3", AUDIT_CLEARS), shown("17-4", AUDIT_CHANGES)));
    ck_assert(audit_id_is_older(shown("17-3", AUDIT_CLEARS), shown("18-0", AUDIT_CHANGES)));
    ck_assert(!audit_id_is_older(shown("17-3", AUDIT_CLEARS), shown("17-3", AUDIT_CLEARS)));
}
END_TEST

/* For each part and each id: the entries below the end are those whose shown id is older. */
START_TEST(the_end_is_between_older_and_newer)
{
    for (int64_t sequence = 0; sequence < 40; sequence++) {
        for (int part = 0; part < AUDIT_PARTS; part++) {
            struct audit_id id = {9, sequence};
            struct str end = audit_id_end(arena, id, (enum audit_part)part);
            struct audit_id first;
            ck_assert_int_eq(end.ptr[0], '(');
            ck_assert(audit_id_read(str_sub(end, 1, end.len - 1), &first));
            ck_assert_int_eq(first.time_ms, 9);
            for (int64_t entry = 0; entry < 12; entry++) {
                struct str text = str_format(arena, "9-%d", (int)entry);
                bool is_older = audit_id_is_older(shown(text.ptr, (enum audit_part)part), id);
                ck_assert_int_eq(is_older, entry < first.sequence);
            }
        }
    }
}
END_TEST

START_TEST(at_the_edges)
{
    struct audit_id id;
    /* Redis refuses to look before 0-0. */
    expect_end("0-1", AUDIT_CLEARS, "0-0");
    expect_end("0-1", AUDIT_CHANGES, "(0-1");
    expect_end("5-0", AUDIT_CLEARS, "(5-0");
    expect_end("9223372036854775807-9223372036854775807", AUDIT_CLEARS,
               "(9223372036854775807-2305843009213693952");
    ck_assert(audit_id_of_entry(STR("1-2305843009213693950"), AUDIT_CLEARS, &id));
    ck_assert(!audit_id_of_entry(STR("1-2305843009213693951"), AUDIT_CLEARS, &id));
    ck_assert(!audit_id_of_entry(STR("1-18446744073709551615"), AUDIT_CHANGES, &id));
    ck_assert(!audit_id_of_entry(STR("1"), AUDIT_CHANGES, &id));
    ck_assert(!audit_id_of_entry(STR("1-2-3"), AUDIT_CHANGES, &id));
    ck_assert(!audit_id_of_entry(STR("-1-2"), AUDIT_CHANGES, &id));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/audit/id");
    TCase *tcase = tcase_create("id");
    tcase_add_checked_fixture(tcase, make_arena, free_arena);
    tcase_add_test(tcase, no_two_records_have_one_id);
    tcase_add_test(tcase, the_end_is_between_older_and_newer);
    tcase_add_test(tcase, at_the_edges);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
