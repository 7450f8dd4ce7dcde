/*
 * Manual pages and shell completions, made from the table of commands and the table of settings. The
 * build writes them out (cmake/Manual.cmake), so what is installed cannot be older than the program.
 */
#ifndef SERVER_REFERENCE_MANUAL_H
#define SERVER_REFERENCE_MANUAL_H

#include "reference/command.h"

#include "cachewarden/str.h"

/* cachewarden(1): every command. */
void manual_write_commands(const struct cli_program *program, struct strbuf *out);
/* cachewarden.conf(5): every setting. */
void manual_write_settings(struct strbuf *out);
/* cachewarden-serve(8): the server. */
void manual_write_server(const struct cli_program *program, struct strbuf *out);

/* completions.c */
void completions_write_bash(const struct cli_program *program, struct strbuf *out);
void completions_write_zsh(const struct cli_program *program, struct strbuf *out);

#endif
