#include "gateway/rules/passing.h"

#include "gateway/rules/cache_control.h"
#include "gateway/rules/hop_by_hop.h"
#include "gateway/rules/invalidation.h"

#define COUNT(names) (sizeof(names) / sizeof *(names))

/* A '-' at the end stands for all that begin so. */
static const struct str told_anew[] = {
    STR("forwarded"),
    STR("x-forwarded"),
    STR("x-forwarded-"),
    STR("x-forward-"),
    STR("x-user-"),
    STR("x-real-ip"),
    STR("x-client-ip"),
    STR("client-ip"),
    STR("x-cluster-client-ip"),
    STR("true-client-ip"),
    STR("cf-connecting-ip"),
    STR("x-original-url"),
    STR("x-rewrite-url"),
    STR("x-original-host"),
    STR("x-host"),
    STR("x-original-uri"),
    STR("x-http-host-override"),
    STR("x-host-override"),
    STR("x-backend-host"),
    STR("x-url-scheme"),
    STR("x-scheme"),
    STR("front-end-https"),
    STR("x-envoy-original-"),
    STR("x-script-name"),
    STR("script-name"),
    STR("base-url"),
    STR("x-auth-request-"),
    STR("x-ssl-client-"),
    STR("x-remote-user"),
    STR("proxy"),
    STR("x-authenticated-"),
    STR("remote-user"),
};

static const struct str other_methods[] = {
    STR("x-http-method"),
    STR("x-http-method-override"),
    STR("x-method-override"),
};

/* X-Cache-… and X-User-Id are ours: what reads X-Cache-Version believes it, and takes it for that user's. */
static const struct str for_us[] = {
    STR("cache-tag"), STR("surrogate-key"), STR("surrogate-control"),
    STR("x-cache"),   STR("x-cache-"),      STR("x-user-id"),
};

static const struct str cookies[] = {STR("set-cookie"), STR("set-cookie2")};

static char folded(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c;
}

/* Many cannot tell X_Cache from X-Cache: both become the same variable. */
static char plain(char c)
{
    return c == '_' ? '-' : folded(c);
}

static bool begins_like(struct str name, struct str begin)
{
    if (name.len < begin.len)
        return false;
    for (size_t i = 0; i < begin.len; i++)
        if (plain(name.ptr[i]) != begin.ptr[i])
            return false;
    return true;
}

static bool is_like(struct str name, const struct str *names, size_t count)
{
    const char first = name.len > 0 ? plain(name.ptr[0]) : '\0';

    for (size_t i = 0; i < count; i++)
        if (names[i].ptr[0] == first && begins_like(name, names[i]) &&
            (name.len == names[i].len || str_ends(names[i], STR("-"))))
            return true;
    return false;
}

bool request_field_is_passed(const struct http_fields *request, struct str method, struct str name)
{
    const bool is_safe = method_is_safe(method);

    return !field_is_hop_by_hop(request, name) && str_find(name, '_') < 0 &&
           !is_like(name, told_anew, COUNT(told_anew)) &&
           !(is_safe && is_like(name, other_methods, COUNT(other_methods)));
}

bool response_field_is_passed(const struct http_fields *response, struct str name)
{
    return !field_is_hop_by_hop(response, name) && !is_like(name, for_us, COUNT(for_us));
}

bool response_field_is_stored(const struct http_fields *response, struct str name)
{
    return response_field_is_passed(response, name) &&
           !name_is_among(name, cookies, COUNT(cookies)) &&
           !response_directives_name(response, name);
}

struct message {
    struct http_fields fields;
    struct str method;
};

static bool keep_of_request(const struct http_field *field, void *arg)
{
    const struct message *message = arg;

    return request_field_is_passed(&message->fields, message->method, field->name);
}

static bool keep_to_pass(const struct http_field *field, void *arg)
{
    const struct message *message = arg;

    return response_field_is_passed(&message->fields, field->name);
}

static bool keep_to_store(const struct http_field *field, void *arg)
{
    const struct message *message = arg;

    return response_field_is_stored(&message->fields, field->name);
}

enum err request_fields_to_pass(struct arena *arena, struct str method,
                                const struct http_fields *request, struct http_fields *passed_out)
{
    struct message message = {*request, method};

    return fields_filter(arena, request, keep_of_request, &message, passed_out);
}

enum err response_fields_to_pass(struct arena *arena, const struct http_fields *response,
                                 struct http_fields *passed_out)
{
    struct message message = {*response, STR_NONE};

    return fields_filter(arena, response, keep_to_pass, &message, passed_out);
}

enum err response_fields_to_store(struct arena *arena, const struct http_fields *response,
                                  struct http_fields *stored_out)
{
    struct message message = {*response, STR_NONE};

    return fields_filter(arena, response, keep_to_store, &message, stored_out);
}
