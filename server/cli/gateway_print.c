/* What `gateway explain` prints. */
#include "cli/gateway.h"

#include "cachewarden/clock.h"

static const char *x_cache(const struct gateway_explanation *told)
{
    static const char *const words[] = {[CACHE_RESULT_NONE] = "none",
                                        [CACHE_RESULT_MISS] = "MISS",
                                        [CACHE_RESULT_HIT] = "HIT",
                                        [CACHE_RESULT_STALE] = "STALE",
                                        [CACHE_RESULT_BYPASS] = "BYPASS"};
    return words[told->result];
}

/* ---- for people ---- */

static void label(struct strbuf *out, const char *text)
{
    strbuf_addf(out, "  ");
    cli_pad(out, str_from(text), 11);
}

static struct str short_time(int64_t wall_ms, char buffer[CLOCK_RFC3339_SIZE])
{
    return str_sub(clock_rfc3339(wall_ms, buffer), 0, 19);
}

static void print_route(struct strbuf *out, const struct gateway_explanation *told)
{
    const struct gateway_route_options *route = told->route;

    label(out, "route");
    strbuf_addf(out, "%.*s, %s, to", STR_ARG(route->prefix),
                route->is_public ? "public" : "of users");
    for (size_t i = 0; i < route->upstream_count; i++)
        strbuf_addf(out, "%s%.*s", i ? ", " : " ", STR_ARG(route->upstreams[i]));
    strbuf_add_char(out, '\n');
}

static void print_whose(struct strbuf *out, const struct explained *explained)
{
    const struct gateway_explanation *told = &explained->told;

    if (told->user_id == 0)
        strbuf_addf(out, "everybody");
    else
        strbuf_addf(out, "user %lld", (long long)told->user_id);
    if (told->user_id > 0 && explained->user.len > 0)
        strbuf_addf(out, " (%.*s%s)", STR_ARG(explained->user),
                    explained->is_inactive ? ", deactivated: the gateway lets nobody in so" : "");
    if (told->is_stranger)
        strbuf_addf(out, ", who has no account here");
}

static void print_key(struct strbuf *out, const struct explained *explained)
{
    const struct gateway_explanation *told = &explained->told;

    label(out, "key");
    print_whose(out, explained);
    strbuf_addf(out, ", GET, %.*s, %.*s, ", STR_ARG(told->origin), STR_ARG(told->path));
    if (told->query.ptr)
        strbuf_addf(out, "query \"%.*s\"\n", STR_ARG(told->query));
    else
        strbuf_addf(out, "no query\n");
    for (size_t i = 0; i < told->vary_count; i++) {
        label(out, i ? "" : "vary");
        strbuf_addf(out, told->vary[i].value.ptr ? "%.*s: %.*s\n" : "%.*s is absent%.*s\n",
                    STR_ARG(told->vary[i].name), STR_ARG(told->vary[i].value));
    }
    label(out, "redis key");
    strbuf_addf(out, "%.*s\n", STR_ARG(told->redis_key));
}

static void print_count(struct strbuf *out, const struct gateway_count *count)
{
    strbuf_addf(out, "%.*s %lld", STR_ARG(count->name), (long long)count->filled);
    if (count->filled != count->now)
        strbuf_addf(out, " (now %lld)", (long long)count->now);
}

static void print_tags(struct strbuf *out, const struct gateway_stored *stored)
{
    label(out, "tags");
    for (size_t i = 0; i < stored->tag_count; i++) {
        strbuf_add(out, i ? STR(", ") : STR_NONE);
        print_count(out, &stored->tags[i]);
        if (stored->soft[i].filled != stored->soft[i].now)
            strbuf_addf(out, " and softly %lld (now %lld)", (long long)stored->soft[i].filled,
                        (long long)stored->soft[i].now);
    }
    strbuf_addf(out, "%s\n", stored->tag_count == 0 ? "none" : "");
}

static void print_stored(struct strbuf *out, const struct gateway_stored *stored)
{
    char time[CLOCK_RFC3339_SIZE];

    label(out, "stored");
    strbuf_addf(out, "%d, %llu bytes, since %.*sZ, for %lld s more\n", stored->status,
                (unsigned long long)stored->body_length,
                STR_ARG(short_time(stored->stored_at_ms, time)),
                (long long)(stored->left_ms / 1000));
    label(out, "age");
    strbuf_addf(out, "%lld s, fresh until %.*sZ (%s: %lld s)%s\n", (long long)stored->age_s,
                STR_ARG(short_time(stored->fresh_until_ms, time)), stored->freshness,
                (long long)stored->lifetime_s,
                stored->must_validate ? ", but no-cache: the upstream is asked each time" : "");
    label(out, "filled");
    strbuf_addf(out, "under ");
    print_count(out, &stored->version);
    strbuf_addf(out, ", ");
    print_count(out, &stored->models);
    strbuf_addf(out, ", ");
    print_count(out, &stored->all);
    strbuf_add_char(out, '\n');
    print_tags(out, stored);
}

static void print_cause(struct strbuf *out, const struct gateway_explanation *told)
{
    struct str cause = told->cause;

    if (str_eq(cause, STR("version")))
        strbuf_addf(out, "%s was cleared since",
                    told->user_id > 0 ? "this user's cache, or everybody's," : "everybody's cache");
    else if (str_eq(cause, STR("models-lost")))
        strbuf_addf(out, "what counts clears of models was lost, or has expired, since");
    else if (str_eq(cause, STR("everything")))
        strbuf_addf(out, "all that the gateway keeps was cleared since");
    else
        strbuf_addf(out, "the %.*s was cleared since", STR_ARG(cause));
}

static const char *what_lies(const struct gateway_explanation *told)
{
    switch (told->state) {
    case GATEWAY_STATE_FRESH:
        return "fresh";
    case GATEWAY_STATE_STALE:
        return "stale";
    case GATEWAY_STATE_OUTDATED:
        return "cleared softly, and stale since";
    case GATEWAY_STATE_CLEARED:
        return "cleared: ";
    case GATEWAY_STATE_DROPPED:
        return "dropped in the last ten minutes, by a change or while the user's cache was off";
    case GATEWAY_STATE_VARIANTS:
        return "nothing is stored for these values of what Vary names";
    case GATEWAY_STATE_UNREADABLE:
        return "what lies there is no record of the gateway; the next answer replaces it";
    case GATEWAY_STATE_NOTHING:
        break;
    }
    return "nothing is stored: not asked for yet, or gone, or not to be stored (an answer's "
           "Cache-Status says so)";
}

static const char *what_happens(const struct gateway_explanation *told)
{
    if (!told->is_asked)
        return told->is_body_why ? "; the cache is not asked, because the request has a body"
                                 : "; the cache is not asked, because of the method";
    if (!told->is_enabled)
        return "; the user's cache is switched off, so that the cache is not asked";
    if (told->is_refused)
        return "; the request takes nothing else, so it is answered with 504";
    switch (told->result) {
    case CACHE_RESULT_HIT:
        return ": it is served";
    case CACHE_RESULT_STALE:
        return ": it is served all the same";
    case CACHE_RESULT_BYPASS:
        return "; the cache is not asked, because of a field of the request";
    default:
        break;
    }
    return told->state == GATEWAY_STATE_FRESH ? ": but the request wants a fresher one" : "";
}

static void print_verdict(struct strbuf *out, const struct gateway_explanation *told)
{
    label(out, "verdict");
    strbuf_addf(out, "%s", what_lies(told));
    if (told->state == GATEWAY_STATE_CLEARED)
        print_cause(out, told);
    strbuf_addf(out, "%s\n", what_happens(told));
    if (told->not_storable) {
        label(out, "");
        strbuf_addf(out, "no answer to such a request is stored: %s\n", told->not_storable);
    }
    label(out, "answer");
    strbuf_addf(out, "X-Cache: %s\n", x_cache(told));
    label(out, "");
    strbuf_addf(out, "Cache-Status: %.*s\n", STR_ARG(told->cache_status));
}

/* What a change drops. */
static void print_change(struct strbuf *out, const struct gateway_explanation *told)
{
    label(out, "changes");
    strbuf_addf(out, "an answer below 400 drops what is stored of this path%s",
                told->route->model_count > 0 ? ", and for everybody what has the models" : "");
    for (size_t i = 0; i < told->route->model_count; i++)
        strbuf_addf(out, "%s %.*s", i ? "," : "", STR_ARG(told->route->models[i]));
    strbuf_add_char(out, '\n');
}

void explained_print(struct strbuf *out, const struct explained *explained)
{
    const struct gateway_explanation *told = &explained->told;

    strbuf_addf(out, "%.*s %.*s\n", STR_ARG(explained->method), STR_ARG(explained->url));
    print_route(out, told);
    print_key(out, explained);
    label(out, "cache");
    strbuf_addf(out, "%s", told->is_enabled ? "on" : "off");
    if (told->version > 0)
        strbuf_addf(out, ", version %lld", (long long)told->version);
    strbuf_add_char(out, '\n');
    if (told->has_stored)
        print_stored(out, &told->stored);
    print_verdict(out, told);
    if (told->may_change)
        print_change(out, told);
}

/* ---- for programs ---- */

static void add_texts(struct json_writer *json, const char *name, const struct str *texts,
                      size_t count)
{
    json_name(json, name);
    json_open_array(json);
    for (size_t i = 0; i < count; i++)
        json_write_string(json, texts[i]);
    json_close_array(json);
}

static void add_text_or_null(struct json_writer *json, const char *name, struct str text)
{
    if (text.ptr && text.len > 0) {
        json_add_string(json, name, text);
    } else {
        json_name(json, name);
        json_write_null(json);
    }
}

static void write_route(struct json_writer *json, const struct gateway_route_options *route)
{
    json_name(json, "route");
    json_open_object(json);
    json_add_string(json, "prefix", route->prefix);
    json_add_string(json, "scope", route->is_public ? STR("public") : STR("user"));
    add_texts(json, "upstream", route->upstreams, route->upstream_count);
    add_texts(json, "models", route->models, route->model_count);
    json_add_integer(json, "ttl_s", route->ttl_s);
    json_close_object(json);
}

static void write_key(struct json_writer *json, const struct gateway_explanation *told)
{
    json_name(json, "key");
    json_open_object(json);
    json_name(json, "user_id");
    if (told->user_id > 0)
        json_write_integer(json, told->user_id);
    else
        json_write_null(json);
    json_add_bool(json, "is_stranger", told->is_stranger);
    json_add_string(json, "method", STR("GET"));
    json_add_string(json, "origin", told->origin);
    json_add_string(json, "path", told->path);
    json_name(json, "query");
    if (told->query.ptr)
        json_write_string(json, told->query);
    else
        json_write_null(json);
    json_name(json, "vary");
    json_open_array(json);
    for (size_t i = 0; i < told->vary_count; i++) {
        json_open_object(json);
        json_add_string(json, "name", told->vary[i].name);
        add_text_or_null(json, "value", told->vary[i].value);
        json_close_object(json);
    }
    json_close_array(json);
    json_add_string(json, "redis_key", told->redis_key);
    json_close_object(json);
}

static void write_count(struct json_writer *json, const struct gateway_count *count)
{
    json_open_object(json);
    json_add_string(json, "name", count->name);
    json_add_integer(json, "filled", count->filled);
    json_add_integer(json, "now", count->now);
    json_close_object(json);
}

static void write_numbers(struct json_writer *json, const struct gateway_stored *stored)
{
    json_name(json, "numbers");
    json_open_array(json);
    write_count(json, &stored->version);
    write_count(json, &stored->models);
    write_count(json, &stored->all);
    json_close_array(json);
    json_name(json, "tags");
    json_open_array(json);
    for (size_t i = 0; i < stored->tag_count; i++)
        write_count(json, &stored->tags[i]);
    json_close_array(json);
    json_name(json, "tags_cleared_softly");
    json_open_array(json);
    for (size_t i = 0; i < stored->tag_count; i++)
        write_count(json, &stored->soft[i]);
    json_close_array(json);
}

static void write_stored(struct json_writer *json, const struct gateway_explanation *told)
{
    const struct gateway_stored *stored = &told->stored;
    char time[CLOCK_RFC3339_SIZE];

    json_name(json, "stored");
    if (!told->has_stored) {
        json_write_null(json);
        return;
    }
    json_open_object(json);
    json_add_integer(json, "status", stored->status);
    json_add_integer(json, "size", (int64_t)stored->body_length);
    json_add_string(json, "stored_at", clock_rfc3339(stored->stored_at_ms, time));
    json_add_integer(json, "expires_in", stored->left_ms / 1000);
    json_add_integer(json, "age", stored->age_s);
    json_add_integer(json, "lifetime", stored->lifetime_s);
    json_add_string(json, "freshness", str_from(stored->freshness));
    json_add_string(json, "fresh_until", clock_rfc3339(stored->fresh_until_ms, time));
    json_add_bool(json, "must_validate", stored->must_validate);
    json_add_integer(json, "stale_while_revalidate", stored->stale_while_revalidate_s);
    json_add_integer(json, "stale_if_error", stored->stale_if_error_s);
    write_numbers(json, stored);
    json_close_object(json);
}

void explained_write(struct strbuf *out, const struct explained *explained)
{
    const struct gateway_explanation *told = &explained->told;
    struct json_writer json;

    json_writer_init(&json, out);
    json_open_object(&json);
    json_add_string(&json, "url", explained->url);
    json_add_string(&json, "method", explained->method);
    write_route(&json, told->route);
    write_key(&json, told);
    json_add_bool(&json, "enabled", told->is_enabled);
    json_name(&json, "version");
    if (told->version > 0)
        json_write_integer(&json, told->version);
    else
        json_write_null(&json);
    json_add_bool(&json, "is_asked", told->is_asked);
    json_add_string(&json, "state", str_from(gateway_state_name(told->state)));
    add_text_or_null(&json, "cause", told->cause);
    add_text_or_null(&json, "not_storable", str_from(told->not_storable));
    write_stored(&json, told);
    json_add_string(&json, "x_cache", str_from(x_cache(told)));
    json_add_string(&json, "cache_status", told->cache_status);
    json_close_object(&json);
    strbuf_add_char(out, '\n');
}
