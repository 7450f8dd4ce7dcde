/*
 * What postgres_server.c stands on: PostgreSQL's programs, whom they run as, and directories that do
 * not outlive the test. What goes wrong ends the test with a message.
 */
#ifndef SUPPORT_POSTGRES_FILES_H
#define SUPPORT_POSTGRES_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

__attribute__((format(printf, 1, 2), noreturn)) void postgres_die(const char *format, ...);

/* The path of "initdb" or "postgres", of the newest version there is. */
void postgres_find_program(char *out, size_t size, const char *name);

/* PostgreSQL does not run as root. */
struct postgres_identity {
    bool is_other; /* than who we are */
    uid_t uid;
    gid_t gid;
};
struct postgres_identity postgres_find_identity(void);

/* Starts a program in the directory; what it says goes to the file `log` there. */
pid_t postgres_launch(char *const *argv, const char *directory, struct postgres_identity identity);
/* The same, waits for it, and it has to succeed. */
void postgres_run(const char *const *argv, const char *directory,
                  struct postgres_identity identity);
void postgres_print_log(const char *directory);

/* Short, because the name of a socket in it must be. */
void postgres_make_directory(char *out, size_t size, struct postgres_identity identity);
void postgres_remove_directory(const char *directory);

/*
 * Whatever becomes of the test, nothing stays behind: a caretaker, out of reach of signals to the
 * test's group, waits until every process that holds the lifeline (the descriptor this returns) has
 * ended. Then it kills what runs in the directory (a server that was paused cannot end by itself)
 * and removes it.
 */
int postgres_start_caretaker(char *directory);
/* The work is done: it goes, and the lifeline is closed. */
void postgres_dismiss_caretaker(int lifeline);

/* The directory of a fresh cluster that nobody runs: made once a build folder, kept there, and only ever
 * copied. */
const char *postgres_template(void);
/* Copies a directory of directories and files. */
void postgres_copy(const char *from, const char *to);

#endif
