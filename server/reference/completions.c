/* What shells offer behind `cachewarden`: its commands, theirs, and the options of each. */
#include "reference/manual.h"

#include <string.h>

static void add_names(struct strbuf *out, const struct cli_option *options)
{
    for (; options && options->name; options++)
        strbuf_addf(out, " --%s", options->name);
}

/* ---- bash ---- */

static void write_bash_case(struct strbuf *out, const struct cli_program *program,
                            const char *parent, const struct cli_command *command)
{
    strbuf_addf(out, "    '%s%s%s') words='", parent, *parent ? " " : "", command->name);
    for (const struct cli_command *sub = command->subcommands; sub && sub->name; sub++)
        strbuf_addf(out, "%s ", sub->name);
    if (command == program->help)
        for (size_t i = 0; program->commands[i]; i++)
            strbuf_addf(out, "%s ", program->commands[i]->name);
    add_names(out, command->options);
    add_names(out, program->common_options);
    strbuf_addf(out, "' ;;\n");
    for (const struct cli_command *sub = command->subcommands; sub && sub->name; sub++)
        write_bash_case(out, program, command->name, sub);
}

void completions_write_bash(const struct cli_program *program, struct strbuf *out)
{
    strbuf_addf(out,
                "# bash completion for cachewarden\n"
                "_cachewarden() {\n"
                "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
                "  local path='' words='' i\n"
                "  case $before in\n"
                "    --config|--password-file) COMPREPLY=($(compgen -f -- \"$current\"));"
                " return ;;\n"
                "  esac\n"
                "  for ((i = 1; i < COMP_CWORD && i < 3; i++)); do\n"
                "    case ${COMP_WORDS[i]} in -*) break ;; esac\n"
                "    case $path in ''");
    for (size_t i = 0; program->commands[i]; i++)
        if (program->commands[i]->subcommands)
            strbuf_addf(out, "|%s", program->commands[i]->name);
    strbuf_addf(out, ") path=${path:+$path }${COMP_WORDS[i]} ;; esac\n  done\n  case $path in\n"
                     "    '') words='");
    for (size_t i = 0; program->commands[i]; i++)
        strbuf_addf(out, "%s ", program->commands[i]->name);
    strbuf_addf(out, "--help --version' ;;\n");
    for (size_t i = 0; program->commands[i]; i++)
        write_bash_case(out, program, "", program->commands[i]);
    strbuf_addf(out, "  esac\n"
                     "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                     "}\n"
                     "complete -F _cachewarden cachewarden\n");
}

/* ---- zsh ---- */

/* Inside '…' of a specification: quotes end it, brackets and colons have a meaning. */
static void add_quoted(struct strbuf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            strbuf_addf(out, "'\\''");
        else if (strchr("[]:\\", *text))
            strbuf_addf(out, "\\%c", *text);
        else
            strbuf_add_char(out, *text);
    }
}

static void write_zsh_options(struct strbuf *out, const struct cli_option *options)
{
    for (; options && options->name; options++) {
        bool is_file = options->value && strcmp(options->value, "FILE") == 0;
        strbuf_addf(out, " \\\n        '%s--%s[", options->repeats ? "*" : "", options->name);
        add_quoted(out, options->help);
        strbuf_addf(out, "]%s%s%s'", options->value ? ":" : "",
                    options->value ? options->value : "",
                    is_file          ? ":_files"
                    : options->value ? ": "
                                     : "");
    }
}

static void write_zsh_list(struct strbuf *out, const struct cli_command *command)
{
    strbuf_addf(out, "        '%s:", command->name);
    add_quoted(out, command->summary);
    strbuf_addf(out, "'\n");
}

static void write_zsh_case(struct strbuf *out, const struct cli_program *program,
                           const char *parent, const struct cli_command *command)
{
    strbuf_addf(out, "    '%s%s%s')\n", parent, *parent ? " " : "", command->name);
    if (command->subcommands) {
        strbuf_addf(out, "      commands=(\n");
        for (const struct cli_command *sub = command->subcommands; sub->name; sub++)
            write_zsh_list(out, sub);
        strbuf_addf(out, "      )\n      _describe command commands ;;\n");
    } else {
        strbuf_addf(out, "      _arguments");
        write_zsh_options(out, command->options);
        write_zsh_options(out, program->common_options);
        strbuf_addf(out, " \\\n        '*::argument: ' ;;\n");
    }
    for (const struct cli_command *sub = command->subcommands; sub && sub->name; sub++)
        write_zsh_case(out, program, command->name, sub);
}

void completions_write_zsh(const struct cli_program *program, struct strbuf *out)
{
    strbuf_addf(out, "#compdef cachewarden\n"
                     "_cachewarden() {\n"
                     "  local where=''\n"
                     "  local -a commands\n"
                     "  (( CURRENT > 2 )) && where=${words[2]}\n"
                     "  case $where in ");
    const char *bar = "";
    for (size_t i = 0; program->commands[i]; i++) {
        if (!program->commands[i]->subcommands)
            continue;
        strbuf_addf(out, "%s%s", bar, program->commands[i]->name);
        bar = "|";
    }
    strbuf_addf(out, ") (( CURRENT > 3 )) && where=\"$where ${words[3]}\" ;; esac\n"
                     "  case $where in\n    '')\n      commands=(\n");
    for (size_t i = 0; program->commands[i]; i++)
        write_zsh_list(out, program->commands[i]);
    strbuf_addf(out, "      )\n      _describe command commands ;;\n");
    for (size_t i = 0; program->commands[i]; i++)
        write_zsh_case(out, program, "", program->commands[i]);
    strbuf_addf(out, "  esac\n}\n_cachewarden \"$@\"\n");
}
