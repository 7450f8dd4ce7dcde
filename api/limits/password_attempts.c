#include "limits/password_attempts.h"

#include "cachewarden/app.h"
#include "cachewarden/call.h"
#include "cachewarden/clock.h"
#include "cachewarden/pipeline.h"
#include "limits/limits_private.h"
#include "limits/network.h"
#include "limits/redis_counters.h"
#include "redis_reply.h"

#include <inttypes.h>

#define BY_NAME  STR("n:")
#define BY_EMAIL STR("e:")

static struct str digest(const struct app *app, struct arena *arena, struct str field,
                         struct str name)
{
    struct strbuf text;

    strbuf_init(&text, arena, field.len + name.len);
    strbuf_add(&text, field);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        strbuf_add_char(&text, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
    return text.failed
               ? STR_NONE
               : token_name_digest(identity_tokens(app->identity), arena, strbuf_str(&text));
}

struct str limits_name_digest(const struct call *call, struct str name)
{
    return digest(call->app, call->arena, STR_NONE, name);
}

static int64_t max_of(const struct call *call)
{
    return atomic_load_explicit(&call->app->limits->login_failures, memory_order_relaxed);
}

/* One more than has failed, because this attempt is not among them yet. */
static enum err judge_so_far(struct call *call, struct limit_window failed)
{
    failed.count++;
    return failed.count > max_of(call) ? limit_judge(call, max_of(call), failed) : ERR_OK;
}

/*
 * By what was typed into which field, not by whose account it is: a counter that a name and an email shared
 * would tell that both belong to one account, and whose name is somebody's email could clear theirs.
 */
enum err limits_password_attempt(struct call *call, struct str name, bool by_email,
                                 struct limit_password_attempt *attempt_out)
{
    char buffer[LIMIT_NETWORK_SIZE];

    attempt_out->is_on = limits_are_on(call->app->limits);
    if (!attempt_out->is_on)
        return ERR_OK;
    struct str hex = digest(call->app, call->arena, by_email ? BY_EMAIL : BY_NAME, name);
    if (!hex.ptr)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a name");
    struct str network = limit_network(call->client_address, buffer);
    attempt_out->key = key_limit_failures(hex, network);
    attempt_out->failing = key_limit_failing(hex);
    attempt_out->network = str_dup(call->arena, network);
    return judge_so_far(call, limits_look(call, &attempt_out->key, LIMIT_FAILURE_WINDOW_MS));
}

/* The list lives as long as the youngest window in it. A network that is missing is not unlocked; it is no
 * reason to fail. */
static void note_network(struct call *call, const struct limit_password_attempt *attempt)
{
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_WRITE);
    struct str window = str_format(call->arena, "%" PRId64, (int64_t)LIMIT_FAILURE_WINDOW_MS);
    struct error unwanted;

    if (!TEXTS_MADE(window, attempt->network))
        return;
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZADD"), key_str(&attempt->failing), STR("0"),
                 attempt->network);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), key_str(&attempt->failing), window);
    enum err ignored = redis_run(
        call->app->control, pipeline,
        (struct work){.deadline_ns = clock_deadline_ns(call->app->budget_ms), .error = &unwanted});
    (void)ignored;
}

enum err limits_password_attempted(struct call *call, const struct limit_password_attempt *attempt,
                                   enum err outcome)
{
    if (!attempt->is_on || (outcome != ERR_OK && outcome != ERR_UNAUTHENTICATED))
        return outcome;
    if (outcome == ERR_UNAUTHENTICATED) {
        struct limit_window failed = limits_count(call, &attempt->key, LIMIT_FAILURE_WINDOW_MS);
        if (failed.count == 1) /* a window has begun */
            note_network(call, attempt);
        return failed.count > max_of(call) ? limit_judge(call, max_of(call), failed) : outcome;
    }
    struct limit_window failed = limits_look(call, &attempt->key, LIMIT_FAILURE_WINDOW_MS);
    enum err err = judge_so_far(call, failed);
    if (err == ERR_OK && failed.count > 0)
        limits_forget(call, &attempt->key);
    return err;
}

/* ---- an operator's ---- */

/* An attack may come from any number of networks: so many of them are forgotten in one go. */
#define NETWORKS_AT_ONCE 1000

/* *count_out: how many were forgotten; fewer than NETWORKS_AT_ONCE: all. */
static enum err forget_some(struct app *app, struct work work, struct str hex, size_t *count_out)
{
    struct pipeline *look = pipeline_new(work.arena, PIPELINE_READ),
                    *forget = pipeline_new(work.arena, PIPELINE_WRITE);
    struct key failing = key_limit_failing(hex);

    PIPELINE_KEY(look, EXPECT_ARRAY, STR("ZREVRANGE"), key_str(&failing), STR("0"),
                 str_format(work.arena, "%d", NETWORKS_AT_ONCE - 1));
    enum err err = redis_run(app->control, look, work);
    const struct value *networks = pipeline_value(look, 0);
    for (size_t i = 0; err == ERR_OK && i < networks->count; i++) {
        struct key key = key_limit_failures(hex, networks->items[i].text);
        PIPELINE_KEY(forget, EXPECT_INTEGER, STR("DEL"), key_str(&key));
        PIPELINE_KEY(forget, EXPECT_INTEGER, STR("ZREM"), key_str(&failing),
                     networks->items[i].text);
    }
    *count_out = err == ERR_OK ? networks->count : 0;
    return *count_out > 0 ? redis_run(app->control, forget, work) : err;
}

static enum err forget_networks(struct app *app, struct work work, struct str hex)
{
    size_t count = NETWORKS_AT_ONCE;
    enum err err = ERR_OK;

    while (err == ERR_OK && count == NETWORKS_AT_ONCE)
        err = forget_some(app, work, hex, &count);
    return err;
}

enum err limits_unlock(struct app *app, struct work work, const struct user *user)
{
    const struct str digests[] = {digest(app, work.arena, BY_NAME, user->username),
                                  digest(app, work.arena, BY_EMAIL, user->email)};
    enum err err = ERR_OK;

    if (!TEXTS_MADE(digests[0], digests[1]))
        return error_set_detail(work.error, ERR_NO_MEMORY, "no memory for a name");
    for (size_t i = 0; i < 2 && err == ERR_OK; i++)
        err = forget_networks(app, work, digests[i]);
    return err;
}
