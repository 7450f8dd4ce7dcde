/* `health`: whether the server that runs here is ready, by the exit status. For a HEALTHCHECK of a container, where
 * there is no curl. */
#include "cli/cli.h"
#include "cli/local_server.h"

#include "cachewarden/clock.h"

static int say(const struct local_server_answer *answer, struct str url, struct str target)
{
    struct strbuf text;

    if (answer->status != 200)
        return cli_fail("%.*s%.*s answers %d: %.*s", STR_ARG(url), STR_ARG(target), answer->status,
                        STR_ARG(answer->body));
    strbuf_init(&text, NULL, 64);
    strbuf_addf(&text, "%.*s%.*s answers 200\n", STR_ARG(url), STR_ARG(target));
    return cli_print(&text);
}

static int ask(const struct config *config, struct str target, struct arena *arena)
{
    struct error error = {0};
    const struct work work = {arena, clock_deadline_ns(LOCAL_SERVER_ASK_MS), &error};
    struct str url = local_server_url(arena, config);
    struct local_server_answer answer;

    if (!url.ptr)
        return cli_fail("no listener can be asked: add one without TLS to server.listen, such as "
                        "127.0.0.1:8001");
    enum err err = local_server_get(config, url, target, &work, &answer);
    if (err == ERR_OK)
        return say(&answer, url, target);
    if (answer.is_unreached)
        return cli_fail("nobody answers at %.*s", STR_ARG(url));
    return cli_fail("who listens at %.*s does not answer: %s", STR_ARG(url),
                    error.detail[0] ? error.detail : err_name(err));
}

static int run_health(struct cli *cli)
{
    struct config *config;
    struct arena *arena;

    if (!cli_load_config(cli, false, &config))
        return CLI_FAILED;
    arena = arena_new(16384, 0);
    int status =
        arena
            ? ask(config, cli_flag(cli, "live") ? STR("/health/live") : STR("/health/ready"), arena)
            : cli_fail("out of memory");
    arena_free(&arena);
    config_free(&config);
    return status;
}

const struct cli_command cli_health = {
    .name = "health",
    .arguments = "[--live]",
    .summary = "asks the server that runs here whether it is ready",
    .details = "It asks the first listener without TLS, as a load balancer does. The exit status "
               "is 0 when the\n"
               "answer is 200, and 1 otherwise: for a HEALTHCHECK of a container. After the end of "
               "a server that\n"
               "was asked within a minute it serves on for server.lame_duck_s; --live does not "
               "count as that.",
    .options =
        (const struct cli_option[]){
            {"live", 0, NULL, false, "ask only whether it runs, ready or not"}, CLI_OPTIONS_END},
    .run = run_health,
};
