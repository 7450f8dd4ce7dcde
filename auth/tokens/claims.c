#include "tokens/claims.h"

#include "tokens/claimed_rights.h"

#include "cachewarden/arena.h"
#include "cachewarden/json.h"

#include <math.h>

/* 2^53: up to here a number is exact in every JSON implementation (RFC 8259 section 6); as a date,
 * year 285,000,000. */
#define DATE_MAX_S INT64_C(9007199254740992)

/* Names and ids travel on into logs, the audit and Redis keys. */
enum { TEXT_MAX_SIZE = 255 };

static enum err refuse(struct error *error, const char *claim, const char *why)
{
    return error_set_detail(error, ERR_UNAUTHENTICATED, "token: %s %s", claim, why);
}

/* NumericDate (RFC 7519 section 2): seconds, which may have a fraction; it is cut off. 0 and ERR_OK
 * when absent. */
static enum err read_date(const struct json *payload, const char *name, bool *present_out,
                          int64_t *date_s_out, struct error *error)
{
    const struct json *value = json_get(payload, name);

    *present_out = value != NULL;
    *date_s_out = 0;
    if (!value)
        return ERR_OK;
    switch (json_kind(value)) {
    case JSON_INTEGER:
        *date_s_out = json_integer(value);
        break;
    case JSON_REAL:
        if (!(json_real(value) >= 0 && json_real(value) <= (double)DATE_MAX_S))
            return refuse(error, name, "is out of range");
        *date_s_out = (int64_t)floor(json_real(value));
        break;
    default:
        return refuse(error, name, "is not a number");
    }
    if (*date_s_out < 0 || *date_s_out > DATE_MAX_S)
        return refuse(error, name, "is out of range");
    return ERR_OK;
}

enum err claims_read_text(const struct json *value, const char *name, struct str *text_out,
                          struct error *error)
{
    *text_out = STR_NONE;
    if (!value)
        return ERR_OK;
    if (json_kind(value) != JSON_STRING)
        return refuse(error, name, "is not a string");
    *text_out = json_string(value);
    if (text_out->len == 0 || text_out->len > TEXT_MAX_SIZE || str_has_control(*text_out))
        return refuse(error, name, "is empty, longer than 255 bytes or has control characters");
    return ERR_OK;
}

/* A number, or its canonical decimal digits as a string (simplejwt writes either, depending on its
 * version). */
static enum err read_user_id(const struct json *payload, int64_t *user_id_out, struct error *error)
{
    const struct json *value = json_get(payload, "user_id");
    int64_t user_id = 0;

    *user_id_out = 0;
    if (!value)
        return ERR_OK;
    if (json_kind(value) == JSON_INTEGER)
        user_id = json_integer(value);
    else if (json_kind(value) != JSON_STRING ||
             !str_to_int64(json_string(value), 1, INT64_MAX, &user_id))
        return refuse(error, "user_id", "is not a positive integer");
    if (user_id < 1)
        return refuse(error, "user_id", "is not a positive integer");
    *user_id_out = user_id;
    return ERR_OK;
}

static const struct str use_names[] = {
    [TOKEN_ACCESS] = STR("access"),
    [TOKEN_REFRESH] = STR("refresh"),
    [TOKEN_SESSION] = STR("session"),
};

/* A token without a type is an access token: only our own and simplejwt's say what they are. */
static enum err read_use(const struct json *payload, enum token_use *use_out, struct error *error)
{
    const struct json *value = json_get(payload, "token_type");

    *use_out = TOKEN_ACCESS;
    if (!value)
        return ERR_OK;
    for (int use = TOKEN_ACCESS; use <= TOKEN_SESSION; use++) {
        *use_out = (enum token_use)use;
        if (str_eq(json_string(value), use_names[use]))
            return ERR_OK;
    }
    return refuse(error, "token_type", "is neither access nor refresh nor session");
}

/* flask-jwt-extended says `type` where others say `token_type`. Ours never have it. */
static enum err check_type(const struct json *payload, struct error *error)
{
    const struct json *value = json_get(payload, "type");

    return !value || str_eq(json_string(value), use_names[TOKEN_ACCESS])
               ? ERR_OK
               : refuse(error, "type", "is not access");
}

/* A token for somebody else is not for us, and where we have no name none can be meant (RFC 7519
 * section 4.1.3). */
static enum err check_audience(const struct json *payload, struct str ours, struct error *error)
{
    const struct json *value = json_get(payload, "aud");
    bool is_ours = false;

    if (ours.len == 0)
        return value ? refuse(error, "aud", "is present, but no audience is configured") : ERR_OK;
    if (!value)
        return refuse(error, "aud", "is missing");
    if (json_kind(value) == JSON_STRING)
        return str_eq(json_string(value), ours) ? ERR_OK : refuse(error, "aud", "is not ours");
    if (json_kind(value) != JSON_ARRAY)
        return refuse(error, "aud", "is neither a string nor an array");
    for (size_t i = 0; i < json_count(value); i++) {
        const struct json *item = json_at(value, i);
        if (json_kind(item) != JSON_STRING)
            return refuse(error, "aud", "has an item that is not a string");
        is_ours = is_ours || str_eq(json_string(item), ours);
    }
    return is_ours ? ERR_OK : refuse(error, "aud", "is not ours");
}

static enum err check_issuer(const struct json *payload, struct str ours, bool *is_own_out,
                             struct error *error)
{
    const struct json *value = json_get(payload, "iss");

    *is_own_out = false;
    if (!value)
        return ERR_OK;
    if (json_kind(value) != JSON_STRING || !str_eq(json_string(value), ours))
        return refuse(error, "iss", "is not ours");
    *is_own_out = true;
    return ERR_OK;
}

static enum err read_dates(const struct json *payload, struct claims *claims, struct error *error)
{
    bool is_present;
    enum err err;

    if ((err = read_date(payload, "nbf", &is_present, &claims->not_before_s, error)) != ERR_OK ||
        (err = read_date(payload, "iat", &is_present, &claims->token.issued_at_s, error)) !=
            ERR_OK ||
        (err = read_date(payload, "exp", &is_present, &claims->token.expires_at_s, error)) !=
            ERR_OK)
        return err;
    return is_present ? ERR_OK : refuse(error, "exp", "is missing");
}

enum err claims_parse(const struct claims_rules *rules, struct arena *arena, struct str text,
                      const struct json **payload_out, struct claims *claims, struct error *error)
{
    struct token_claims *token = &claims->token;
    const struct json *payload = NULL;

    *claims = (struct claims){0};
    *payload_out = NULL;
    enum err err = json_parse(arena, text, &payload, NULL);
    if (err == ERR_NO_MEMORY)
        return err;
    if (err || json_kind(payload) != JSON_OBJECT)
        return refuse(error, "the payload", "is not a JSON object");
    *payload_out = payload;
    if ((err = read_dates(payload, claims, error)) != ERR_OK ||
        (err = check_issuer(payload, rules->issuer, &token->is_own, error)) != ERR_OK ||
        (err = check_audience(payload, rules->audience, error)) != ERR_OK)
        return err;
    return claims_read_text(json_get(payload, "jti"), "jti", &token->id, error);
}

enum err claims_read(const struct claims_rules *rules, struct arena *arena, struct str text,
                     struct claims *claims, struct error *error)
{
    struct token_claims *token = &claims->token;
    const struct json *payload = NULL;
    bool is_present;

    enum err err = claims_parse(rules, arena, text, &payload, claims, error);
    if (err)
        return err;
    const struct {
        const char *name;
        struct str *text_out;
    } texts[] = {{"sub", &token->subject},
                 {"family", &token->family},
                 {"incarnation", &token->incarnation},
                 {"unrecorded", &token->unrecorded}};
    err = read_use(payload, &token->use, error);
    if (!err)
        err = check_type(payload, error);
    if (!err)
        err = read_date(payload, "renewed", &is_present, &token->renewed_at_s, error);
    if (!err)
        err = read_user_id(payload, &token->user_id, error);
    for (size_t i = 0; !err && i < sizeof texts / sizeof *texts; i++)
        err = claims_read_text(json_get(payload, texts[i].name), texts[i].name, texts[i].text_out,
                               error);
    if (err)
        return err;
    /* 0 unless it is a number: others may mean something else by it. */
    token->recorded_term = json_integer(json_get(payload, "recorded"));
    token->is_own = token->is_own && token->incarnation.len > 0;
    if (token->user_id == 0 && token->subject.len == 0)
        return refuse(error, "user_id", "and sub are both missing");
    if (!token->is_own)
        token->rights = claimed_rights_read(arena, payload, &rules->shared);
    return ERR_OK;
}

/* What we sign right after voiding an account's tokens is dated a second ahead, or two (users.h). */
static int64_t tolerance_s(const struct claims_rules *rules, const struct claims *claims)
{
    const int64_t ahead_s = 5;

    return claims->token.is_own && rules->leeway_s < ahead_s ? ahead_s : rules->leeway_s;
}

/* Dates are at most 2^53, so leeway cannot overflow them. */
enum err claims_judge(const struct claims_rules *rules, const struct claims *claims,
                      enum token_use use, int64_t now_s, struct error *error)
{
    if (claims->token.use != use)
        return refuse(error, "token_type", "is not the one asked for");
    if (now_s >= claims->token.expires_at_s + rules->leeway_s)
        return refuse(error, "exp", "is over");
    if (claims->not_before_s > now_s + rules->leeway_s)
        return refuse(error, "nbf", "is in the future");
    if (claims->token.issued_at_s > now_s + tolerance_s(rules, claims))
        return refuse(error, "iat", "is in the future");
    return ERR_OK;
}

struct str claims_write(const struct claims_rules *rules, struct arena *arena,
                        const struct token_claims *claims)
{
    struct strbuf text;
    struct json_writer json;

    strbuf_init(&text, arena, 256);
    json_writer_init(&json, &text);
    json_open_object(&json);
    json_add_string(&json, "token_type", use_names[claims->use]);
    if (claims->user_id > 0)
        json_add_integer(&json, "user_id", claims->user_id);
    if (claims->subject.len > 0)
        json_add_string(&json, "sub", claims->subject);
    json_add_string(&json, "jti", claims->id);
    if (claims->family.len > 0)
        json_add_string(&json, "family", claims->family);
    if (claims->incarnation.len > 0)
        json_add_string(&json, "incarnation", claims->incarnation);
    if (claims->unrecorded.len > 0)
        json_add_string(&json, "unrecorded", claims->unrecorded);
    if (claims->recorded_term > 0)
        json_add_integer(&json, "recorded", claims->recorded_term);
    json_add_integer(&json, "iat", claims->issued_at_s);
    if (claims->renewed_at_s > 0)
        json_add_integer(&json, "renewed", claims->renewed_at_s);
    json_add_integer(&json, "exp", claims->expires_at_s);
    json_add_string(&json, "iss", rules->issuer);
    if (rules->audience.len > 0)
        json_add_string(&json, "aud", rules->audience);
    json_close_object(&json);
    return text.failed ? STR_NONE : strbuf_str(&text);
}
