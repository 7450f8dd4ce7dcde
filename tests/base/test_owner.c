/* Who owns what root makes. Run by anybody else these say that nothing happens. */
#include "cachewarden/owner.h"

#include "suite.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SERVICE = 65534 };

static char folder[64], path[80];
static int fd;

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/cw-owner-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    ck_assert_int_ge(fd, 0);
}

static void tear_down(void)
{
    close(fd);
    unlink(path);
    rmdir(folder);
}

static uid_t owner_now(void)
{
    struct stat status;
    ck_assert_int_eq(fstat(fd, &status), 0);
    ck_assert_int_eq(status.st_gid, status.st_uid == SERVICE ? SERVICE : getegid());
    return status.st_uid;
}

START_TEST(a_folder_of_root)
{
    owner_inherit(fd, path);
    ck_assert_uint_eq(owner_now(), geteuid());
}
END_TEST

static uid_t give_folder_away(void)
{
    if (geteuid() == 0)
        ck_assert_int_eq(chown(folder, SERVICE, SERVICE), 0);
    return geteuid() == 0 ? SERVICE : geteuid();
}

START_TEST(a_folder_of_the_service)
{
    uid_t wanted = give_folder_away();
    owner_inherit(fd, path);
    ck_assert_uint_eq(owner_now(), wanted);
}
END_TEST

START_TEST(a_name_without_a_folder)
{
    uid_t wanted = give_folder_away();
    ck_assert_int_eq(chdir(folder), 0);
    owner_inherit(fd, "file");
    ck_assert_uint_eq(owner_now(), wanted);
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(a_folder_that_is_gone)
{
    owner_inherit(fd, "/nonexistent/file");
    ck_assert_uint_eq(owner_now(), geteuid());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("owner");
    TCase *each = tcase_create("all");
    tcase_add_checked_fixture(each, set_up, tear_down);
    tcase_add_test(each, a_folder_of_root);
    tcase_add_test(each, a_folder_of_the_service);
    tcase_add_test(each, a_name_without_a_folder);
    tcase_add_test(each, a_folder_that_is_gone);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
