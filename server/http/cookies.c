#include "http/cookies.h"

/* A token is base64url and dots. */
static bool is_ours(struct str value)
{
    if (value.len == 0 || value.len > COOKIE_MAX_SIZE)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!is_alnum && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

/* Names of cookies are told apart by case. */
static void take_pair(struct str pair, struct cookies *cookies, int *count)
{
    ptrdiff_t equals = str_find(pair, '=');

    if (equals < 0)
        return;
    struct str name = str_trim(str_sub(pair, 0, (size_t)equals));
    struct str value = str_trim(str_sub(pair, (size_t)equals + 1, pair.len));
    if (!str_eq(name, STR(COOKIE_SESSION)))
        return;
    cookies->session = is_ours(value) ? value : STR_NONE;
    ++*count;
}

void cookies_read(const struct http_request *request, struct cookies *cookies_out)
{
    int count = 0;

    *cookies_out = (struct cookies){0};
    if (request->known_count[FIELD_COOKIE] == 0)
        return;
    for (size_t i = 0; i < request->field_count; i++) {
        struct str rest = request->fields[i].value, pair;
        if (!str_eq_nocase(request->fields[i].name, STR("Cookie")))
            continue;
        while (str_split(&rest, ';', &pair))
            take_pair(pair, cookies_out, &count);
    }
    cookies_out->has_session = count > 0;
    if (count > 1)
        cookies_out->session = STR_NONE;
}

/*
 * Strict: our pages are reached from our pages; nobody else's link or form brings the cookie along.
 * No Max-Age: the browser forgets it when it is closed, the server when the session ends.
 */
#define SCOPE "; Path=/; Secure; SameSite=Strict"

static void set(struct strbuf *head, struct str name, struct str value, struct str attributes)
{
    strbuf_add(head, STR("Set-Cookie: "));
    strbuf_add(head, name);
    strbuf_add_char(head, '=');
    strbuf_add(head, value);
    strbuf_add(head, attributes);
    strbuf_add(head, STR("\r\n"));
}

static void forget(struct strbuf *head)
{
    set(head, STR(COOKIE_SESSION), STR_NONE, STR(SCOPE "; HttpOnly; Max-Age=0"));
    set(head, STR(COOKIE_XSRF), STR_NONE, STR(SCOPE "; Max-Age=0"));
}

void cookies_write(struct strbuf *head, const struct reply_session *session)
{
    struct str name = STR(COOKIE_SESSION), xsrf_name = STR(COOKIE_XSRF);

    switch (session->change) {
    case SESSION_UNCHANGED:
        break;
    case SESSION_BEGUN:
        set(head, name, session->token, STR(SCOPE "; HttpOnly"));
        set(head, xsrf_name, session->xsrf, STR(SCOPE));
        break;
    case SESSION_RENEWED:
        set(head, name, session->token, STR(SCOPE "; HttpOnly"));
        break;
    case SESSION_LEFT:
        /* Whoever comes next to this browser finds nothing (Clear Site Data, W3C). The cookies of the
         * origin, which that could take as well, are not all ours. */
        strbuf_add(head, STR("Clear-Site-Data: \"cache\", \"storage\"\r\n"));
        forget(head);
        break;
    case SESSION_ENDED:
        forget(head);
        break;
    }
}
