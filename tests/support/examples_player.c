#include "examples_player.h"

#include "browser.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* A caller of an example, with tokens of its own, since examples spend them. */
struct actor {
    char lines[2048]; /* of the head, '\n' between; or empty */
    char access[1024], refresh[1024];
    char name[16]; /* of a user that was made */
};

const struct stand_options examples_stand = {
    .config =
        "caches = ("
        "  { name = \"messages\"; keys = [ \"whatsapp:{env}:in\", \"whatsapp:{env}:out\" ]; },"
        "  { name = \"search\"; database = 1; },"
        "  { name = \"sessions\"; prefix = \"whatsapp:session:\"; },"
        "  { name = \"carts\"; prefix = \"shop:cart:\"; } );\n",
    .environment = (const char *const[]){
        "CACHEWARDEN_LIMITS_ENABLED=true", "CACHEWARDEN_USERS_REGISTRATION=open",
        "CACHEWARDEN_LIMITS_STATUS_PER_MINUTE=100000",
        "CACHEWARDEN_LIMITS_TOGGLE_PER_MINUTE=100000", "CACHEWARDEN_LIMITS_CLEAR_PER_MINUTE=100000",
        "CACHEWARDEN_LIMITS_PASSWORD_PER_MINUTE=100000",
        "CACHEWARDEN_LIMITS_LOGOUT_PER_MINUTE=100000",
        "CACHEWARDEN_LIMITS_REFRESH_PER_MINUTE=100000",
        "CACHEWARDEN_LIMITS_LOGIN_PER_MINUTE=100000",
        "CACHEWARDEN_LIMITS_REGISTER_PER_MINUTE=100000", "CACHEWARDEN_LIMITS_LOGIN_FAILURES=100000",
        "BACKUP_RETENTION_DAYS=36500", "BACKUP_SCHEDULE=0 3 * * *", NULL}};

const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static json_t *fetch(const struct stand *stand)
{
    json_error_t error;
    const struct http_reply *reply = http_get(stand->http, "/api/schema", NULL);
    expect_status(reply, 200);
    expect_header(reply, "Content-Type", "application/json");
    json_t *read = json_loadb(reply->body, reply->body_size, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(read != NULL, "line %d: %s", error.line, error.text);
    return read;
}

/* Somebody of another issuer who was here before, and API keys whose ids are known: one that is good, one with
 * everything, one that an example revokes. */
static void add_rows(const struct stand *stand)
{
    char path[512];
    sqlite3 *database;
    snprintf(path, sizeof path, "%s/users.db", stand->directory);
    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_busy_timeout(database, 5000);
    ck_assert_int_eq(sqlite3_exec(database,
                                  "INSERT INTO subjects (issuer, subject, account_id)"
                                  " VALUES ('https://id.example', 'auth0|7', 1);"
                                  "INSERT INTO api_keys VALUES"
                                  " ('000000000001', 'nightly', zeroblob(32), 1, '', NULL,"
                                  "  1769860800, 0, 0, 0),"
                                  " ('000000000002', 'shop', zeroblob(32), 10, 'shop', 1,"
                                  "  1769860800, 1769860900, 1769860850, 1769860820),"
                                  " ('000000000003', 'old', zeroblob(32), 1, '', NULL,"
                                  "  1769860800, 0, 0, 0)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(database);
}

/* Jobs that are said to run, and that no runner finds on its list. */
static void add_job(const struct stand *stand, const char *id)
{
    redis_server_do(
        stand->redis,
        "HSET cw:jobs:%s goes_on 1 target cache:sessions by_id 0 with 2 part 1 started "
        "1769860800000 "
        "size 1000 scanned 420 found 12 removed 12 progress 420000 cursor 1 replication_id 1",
        id);
}

static void add_jobs(const struct stand *stand)
{
    static const char *const ids[] = {
        "5f1c0e7a93b24d6f8a1e2c3d4b5a6978", "6a1c0e7a93b24d6f8a1e2c3d4b5a6978",
        "7b1c0e7a93b24d6f8a1e2c3d4b5a6978", "8c1c0e7a93b24d6f8a1e2c3d4b5a6978",
        "9d1c0e7a93b24d6f8a1e2c3d4b5a6978"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        add_job(stand, ids[i]);
    redis_server_do(stand->redis, "HSET cw:jobs:%s progress 1000000 end %s", ids[2],
                    "done 1769860801000 ");
    redis_server_do(stand->redis, "HSET cw:jobs:%s end %s", ids[3],
                    "failed 1769860801000 redis unavailable");
    redis_server_do(stand->redis, "HSET cw:jobs:%s progress 1000000 counts 1 end %s", ids[4],
                    "done 1769860801000 ");
}

/* Copies one of the archives that were made with the stand's secret; up to `limit` bytes of it. */
static void add_backup(const struct stand *stand, const char *from, const char *id, size_t limit)
{
    char path[512], bytes[4096];

    snprintf(path, sizeof path, "%s/tests/http/backups/%s.tar.zst", CW_SOURCE_DIR, from);
    FILE *file = fopen(path, "rbe");
    ck_assert_msg(file != NULL, "%s", path);
    size_t size = fread(bytes, 1, limit < sizeof bytes ? limit : sizeof bytes, file);
    fclose(file);
    ck_assert(size > 0 && size < sizeof bytes);
    snprintf(path, sizeof path, "%s/backups/%s.tar.zst", stand->directory, id);
    file = fopen(path, "wbe");
    ck_assert_msg(file != NULL, "%s", path);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* A whole one, one that an example removes, one that is cut. */
static void add_backups(const struct stand *stand)
{
    char folder[512];

    snprintf(folder, sizeof folder, "%s/backups", stand->directory);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    add_backup(stand, "20260131T120000Z-5f1c0e7a", "20260131T120000Z-5f1c0e7a", 4096);
    add_backup(stand, "20260131T120000Z-6a1c0e7a", "20260131T120000Z-6a1c0e7a", 4096);
    add_backup(stand, "20260131T120000Z-5f1c0e7a", "20260131T120000Z-7b1c0e7a", 500);
}

void examples_open(struct examples *examples, struct stand *stand)
{
    examples->stand = stand;
    add_rows(stand);
    add_jobs(stand);
    add_backups(stand);
    examples->document = fetch(stand);
    stand_key(stand, examples->flush_key, "deploy",
              (const char *const[]){"--scope", "flush", NULL});
}

void examples_close(struct examples *examples)
{
    json_decref(examples->document);
}

/* ---- callers ---- */

static struct examples *player; /* whose examples are played */

static void become_new_user(struct actor *actor)
{
    static int count;
    char body[256];
    snprintf(body, sizeof body,
             "{\"username\":\"new%d\",\"email\":\"new%d@example.com\",\"password\":\"%s\"}", count,
             count, STAND_PASSWORD);
    snprintf(actor->name, sizeof actor->name, "new%d", count);
    count++;
    const struct http_reply *reply =
        http_post_json(player->stand->http, "/auth/register", NULL, body);
    expect_status(reply, 201);
    json_t *answer = json_loads(reply->body, 0, NULL);
    snprintf(actor->access, sizeof actor->access, "%s", text_of(answer, "access_token"));
    snprintf(actor->refresh, sizeof actor->refresh, "%s", text_of(answer, "refresh_token"));
    snprintf(actor->lines, sizeof actor->lines, "Authorization: Bearer %s", actor->access);
    json_decref(answer);
}

static void become_browser(struct actor *actor, bool signs_in, bool was_signed_in)
{
    struct browser browser;
    browser_open(&browser, player->stand->http, player->stand->server.base_url);
    if (signs_in)
        browser_sign_in(&browser, "alice", STAND_PASSWORD);
    browser_lines(&browser, actor->lines, sizeof actor->lines);
    if (was_signed_in)
        snprintf(actor->lines, sizeof actor->lines, "Cookie: __Host-cachewarden=x.y.z\nOrigin: %s",
                 player->stand->server.base_url);
}

/* The user whose limits are used up; made before that of registrations is. */
static struct actor early;

/* One that logs out with a token has no use for it any more. */
static void take_another_token(struct actor *actor)
{
    static int count;
    char line[MINT_SIZE];
    mint_bearer(line, STAND_SECRET,
                "{\"sub\":\"%s\",\"iat\":%lld,\"exp\":4102444800,\"jti\":\"other%d\"}", actor->name,
                (long long)time(NULL), count++);
    snprintf(actor->lines, sizeof actor->lines, "%s", line);
}

static void become(struct actor *actor, const char *as, bool may_be_known)
{
    memset(actor, 0, sizeof *actor);
    if (strcmp(as, "user") == 0 && may_be_known)
        *actor = early;
    else if (strcmp(as, "user") == 0)
        become_new_user(actor);
    else if (strcmp(as, "admin") == 0)
        stand_bearer(actor->lines, &player->stand->root);
    else if (strcmp(as, "key") == 0)
        snprintf(actor->lines, sizeof actor->lines, "%s", player->flush_key);
    else if (strcmp(as, "page") == 0 || strcmp(as, "session") == 0 ||
             strcmp(as, "ended_session") == 0)
        become_browser(actor, strcmp(as, "session") == 0, strcmp(as, "ended_session") == 0);
    else
        ck_assert_str_eq(as, "nobody");
}

void examples_prepare_limits(struct examples *examples)
{
    player = examples;
    become_new_user(&early);
}

/* ---- sending ---- */

/* The body with <access_token> and <refresh_token> filled in; the caller frees it. */
static char *body_of(const json_t *request, const struct actor *actor, size_t *size_out)
{
    const json_t *body = json_object_get(request, "body");
    size_t size = (size_t)json_integer_value(json_object_get(request, "body_size"));
    char *text, *filled = calloc(1, size + 65536 + 4096);
    if (size > 0) {
        memset(filled, ' ', size);
        *size_out = size;
        return filled;
    }
    *size_out = 0;
    if (!body) {
        free(filled);
        return NULL;
    }
    text = json_is_string(body) ? strdup(json_string_value(body)) : json_dumps(body, JSON_COMPACT);
    const char *hole = strchr(text, '<');
    if (!hole)
        snprintf(filled, 4096, "%s", text);
    else
        snprintf(filled, 4096, "%.*s%s%s", (int)(hole - text), text,
                 strncmp(hole, "<access_token>", 14) == 0 ? actor->access : actor->refresh,
                 strchr(hole, '>') + 1);
    free(text);
    *size_out = strlen(filled);
    return filled;
}

/* What the example's caller has stored before. */
static void store_entry(const char *target, const struct actor *actor)
{
    static const char entry[] = "{\"name\":\"Lamp\"}";
    const char *headers[BROWSER_HEADERS];
    char lines[2048], path[512];
    size_t size = strcspn(target, "?");
    if (size > 10 && strncmp(target + size - 10, "/increment", 10) == 0)
        size -= 10;
    snprintf(path, sizeof path, "%.*s", (int)size, target);
    memcpy(lines, actor->lines, sizeof lines);
    browser_split(lines, headers, "Content-Type: application/json");
    expect_status(http_send(player->stand->http, "PUT", path, headers, entry, sizeof entry - 1),
                  201);
}

static const struct http_reply *send_request(const char *method, const json_t *request,
                                             const struct actor *actor)
{
    const char *headers[BROWSER_HEADERS];
    char type[128], upper[16] = "", lines[2048];
    size_t size;
    if (text_of(request, "content_type"))
        snprintf(type, sizeof type, "Content-Type: %s", text_of(request, "content_type"));
    memcpy(lines, actor->lines, sizeof lines);
    if (text_of(request, "header"))
        snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "%s%s", lines[0] ? "\n" : "",
                 text_of(request, "header"));
    browser_split(lines, headers, text_of(request, "content_type") ? type : NULL);
    for (size_t i = 0; method[i] && i + 1 < sizeof upper; i++)
        upper[i] = (char)(method[i] - 'a' + 'A');
    char *body = body_of(request, actor, &size);
    const struct http_reply *reply =
        http_send(player->stand->http, upper, text_of(request, "target"), headers, body, size);
    free(body);
    return reply;
}

/* ---- walking the document ---- */

static const char *wanted_given; /* which examples are played: those with this `given` */
static int played_count;
static void (*judge_answer)(const struct played *example, const struct http_reply *reply);

static void play(const struct played *example)
{
    const char *given = text_of(example->request, "given");
    const struct http_reply *reply;
    struct actor actor;
    bool has_entry = given && strcmp(given, "entry_stored") == 0;
    bool has_job = given && strcmp(given, "job_running") == 0;
    if (strcmp(given && !has_entry ? given : "", wanted_given) != 0)
        return;
    bool is_limit = strcmp(wanted_given, "limit_used_up") == 0;
    become(&actor, text_of(example->request, "as"), is_limit);
    if (has_entry)
        store_entry(text_of(example->request, "target"), &actor);
    if (has_job) /* started by the same request */
        expect_status(send_request(example->method, example->request, &actor), 202);
    bool is_logout = strcmp(example->operation, "auth.logout") == 0;
    int tries = 0;
    do {
        if (is_limit && is_logout)
            take_another_token(&actor);
        reply = send_request(example->method, example->request, &actor);
    } while (is_limit && reply->status != 429 && ++tries < 10);
    judge_answer(example, reply);
    played_count++;
}

static void play_content(struct played *example)
{
    const json_t *examples = json_object_get(example->content, "examples");
    json_t *each;
    ck_assert_uint_gt(json_object_size(examples), 0);
    json_object_foreach((json_t *)(uintptr_t)examples, example->label, each)
    {
        example->value = json_object_get(each, "value");
        example->request = json_object_get(each, "x-request");
        ck_assert_msg(example->value && example->request, "%s: %s", example->operation,
                      example->label);
        play(example);
    }
}

static void play_response(struct played *example)
{
    json_t *content;
    example->content = example->value = NULL;
    json_object_foreach(json_object_get(example->response, "x-requests"), example->label, content)
    {
        example->request = content;
        play(example);
    }
    json_object_foreach(json_object_get(example->response, "content"), example->media_type, content)
    {
        example->content = content;
        play_content(example);
    }
}

int examples_play(struct examples *examples, const char *given,
                  void (*judge)(const struct played *example, const struct http_reply *reply))
{
    const char *path, *status;
    json_t *methods, *operation, *response;
    player = examples;
    judge_answer = judge;
    wanted_given = given;
    played_count = 0;
    json_object_foreach(json_object_get(examples->document, "paths"), path, methods)
    {
        struct played example = {0};
        json_object_foreach(methods, example.method, operation)
        {
            example.operation = text_of(operation, "operationId");
            json_object_foreach(json_object_get(operation, "responses"), status, response)
            {
                example.status = (int)strtol(status, NULL, 10);
                example.response = response;
                play_response(&example);
            }
        }
    }
    return played_count;
}
