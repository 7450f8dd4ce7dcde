#include "issuers/jwks_fetch.h"

#include "issuers/jwks.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>

/* A part of the whole time: an address that answers nothing leaves time for the next one. */
enum { CONNECT_DIVISOR = 2 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_ready;

static void set_up(void)
{
    is_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/* ---- addresses ---- */

/* As libcurl gives hosts: IPv6 in brackets. libcurl itself turns localhost into loopback addresses,
 * without asking anybody. */
static bool is_loopback(const char *host)
{
    struct in_addr ipv4;

    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, &ipv4) == 1 && ntohl(ipv4.s_addr) >> 24 == 127;
}

static enum err check_parts(CURLU *parts, struct error *error)
{
    char *scheme = NULL, *host = NULL, *user = NULL, *password = NULL;
    enum err err = ERR_OK;

    if (curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        err = error_set(error, ERR_BAD_INPUT, "is not a URL with a host");
    else if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
        err = error_set(error, ERR_BAD_INPUT, "must begin with https://");
    else if (strcmp(scheme, "http") == 0 && !is_loopback(host))
        err =
            error_set(error, ERR_BAD_INPUT,
                      "must begin with https://; http:// is for this very machine only "
                      "(127.0.0.1, [::1], localhost), as anybody on the way could change the keys");
    else if (curl_url_get(parts, CURLUPART_USER, &user, 0) != CURLUE_NO_USER ||
             curl_url_get(parts, CURLUPART_PASSWORD, &password, 0) != CURLUE_NO_PASSWORD)
        err = error_set(error, ERR_BAD_INPUT,
                        "must not have a user or a password; key sets are public");
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(password);
    return err;
}

enum err jwks_fetch_check(struct str url, struct error *error)
{
    enum err err;

    if (str_find(url, '\0') >= 0 || str_find(url, ' ') >= 0 || str_has_control(url))
        return error_set(error, ERR_BAD_INPUT, "has blanks or control characters");
    /* libcurl would guess http for a URL without a scheme. */
    if (!str_starts(url, STR("https://")) && !str_starts(url, STR("http://")))
        return error_set(error, ERR_BAD_INPUT, "must begin with https://");
    /* Nor is the first part of a path a host. */
    struct str rest = str_sub(url, (size_t)str_find(url, '/') + 2, url.len);
    if (rest.len == 0 || rest.ptr[0] == '/')
        return error_set(error, ERR_BAD_INPUT, "is not a URL with a host");
    char *text = strndup(url.ptr, url.len);
    CURLU *parts = curl_url();
    if (!text || !parts)
        err = ERR_NO_MEMORY;
    else if (curl_url_set(parts, CURLUPART_URL, text, 0) != CURLUE_OK)
        err = error_set(error, ERR_BAD_INPUT, "is not a URL");
    else
        err = check_parts(parts, error);
    curl_url_cleanup(parts);
    free(text);
    return err;
}

/* ---- fetching ---- */

struct transfer {
    const atomic_bool *stops;
    char *body;
    size_t size;
    bool is_too_large;
};

static size_t take(char *bytes, size_t one, size_t size, void *arg)
{
    struct transfer *transfer = arg;

    (void)one; /* always 1 */
    transfer->is_too_large = size > JWKS_MAX_SIZE - transfer->size;
    if (transfer->is_too_large)
        return 0;
    memcpy(transfer->body + transfer->size, bytes, size);
    transfer->size += size;
    return size;
}

/* libcurl calls it about once a second while it waits, too. */
static int is_over(void *arg, curl_off_t total, curl_off_t now, curl_off_t sent_total,
                   curl_off_t sent)
{
    const struct transfer *transfer = arg;

    (void)total, (void)now, (void)sent_total, (void)sent;
    return transfer->stops && atomic_load(transfer->stops);
}

static bool set_options(CURL *curl, const struct jwks_fetch_options *options,
                        struct transfer *transfer, struct curl_slist *headers)
{
    bool is_https = strncmp(options->url, "https:", 6) == 0;
    long timeout_ms = options->timeout_ms;

    return curl_easy_setopt(curl, CURLOPT_URL, options->url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, is_https ? "https" : "http") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           (!options->ca_file ||
            (curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file) == CURLE_OK &&
             curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK)) &&
           /* Plain HTTP is for this very machine: no proxy. */
           (is_https || curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK) &&
           curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms / CONNECT_DIVISOR) ==
               CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_USERAGENT, "cachewarden/" CW_VERSION) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)JWKS_MAX_SIZE) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_over) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
}

static enum err judge(CURL *curl, CURLcode code, const struct transfer *transfer,
                      struct error *error)
{
    long status = 0;

    if (transfer->is_too_large || code == CURLE_FILESIZE_EXCEEDED)
        return error_set(error, ERR_TOO_LARGE, "the key set has more than %d bytes", JWKS_MAX_SIZE);
    if (code != CURLE_OK)
        return error_set(error, ERR_UPSTREAM_DOWN, "%s", curl_easy_strerror(code));
    if (curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK || status != 200)
        return error_set(error, ERR_UPSTREAM_DOWN, "it answered %ld%s", status,
                         status / 100 == 3 ? "; redirects are not followed" : "");
    return ERR_OK;
}

enum err jwks_fetch(const struct jwks_fetch_options *options, char **body_out, size_t *size_out,
                    struct error *error)
{
    struct transfer transfer = {.stops = options->stops, .body = malloc(JWKS_MAX_SIZE)};
    enum err err = ERR_NO_MEMORY;

    *body_out = NULL;
    *size_out = 0;
    pthread_once(&once, set_up);
    CURL *curl = is_ready ? curl_easy_init() : NULL;
    struct curl_slist *headers =
        curl_slist_append(NULL, "Accept: application/jwk-set+json, application/json");
    if (curl && headers && transfer.body && set_options(curl, options, &transfer, headers))
        err = judge(curl, curl_easy_perform(curl), &transfer, error);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    if (err) {
        free(transfer.body);
        return err;
    }
    *body_out = transfer.body;
    *size_out = transfer.size;
    return ERR_OK;
}
