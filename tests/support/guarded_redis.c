#include "guarded_redis.h"

#include "certificates.h"
#include "cw_server.h"

#include <hiredis/hiredis.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT CW_SOURCE_DIR "/docs/redis.md"
#define INTRO    "\nACL SETUSER cachewarden "

bool guarded_redis_is_wanted(void)
{
    const char *wanted = getenv("CW_STAND_GUARDED");
    return wanted && *wanted;
}

char *guarded_redis_rights(void)
{
    char *document = cw_file_read(DOCUMENT);
    const char *line = document ? strstr(document, INTRO) : NULL;
    ck_assert_msg(line != NULL, "no line \"ACL SETUSER cachewarden …\" in " DOCUMENT);
    line += strlen(INTRO);
    char *rights = strndup(line, strcspn(line, "\n"));
    free(document);
    return rights;
}

static void write_acl_file(const char *directory)
{
    char text[4096];
    char *rights = guarded_redis_rights();
    const char *placeholder = strstr(rights, ">PASSWORD ");
    ck_assert_msg(placeholder != NULL, "the ACL line has no \">PASSWORD\": %s", rights);
    snprintf(text, sizeof text,
             "user default on nopass ~* &* +@all\nuser cachewarden %.*s>" GUARDED_REDIS_PASSWORD
             "%s\n",
             (int)(placeholder - rights), rights, placeholder + strlen(">PASSWORD"));
    cw_file_write(directory, "users.acl", text, 0600);
    free(rights);
}

struct redis_server *guarded_redis_start(const char *directory,
                                         const struct redis_server_options *options)
{
    enum { OWN = 10, ALL = 48 };
    static const char *const files[] = {"users.acl", "redis.pem", "redis.key", "ca.pem"};
    static const char *const names[] = {"--aclfile", "--tls-cert-file", "--tls-key-file",
                                        "--tls-ca-cert-file"};
    char paths[4][512];
    const char *args[ALL + 1] = {"--tls-auth-clients", "yes"};
    certificates_authority(directory, "ca");
    certificates_issue(directory,
                       &(struct certificate){"redis", "ca", "DNS:localhost,IP:127.0.0.1", 0, 0});
    certificates_issue(directory, &(struct certificate){"client", "ca", NULL, 0, 0});
    write_acl_file(directory);
    for (int i = 0; i < 4; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%s", directory, files[i]);
        args[2 + 2 * i] = names[i];
        args[3 + 2 * i] = paths[i];
    }
    for (size_t i = 0; options && options->args && options->args[i]; i++) {
        ck_assert_uint_lt(OWN + i, ALL);
        args[OWN + i] = options->args[i];
    }
    return redis_server_start(&(struct redis_server_options){
        .tls = true, .unix_socket = options && options->unix_socket, .args = args});
}

void guarded_redis_environment(const struct redis_server *redis, const char *directory,
                               char *variables_out[GUARDED_REDIS_VARIABLES])
{
    static const char *const files[] = {"CA=%s/ca.pem", "CERTIFICATE=%s/client.pem",
                                        "KEY=%s/client.key"};
    char text[640];
    snprintf(text, sizeof text,
             "REDIS_URL=rediss://cachewarden:" GUARDED_REDIS_PASSWORD "@127.0.0.1:%d/0",
             redis_server_tls_port(redis));
    variables_out[0] = strdup(text);
    for (int i = 0; i < 3; i++) {
        int used = snprintf(text, sizeof text, "CACHEWARDEN_REDIS_TLS_");
        snprintf(text + used, sizeof text - (size_t)used, files[i], directory);
        variables_out[1 + i] = strdup(text);
    }
}

void guarded_redis_expect_no_refusals(const struct redis_server *redis)
{
    char found[1024] = "";
    size_t used = 0;
    if (redis_server_pid(redis) == 0) /* the test has killed it, and its log with it */
        return;
    redisReply *log = redis_server_ask(redis, "ACL LOG 20");
    ck_assert_int_eq(log->type, REDIS_REPLY_ARRAY);
    for (size_t i = 0; i < log->elements; i++) {
        const redisReply *entry = log->element[i];
        /* A flat list of names and values: reason, context, object, username, … */
        for (size_t f = 0; f + 1 < entry->elements && used < sizeof found - 100; f += 2) {
            const redisReply *value = entry->element[f + 1];
            bool tells = strcmp(entry->element[f]->str, "reason") == 0 ||
                         strcmp(entry->element[f]->str, "object") == 0;
            if (tells && value->type == REDIS_REPLY_STRING)
                used += (size_t)snprintf(found + used, sizeof found - used, "%.80s ", value->str);
        }
    }
    ck_assert_msg(log->elements == 0, "the ACL line of docs/redis.md refused: %s", found);
    freeReplyObject(log);
}
