#include "cachewarden/namespace.h"

#include "cachewarden/arena.h"
#include "suite.h"

static const struct {
    const char *text;
    int64_t user_id;
    const char *app;
} good[] = {
    {"user:1", 1, ""},
    {"user:9223372036854775807", INT64_MAX, ""},
    {"app:shop", 0, "shop"},
    {"app:1", 0, "1"},
    {"app:A.b_c-9", 0, "A.b_c-9"},
};

START_TEST(both_kinds)
{
    struct arena *arena = arena_new(1024, 0);

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct namespace space;
        ck_assert_msg(namespace_parse(str_from(good[i].text), &space), "%s", good[i].text);
        ck_assert_int_eq(space.user_id, good[i].user_id);
        ck_assert(str_eq(space.app, str_from(good[i].app)));
        ck_assert(str_eq(namespace_text(arena, &space), str_from(good[i].text)));
    }
    arena_free(&arena);
}
END_TEST

START_TEST(that_of_the_gateway)
{
    struct arena *arena = arena_new(1024, 0);
    struct namespace space;

    ck_assert(namespace_parse_any(STR("gateway"), &space));
    ck_assert(space.is_gateway && namespace_is_given(&space));
    ck_assert(str_eq(namespace_text(arena, &space), STR("gateway")));
    ck_assert(namespace_parse_any(STR("app:gateway"), &space));
    ck_assert(!space.is_gateway);
    ck_assert(!namespace_parse_any(STR("gateway "), &space));
    arena_free(&arena);
}
END_TEST

START_TEST(neither)
{
    static const char *const bad[] = {
        "",
        "user:",
        "user:0",
        "user:-1",
        "user:01",
        "user:1 ",
        "user:9223372036854775808",
        "user:a",
        "app:",
        "app:a b",
        "app:a/b",
        "app:{x}",
        "app:a}",
        "APP:shop",
        "shop",
        "gateway:",
        "gateway",
        ":1",
        "user",
        "app:ü",
        "app:a\n",
        "user:1\n",
    };
    struct namespace space;
    char longer[4 + NAMESPACE_APP_MAX + 2] = "app:";

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!namespace_parse(str_from(bad[i]), &space), "%s", bad[i]);
    memset(longer + 4, 'x', NAMESPACE_APP_MAX);
    ck_assert(namespace_parse(str_from(longer), &space));
    longer[4 + NAMESPACE_APP_MAX] = 'x';
    ck_assert(!namespace_parse(str_from(longer), &space));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/namespace");
    TCase *all = tcase_create("all");

    tcase_add_test(all, both_kinds);
    tcase_add_test(all, neither);
    tcase_add_test(all, that_of_the_gateway);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
