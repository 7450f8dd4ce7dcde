#include "process/notify.h"

#include "cw_server.h"
#include "suite.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A service manager's socket; `address_size` as bind wants it. */
static int listen_at(const struct sockaddr_un *address, socklen_t address_size)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)address, address_size), 0);
    return fd;
}

static void expect_datagram(int fd, const char *wanted)
{
    char text[1024];
    ssize_t size = recv(fd, text, sizeof text - 1, 0);
    ck_assert_int_gt(size, 0);
    text[size] = '\0';
    ck_assert_str_eq(text, wanted);
}

START_TEST(a_path)
{
    char *folder = cw_directory_new();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", folder);
    int fd = listen_at(&address, sizeof address);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    notify_manager("READY=1", STR("Listening on 127.0.0.1:1"));
    expect_datagram(fd, "READY=1\nSTATUS=Listening on 127.0.0.1:1\n");
    close(fd);
    cw_directory_remove(&folder);
}
END_TEST

START_TEST(an_abstract_name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int size = snprintf(name, sizeof name, "@cachewarden-test-%d", (int)getpid());
    memcpy(address.sun_path, name, (size_t)size);
    address.sun_path[0] = '\0';
    int fd =
        listen_at(&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)size));
    setenv("NOTIFY_SOCKET", name, 1);
    notify_manager("STOPPING=1", STR("bye"));
    expect_datagram(fd, "STOPPING=1\nSTATUS=bye\n");
    close(fd);
}
END_TEST

START_TEST(a_state_without_words)
{
    char *folder = cw_directory_new();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", folder);
    int fd = listen_at(&address, sizeof address);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    notify_manager("WATCHDOG=1", (struct str){0});
    expect_datagram(fd, "WATCHDOG=1\n");
    close(fd);
    cw_directory_remove(&folder);
}
END_TEST

/* Nothing to see but that nothing goes wrong. */
START_TEST(nobody_to_tell)
{
    static const char *const places[] = {"", "relative", "/nonexistent/notify"};
    char name[200];
    unsetenv("NOTIFY_SOCKET");
    notify_manager("READY=1", STR("x"));
    for (size_t i = 0; i < 3; i++) {
        setenv("NOTIFY_SOCKET", places[i], 1);
        notify_manager("READY=1", STR("x"));
    }
    memset(name, 'a', sizeof name);
    name[0] = '/';
    name[sizeof name - 1] = '\0';
    setenv("NOTIFY_SOCKET", name, 1);
    notify_manager("READY=1", STR("x"));
    ck_assert_int_eq(access(name, F_OK), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notify");
    TCase *all = tcase_create("all");
    tcase_add_test(all, a_path);
    tcase_add_test(all, an_abstract_name);
    tcase_add_test(all, a_state_without_words);
    tcase_add_test(all, nobody_to_tell);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
