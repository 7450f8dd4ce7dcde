#include "cachewarden/gateway_explain.h"

#include "cachewarden/clock.h"
#include "gateway/key_of.h"
#include "gateway/rules/invalidation.h"
#include "gateway/store_inspect.h"
#include "gateway/storing.h"
#include "gateway/verdict.h"

const char *gateway_state_name(enum gateway_state state)
{
    static const char *const names[] = {
        [GATEWAY_STATE_FRESH] = "fresh",
        [GATEWAY_STATE_STALE] = "stale",
        [GATEWAY_STATE_OUTDATED] = "cleared softly",
        [GATEWAY_STATE_CLEARED] = "cleared",
        [GATEWAY_STATE_DROPPED] = "dropped",
        [GATEWAY_STATE_VARIANTS] = "other variants",
        [GATEWAY_STATE_UNREADABLE] = "unreadable",
        [GATEWAY_STATE_NOTHING] = "nothing",
    };
    return names[state];
}

/* What explains a request. */
struct explaining {
    struct passage passage;
    struct gateway_key key;
    struct inspection found;
    struct verdict verdict;
    struct gateway_explanation *told;
};

/* ---- the key ---- */

/* Each name alone, as it is one of those that are hashed. */
static enum err tell_vary(struct explaining *explaining)
{
    struct gateway_explanation *told = explaining->told;
    struct arena *arena = explaining->passage.call->arena;
    struct str rest = explaining->found.names, name;
    struct http_field *vary = arena_calloc(arena, VARY_NAMES_MAX, sizeof *vary);

    if (!vary)
        return ERR_NO_MEMORY;
    told->vary = vary;
    while (rest.len > 0 && told->vary_count < VARY_NAMES_MAX && str_split(&rest, ',', &name)) {
        struct str value = fields_value(&explaining->passage.sent, name);
        vary[told->vary_count++] = (struct http_field){name, value};
    }
    return ERR_OK;
}

static enum err tell_key(struct explaining *explaining)
{
    const struct gateway_key *key = &explaining->key;
    struct gateway_explanation *told = explaining->told;
    struct call *call = explaining->passage.call;
    const struct namespace space = gateway_key_space(key);
    struct key name = key_response(&space, explaining->found.entry.bytes);

    told->user_id = key->user_id;
    told->is_stranger = key->user_id > 0 && call->principal.is_stranger;
    told->origin = key->host;
    told->path = key->path;
    told->query = key->query;
    told->redis_key = str_dup(call->arena, key_str(&name));
    return told->redis_key.ptr ? tell_vary(explaining) : ERR_NO_MEMORY;
}

/* ---- what lies there ---- */

static const char *freshness_name(enum freshness_source source)
{
    static const char *const names[] = {
        [FRESHNESS_NONE] = "none",       [FRESHNESS_S_MAXAGE] = "s-maxage",
        [FRESHNESS_MAX_AGE] = "max-age", [FRESHNESS_EXPIRES] = "Expires",
        [FRESHNESS_ROUTE] = "ttl_s",     [FRESHNESS_HEURISTIC] = "heuristic_percent",
    };
    return names[source];
}

static enum err tell_tags(struct explaining *explaining)
{
    const struct inspection *found = &explaining->found;
    struct gateway_stored *stored = &explaining->told->stored;
    size_t count = found->response.tag_count;
    struct gateway_count *tags =
        arena_calloc(explaining->passage.call->arena, 2 * count + 1, sizeof *tags);

    if (!tags)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < 2 * count; i++)
        tags[i] = (struct gateway_count){found->response.tags[i % count],
                                         found->numbers.counts[1 + i], found->now.counts[1 + i]};
    stored->tags = tags;
    stored->soft = tags + count;
    stored->tag_count = count;
    return ERR_OK;
}

static enum err tell_stored(struct explaining *explaining)
{
    const struct inspection *found = &explaining->found;
    const struct stored_response *response = &found->response;
    const struct response_head head = {response->status, response->fields,
                                       response->request_time_ms, response->response_time_ms};
    const struct cache_policy policy = storing_policy(explaining->passage.route);
    struct cache_terms terms;
    int64_t now_ms = clock_wall_ms();

    cache_terms_of(&head, &policy, &terms);
    int64_t age_ms = cache_age_ms(&terms, now_ms);
    explaining->told->has_stored = true;
    explaining->told->stored = (struct gateway_stored){
        .status = response->status,
        .body_length = found->look.body_length,
        .stored_at_ms = response->response_time_ms,
        .left_ms = found->left_ms,
        .age_s = age_ms / 1000,
        .lifetime_s = terms.lifetime_s,
        .fresh_until_ms = now_ms - age_ms + terms.lifetime_s * 1000,
        .freshness = freshness_name(terms.source),
        .must_validate = terms.validate_always,
        .stale_while_revalidate_s = terms.stale_while_revalidate_s,
        .stale_if_error_s = terms.stale_if_error_s,
        .version = {STR("version"), found->numbers.version, found->version},
        .models = {STR("base"), found->numbers.base, found->now.base},
        .all = {STR("everything"), found->numbers.counts[0], found->now.counts[0]},
    };
    return tell_tags(explaining);
}

/* ---- why ---- */

static struct str cause_of(const struct inspection *found, struct arena *arena)
{
    switch (found->moved) {
    case MOVED_VERSION:
        return STR("version");
    case MOVED_BASE:
        return STR("models-lost");
    case MOVED_ALL:
        return STR("everything");
    case MOVED_TAG:
        return str_format(arena, "model %.*s", STR_ARG(found->moved_tag));
    case MOVED_NOT:
        break;
    }
    return STR_NONE;
}

static enum gateway_state state_of(const struct explaining *explaining)
{
    const struct inspection *found = &explaining->found;

    switch (found->lies) {
    case LIES_NOTHING:
        return GATEWAY_STATE_NOTHING;
    case LIES_UNREADABLE:
        return GATEWAY_STATE_UNREADABLE;
    case LIES_DROPPED:
        return GATEWAY_STATE_DROPPED;
    case LIES_OTHERS:
        return GATEWAY_STATE_VARIANTS;
    case LIES_RESPONSE:
        break;
    }
    if (found->moved != MOVED_NOT)
        return GATEWAY_STATE_CLEARED;
    if (found->look.is_outdated)
        return GATEWAY_STATE_OUTDATED;
    return explaining->told->stored.must_validate ||
                   explaining->told->stored.age_s >= explaining->told->stored.lifetime_s
               ? GATEWAY_STATE_STALE
               : GATEWAY_STATE_FRESH;
}

/* ---- the answer ---- */

/* What the cache does, in the words of who serves it. */
static void decide(struct explaining *explaining, struct cache_status *status)
{
    const struct inspection *found = &explaining->found;
    struct gateway_explanation *told = explaining->told;

    told->result = CACHE_RESULT_BYPASS;
    if (!told->is_asked) {
        status->forwarded = verdict_unasked(&explaining->passage);
        return;
    }
    status->forwarded = FORWARDED_BYPASS;
    if (!found->is_enabled) {
        status->detail = STR("switched off");
        return;
    }
    verdict_judge(&explaining->passage, &found->look, &explaining->verdict);
    status->forwarded = explaining->verdict.forwarded;
    if (explaining->verdict.reuse.reuse == REUSE_BYPASS)
        return;
    told->result = CACHE_RESULT_MISS;
    told->is_refused = explaining->verdict.reuse.reuse == REUSE_GATEWAY_TIMEOUT;
    if (!verdict_is_served(&explaining->verdict))
        return;
    told->result =
        explaining->verdict.reuse.reuse == REUSE_FRESH ? CACHE_RESULT_HIT : CACHE_RESULT_STALE;
    verdict_tell_served(&explaining->verdict, &found->look, status);
}

static enum err tell(struct explaining *explaining)
{
    struct gateway_explanation *told = explaining->told;
    struct inspection *found = &explaining->found;
    struct arena *arena = explaining->passage.call->arena;
    struct cache_status status = {.forwarded = FORWARDED_NOT};
    enum err err = tell_key(explaining);

    if (err == ERR_OK && found->lies == LIES_RESPONSE)
        err = tell_stored(explaining);
    if (err != ERR_OK)
        return err;
    told->is_enabled = found->is_enabled;
    told->version = told->user_id > 0 ? found->version : 0;
    told->state = state_of(explaining);
    told->cause = cause_of(found, arena);
    told->not_storable = told->is_asked ? storing_request_forbids(&explaining->passage) : NULL;
    decide(explaining, &status);
    told->cache_status =
        told->is_refused ? VERDICT_NOTHING_STATUS : cache_status_text(arena, &status);
    return told->cache_status.ptr ? ERR_OK : ERR_NO_MEMORY;
}

enum err gateway_explain(const struct gateway_route *route, const struct gateway_request *request,
                         struct call *call, struct gateway_explanation *explanation_out)
{
    struct explaining explaining = {.told = explanation_out};

    *explanation_out = (struct gateway_explanation){.route = &route->options};
    enum err err = passage_begin(&explaining.passage, route, request, call);
    if (err == ERR_OK)
        err = key_of(route, request, call, &explaining.passage.sent, &explaining.key);
    if (err != ERR_OK)
        return err;
    explanation_out->is_asked = verdict_may_ask(&explaining.passage);
    explanation_out->is_body_why =
        !explanation_out->is_asked && verdict_unasked(&explaining.passage) == FORWARDED_BYPASS;
    explanation_out->may_change = !method_is_safe(request->method);
    err = gateway_store_inspect(route->gateway->store, &explaining.key, call_work(call),
                                &explaining.found);
    if (err == ERR_OK)
        err = tell(&explaining);
    return err == ERR_NO_MEMORY
               ? error_set_detail(&call->error, err, "no memory for an explanation")
               : err;
}
