/*
 * An application behind the gateway: a server whose routes lead to scripted origins, which each test starts in its own
 * process.
 */
#ifndef TESTS_HTTP_GATEWAY_CASE_H
#define TESTS_HTTP_GATEWAY_CASE_H

#include "patience.h"
#include "scripted_origin.h"
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct stand stand;
static struct scripted_origin *origin;
static char *origin_folder;
static char origin_socket[300];
static char gateway_config[8192]; /* of the stand, for another node */

/* `routes`: groups in which UPSTREAM stands for the origin's address. `environment` as in stand_options. */
static inline void gateway_stand_open_in(const char *const *environment, const char *routes,
                                         const char *more)
{
    origin_folder = cw_directory_new();
    snprintf(origin_socket, sizeof origin_socket, "%s/origin.sock", origin_folder);
    size_t len = (size_t)snprintf(gateway_config, sizeof gateway_config, "gateway: { routes = ( ");
    for (const char *at = routes; *at;) {
        const char *next = strstr(at, "UPSTREAM");
        int size = next ? (int)(next - at) : (int)strlen(at);
        len +=
            (size_t)snprintf(gateway_config + len, sizeof gateway_config - len, "%.*s", size, at);
        if (!next)
            break;
        len += (size_t)snprintf(gateway_config + len, sizeof gateway_config - len,
                                "upstream = \"unix:%s\";", origin_socket);
        at = next + strlen("UPSTREAM");
    }
    snprintf(gateway_config + len, sizeof gateway_config - len, " ); }; %s", more);
    stand_open(&stand,
               &(struct stand_options){.config = gateway_config, .environment = environment});
}

static inline void gateway_stand_open(const char *routes, const char *more)
{
    gateway_stand_open_in(NULL, routes, more);
}

static inline void gateway_stand_close(void)
{
    stand_close(&stand);
    cw_directory_remove(&origin_folder);
}

/* Another node, with the stand's Redis and accounts. */
static inline void gateway_start_node(struct cw_server *node, const char *config)
{
    const char *environment[40];
    char database[400];
    size_t count = 0;

    snprintf(database, sizeof database, "DATABASE_URL=sqlite:%s/users.db", stand.directory);
    environment[count++] = database;
    for (char **variable = stand.environment; *variable; variable++)
        environment[count++] = *variable;
    environment[count] = NULL;
    cw_server_start(node,
                    &(struct cw_server_options){.environment = environment, .config = config});
}

static inline void origin_open(void)
{
    unlink(origin_socket);
    origin = scripted_origin_start(&(struct scripted_origin_options){.unix_path = origin_socket});
}

static inline void origin_close(void)
{
    scripted_origin_stop(&origin);
}

/* The head of the request that came as the index-th, or will. */
static inline const char *head_at(size_t index)
{
    return scripted_origin_request(origin, index)->head;
}

static inline void expect_line(const char *head, const char *line)
{
    char whole[512];

    snprintf(whole, sizeof whole, "\r\n%s\r\n", line);
    ck_assert_msg(strstr(head, whole) != NULL, "no line \"%s\" in\n%s", line, head);
}

static inline void expect_no_text(const char *head, const char *text)
{
    ck_assert_msg(strcasestr(head, text) == NULL, "\"%s\" is in\n%s", text, head);
}

#define OK_WITH(fields, body) "HTTP/1.1 200 OK\r\n" fields "\r\n" body

#endif
