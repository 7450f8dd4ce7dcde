/*
 * A server with a TLS listener in a folder with two authorities, one-ca and two-ca, and a certificate of
 * each for this host, one and two. What is served is node.pem and node.key.
 */
#ifndef SUPPORT_TLS_CASE_H
#define SUPPORT_TLS_CASE_H

#include "certificates.h"
#include "cw_server.h"
#include "expect.h"
#include "guarded_redis.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS "DNS:localhost,IP:127.0.0.1"
enum { DAY_S = 24 * 3600 };

static char *directory;
static struct cw_server server;
static struct redis_server *redis;

static inline const char *path_of(const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static inline void copy(const char *from, const char *to)
{
    char *text = cw_file_read(path_of(from));
    ck_assert_ptr_nonnull(text);
    cw_file_write(directory, to, text, 0600);
    free(text);
}

/* The pair that the server is told to use becomes that of NAME. */
static inline void install(const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.pem", name);
    copy(file, "node.pem");
    snprintf(file, sizeof file, "%s.key", name);
    copy(file, "node.key");
}

static inline void issue(const char *name, const char *authority, int from_s, int until_s)
{
    certificates_issue(directory, &(struct certificate){name, authority, HOSTS, from_s, until_s});
}

/* Two authorities, and a certificate for this host of each. */
static inline void prepare(void)
{
    directory = cw_directory_new();
    certificates_authority(directory, "one-ca");
    certificates_authority(directory, "two-ca");
    issue("one", "one-ca", 0, 0);
    issue("two", "two-ca", 0, 0);
    install("one");
    copy("one-ca.pem", "clients.pem");
}

static inline void clean_up(void)
{
    cw_server_stop(&server);
    redis_server_stop(&redis);
    cw_directory_remove(&directory);
}

static const char *const tls_environment[] = {"CACHEWARDEN_LISTEN=127.0.0.1:0s",
                                              "CACHEWARDEN_SERVER_TLS_CERTIFICATE=node.pem",
                                              "CACHEWARDEN_SERVER_TLS_KEY=node.key",
                                              "CACHEWARDEN_SERVER_THREADS=4",
                                              CW_PATIENT_WITH_REDIS,
                                              NULL};

/* One variable more. */
static inline void extend(const char *more, const char *environment_out[10])
{
    memset(environment_out, 0, 10 * sizeof *environment_out);
    memcpy(environment_out, tls_environment, sizeof tls_environment);
    environment_out[sizeof tls_environment / sizeof *tls_environment - 1] = more;
}

static inline void start(const char *more)
{
    const char *environment[10];
    extend(more, environment);
    cw_server_start(
        &server, &(struct cw_server_options){.environment = environment, .directory = directory});
}

static inline void renew(const char *says)
{
    cw_server_signal(&server, SIGHUP);
    cw_server_wait_log(&server, says);
}

/* A key with that scope, as a header line. */
static inline void make_key(const char *scope, const char *const *environment, char key_out[256])
{
    struct cw_result result;
    cw_run(&(struct cw_command){.arguments = (const char *const[]){"key", "create", "test",
                                                                   "--scope", scope, NULL},
                                .environment = environment,
                                .directory = directory},
           &result);
    ck_assert_msg(result.status == 0, "%s", result.err);
    result.out[strlen(result.out) - 1] = '\0';
    const char *line = strrchr(result.out, '\n');
    snprintf(key_out, 256, "x-api-key: %s", line ? line + 1 : result.out);
    cw_result_fini(&result);
}

static inline void free_all(char *variables[GUARDED_REDIS_VARIABLES])
{
    for (int i = 0; i < GUARDED_REDIS_VARIABLES; i++)
        free(variables[i]);
}

#endif
