#include "identity/revoke.h"

#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/users.h"
#include "keyspace.h"
#include "limits/window.h"
#include "redis_reply.h"

#include <inttypes.h>

/* A node that finds the last one it read trimmed away reads the sorted set; ten thousand are about 1 MiB. */
#define EVENTS_KEPT STR("10000")

/* GT: of two expiries the later holds (Redis 6.2). First the set, then the stream: whoever reads
 * the stream's end and then the set misses nothing. */
enum err revoke_add(struct pipeline *pipeline, struct arena *arena,
                    const struct revocation *revocation)
{
    struct key revoked = key_revoked(), events = key_events();
    struct str member = revocation_write(arena, revocation);
    struct str expires = str_format(arena, "%" PRId64, revocation->expires_at_s);

    if (!TEXTS_MADE(member, expires))
        return ERR_NO_MEMORY;
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZADD"), key_str(&revoked), STR("GT"), expires,
                 member);
    PIPELINE_KEY(pipeline, EXPECT_STRING, STR("XADD"), key_str(&events), STR("MAXLEN"), STR("~"),
                 EVENTS_KEPT, STR("*"), STR("revoked"), member, STR("expires"), expires);
    return ERR_OK;
}

/* Whether Redis may hold one of them now. */
static bool may_have_happened(const struct pipeline *pipeline, enum err err)
{
    if (err != ERR_UPSTREAM_REFUSED)
        return err == ERR_OK || err == ERR_UNCERTAIN;
    for (size_t i = 0; i < pipeline_count(pipeline); i++) {
        enum value_kind kind = pipeline_value(pipeline, i)->kind;
        if (kind != VALUE_ERROR && kind != VALUE_MISSING)
            return true;
    }
    return false;
}

enum err revoke_all(struct call *call, const struct revocation *list, size_t count,
                    enum revoke_mode mode, struct error *error)
{
    struct revocations *known = identity_revocations(call->app->identity);
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_WRITE);
    enum err added = ERR_OK, err = ERR_OK;

    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = revoke_add(pipeline, call->arena, &list[i]);
    if (err == ERR_OK)
        err = redis_run(call->app->control, pipeline,
                        (struct work){.deadline_ns = call->deadline_ns, .error = error});
    if (mode == REVOKE_OR_FAIL && !may_have_happened(pipeline, err))
        return err;
    for (size_t i = 0; i < count && added == ERR_OK; i++)
        added = revocations_add(known, &list[i], err == ERR_OK);
    if (added != ERR_OK)
        return error_set_detail(error, added, "no memory for a revocation");
    return err;
}

struct revocation revocation_of_family(const struct call *call, struct str family)
{
    const struct tokens *tokens = identity_tokens(call->app->identity);

    /* The second more: a token may be dated with the next one (users.h). */
    return (struct revocation){
        .kind = REVOKED_FAMILY,
        .name = family,
        .expires_at_s = call->now_s + token_longest_ttl_s(tokens) + token_leeway_s(tokens) + 1,
    };
}

/* Tokens of the account may be dated up to not_before_s, a second ahead of the clock. */
struct revocation revocation_of_everything(const struct call *call, int64_t user_id,
                                           struct str whose, int64_t not_before_s, int64_t ends_s)
{
    const struct tokens *tokens = identity_tokens(call->app->identity);
    int64_t cut_s = not_before_s > call->now_s ? not_before_s : call->now_s;
    int64_t until_s = cut_s + token_longest_ttl_s(tokens);

    if (ends_s > until_s)
        until_s = ends_s;
    return revocation_of_user(user_id, whose, cut_s, until_s + token_leeway_s(tokens) + 1);
}

enum err revoke_check_ahead(struct call *call, int64_t not_before_s)
{
    int64_t ahead_s = not_before_s - call->now_s;
    const struct limit_window window = {.count = ahead_s + 1,
                                        .left_ms = (ahead_s - USERS_VOID_AHEAD_S + 1) * 1000};

    return ahead_s < USERS_VOID_AHEAD_S ? ERR_OK : limit_judge(call, USERS_VOID_AHEAD_S, window);
}
