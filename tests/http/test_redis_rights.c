/*
 * The ACL line of docs/redis.md is enough and has nothing to spare: every example of every route and the
 * command line work with it, none of it is refused, and each command it allows is one that was used.
 */
#include "examples_player.h"
#include "guarded_redis.h"
#include "patience.h"
#include "suite.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct stand stand;
static struct examples examples;

static void expect_status_of(const struct played *example, const struct http_reply *reply)
{
    ck_assert_msg(reply->status == example->status, "%s %s: %d, not %d\n%s", example->operation,
                  example->label, reply->status, example->status,
                  reply->status ? reply->body : reply->failure);
    if (strcmp(example->operation, "api.schema") == 0) /* tells of such answers */
        return;
    ck_assert_msg(!strstr(reply->body, "\":false,\"read") && !strstr(reply->body, "_get\":false"),
                  "%s: %s", example->operation, reply->body);
}

static bool was_used(const char *command)
{
    char line[64];
    snprintf(line, sizeof line, "\ncmdstat_%s:calls=", command);
    redisReply *info = redis_server_ask(stand.redis, "INFO commandstats");
    ck_assert_int_eq(info->type, REDIS_REPLY_STRING);
    bool was = strstr(info->str, line) != NULL;
    freeReplyObject(info);
    return was;
}

static bool each_allowed_command_was_used(const void *missing)
{
    char *unused = (char *)(uintptr_t)missing, *rights = guarded_redis_rights();
    *unused = '\0';
    for (char *state, *word = strtok_r(rights, " ", &state); word;
         word = strtok_r(NULL, " ", &state))
        if (word[0] == '+' && !was_used(word + 1))
            snprintf(unused + strlen(unused), 512 - strlen(unused), "%s ", word);
    free(rights);
    return *unused == '\0';
}

START_TEST(the_rights_are_enough_and_no_more)
{
    static char missing[512];
    setenv("CW_STAND_GUARDED", "1", 1);
    stand_open(&stand, &examples_stand);
    examples_open(&examples, &stand);
    /* Every route has one that goes well. */
    ck_assert_int_gt(examples_play(&examples, "", expect_status_of), 100);
    stand_cli_do(&stand, NULL, (const char *const[]){"flush", "--dry-run", NULL});
    stand_cli_do(&stand, NULL, (const char *const[]){"flush", NULL});
    stand_cli_do(&stand, NULL, (const char *const[]){"cache", "status", "--user", "77", NULL});
    stand_cli_do(&stand, NULL, (const char *const[]){"cache", "clear", "--user", "77", NULL});
    /* A window that has lost its end gets one again. */
    expect_status(http_get(stand.http, "/api/cache/status/", stand.root.bearer), 200);
    ck_assert_int_eq(redis_server_ask_integer(stand.redis, "PERSIST cw:l:{u:%lld}:status",
                                              (long long)stand.root.id),
                     1);
    expect_status(http_get(stand.http, "/api/cache/status/", stand.root.bearer), 200);
    /* Some of it happens in the background. */
    for (int64_t until_ms = stand_now_ms() + PATIENCE_MS; !each_allowed_command_was_used(missing);)
        ck_assert_msg(stand_now_ms() < until_ms, "the ACL line allows what is not used: %s",
                      missing);
    examples_close(&examples);
    stand_close(&stand); /* which asks ACL LOG */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_rights");
    TCase *all = tcase_create("all");
    tcase_add_test(all, the_rights_are_enough_and_no_more);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
