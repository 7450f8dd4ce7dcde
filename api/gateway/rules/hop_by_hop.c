#include "gateway/rules/hop_by_hop.h"

#define COUNT(names) (sizeof(names) / sizeof *(names))

/* Proxy-… are between a client and its proxy; a proxy that is spoken to as an origin is none. */
static const struct str always[] = {
    STR("connection"),
    STR("keep-alive"),
    STR("proxy-connection"),
    STR("proxy-authenticate"),
    STR("proxy-authorization"),
    STR("proxy-authentication-info"),
    STR("te"),
    STR("trailer"),
    STR("transfer-encoding"),
    STR("upgrade"),
};

/* A sender that names one of these would have the message read in another way behind us than by us. */
static const struct str never[] = {
    STR("host"),          STR("content-length"),
    STR("content-type"),  STR("content-encoding"),
    STR("content-range"), STR("cache-control"),
    STR("expires"),       STR("age"),
    STR("date"),          STR("vary"),
    STR("etag"),          STR("last-modified"),
    STR("set-cookie"),    STR("cdn-cache-control"),
    STR("pragma"),        STR("authorization"),
    STR("cookie"),        STR("range"),
};

bool field_is_hop_by_hop(const struct http_fields *fields, struct str name)
{
    if (name_is_among(name, always, COUNT(always)))
        return true;
    return !name_is_among(name, never, COUNT(never)) &&
           field_list_has(fields, STR("connection"), name);
}

static bool is_passed(const struct http_field *field, void *arg)
{
    return !field_is_hop_by_hop(arg, field->name);
}

enum err fields_end_to_end(struct arena *arena, const struct http_fields *fields,
                           struct http_fields *passed_out)
{
    struct http_fields message = *fields;

    return fields_filter(arena, fields, is_passed, &message, passed_out);
}
