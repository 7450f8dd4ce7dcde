/*
 * Each error Redis can answer, on every route. First as real as it can be had: a real Redis is
 * brought into the trouble and out of it again. Then every error there is, to the letter, from a fake
 * Redis that refuses every command with it.
 */
#include "fake_redis.h"
#include "guarded_redis.h"
#include "trouble.h"

#include <hiredis/hiredis.h>
#include <jansson.h>

/* What goes on. */
enum reach {
    NOTHING,      /* no command is taken */
    READS,        /* writes are refused */
    READS_DELETES /* writes that may need memory are refused, others are taken */
};

static redisContext *admin; /* signed in before the trouble begins */

static void ask(const char *format, const char *argument)
{
    redisReply *reply = redisCommand(admin, format, argument);
    ck_assert_msg(reply && reply->type != REDIS_REPLY_ERROR, "%s: %s", format,
                  reply ? reply->str : admin->errstr);
    freeReplyObject(reply);
}

static void lose_connections(void)
{
    ask("CLIENT KILL TYPE normal SKIPME yes", NULL);
}

static void fill_memory(void)
{
    ask("CONFIG SET maxmemory 1", NULL);
}

static void free_memory(void)
{
    ask("CONFIG SET maxmemory 0", NULL);
}

static void follow_nobody(void)
{
    ask("REPLICAOF 127.0.0.1 1", NULL);
}

static void follow_nobody_stale(void)
{
    ask("CONFIG SET replica-serve-stale-data no", NULL);
    ask("REPLICAOF 127.0.0.1 1", NULL);
}

static void lead_again(void)
{
    ask("REPLICAOF NO ONE", NULL);
    ask("CONFIG SET replica-serve-stale-data yes", NULL);
}

static bool says_info(const char *section, const char *line)
{
    redisReply *info = redisCommand(admin, "INFO %s", section);
    bool says = info && info->str && strstr(info->str, line);
    freeReplyObject(info);
    return says;
}

static bool snapshot_failed(const void *with)
{
    (void)with;
    return says_info("persistence", "rdb_last_bgsave_status:err");
}

static bool snapshot_worked(const void *with)
{
    (void)with;
    return says_info("persistence", "rdb_last_bgsave_status:ok");
}

/* No snapshot can be written to /proc, not even by root. */
static void fail_snapshots(void)
{
    ask("CONFIG SET save %s", "36000 1");
    ask("CONFIG SET dir %s", "/proc");
    ask("BGSAVE", NULL);
    stand_wait(snapshot_failed, NULL, "the snapshot fails");
}

static void write_snapshots(void)
{
    ask("CONFIG SET dir %s", redis_server_directory(stand.redis));
    ask("BGSAVE", NULL);
    stand_wait(snapshot_worked, NULL, "the snapshot works");
    ask("CONFIG SET save %s", "");
}

static redisContext *script;

static bool is_busy(const void *with)
{
    (void)with;
    redisReply *reply = redisCommand(admin, "PING");
    bool is = reply && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "BUSY", 4) == 0;
    freeReplyObject(reply);
    return is;
}

static void run_a_script_for_ever(void)
{
    int done = 0;
    ask("CONFIG SET busy-reply-threshold 1", NULL);
    script = redisConnect("127.0.0.1", redis_server_port(stand.redis));
    ck_assert(script && script->err == 0);
    redisAppendCommand(script, "EVAL %s 0", "while true do end");
    while (!done)
        ck_assert_int_eq(redisBufferWrite(script, &done), REDIS_OK);
    stand_wait(is_busy, NULL, "the script runs too long");
}

static void end_the_script(void)
{
    redisReply *reply;
    ask("SCRIPT KILL", NULL);
    ck_assert_int_eq(redisGetReply(script, (void **)&reply), REDIS_OK); /* it ends when it looks */
    freeReplyObject(reply);
    redisFree(script);
}

static void change_the_password(void)
{
    ask("ACL SETUSER cachewarden resetpass >another", NULL);
    lose_connections();
}

static void change_it_back(void)
{
    ask("ACL SETUSER cachewarden resetpass >%s", GUARDED_REDIS_PASSWORD);
}

static void take_the_rights(void)
{
    ask("ACL SETUSER cachewarden -@all +echo +client|setname +select", NULL);
}

static void give_the_rights(void)
{
    char *rights = guarded_redis_rights(), *state;
    for (char *word = strtok_r(rights, " ", &state); word; word = strtok_r(NULL, " ", &state))
        if (word[0] == '+')
            ask("ACL SETUSER cachewarden %s", word);
    free(rights);
}

static void let_nobody_in(void)
{
    ask("CONFIG SET maxclients 1", NULL);
    lose_connections();
}

static void let_everybody_in(void)
{
    ask("CONFIG SET maxclients 1000", NULL);
}

static const struct trouble {
    const char *name;
    enum reach reach;
    const char *cause; /* of POST /api/v1/analytics/cache/clear, where it fails */
    void (*begin)(void), (*end)(void);
    bool is_guarded; /* needs the user of docs/redis.md */
} troubles[] = {
    {"OOM", READS_DELETES, NULL, fill_memory, free_memory, false},
    {"MISCONF", READS, "redis refused the command", fail_snapshots, write_snapshots, false},
    {"READONLY", READS, "redis is read-only", follow_nobody, lead_again, false},
    {"MASTERDOWN", NOTHING, "redis unavailable", follow_nobody_stale, lead_again, false},
    {"BUSY", NOTHING, "redis busy", run_a_script_for_ever, end_the_script, false},
    {"WRONGPASS", NOTHING, "redis authentication failed", change_the_password, change_it_back,
     true},
    {"NOPERM", NOTHING, "redis refused the command", take_the_rights, give_the_rights, true},
    {"max clients", NOTHING, "redis busy", let_nobody_in, let_everybody_in, false},
};
#define TROUBLES (sizeof troubles / sizeof *troubles)

static bool goes_on(const struct probe *probe, enum reach reach)
{
    bool only_deletes = probe->who == KEY || strstr(probe->target, "analytics") ||
                        strstr(probe->target, "/entries/gone") ||
                        strcmp(probe->target, "/api/cache/enable/") == 0;
    return reach != NOTHING && (probe->reads_only || (reach == READS_DELETES && only_deletes));
}

/* A fill that is refused for want of memory takes along what it was to replace. */
static bool is_taken_along(const struct probe *probe, enum reach reach)
{
    return reach == READS_DELETES && strstr(probe->target, "/entries/kept") && probe->reads_only;
}

static void expect_cause(const char *cause, const char *trouble)
{
    char body[128];
    const struct http_reply *reply = run(row("/api/v1/analytics/cache/clear"));
    snprintf(body, sizeof body, "{\"detail\":\"Failed to clear cache: %s\"}", cause);
    ck_assert_msg(reply->status == 500 && strcmp(reply->body, body) == 0, "%s: %d %s", trouble,
                  reply->status, reply->body);
}

static int64_t alices_clears(void)
{
    redisReply *reply = redisCommand(admin, "HGET cw:{u:%lld} clears", (long long)stand.alice.id);
    ck_assert(reply && reply->type == REDIS_REPLY_STRING);
    int64_t clears = strtoll(reply->str, NULL, 10);
    freeReplyObject(reply);
    return clears;
}

static void expect_trouble(const struct trouble *trouble)
{
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 200);
    const int64_t before = alices_clears();

    trouble->begin();
    for (size_t i = 0; i < PROBES; i++) {
        if (is_taken_along(&probes[i], trouble->reach))
            expect_status(run(&probes[i]), 404);
        else if (goes_on(&probes[i], trouble->reach))
            ck_assert_msg(works(&probes[i]), "%s: %s does not go on", trouble->name,
                          probes[i].target);
        else
            expect_failed(&probes[i], trouble->name);
    }
    if (trouble->cause)
        expect_cause(trouble->cause, trouble->name);
    expect_degraded();
    trouble->end();

    ck_assert_int_eq(alices_clears(), before);
    expect_recovered();
}

/* One after the other: first those that need no user of their own, then those that do. */
START_TEST(a_real_redis_in_trouble)
{
    static const char *const args[] = {"--enable-protected-configs", "yes",
                                       "--enable-debug-command", "yes", NULL};
    if (_i == 1)
        setenv("CW_STAND_GUARDED", "1", 1);
    open_with(&(struct stand_options){.redis = &(struct redis_server_options){.args = args},
                                      .environment =
                                          (const char *const[]){"CACHEWARDEN_LIMITS_ENABLED=false",
                                                                CW_PATIENT_WITH_REDIS, NULL}});
    admin = redisConnect("127.0.0.1", redis_server_port(stand.redis));
    ck_assert(admin && admin->err == 0);
    for (size_t i = 0; i < TROUBLES; i++)
        if (troubles[i].is_guarded == (_i == 1))
            expect_trouble(&troubles[i]);
    redisFree(admin);
    stand.is_guarded = false; /* what was refused here was meant to be */
    stand_close(&stand);
}
END_TEST

/* ---- to the letter ---- */

static const struct {
    const char *says, *cause;
} errors[] = {
    {"-OOM command not allowed when used memory > 'maxmemory'.\r\n", "redis out of memory"},
    {"-READONLY You can't write against a read only replica.\r\n", "redis is read-only"},
    {"-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to "
     "disk.\r\n",
     "redis refused the command"},
    {"-LOADING Redis is loading the dataset in memory\r\n", "redis is loading"},
    {"-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN "
     "NOSAVE.\r\n",
     "redis busy"},
    {"-NOAUTH Authentication required.\r\n", "redis authentication failed"},
    {"-WRONGPASS invalid username-password pair or user is disabled.\r\n",
     "redis authentication failed"},
    {"-NOPERM User cachewarden has no permissions to run the 'get' command\r\n",
     "redis refused the command"},
    {"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
     "redis refused the command"},
    {"-ERR increment or decrement would overflow\r\n", "redis refused the command"},
    {"-ERR max number of clients reached\r\n", "redis busy"},
    {"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
     "redis unavailable"},
    {"-EXECABORT <script>canary\r\n", "redis refused the command"},
};

/* What Redis says in its own words reaches nobody, but the admin who has it tested. */
static void expect_no_word_of_it(const struct probe *probe, const char *words)
{
    const struct http_reply *reply = run(probe);
    char text[64];
    snprintf(text, sizeof text, "%.20s", words + 1);
    if (strcmp(probe->target, "/api/redis-test") == 0) {
        ck_assert_msg(strstr(reply->body, "\"message\":\"redis ") != NULL, "%s", reply->body);
        return;
    }
    ck_assert_msg(!strstr(reply->body, text) && !strstr(reply->body, "canary"), "%s", reply->body);
}

/* From now on every command is refused with these words, but for those of a new connection. */
static void refuse_all(struct fake_redis *fake, const char *words)
{
    char *rights = guarded_redis_rights(), *state;
    for (char *word = strtok_r(rights, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
        for (char *c = word; *c; c++)
            *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
        if (word[0] == '+' && strcmp(word, "+ECHO") != 0 && strcmp(word, "+SELECT") != 0 &&
            strcmp(word, "+CLIENT|SETNAME") != 0)
            fake_redis_override(fake, word + 1, words);
    }
    free(rights);
}

/* The trial of health begins with SET. What has no text of its own is named by Redis's first word. */
static const char *text_of_health(const char *cause, const char *says)
{
    static char text[64];
    if (strcmp(cause, "redis refused the command") != 0)
        return cause;
    snprintf(text, sizeof text, "redis refused SET (%.*s)", (int)strcspn(says + 1, " "), says + 1);
    return text;
}

START_TEST(every_error_to_the_letter)
{
    char url[64];
    struct fake_redis *fake = fake_redis_start();
    refuse_all(fake, errors[0].says);
    snprintf(url, sizeof url, "REDIS_URL=%s", fake_redis_url(fake));
    open_with(&(struct stand_options){
        .no_redis = true,
        .environment = (const char *const[]){url, "CACHEWARDEN_LIMITS_ENABLED=false",
                                             CW_PATIENT_WITH_REDIS, NULL}});
    take_refresh_token(); /* signing in needs no Redis; spending the token does */
    for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
        refuse_all(fake, errors[e].says);
        for (size_t i = 0; i < PROBES; i++) {
            expect_failed(&probes[i], errors[e].says);
            expect_no_word_of_it(&probes[i], errors[e].says);
        }
        expect_cause(errors[e].cause, errors[e].says);
        expect_degraded();
        stand_wait(health_says, text_of_health(errors[e].cause, errors[e].says),
                   "health knows the cause");
    }
    stand_close(&stand);
    fake_redis_stop(&fake);
}
END_TEST

/* ---- nothing is left out ---- */

/* Routes that are looked at elsewhere: health is by expect_degraded, registering and new passwords
 * without Redis by test_faults and test_sessions; their calls cannot be repeated at will. Subjects are
 * asked for in the users database alone. */
static const char *const elsewhere[] = {"/health", "/auth/register", "/auth/password",
                                        "/auth/logout", "/api/v1/subjects"};

static bool is_covered(const char *method, const char *path)
{
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        if (strcmp(elsewhere[i], path) == 0)
            return true;
    for (size_t i = 0; i < PROBES; i++) {
        /* "/api/v1/caches/{name}/flush" is "/api/v1/caches/messages/flush" here. */
        const char *target = probes[i].target, *rest = strchr(path, '}');
        size_t fixed = strcspn(path, "{"), end = strcspn(target, "?");
        bool same = rest
                        ? strncmp(target, path, fixed) == 0 &&
                              strcmp(strchr(target + fixed, '/') ? strchr(target + fixed, '/') : "",
                                     rest + 1) == 0
                        : strlen(path) == end && strncmp(target, path, end) == 0;
        if (same && strcmp(probes[i].method, method) == 0)
            return true;
    }
    return false;
}

START_TEST(every_route_is_looked_at)
{
    struct cw_result result;
    const struct cw_command command = {.arguments =
                                           (const char *const[]){"routes", "--json", NULL}};
    cw_run(&command, &result);
    json_t *routes = json_loads(result.out, 0, NULL);
    ck_assert_msg(json_array_size(routes) > 0, "%s%s", result.out, result.err);
    for (size_t i = 0; i < json_array_size(routes); i++) {
        const char *method =
            json_string_value(json_object_get(json_array_get(routes, i), "method"));
        const char *path = json_string_value(json_object_get(json_array_get(routes, i), "path"));
        ck_assert_msg(is_covered(method, path), "trouble.h has no row for %s %s", method, path);
    }
    json_decref(routes);
    cw_result_fini(&result);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_errors");
    TCase *all = tcase_create("all");
    tcase_add_loop_test(all, a_real_redis_in_trouble, 0, 2);
    tcase_add_test(all, every_error_to_the_letter);
    tcase_add_test(all, every_route_is_looked_at);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
