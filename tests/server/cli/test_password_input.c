/* Passwords from a terminal: asked for twice, never echoed, and the terminal is left as it was. */
#include "cli_case.h"
#include "patience.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static struct {
    pid_t pid;
    int terminal; /* our end */
    char shown[8192];
    size_t size;
} dialogue;

static void start(const char *name)
{
    char database[300];
    snprintf(database, sizeof database, "DATABASE_URL=sqlite:%s/users.db", cli_test.directory);
    dialogue.pid = forkpty(&dialogue.terminal, NULL, NULL, NULL);
    ck_assert_int_ge(dialogue.pid, 0);
    if (dialogue.pid == 0) {
        putenv(database);
        putenv(cli_test.redis_item);
        execl(CW_BINARY, CW_BINARY, "user", "add", name, "--email", "a@example.com", (char *)NULL);
        _exit(127);
    }
    dialogue.size = 0;
    dialogue.shown[0] = '\0';
}

/* Reads what the terminal shows; false at its end. */
static bool read_more(void)
{
    struct pollfd fd = {.fd = dialogue.terminal, .events = POLLIN};
    ck_assert_msg(poll(&fd, 1, PATIENCE_MS) == 1, "nothing more: %s", dialogue.shown);
    ssize_t got = read(dialogue.terminal, dialogue.shown + dialogue.size,
                       sizeof dialogue.shown - dialogue.size - 1);
    if (got <= 0)
        return false;
    dialogue.size += (size_t)got;
    dialogue.shown[dialogue.size] = '\0';
    return true;
}

static void wait_for(const char *text)
{
    while (!strstr(dialogue.shown, text))
        ck_assert_msg(read_more(), "no \"%s\" in: %s", text, dialogue.shown);
}

static void type(const char *text)
{
    ck_assert_int_eq(write(dialogue.terminal, text, strlen(text)), (ssize_t)strlen(text));
}

static bool echoes(void)
{
    struct termios settings;
    ck_assert_int_eq(tcgetattr(dialogue.terminal, &settings), 0);
    return settings.c_lflag & ECHO;
}

/* Until it has ended: exit status, or minus the signal. The terminal's settings are looked at before it is gone. */
static int finish(void)
{
    int status;
    while (read_more())
        continue;
    ck_assert_int_eq(waitpid(dialogue.pid, &status, 0), dialogue.pid);
    close(dialogue.terminal);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

START_TEST(it_is_asked_twice_and_not_echoed)
{
    start("alice");
    wait_for("New password: ");
    ck_assert(!echoes());
    type("violet-canary-42\n");
    wait_for("Once more: ");
    ck_assert(!echoes());
    type("violet-canary-42\n");
    wait_for("username:   alice");
    ck_assert_int_eq(finish(), 0);
    ck_assert_ptr_null(strstr(dialogue.shown, "canary"));
}
END_TEST

START_TEST(two_that_differ_change_nothing)
{
    start("alice");
    wait_for("New password: ");
    type("violet-canary-42\n");
    wait_for("Once more: ");
    type("violet-canary-43\n");
    wait_for("the two were not the same");
    ck_assert_int_eq(finish(), 1);
    ck_assert_ptr_null(strstr(dialogue.shown, "canary"));
    cli_run("user", "list", "--json");
    cli_expect(0, "[]\n", "");
}
END_TEST

START_TEST(an_interrupt_leaves_the_terminal_as_it_was)
{
    start("alice");
    int other_end = open(ptsname(dialogue.terminal),
                         O_RDWR | O_NOCTTY); /* so that its settings outlive the program */
    wait_for("New password: ");
    ck_assert(!echoes());
    type("\x03");
    wait_for("interrupted; nothing was changed");
    int status;
    ck_assert_int_eq(waitpid(dialogue.pid, &status, 0), dialogue.pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    ck_assert(echoes());
    close(other_end);
    close(dialogue.terminal);
}
END_TEST

START_TEST(an_end_of_input_is_told)
{
    start("alice");
    wait_for("New password: ");
    type("\x04");
    wait_for("there was no password; nothing was changed");
    ck_assert_int_eq(finish(), 1);
}
END_TEST

START_TEST(without_a_terminal_the_fix_is_told)
{
    /* A session of its own has no terminal. */
    int output[2], status;
    char text[1024];
    ck_assert_int_eq(pipe(output), 0);
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        dup2(output[1], STDERR_FILENO);
        execl(CW_BINARY, CW_BINARY, "user", "add", "x", "--email", "a@example.com", (char *)NULL);
        _exit(127);
    }
    close(output[1]);
    size_t size = 0;
    for (ssize_t got; (got = read(output[0], text + size, sizeof text - 1 - size)) > 0;)
        size += (size_t)got;
    text[size] = '\0';
    waitpid(pid, &status, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    ck_assert_ptr_nonnull(strstr(text, "use --password-file FILE"));
    close(output[0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("password_input");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, cli_open, cli_close);
    tcase_add_test(all, it_is_asked_twice_and_not_echoed);
    tcase_add_test(all, two_that_differ_change_nothing);
    tcase_add_test(all, an_interrupt_leaves_the_terminal_as_it_was);
    tcase_add_test(all, an_end_of_input_is_told);
    tcase_add_test(all, without_a_terminal_the_fix_is_told);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
