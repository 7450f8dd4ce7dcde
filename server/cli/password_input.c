/* New passwords: from a file, from standard input, or from the terminal with the echo off. */
#include "cli/cli.h"

#include "cachewarden/password.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

/* Room for a password that is too long, so that it is refused and not cut. */
enum { BUFFER_SIZE = 4 * PASSWORD_MAX_SIZE };

static volatile sig_atomic_t interrupted;

static void note_signal(int signal_number)
{
    interrupted = signal_number;
}

static bool finish(char *buffer, size_t size, const char *from)
{
    while (size > 0 && (buffer[size - 1] == '\n' || buffer[size - 1] == '\r'))
        size--;
    if (memchr(buffer, '\n', size) || memchr(buffer, '\0', size))
        return cli_fail("the password in %s must be one line of text", from) == CLI_OK;
    if (size == 0)
        return cli_fail("the password in %s is empty", from) == CLI_OK;
    buffer[size] = '\0';
    return true;
}

/* ---- a file ---- */

static bool read_file(const char *path, char *buffer)
{
    bool is_stdin = strcmp(path, "-") == 0;
    const char *from = is_stdin ? "standard input" : path;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && size < BUFFER_SIZE - 1) {
        got = read(fd, buffer + size, BUFFER_SIZE - 1 - size);
        size += got > 0 ? (size_t)got : 0;
    }
    int saved = errno;
    if (fd >= 0 && !is_stdin)
        close(fd);
    if (got < 0)
        return cli_fail("cannot read the password from %s: %s", from, strerror(saved)) == CLI_OK;
    return finish(buffer, size, from);
}

/* ---- the terminal ---- */

/* One line without echo; false when there was none. */
static bool ask(int terminal, const char *prompt, char *buffer)
{
    size_t size = 0;
    ssize_t got = -1;
    if (write(terminal, prompt, strlen(prompt)) < 0)
        return false;
    while (size < BUFFER_SIZE - 1 && !interrupted &&
           (got = read(terminal, buffer + size, BUFFER_SIZE - 1 - size)) > 0) {
        size += (size_t)got;
        if (buffer[size - 1] == '\n')
            break;
    }
    (void)!write(terminal, "\n", 1);
    return !interrupted && got > 0 && finish(buffer, size, "your answer");
}

/* Leaves the terminal as it was, whatever key ends the dialogue. */
static bool ask_twice(int terminal, char *buffer)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction action = {.sa_handler = note_signal}, before[4];
    struct termios shown, hidden;
    char again[BUFFER_SIZE];
    if (tcgetattr(terminal, &shown) != 0)
        return cli_fail("cannot turn the echo off: %s", strerror(errno)) == CLI_OK;
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    interrupted = 0;
    for (size_t i = 0; i < 4; i++)
        sigaction(signals[i], &action, &before[i]);
    tcsetattr(terminal, TCSAFLUSH, &hidden);
    bool whole = ask(terminal, "New password: ", buffer) && ask(terminal, "Once more: ", again);
    tcsetattr(terminal, TCSAFLUSH, &shown);
    for (size_t i = 0; i < 4; i++)
        sigaction(signals[i], &before[i], NULL);

    bool same = whole && strcmp(buffer, again) == 0;
    if (whole && !same)
        cli_fail("the two were not the same");
    else if (interrupted)
        cli_fail("interrupted; nothing was changed");
    else if (!whole)
        cli_fail("there was no password; nothing was changed");
    secret_wipe(again, sizeof again);
    return same;
}

static bool read_terminal(char *buffer)
{
    int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0)
        return cli_fail("there is no terminal to ask for the password; use --password-file FILE, "
                        "or --password-file - for standard input") == CLI_OK;
    bool read = ask_twice(terminal, buffer);
    close(terminal);
    return read;
}

bool cli_password_read(const struct cli *cli, char **password_out)
{
    const char *path = cli_value(cli, "password-file");
    char *buffer = calloc(1, BUFFER_SIZE);
    *password_out = NULL;
    if (!buffer)
        return cli_fail("out of memory") == CLI_OK;
    if (path ? read_file(path, buffer) : read_terminal(buffer)) {
        *password_out = buffer;
        return true;
    }
    secret_wipe(buffer, BUFFER_SIZE);
    free(buffer);
    return false;
}

void cli_password_fini(char **password)
{
    if (*password)
        secret_wipe(*password, strlen(*password));
    free(*password);
    *password = NULL;
}
