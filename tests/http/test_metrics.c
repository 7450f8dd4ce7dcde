/*
 * GET /metrics, read by a parser that takes nothing but the format: HELP and TYPE before the samples
 * of a family, families in one piece, no sample twice, counters that end with _total, histograms whose
 * buckets rise and end with +Inf = _count. Then: what it says is what happened.
 */
#include "patience.h"
#include "self_signed.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES_MAX = 4000 };

struct sample {
    char series[200]; /* name and labels as they stand */
    double value;
};

static struct stand stand;
static struct sample samples[SAMPLES_MAX];
static size_t sample_count;

static char *certificates;

/* Of the gateway, which is told of only where there is one. */
static const char a_route[] = "gateway: { routes = ( { prefix = \"/shop\"; "
                              "upstream = \"unix:/nonexistent/shop.sock\"; } ); };";

/* With a TLS listener beside, for what is told of certificates. */
static void open_with(const char *const *more)
{
    char certificate[300], key[300];
    const char *environment[8] = {"CACHEWARDEN_LISTEN=127.0.0.1:0,127.0.0.1:0s", certificate, key};
    certificates = cw_directory_new();
    self_signed_write(certificates, "node");
    snprintf(certificate, sizeof certificate, "CACHEWARDEN_SERVER_TLS_CERTIFICATE=%s/node.pem",
             certificates);
    snprintf(key, sizeof key, "CACHEWARDEN_SERVER_TLS_KEY=%s/node.key", certificates);
    for (size_t i = 0; more && more[i]; i++)
        environment[3 + i] = more[i];
    stand_open(&stand, &(struct stand_options){.environment = environment, .config = a_route});
}

static void open_stand(void)
{
    open_with(NULL);
}

static void close_stand(void)
{
    stand_close(&stand);
    cw_directory_remove(&certificates);
}

/* ---- the parser ---- */

struct family {
    char name[128], type[16];
    bool has_help;
};

static struct family families[256];
static size_t family_count;

static bool is_name(const char *text, size_t size)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return size > 0 && strspn(text, allowed) >= size && (text[0] < '0' || text[0] > '9');
}

static void read_comment(const char *line)
{
    char kind[8] = "", name[128] = "", rest[400] = "";
    ck_assert_msg(sscanf(line, "# %7s %127s %399[^\n]", kind, name, rest) == 3, "%s", line);
    ck_assert_msg(is_name(name, strlen(name)), "%s", line);
    if (strcmp(kind, "HELP") == 0) {
        for (size_t i = 0; i < family_count; i++)
            ck_assert_msg(strcmp(families[i].name, name) != 0, "two families %s", name);
        ck_assert_uint_lt(family_count, 256);
        struct family *family = &families[family_count++];
        memset(family, 0, sizeof *family);
        snprintf(family->name, sizeof family->name, "%s", name);
        family->has_help = true;
        return;
    }
    ck_assert_msg(strcmp(kind, "TYPE") == 0, "%s", line);
    struct family *family = &families[family_count - 1];
    ck_assert_msg(family_count > 0 && strcmp(family->name, name) == 0 && !family->type[0],
                  "TYPE without its HELP: %s", line);
    ck_assert_msg(strcmp(rest, "counter") == 0 || strcmp(rest, "gauge") == 0 ||
                      strcmp(rest, "histogram") == 0,
                  "%s", line);
    snprintf(family->type, sizeof family->type, "%.15s", rest);
    size_t size = strlen(name);
    bool is_total = size > 6 && strcmp(name + size - 6, "_total") == 0;
    ck_assert_msg(is_total == (strcmp(rest, "counter") == 0), "%s is a %s", name, rest);
}

/* label="value" pairs, commas between. */
static void check_labels(const char *at, const char *end, const char *line)
{
    for (;;) {
        const char *equals = memchr(at, '=', (size_t)(end - at));
        ck_assert_msg(equals && is_name(at, (size_t)(equals - at)) && equals[1] == '"', "%s", line);
        const char *close = strchr(equals + 2, '"');
        ck_assert_msg(close && close < end &&
                          !memchr(equals + 2, '\\', (size_t)(close - equals - 2)),
                      "%s", line);
        at = close + 1;
        if (at == end)
            return;
        ck_assert_msg(*at++ == ',', "%s", line);
    }
}

static bool belongs(const char *name, size_t size, const struct family *family)
{
    static const char *const parts[] = {"_bucket", "_sum", "_count"};
    size_t base = strlen(family->name);
    if (strcmp(family->type, "histogram") != 0)
        return size == base && strncmp(name, family->name, size) == 0;
    for (size_t i = 0; i < 3; i++)
        if (size == base + strlen(parts[i]) && strncmp(name, family->name, base) == 0 &&
            strncmp(name + base, parts[i], strlen(parts[i])) == 0)
            return true;
    return false;
}

static void read_sample(const char *line)
{
    size_t name_size = strcspn(line, "{ ");
    const char *end = line + name_size, *blank;
    char *behind;
    ck_assert_msg(family_count > 0 && families[family_count - 1].type[0] &&
                      belongs(line, name_size, &families[family_count - 1]),
                  "a sample outside its family: %s", line);
    if (*end == '{') {
        const char *close = strchr(end, '}');
        ck_assert_msg(close != NULL, "%s", line);
        check_labels(end + 1, close, line);
        end = close + 1;
    }
    blank = end;
    ck_assert_msg(*blank == ' ' && blank[1] >= '0' && blank[1] <= '9', "%s", line);
    ck_assert_uint_lt(sample_count, SAMPLES_MAX);
    struct sample *sample = &samples[sample_count++];
    ck_assert_uint_lt((size_t)(end - line), sizeof sample->series);
    snprintf(sample->series, sizeof sample->series, "%.*s", (int)(end - line), line);
    sample->value = strtod(blank + 1, &behind);
    ck_assert_msg(*behind == '\0', "%s", line);
}

static int compare_series(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* There are thousands, so each is not held against each. */
static void expect_none_twice(void)
{
    static const char *series[SAMPLES_MAX];
    for (size_t i = 0; i < sample_count; i++)
        series[i] = samples[i].series;
    qsort(series, sample_count, sizeof *series, compare_series);
    for (size_t i = 1; i < sample_count; i++)
        ck_assert_msg(strcmp(series[i - 1], series[i]) != 0, "twice: %s", series[i]);
}

/* Buckets of one series stand behind each other, rise, and end with +Inf, which is the count. */
static void check_histograms(void)
{
    double last = 0;
    for (size_t i = 0; i < sample_count; i++) {
        const char *series = samples[i].series;
        if (!strstr(series, "_bucket{"))
            continue;
        ck_assert_msg(samples[i].value >= last, "%s", series);
        last = samples[i].value;
        if (!strstr(series, "le=\"+Inf\""))
            continue;
        ck_assert_msg(i + 2 < sample_count && strstr(samples[i + 1].series, "_sum") &&
                          strstr(samples[i + 2].series, "_count") &&
                          samples[i + 2].value == samples[i].value,
                      "%s", series);
        last = 0;
    }
}

static void parse(const char *text)
{
    char line[1024];
    sample_count = family_count = 0;
    while (*text) {
        size_t size = strcspn(text, "\n");
        ck_assert_msg(text[size] == '\n' && size > 0 && size < sizeof line, "%.80s", text);
        snprintf(line, sizeof line, "%.*s", (int)size, text);
        if (line[0] == '#')
            read_comment(line);
        else
            read_sample(line);
        text += size + 1;
    }
    expect_none_twice();
    check_histograms();
}

static void scrape(void)
{
    const struct http_reply *reply = http_get(stand.http, "/metrics", stand.root.bearer);
    expect_status(reply, 200);
    expect_header(reply, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    parse(reply->body);
}

static double value_of(const char *series)
{
    size_t i = 0;
    while (i < sample_count && strcmp(samples[i].series, series) != 0)
        i++;
    ck_assert_msg(i < sample_count, "there is no %s", series);
    return samples[i].value;
}

/* ---- the tests ---- */

START_TEST(it_tells_what_happened)
{
    char key[STAND_KEY_SIZE];
    stand_key(&stand, key, "deploy", (const char *const[]){"--scope", "flush", NULL});
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 200);
    expect_status(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 200);
    expect_status(http_get(stand.http, "/api/cache/status/", stand.bob.bearer), 200);
    expect_status(http_get(stand.http, "/api/cache/status/", NULL), 401);
    expect_status(http_get(stand.http, "/nowhere", NULL), 404);
    expect_status(http_post(stand.http, "/api/server-management/clear-cache/", stand.root.bearer),
                  200);
    expect_status(http_call(stand.http, "DELETE", "/api/v1/cache", key), 200);
    expect_status(http_post_json(stand.http, "/auth/login", NULL,
                                 "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\"}"),
                  200);
    expect_status(http_post_json(stand.http, "/auth/login", NULL,
                                 "{\"username\":\"alice\",\"password\":\"not-the-password\"}"),
                  401);
    expect_status(http_post(stand.http, "/auth/logout", stand.bob.bearer), 200);
    scrape();
#define REQUESTS "cachewarden_http_requests_total"
    ck_assert(value_of(REQUESTS "{route=\"cache.status\",class=\"2xx\",status=\"200\"}") == 2);
    ck_assert(value_of(REQUESTS "{route=\"cache.status\",class=\"4xx\",status=\"401\"}") == 1);
    ck_assert(value_of(REQUESTS "{route=\"none\",class=\"4xx\",status=\"404\"}") == 1);
    ck_assert(value_of("cachewarden_http_request_duration_seconds_count{route=\"cache.status\"}") ==
              3);
    ck_assert(value_of("cachewarden_http_request_duration_seconds_sum{route=\"cache.status\"}") >
              0);
    ck_assert(value_of("cachewarden_versions_cleared_total{scope=\"user\"}") == 1);
    ck_assert(value_of("cachewarden_versions_cleared_total{scope=\"all\"}") == 1);
    ck_assert(value_of("cachewarden_flushes_total{cache=\"messages\",result=\"ok\"}") == 1);
    ck_assert(value_of("cachewarden_flushes_total{cache=\"messages\",result=\"failed\"}") == 0);
    ck_assert(value_of("cachewarden_sign_ins_total{result=\"ok\"}") == 1);
    ck_assert(value_of("cachewarden_sign_ins_total{result=\"refused\"}") == 1);
    ck_assert(value_of("cachewarden_tokens_unrecorded_total") == 0);
    ck_assert(value_of("cachewarden_logouts_total") == 1);
    ck_assert(value_of("cachewarden_audit_waiting") +
                  value_of("cachewarden_audit_records_total{to=\"stream\"}") ==
              6); /* two clears, a flush, two sign-ins, the logout */
    ck_assert(value_of("cachewarden_audit_records_total{to=\"log\"}") == 0);
    ck_assert(value_of("cachewarden_password_hashes_total") == 2);
    ck_assert(value_of("cachewarden_password_hashes_waiting") == 0);
    ck_assert(value_of("cachewarden_ready") == 1);
    ck_assert(value_of("cachewarden_redis_breaker_open{pool=\"control\"}") == 0);
    ck_assert(value_of("cachewarden_redis_round_trips_total{pool=\"control\"}") >= 4);
    ck_assert(value_of("cachewarden_redis_connects_total{pool=\"control\"}") >= 1);
    ck_assert(value_of("cachewarden_redis_round_trip_seconds_count{pool=\"control\"}") ==
              value_of("cachewarden_redis_round_trips_total{pool=\"control\"}"));
    ck_assert(value_of("cachewarden_redis_round_trip_seconds_sum{pool=\"control\"}") > 0);
    ck_assert(value_of("cachewarden_redis_borrows_total{pool=\"control\"}") +
                  value_of("cachewarden_redis_batch_pipelines_count{pool=\"control\"}") ==
              value_of("cachewarden_redis_round_trips_total{pool=\"control\"}"));
    /* Threads of the server's own use them as well. */
    ck_assert(value_of("cachewarden_redis_connections{pool=\"control\",state=\"idle\"}") +
                  value_of("cachewarden_redis_connections{pool=\"control\",state=\"busy\"}") >=
              1);
    (void)value_of("cachewarden_redis_wait_seconds_bucket{pool=\"control\",le=\"0.0025\"}");
    (void)value_of("cachewarden_redis_batch_pipelines_bucket{pool=\"control\",le=\"512\"}");
    ck_assert(value_of("cachewarden_http_requests_under_way") >= 1);
}
END_TEST

/* However many paths, users and hosts are tried: the lines stay the same. */
START_TEST(it_does_not_grow)
{
    expect_status(http_get(stand.http, "/nowhere", NULL), 404);
    scrape();
    scrape(); /* which counts the first */
    size_t before = sample_count;
    for (int i = 0; i < 50; i++) {
        char target[64];
        snprintf(target, sizeof target, "/nowhere/%d?x=%d", i, i);
        expect_status(http_get(stand.http, target, NULL), 404);
    }
    scrape();
    ck_assert_uint_eq(sample_count, before);
}
END_TEST

START_TEST(it_tells_of_a_redis_that_is_down)
{
    redis_server_kill(stand.redis);
    int64_t give_up = stand_now_ms() + PATIENCE_MS;
    do {
        expect_status(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 500);
        scrape();
        ck_assert(stand_now_ms() < give_up);
    } while (value_of("cachewarden_redis_breaker_open{pool=\"control\"}") != 1);
    ck_assert(value_of("cachewarden_redis_connect_failures_total{pool=\"control\"}") >= 1);
    expect_status(http_post_json(stand.http, "/auth/login", NULL,
                                 "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\"}"),
                  200);
    scrape();
    ck_assert(value_of("cachewarden_tokens_unrecorded_total") == 1);
    ck_assert(value_of(REQUESTS "{route=\"cache.status\",class=\"5xx\",status=\"500\"}") >= 1);
}
END_TEST

/* A key for the one who scrapes, good for nothing else. */
START_TEST(it_has_a_scope)
{
    char key[STAND_KEY_SIZE];
    stand_key(&stand, key, "prometheus", (const char *const[]){"--scope", "metrics", NULL});
    expect_status(http_get(stand.http, "/metrics", key), 200);
    expect_status(http_get(stand.http, "/api/v1/audit", key), 403);
    expect_status(http_call(stand.http, "DELETE", "/api/v1/cache", key), 403);
    expect_status(http_get(stand.http, "/metrics", stand.alice.bearer), 403);
    expect_status(http_get(stand.http, "/metrics", NULL), 401);
}
END_TEST

/* What Prometheus 2.42 can send: no header of its own, but these. */
START_TEST(its_key_goes_where_scrapers_have_room_for_it)
{
    char key[STAND_KEY_SIZE], other[STAND_KEY_SIZE], bearer[STAND_KEY_SIZE + 32], userinfo[512],
        url[600];
    stand_key(&stand, key, "prometheus", (const char *const[]){"--scope", "metrics", NULL});
    stand_key(&stand, other, "other", (const char *const[]){"--scope", "metrics", NULL});
    const char *secret = strchr(key, ' ') + 1;
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", secret);
    expect_status(http_get(stand.http, "/metrics", bearer), 200);
    expect_status(
        http_send(stand.http, "GET", "/metrics", (const char *const[]){bearer, key, NULL}, NULL, 0),
        200);
    const struct http_reply *reply = http_send(stand.http, "GET", "/metrics",
                                               (const char *const[]){bearer, other, NULL}, NULL, 0);
    expect_body(reply, 400, "{\"detail\":\"Conflicting credentials.\"}");
    /* Nowhere else, though a key may do more than be scraped with. */
    stand_key(&stand, key, "admin", (const char *const[]){"--scope", "admin", NULL});
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", strchr(key, ' ') + 1);
    expect_status(http_get(stand.http, "/api/v1/audit", key), 200);
    expect_status(http_get(stand.http, "/api/v1/audit", bearer), 401);

    snprintf(userinfo, sizeof userinfo, "prometheus:%s@", strchr(other, ' ') + 1);
    snprintf(url, sizeof url, "http://%s127.0.0.1:%d", userinfo, stand.server.port);
    struct http_client *client = http_client_new(url);
    expect_status(http_get(client, "/metrics", NULL), 200);
    expect_status(http_get(client, "/api/v1/audit", NULL), 401);
    http_client_free(&client);
}
END_TEST

/* ---- what is made of it: conf/examples/ ---- */

static bool is_known(const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < sample_count; i++)
        if (strncmp(samples[i].series, name, size) == 0 &&
            (samples[i].series[size] == '{' || samples[i].series[size] == '\0'))
            return true;
    return false;
}

/* Every metric a file names is there; how many names stand in it. */
static int check_names(const char *file)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
    char path[512], name[128];
    int count = 0;
    snprintf(path, sizeof path, CW_SOURCE_DIR "/conf/examples/%s", file);
    char *text = cw_file_read(path);
    ck_assert_msg(text != NULL, "no %s", path);
    for (const char *at = text; (at = strstr(at, "cachewarden_")) != NULL; at += strlen(name)) {
        snprintf(name, sizeof name, "%.*s", (int)strspn(at, letters), at);
        ck_assert_msg(is_known(name), "%s names %s", file, name);
        count++;
    }
    free(text);
    return count;
}

/* What the gateway tells of each of its routes is on the dashboard. */
START_TEST(the_dashboard_shows_the_gateway)
{
    char name[128];
    int count = 0;
    char *text = cw_file_read(CW_SOURCE_DIR "/conf/examples/grafana-dashboard.json");
    ck_assert_ptr_nonnull(text);
    scrape();
    for (size_t i = 0; i < sample_count; i++) {
        const char *series = samples[i].series;
        if (strncmp(series, "cachewarden_gateway_", 20) != 0 || !strstr(series, "{route=\""))
            continue;
        snprintf(name, sizeof name, "%.*s{", (int)strcspn(series, "{"), series);
        ck_assert_msg(strstr(text, name), "no panel shows %s", series);
        count++;
    }
    ck_assert_int_gt(count, 6);
    free(text);
}
END_TEST

/* Every family stands in the manual, by its name without the program's. */
START_TEST(the_manual_has_them_all)
{
    static const char prefix[] = "cachewarden_";
    char quoted[160];
    char *text = cw_file_read(CW_SOURCE_DIR "/docs/monitor.md");
    ck_assert_ptr_nonnull(text);
    scrape();
    for (size_t i = 0; i < family_count; i++) {
        ck_assert_msg(strncmp(families[i].name, prefix, sizeof prefix - 1) == 0, "%s",
                      families[i].name);
        snprintf(quoted, sizeof quoted, "`%s`", families[i].name + sizeof prefix - 1);
        ck_assert_msg(strstr(text, quoted), "docs/monitor.md does not tell of %s", quoted);
    }
    free(text);
}
END_TEST

START_TEST(examples_name_what_is_there)
{
    json_error_t error;
    scrape();
    scrape(); /* which has an answer to count */
    ck_assert_int_gt(check_names("grafana-dashboard.json"), 20);
    ck_assert_int_gt(check_names("prometheus-alerts.yml"), 10);
    json_t *dashboard = json_load_file(CW_SOURCE_DIR "/conf/examples/grafana-dashboard.json",
                                       JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(dashboard != NULL, "line %d: %s", error.line, error.text);
    ck_assert_uint_gt(json_array_size(json_object_get(dashboard, "panels")), 10);
    json_decref(dashboard);
}
END_TEST

/* ---- what the alert rules watch ---- */

/* One of "a[.]b|c[.].*", as far as the rules use such patterns. */
static bool is_one_of(const char *value, size_t size, const char *pattern, size_t pattern_size)
{
    for (const char *end = pattern + pattern_size; pattern < end;) {
        const char *bar = memchr(pattern, '|', (size_t)(end - pattern));
        const char *stop = bar ? bar : end, *at = value;
        for (; pattern < stop && strncmp(pattern, ".*", 2) != 0; pattern++)
            if (*pattern != '[' && *pattern != ']') {
                if (at == value + size || *at != *pattern)
                    break;
                at++;
            }
        if (pattern < stop ? strncmp(pattern, ".*", 2) == 0 : at == value + size)
            return true;
        pattern = stop + 1;
    }
    return false;
}

/* Whether a series has this label, with a value that the operator asks for. */
static bool has_label(const char *series, const char *name, const char *operator,
                      const char * pattern, size_t pattern_size)
{
    char begin[64];
    int size = snprintf(begin, sizeof begin, "%s=\"", name);
    const char *found = series;
    while ((found = strstr(found, begin)) && found[-1] != '{' && found[-1] != ',')
        found++;
    if (!found)
        return false;
    const char *value = found + size;
    size_t value_size = strcspn(value, "\"");
    if (operator[0] == '!')
        return true; /* what is left out has to be a label all the same */
    return operator[1] == '~'
               ? is_one_of(value, value_size, pattern, pattern_size)
               : value_size == pattern_size && memcmp(value, pattern, value_size) == 0;
}

/* Whether a series fits NAME{label="value",…}; what the scraper adds is not ours. */
static bool fits_selector(const char *series, const char *name, size_t name_size,
                          const char *matchers)
{
    if (strncmp(series, name, name_size) != 0 || (series[name_size] && series[name_size] != '{'))
        return false;
    for (const char *at = matchers; *at != '}'; at += *at == ',') {
        char label[32], operator[3];
        size_t size = strcspn(at, "=!");
        snprintf(label, sizeof label, "%.*s", (int)size, at);
        at += size;
        snprintf(operator, sizeof operator, "%.*s", (int)strcspn(at, "\""), at);
        at = strchr(at, '"') + 1;
        size = strcspn(at, "\"");
        bool is_scrapers = strcmp(label, "job") == 0 || strcmp(label, "instance") == 0;
        if (!is_scrapers && !has_label(series, label, operator, at, size))
            return false;
        at += size + 1;
    }
    return true;
}

/* Every selector of a file fits a series of the server; how many there are. */
static int check_selectors(const char *file)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
    char path[512];
    int count = 0;
    snprintf(path, sizeof path, CW_SOURCE_DIR "/%s", file);
    char *text = cw_file_read(path);
    ck_assert_msg(text != NULL, "no %s", path);
    for (const char *at = text; (at = strstr(at, "cachewarden_")) != NULL;) {
        size_t size = strspn(at, letters);
        bool is_found = at[size] != '{';
        for (size_t i = 0; i < sample_count && !is_found; i++)
            is_found = fits_selector(samples[i].series, at, size, at + size + 1);
        ck_assert_msg(is_found, "%s: no series fits %.*s", file, (int)strcspn(at, "}") + 1, at);
        count += at[size] == '{';
        at += size;
    }
    free(text);
    return count;
}

static const char wrong[] = "{\"username\":\"alice\",\"password\":\"wrong-wrong-wrong\"}";

static void open_busy(void)
{
    static const char *const more[] = {"CACHEWARDEN_LIMITS_ENABLED=true",
                                       "CACHEWARDEN_LIMITS_STATUS_PER_MINUTE=2",
                                       "CACHEWARDEN_LIMITS_LOGIN_PER_MINUTE=1", NULL};
    open_with(more);
}

/* A rule whose labels no series has would be silent for ever; so would its test prove nothing. */
START_TEST(the_alerts_watch_series_that_are_there)
{
    expect_status(http_get(stand.http, "/health/ready", NULL), 200);
    expect_status(http_get(stand.http, "/api/cache/check/", stand.alice.bearer), 204);
    expect_status(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 200);
    expect_status(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 200);
    expect_status(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 429);
    expect_status(http_post_json(stand.http, "/auth/login", NULL, wrong), 401);
    expect_status(http_post_json(stand.http, "/auth/login", NULL, wrong), 429);
    expect_status(http_get(stand.http, "/shop/x", stand.alice.bearer), 502);
    redis_server_kill(stand.redis);
    expect_status(http_get(stand.http, "/api/cache/status/", stand.bob.bearer), 500);
    scrape();
    ck_assert_int_gt(check_selectors("conf/examples/prometheus-alerts.yml"), 5);
    ck_assert_int_gt(check_selectors("tests/alerts/alerts_test.yml"), 40);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *each = tcase_create("all");
    tcase_add_checked_fixture(each, open_stand, close_stand);
    tcase_add_test(each, it_tells_what_happened);
    tcase_add_test(each, it_does_not_grow);
    tcase_add_test(each, it_tells_of_a_redis_that_is_down);
    tcase_add_test(each, it_has_a_scope);
    tcase_add_test(each, its_key_goes_where_scrapers_have_room_for_it);
    tcase_add_test(each, examples_name_what_is_there);
    tcase_add_test(each, the_dashboard_shows_the_gateway);
    tcase_add_test(each, the_manual_has_them_all);
    suite_add_tcase(suite, each);
    TCase *busy = tcase_create("busy");
    tcase_add_checked_fixture(busy, open_busy, close_stand);
    tcase_add_test(busy, the_alerts_watch_series_that_are_there);
    suite_add_tcase(suite, busy);
    return suite_run(suite);
}
