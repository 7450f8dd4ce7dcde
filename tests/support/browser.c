#include "browser.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LINES_SIZE = 2048 };

void browser_open(struct browser *browser, struct http_client *http, const char *origin)
{
    *browser = (struct browser){.http = http};
    snprintf(browser->origin, sizeof browser->origin, "%s", origin);
}

/* Whether ";"-separated attributes hold one, whatever its case. */
static bool has_attribute(const char *line, size_t size, const char *wanted)
{
    for (const char *at = line, *end = line + size; at < end;) {
        const char *stop = memchr(at, ';', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);
        while (length > 0 && *at == ' ') {
            at++;
            length--;
        }
        if (length == strlen(wanted) && strncasecmp(at, wanted, length) == 0)
            return true;
        at += length + 1;
    }
    return false;
}

/* "NAME=VALUE; Path=/; …" */
static void take_cookie(struct browser *browser, const char *line, size_t size)
{
    size_t name_size = strcspn(line, "=");
    const char *value = line + name_size + 1;
    size_t value_size = strcspn(value, ";\r\n");
    bool is_session = strncmp(line, "__Host-", 7) == 0;
    char *kept = is_session ? browser->session : browser->xsrf;

    ck_assert_msg(is_session || strncmp(line, "XSRF-TOKEN=", 11) == 0, "%.*s", (int)size, line);
    ck_assert_msg(has_attribute(line, size, "Path=/") && has_attribute(line, size, "Secure") &&
                      has_attribute(line, size, "SameSite=Strict") &&
                      has_attribute(line, size, "HttpOnly") == is_session &&
                      !strcasestr(line, "domain="),
                  "%.*s", (int)size, line);
    size_t kept_size = is_session ? sizeof browser->session : sizeof browser->xsrf;
    ck_assert_uint_lt(value_size, kept_size);
    if (is_session)
        snprintf(browser->session_name, sizeof browser->session_name, "%.*s", (int)name_size, line);
    bool is_over = has_attribute(line, size, "Max-Age=0");
    ck_assert_msg(is_over == (value_size == 0), "%.*s", (int)size, line);
    snprintf(kept, kept_size, "%.*s", (int)value_size, value);
}

void browser_take(struct browser *browser, const struct http_reply *reply)
{
    static const char field[] = "Set-Cookie: ";

    for (const char *line = reply->head; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncasecmp(line, field, sizeof field - 1) == 0)
            take_cookie(browser, line + sizeof field - 1, strcspn(line + sizeof field - 1, "\r\n"));
    }
}

static const struct http_reply *send_lines(struct browser *browser, const char *method,
                                           const char *target, char *lines, const char *json)
{
    const char *headers[BROWSER_HEADERS];

    browser_split(lines, headers, json ? "Content-Type: application/json" : NULL);
    const struct http_reply *reply =
        http_send(browser->http, method, target, headers, json, json ? strlen(json) : 0);
    browser_take(browser, reply);
    return reply;
}

void browser_split(char *lines, const char *headers_out[BROWSER_HEADERS], const char *another)
{
    size_t count = 0;

    for (char *line = lines; line && *line; count++) {
        char *end = strchr(line, '\n');
        ck_assert_uint_lt(count, BROWSER_HEADERS - 2);
        headers_out[count] = line;
        if (end)
            *end++ = '\0';
        line = end;
    }
    if (another)
        headers_out[count++] = another;
    headers_out[count] = NULL;
}

char *browser_lines(const struct browser *browser, char *out, size_t size)
{
    char xsrf[2 * BROWSER_XSRF_SIZE + 64] = "", session[BROWSER_SESSION_SIZE + 64] = "";

    if (browser->xsrf[0])
        snprintf(xsrf, sizeof xsrf, "; XSRF-TOKEN=%s\nX-XSRF-TOKEN: %s", browser->xsrf,
                 browser->xsrf);
    if (browser->session[0])
        snprintf(session, sizeof session, "%s=%s", browser->session_name, browser->session);
    ck_assert_int_lt(snprintf(out, size, "Origin: %s\nCookie: theme=dark%s%s%s", browser->origin,
                              session[0] ? "; " : "", session, xsrf),
                     (int)size);
    return out;
}

const struct http_reply *browser_send(struct browser *browser, const char *method,
                                      const char *target, const char *json)
{
    char lines[LINES_SIZE];

    return send_lines(browser, method, target, browser_lines(browser, lines, sizeof lines), json);
}

void browser_sign_in(struct browser *browser, const char *username, const char *password)
{
    char json[512];

    snprintf(json, sizeof json, "{\"username\":\"%s\",\"password\":\"%s\",\"session\":true}",
             username, password);
    const struct http_reply *reply = browser_send(browser, "POST", "/auth/login", json);
    ck_assert_msg(reply->status == 200, "%d %s", reply->status,
                  reply->status ? reply->body : reply->failure);
    ck_assert_msg(browser->session[0] && browser->xsrf[0], "no cookies: %s", reply->head);
}
