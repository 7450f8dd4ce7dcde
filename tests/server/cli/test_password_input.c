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

/* So that the terminal's settings outlive the program. */
static int hold_terminal(void)
{
    int other_end = open(ptsname(dialogue.terminal), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(other_end, 0);
    return other_end;
}

/* What ends the dialogue: a key, or somebody's signal. At the first prompt and at the second. */
static const struct {
    int signal;
    const char *key;
    bool is_second;
} ends[] = {{0, "\x03", false},     {0, "\x1c", false},    {SIGINT, NULL, false},
            {SIGTERM, NULL, false}, {SIGHUP, NULL, false}, {SIGQUIT, NULL, false},
            {SIGTERM, NULL, true},  {0, "\x03", true}};

START_TEST(an_end_leaves_the_terminal_as_it_was)
{
    start("alice");
    int other_end = hold_terminal();
    wait_for("New password: ");
    if (ends[_i].is_second) {
        type("violet-canary-42\n");
        wait_for("Once more: ");
    }
    ck_assert(!echoes());
    if (ends[_i].key)
        type(ends[_i].key);
    else
        ck_assert_int_eq(kill(dialogue.pid, ends[_i].signal), 0);
    wait_for("interrupted; nothing was changed");
    int status;
    ck_assert_int_eq(waitpid(dialogue.pid, &status, 0), dialogue.pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    ck_assert(echoes());
    close(other_end);
    close(dialogue.terminal);
}
END_TEST

/* ---- a shell with one job ---- */

/* Says "[stopped]" when the job stops, and reads what to do: f brings it to the front, b lets it go on behind, and t
 * ends it, as `kill %1` does. Ends with the exit status of the job. */
static void be_a_shell(const char *name)
{
    int status;
    signal(SIGTTOU, SIG_IGN);
    pid_t job = fork();
    if (job == 0) {
        setpgid(0, 0);
        tcsetpgrp(STDIN_FILENO, getpid());
        signal(SIGTTOU, SIG_DFL);
        execl(CW_BINARY, CW_BINARY, "user", "add", name, "--email", "a@example.com", (char *)NULL);
        _exit(127);
    }
    setpgid(job, job);
    tcsetpgrp(STDIN_FILENO, job);
    while (waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status)) {
        char what = 'f';
        tcsetpgrp(STDIN_FILENO, getpgrp());
        (void)!write(STDOUT_FILENO, "[stopped]", 9);
        while (read(STDIN_FILENO, &what, 1) == 1 && what == '\n')
            continue;
        if (what == 'f')
            tcsetpgrp(STDIN_FILENO, job);
        if (what == 't')
            kill(-job, SIGTERM);
        kill(-job, SIGCONT);
    }
    tcsetpgrp(STDIN_FILENO, getpgrp());
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 100);
}

/* The text comes a further time. */
static void wait_for_another(const char *text)
{
    dialogue.size = 0;
    dialogue.shown[0] = '\0';
    wait_for(text);
}

static void start_in_shell(const char *name)
{
    char database[300];
    snprintf(database, sizeof database, "DATABASE_URL=sqlite:%s/users.db", cli_test.directory);
    dialogue.pid = forkpty(&dialogue.terminal, NULL, NULL, NULL);
    ck_assert_int_ge(dialogue.pid, 0);
    if (dialogue.pid == 0) {
        putenv(database);
        putenv(cli_test.redis_item);
        be_a_shell(name);
    }
    dialogue.size = 0;
    dialogue.shown[0] = '\0';
}

START_TEST(a_stopped_dialogue_gives_the_echo_back)
{
    start_in_shell("alice");
    wait_for("New password: ");
    ck_assert(!echoes());
    type("half-a-canary\x1a");
    wait_for("[stopped]");
    ck_assert(echoes());
    /* In front again it asks again, for all of it. */
    type("f\n");
    wait_for_another("New password: ");
    ck_assert(!echoes());
    type("violet-canary-42\n");
    wait_for_another("Once more: ");
    type("\x1a");
    wait_for("[stopped]");
    ck_assert(echoes());
    type("f\n");
    wait_for_another("Once more: ");
    type("violet-canary-42\n");
    wait_for("username:   alice");
    ck_assert_int_eq(finish(), 0);
    ck_assert_ptr_null(strstr(dialogue.shown, "canary"));
}
END_TEST

/* Behind, it does not touch the terminal, and can be ended. */
START_TEST(a_dialogue_in_the_background)
{
    start_in_shell("alice");
    int other_end = hold_terminal();
    wait_for("New password: ");
    type("\x1a");
    wait_for("[stopped]");
    type("b\n");
    wait_for_another("[stopped]");
    ck_assert(echoes());
    type("t\n");
    wait_for_another("interrupted; nothing was changed");
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
    tcase_add_loop_test(all, an_end_leaves_the_terminal_as_it_was, 0, sizeof ends / sizeof *ends);
    tcase_add_test(all, a_stopped_dialogue_gives_the_echo_back);
    tcase_add_test(all, a_dialogue_in_the_background);
    tcase_add_test(all, an_end_of_input_is_told);
    tcase_add_test(all, without_a_terminal_the_fix_is_told);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
