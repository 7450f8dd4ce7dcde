/* New passwords: from a file, from standard input, or from the terminal with the echo off. */
#include "cli/cli.h"

#include "cachewarden/password.h"
#include "cachewarden/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

/* Room for a password that is too long, so that it is refused and not cut. */
enum { BUFFER_SIZE = 4 * PASSWORD_MAX_SIZE };

/* `fault` may be NULL: nothing is known against it yet. */
static bool finish(char *buffer, size_t size, const char *from, const char *fault)
{
    if (!fault && (memchr(buffer, '\n', size) || memchr(buffer, '\0', size)))
        fault = "must be one line of text";
    if (!fault && size == 0)
        fault = "is empty";
    if (fault)
        return cli_fail("the password in %s %s", from, fault) == CLI_OK;
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
    struct str password = secret_line((struct str){buffer, size});
    return finish(buffer, password.len, from, secret_edge_fault(password));
}

/* ---- the terminal ---- */

static volatile sig_atomic_t interrupted, stopped;

static void note_end(int number)
{
    interrupted = number;
}

static void note_stop(int number)
{
    stopped = number;
}

/* What ends the dialogue, and what stops it for a while. They come only while the terminal is waited for. */
static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
enum { SIGNALS = sizeof signals / sizeof *signals };

struct dialogue {
    int terminal;
    struct termios shown, hidden;
    bool is_hidden;
    sigset_t ours, mask; /* the signals above; the mask as it was before */
    struct sigaction before[SIGNALS];
};

static void set_echo(struct dialogue *dialogue, bool is_hidden)
{
    if (is_hidden != dialogue->is_hidden)
        tcsetattr(dialogue->terminal, TCSAFLUSH, is_hidden ? &dialogue->hidden : &dialogue->shown);
    dialogue->is_hidden = is_hidden;
}

/* Who is in the background stops here, as the kernel has it, and can be ended meanwhile. Changes nothing. */
static void wait_for_foreground(const struct dialogue *dialogue)
{
    tcsetattr(dialogue->terminal, TCSANOW, &dialogue->shown);
}

static bool begin(struct dialogue *dialogue)
{
    const struct sigaction on_end = {.sa_handler = note_end}, on_stop = {.sa_handler = note_stop};

    if (tcgetattr(dialogue->terminal, &dialogue->shown) != 0)
        return cli_fail("cannot turn the echo off: %s", strerror(errno)) == CLI_OK;
    dialogue->hidden = dialogue->shown;
    dialogue->hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    wait_for_foreground(dialogue);
    interrupted = stopped = 0;
    sigemptyset(&dialogue->ours);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaddset(&dialogue->ours, signals[i]);
    pthread_sigmask(SIG_BLOCK, &dialogue->ours, &dialogue->mask);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], signals[i] == SIGTSTP ? &on_stop : &on_end, &dialogue->before[i]);
    set_echo(dialogue, true);
    return true;
}

/* Leaves the terminal as it was, whatever ended the dialogue. */
static void end(struct dialogue *dialogue)
{
    set_echo(dialogue, false);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &dialogue->before[i], NULL);
    pthread_sigmask(SIG_SETMASK, &dialogue->mask, NULL);
}

/* Ctrl-Z: the shell gets the terminal back with its echo. Returns when the job is in front again, or is
 * to end; what was typed is gone. */
static void stop(struct dialogue *dialogue)
{
    struct sigaction on_stop, plain = {.sa_handler = SIG_DFL};

    stopped = 0;
    set_echo(dialogue, false);
    sigaction(SIGTSTP, &plain, &on_stop);
    raise(SIGTSTP);
    pthread_sigmask(SIG_SETMASK, &dialogue->mask, NULL); /* it stops here */
    wait_for_foreground(dialogue);
    pthread_sigmask(SIG_BLOCK, &dialogue->ours, NULL);
    sigaction(SIGTSTP, &on_stop, NULL);
}

/* Waits for a line, or for a signal (-1 with EINTR); what read says. */
static ssize_t read_line(struct dialogue *dialogue, char *buffer, size_t size)
{
    struct pollfd ready = {.fd = dialogue->terminal, .events = POLLIN};

    if (ppoll(&ready, 1, NULL, &dialogue->mask) < 0)
        return -1;
    return read(dialogue->terminal, buffer, size);
}

static bool show(const struct dialogue *dialogue, const char *text)
{
    return write(dialogue->terminal, text, strlen(text)) >= 0;
}

/* One line without echo; false when there was none. */
static bool ask(struct dialogue *dialogue, const char *prompt, char *buffer)
{
    size_t size = 0;
    ssize_t got = 0;
    if (!show(dialogue, prompt))
        return false;
    while (size < BUFFER_SIZE - 1 && !interrupted) {
        got = read_line(dialogue, buffer + size, BUFFER_SIZE - 1 - size);
        if (stopped) {
            stop(dialogue);
            size = 0;
            if (interrupted)
                break;
            set_echo(dialogue, true);
            if (!show(dialogue, prompt))
                break;
        } else if (got <= 0 && errno == EINTR && !interrupted) {
            continue;
        } else if (got <= 0) {
            break;
        } else {
            size += (size_t)got;
            if (buffer[size - 1] == '\n')
                break;
        }
    }
    (void)show(dialogue, "\n");
    if (interrupted || got <= 0)
        return false;
    return finish(buffer, secret_line((struct str){buffer, size}).len, "your answer", NULL);
}

static bool ask_twice(int terminal, char *buffer)
{
    struct dialogue dialogue = {.terminal = terminal};
    char again[BUFFER_SIZE];
    if (!begin(&dialogue))
        return false;
    bool whole = ask(&dialogue, "New password: ", buffer) && ask(&dialogue, "Once more: ", again);
    end(&dialogue);

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
