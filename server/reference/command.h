/* How a command is described: to the parser of the command line, its help, manual pages and completions. */
#ifndef SERVER_REFERENCE_COMMAND_H
#define SERVER_REFERENCE_COMMAND_H

#include <stdbool.h>

struct cli;

struct cli_option {
    const char *name;  /* without the dashes */
    char letter;       /* of the short form, or 0 */
    const char *value; /* what it is called in help, or NULL for a flag */
    bool repeats;
    const char *help;
};

struct cli_command {
    const char *name;
    const char *arguments; /* as in the usage line: "NAME --email E" */
    const char *summary;   /* one line */
    const char *details;   /* further paragraphs of its help, or NULL */
    const struct cli_option
        *options; /* ends with a row without name; NULL: only --config and --help */
    int min_arguments, max_arguments;
    const struct cli_command *subcommands; /* ends with a row without name; then there is no run */
    int (*run)(struct cli *cli);
};

/* The command line as a whole. */
struct cli_program {
    const struct cli_command *const *commands; /* in the order help lists them; ends with NULL */
    const struct cli_option *common_options;   /* of every command; ends with a row without name */
    const struct cli_command *serve, *help;
};

#endif
