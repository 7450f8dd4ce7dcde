#include "keyspace.h"

#include "cachewarden/arena.h"
#include "cachewarden/audit.h"
#include "cachewarden/caches.h"
#include "suite.h"

static void expect_key(struct key key, const char *text)
{
    ck_assert_msg(str_eq(key_str(&key), str_from(text)), "%.*s is not %s", STR_ARG(key_str(&key)),
                  text);
}

static void expect_label_key(struct label_key key, struct str text)
{
    ck_assert(str_eq(label_key_str(&key), text));
}

START_TEST(names_are_those_of_the_layout)
{
    expect_key(key_user(1), "cw:{u:1}");
    expect_key(key_user(INT64_MAX), "cw:{u:9223372036854775807}");
    const struct namespace user = {.user_id = 7}, app = {.app = {"shop.eu-1_b", 11}};
    expect_key(key_namespace(&user), "cw:{u:7}");
    expect_key(key_namespace(&app), "cw:{app:shop.eu-1_b}");
    expect_key(key_models(&user), "cw:{u:7}:m");
    expect_key(key_models(&app), "cw:{app:shop.eu-1_b}:m");
    expect_key(key_entries(&app), "cw:{app:shop.eu-1_b}:e:");
    expect_label_key(key_entry(&user, STR("a/b:\xff")), STR("cw:{u:7}:e:a/b:\xff"));
    expect_label_key(key_entry(&app, STR("}")), STR("cw:{app:shop.eu-1_b}:e:}"));
    expect_label_key(key_fill(&user, STR("a")), STR("cw:{u:7}:c:a"));
    expect_label_key(key_turn(&user, STR("a")), STR("cw:{u:7}:t:a"));
    expect_key(key_dataset(), "cw:dataset");
    expect_key(key_revoked(), "cw:revoked");
    expect_key(key_events(), "cw:events");
    expect_key(key_highest_id(), "cw:ids");
    expect_key(key_last_voided(), "cw:voided");
    expect_key(key_store(), "cw:store");
    expect_key(key_user_families(42), "cw:{u:42}:f");
    expect_key(key_audit(AUDIT_CHANGES), "cw:audit:changes");
    expect_key(key_audit(AUDIT_CLEARS), "cw:audit:clears");
    expect_key(key_audit(AUDIT_SIGN_INS), "cw:audit:sign_ins");
    expect_key(key_token(STR("0123456789abcdef0123456789abcdef")),
               "cw:t:0123456789abcdef0123456789abcdef");
    expect_key(key_last_flush(STR("messages")), "cw:flushed:messages");
    expect_key(key_limit_user("status", INT64_MAX), "cw:l:{u:9223372036854775807}:status");
    expect_key(key_limit_stranger("status", 7, STR("0123")), "cw:l:{u:7}:status:x:0123");
    expect_key(key_limit_stranger("status", 7, STR_NONE), "cw:l:{u:7}:status:x:");
    expect_key(key_limit_network("register", STR("20010db800000001")),
               "cw:l:register:20010db800000001");
    expect_key(key_limit_failing(STR("0123456789abcdef0123456789abcdef")),
               "cw:l:failing:0123456789abcdef0123456789abcdef");
    expect_key(key_limit_failures(STR("0123456789abcdef0123456789abcdef"), STR("255.255.255.255")),
               "cw:l:failures:0123456789abcdef0123456789abcdef:255.255.255.255");
}
END_TEST

START_TEST(the_longest_parts_fit)
{
    char text[65];
    memset(text, 'x', sizeof text);
    struct str longest = {text, 64};
    ck_assert(key_is_token_id(longest));
    ck_assert(key_is_cache_name(longest));
    struct key token = key_token(longest), flush = key_last_flush(longest);
    ck_assert_uint_eq(token.len, strlen("cw:t:") + 64);
    ck_assert_uint_eq(flush.len, strlen("cw:flushed:") + 64);
    struct str longer = {text, 65};
    ck_assert(!key_is_token_id(longer));
    ck_assert(!key_is_cache_name(longer));
}
END_TEST

/* Whatever could end a name, begin another, or be read as two. */
START_TEST(parts_that_are_no_parts)
{
    static const struct str bad[] = {
        STR(""),    STR_NONE,     STR(" "),    STR("a b"),         STR("a:b"),   STR("a{b"),
        STR("a}b"), STR("a\r\n"), STR("a\0b"), STR("*"),           STR("a?"),    STR("[ab]"),
        STR("a/b"), STR("a\\b"),  STR("\"a"),  STR("caf\xc3\xa9"), STR("a\x7f"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!key_is_token_id(bad[i]), "token id %zu", i);
        ck_assert_msg(!key_is_cache_name(bad[i]), "name %zu", i);
    }
    ck_assert(key_is_token_id(STR("aZ09-_")));
    ck_assert(!key_is_token_id(STR("a.b")));
    ck_assert(key_is_cache_name(STR("aZ09-_.")));
}
END_TEST

START_TEST(the_environment_stands_in_for_env)
{
    static const struct {
        struct str pattern, key;
    } cases[] = {
        {STR("whatsapp:{env}:in"), STR("whatsapp:development:in")},
        {STR("{env}"), STR("development")},
        {STR("{env}{env}"), STR("developmentdevelopment")},
        {STR("plain"), STR("plain")},
        {STR("{ENV}:{en}:{env"), STR("{ENV}:{en}:{env")},
        {STR("{{env}}"), STR("{development}")},
        {STR(""), STR("")},
    };
    struct arena *arena = arena_new(1024, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str key = key_of_cache(arena, cases[i].pattern, STR("development"));
        ck_assert_msg(str_eq(key, cases[i].key), "case %zu: %.*s", i, STR_ARG(key));
        ck_assert_ptr_nonnull(key.ptr);
        ck_assert_int_eq(key.ptr[key.len], '\0');
    }
    /* What stands in is not looked at again. */
    struct str key = key_of_cache(arena, STR("a{env}b"), STR("{env}"));
    ck_assert(str_eq(key, STR("a{env}b")));
    arena_free(&arena);
}
END_TEST

START_TEST(probes_never_meet)
{
    struct key a = key_probe(), b = key_probe();
    ck_assert(str_starts(key_str(&a), STR("cw:probe:")));
    ck_assert_uint_eq(a.len, strlen("cw:probe:") + 32);
    ck_assert(!str_eq(key_str(&a), key_str(&b)));
}
END_TEST

START_TEST(our_part_of_the_keyspace)
{
    ck_assert(key_is_ours(STR("cw:dataset")));
    ck_assert(key_is_ours(STR("cw:")));
    ck_assert(!key_is_ours(STR("cw")));
    ck_assert(!key_is_ours(STR("CW:epoch")));
    ck_assert(!key_is_ours(STR("xcw:dataset")));
    ck_assert(!key_is_ours(STR_NONE));
}
END_TEST

START_TEST(keys_of_namespaces_are_recognised)
{
    const struct namespace user = namespace_of_user(INT64_MAX), app = namespace_of_app(STR("a.b"));
    const struct namespace *const spaces[] = {&user, &app};
    static const char *const others[] = {
        "",          "cw:{u:7",      "cw:{u:7}:m", "cw:{u:0}",     "cw:{u:}",  "cw:{u:07}",
        "cw:{app:}", "cw:{app:a b}", "cw:{u:7}}",  "cw:{gateway}", "xw:{u:7}", "cw:{app:a}:e:}"};
    struct namespace found;

    for (size_t i = 0; i < 2; i++) {
        struct key key = key_namespace(spaces[i]);
        ck_assert(key_read_namespace(key_str(&key), &found));
        ck_assert(found.user_id == spaces[i]->user_id && str_eq(found.app, spaces[i]->app));
        ck_assert(str_starts(key_str(&key), KEY_NAMESPACES_FROM));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_msg(!key_read_namespace(str_from(others[i]), &found), "%s", others[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/keyspace");
    TCase *tcase = tcase_create("keys");
    tcase_add_test(tcase, names_are_those_of_the_layout);
    tcase_add_test(tcase, keys_of_namespaces_are_recognised);
    tcase_add_test(tcase, the_longest_parts_fit);
    tcase_add_test(tcase, parts_that_are_no_parts);
    tcase_add_test(tcase, the_environment_stands_in_for_env);
    tcase_add_test(tcase, probes_never_meet);
    tcase_add_test(tcase, our_part_of_the_keyspace);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
