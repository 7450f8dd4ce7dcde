#include "redis_monitor.h"

#include "redis_server.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct redis_monitor {
    const struct redis_server *server;
    redisContext *context;
};

struct redis_monitor *redis_monitor_open(const struct redis_server *server)
{
    struct redis_monitor *monitor = calloc(1, sizeof *monitor);

    ck_assert_ptr_nonnull(monitor);
    monitor->server = server;
    monitor->context = redisConnect("127.0.0.1", redis_server_port(server));
    ck_assert(monitor->context && monitor->context->err == 0);
    freeReplyObject(redisCommand(monitor->context, "MONITOR"));
    return monitor;
}

void redis_monitor_close(struct redis_monitor **monitor)
{
    if (!*monitor)
        return;
    redisFree((*monitor)->context);
    free(*monitor);
    *monitor = NULL;
}

/* ---- one command ---- */

enum { ARGS_MAX = 40, ARG_SIZE = 160 };

struct command {
    size_t count;
    char args[ARGS_MAX][ARG_SIZE];
};

/* Up to the quote that ends it. What a backslash hides is left out; the backslash shows that there was something. */
static const char *take_argument(const char *at, char arg[ARG_SIZE])
{
    size_t len = 0;

    for (at++; *at && *at != '"'; at++) {
        if (len < ARG_SIZE - 1)
            arg[len++] = *at;
        at += *at == '\\' && at[1];
    }
    return *at ? at + 1 : at;
}

/* The moment, [database address], and the arguments in quotes. */
static void parse(const char *line, struct command *command)
{
    const char *at = strchr(line, ']');

    memset(command, 0, sizeof *command);
    ck_assert_ptr_nonnull(at);
    while ((at = strchr(at, '"')) && command->count < ARGS_MAX)
        at = take_argument(at, command->args[command->count++]);
}

static bool is(const struct command *command, const char *name)
{
    return command->count > 0 && strcasecmp(command->args[0], name) == 0;
}

static bool is_by_itself(const struct command *command)
{
    return command->count > 1 && (strncmp(command->args[1], "cw:audit:", 9) == 0 ||
                                  (is(command, "HSET") && strstr(command->args[1], "cw:flushed:")));
}

/* How many bytes from here are drawn, or tell the time: a long number, a moment, the id of a job. */
static size_t count_drawn(const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t digits = strspn(text, "0123456789");

    if (strspn(text, hex) == 32) /* which may begin with ten digits */
        return 32;
    if (digits == 4 && text[4] == '-')
        digits = strspn(text, "0123456789-:.TZ");
    return digits > 9 ? digits : 0;
}

static void write_argument(const char *text, FILE *out)
{
    const char *scratch = strstr(text, "}:s:");

    fputc(' ', out);
    if (scratch)
        fprintf(out, "%.*s#", (int)(scratch + 4 - text), text);
    else if (strlen(text) > 70 || strchr(text, '\\') || !text[0])
        fputs("…", out);
    else
        for (size_t drawn; *text; text += drawn ? drawn : 1) {
            drawn = count_drawn(text);
            fputc(drawn ? '#' : *text, out);
        }
}

static void write_command(const struct command *command, bool is_first, FILE *out)
{
    if (is_first)
        fputs("  round trip\n", out);
    fprintf(out, "    %s", command->args[0]);
    for (size_t i = 1; i < command->count; i++)
        write_argument(command->args[i], out);
    fputc('\n', out);
}

/* ---- all of them ---- */

/* The ECHO that the pool sends last ends a round trip. */
void redis_monitor_write(struct redis_monitor *monitor, FILE *out)
{
    struct command command;
    bool is_first = true, is_over = false;

    redis_server_do(monitor->server, "PING up-to-here");
    while (!is_over) {
        redisReply *reply = NULL;
        ck_assert_int_eq(redisGetReply(monitor->context, (void **)&reply), REDIS_OK);
        parse(reply->str, &command);
        freeReplyObject(reply);
        is_over = is(&command, "PING");
        if (is(&command, "ECHO"))
            is_first = true;
        else if (out && !is_over && !is_by_itself(&command)) {
            write_command(&command, is_first, out);
            is_first = false;
        }
    }
}
