/* `docs`: what a package installs besides the program. */
#include "cli/cli.h"
#include "reference/manual.h"
#include "reference/openapi.h"

static const struct {
    const char *name;
    void (*write)(struct strbuf *out);
    void (*describe)(const struct cli_program *program, struct strbuf *out); /* in place of it */
} pages[] = {
    {"cachewarden.1", NULL, manual_write_commands},
    {"cachewarden.conf.5", manual_write_settings, NULL},
    {"cachewarden-serve.8", NULL, manual_write_server},
    {"bash", NULL, completions_write_bash},
    {"zsh", NULL, completions_write_zsh},
    {"cachewarden.conf", config_print_example, NULL},
    {"openapi", openapi_write, NULL},
};

static int run_docs(struct cli *cli)
{
    struct strbuf text;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (strcmp(pages[i].name, cli_argument(cli, 0)) != 0)
            continue;
        strbuf_init(&text, NULL, 32768);
        if (pages[i].write)
            pages[i].write(&text);
        else
            pages[i].describe(&cli_program, &text);
        return cli_print(&text);
    }
    return cli_usage_error(cli, "there is no page \"%.64s\": %s", cli_argument(cli, 0),
                           cli_docs.arguments);
}

const struct cli_command cli_docs = {
    .name = "docs",
    .arguments = "cachewarden.1 | cachewarden.conf.5 | cachewarden-serve.8 | bash | zsh | "
                 "cachewarden.conf | openapi",
    .summary = "prints a manual page, a shell completion, an example configuration, or the OpenAPI "
               "document",
    .details = "For one shell: source <(cachewarden docs bash).",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_docs,
};
