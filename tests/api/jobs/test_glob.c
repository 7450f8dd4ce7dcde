/* Patterns: what a caller may choose, and what of it stands for itself; matched by a real Redis. */
#include "jobs/glob.h"

#include "cachewarden/arena.h"
#include "redis_server.h"
#include "suite.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

/* What Redis would read as another pattern than was meant is told, with what to write instead. */
START_TEST(a_mistake_is_no_pattern)
{
    static const struct {
        struct str pattern;
        const char *fix;
    } bad[] = {
        {STR("[ab"), "write \\[ "},
        {STR("["), "write \\[ "},
        {STR("[^"), "write \\[ "},
        {STR("x[a-]"), "write [-a]"}, /* from a to ] for Redis, and no end */
        {STR("[A-]b]"), "write [-a]"},
        {STR("[\\0-9]"), "write each byte"}, /* 0, - and 9 for Redis */
        {STR("[a-\\z]"), "write each byte"}, /* from a to a backslash, and z */
        {STR("[x\\a-\\z]"), "write each byte"},
        {STR("[\\]-a]"), "write each byte"},
        {STR("[z-a]"), "write [a-z]"}, /* turned round */
        {STR("[^9-0]"), "write [a-z]"},
        {STR("[[:digit:]]"), "write [0-9]"},
        {STR("[^a[:alpha:]]"), "write [0-9]"},
        {STR("[[=a=]]"), "write [0-9]"},
        {STR("[[.a.]]"), "write [0-9]"},
        {STR("[a\\]"), "write \\[ "},
        {STR("[a][b"), "write \\[ "},
        {STR("[!a]"), "write [^"},
        {STR("a*[!a-z]b"), "write [^"},
        {STR("[]"), "write \\]"},
        {STR("[]a]"), "write \\]"},
        {STR("[^]"), "write \\]"},
        {STR("[\xc3\xa4]"), "write ? for each"},
        {STR("[a-\xc3\xa4]"), "write ? for each"},
        {STR("[\\\xc3\xa4]"), "write ? for each"},
        {STR("\\"), "write \\\\ "},
        {STR("a*\\"), "write \\\\ "},
        {STR("a\\\\\\"), "write \\\\ "},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error error = {0};
        ck_assert_msg(glob_check(bad[i].pattern, &error) == ERR_BAD_INPUT, "%s",
                      bad[i].pattern.ptr);
        ck_assert_msg(str_starts(str_from(error.caller), STR("pattern: ")), "%s", error.caller);
        ck_assert_msg(strstr(error.caller, bad[i].fix), "%s: %s", bad[i].pattern.ptr, error.caller);
    }
}
END_TEST

START_TEST(what_may_be_chosen)
{
    static const struct str good[] = {STR("*"),
                                      STR("products:*"),
                                      STR("a?c"),
                                      STR("[a-z]*"),
                                      STR("\xc3\xa4*"),
                                      STR("a**b***c*d*"),
                                      STR("\\**"),
                                      STR("\\["),
                                      STR("\\\\"),
                                      STR("[^a]"),
                                      STR("[a!]"),
                                      STR("[\\]]"),
                                      STR("[*][*]****[*][*][*]"),
                                      STR("[-a]"),
                                      STR("[\\a-]"),
                                      STR("[+--]"),
                                      STR("[a-a]"),
                                      STR("[\\[:]"),
                                      STR("[:digit]"),
                                      STR("{a,b}"),
                                      STR("]!^-")};
    static const struct str bad[] = {STR(""),
                                     STR("a\nb"),
                                     STR("a\0b"),
                                     STR("\xff"),
                                     STR("\xc3"),
                                     STR("a*b*c*d*e*"),
                                     STR("\\**\\**\\**\\**\\**"),
                                     STR("\x7f")};
    struct error error = {0};
    char text[513];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(glob_check(good[i], &error) == ERR_OK, "%s", good[i].ptr);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(glob_check(bad[i], &error) == ERR_BAD_INPUT, "%zu", i);
        ck_assert_msg(str_starts(str_from(error.caller), STR("pattern: ")), "%s", error.caller);
    }
    memset(text, 'x', sizeof text);
    ck_assert_int_eq(glob_check((struct str){text, 512}, &error), ERR_OK);
    ck_assert_int_eq(glob_check((struct str){text, 513}, &error), ERR_BAD_INPUT);
}
END_TEST

/* How many keys of a Redis with these names match, each beside one that differs in one place. */
START_TEST(a_literal_means_itself)
{
    static const char *const names[] = {"a*b:", "a?b:", "a[bc]:", "a\\b:", "a]b:", "[^a]:", "*"};
    struct redis_server *redis = redis_server_start(NULL);
    struct arena *arena = arena_new(1024, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        redis_server_do(redis, "FLUSHALL");
        redis_server_do(redis, "SET %s1 x", names[i]);
        redis_server_do(redis, "SET %sv[*] x", names[i]);
        redis_server_do(redis, "MSET axb:1 x ab:1 x ac:1 x b:1 x axxb:1 x a x \\ x");
        struct str glob = glob_behind(arena, str_from(names[i]), STR_NONE);
        redisReply *reply = redis_server_ask(redis, "KEYS %b", glob.ptr, glob.len);
        ck_assert_msg(reply->elements == 2, "%s: %zu", names[i], reply->elements);
        freeReplyObject(reply);
        glob = glob_behind(arena, str_from(names[i]), STR("v[[]*"));
        reply = redis_server_ask(redis, "KEYS %b", glob.ptr, glob.len);
        ck_assert_msg(reply->elements == 1, "%s: %zu", names[i], reply->elements);
        freeReplyObject(reply);
    }
    arena_free(&arena);
    redis_server_stop(&redis);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("glob");
    TCase *all = tcase_create("glob");
    tcase_add_test(all, what_may_be_chosen);
    tcase_add_test(all, a_mistake_is_no_pattern);
    tcase_add_test(all, a_literal_means_itself);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
