#include "stand_accounts.h"

#include "cw_server.h"

#include <check.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPLATES CW_BINARY "-accounts"

const char *const stand_accounts[STAND_ACCOUNTS][4] = {
    [STAND_ALICE] = {"alice"},
    [STAND_BOB] = {"bob"},
    [STAND_ROOT] = {"root", "--superuser"},
    [STAND_BOSS] = {"boss", "--group", "Admin"},
};

static void copy_file(const char *from, const char *to)
{
    struct stat status;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ck_assert_msg(in >= 0 && out >= 0, "%s to %s: %s", from, to, strerror(errno));
    ck_assert_int_eq(fstat(in, &status), 0);
    ck_assert_int_eq(sendfile(out, in, NULL, (size_t)status.st_size), status.st_size);
    close(in);
    close(out);
}

static void add_account(const char *directory, int number)
{
    const char *const *account = stand_accounts[number];
    char email[64], id[32];
    snprintf(email, sizeof email, "%s@example.com", account[0]);
    snprintf(id, sizeof id, "\"id\":%d,", number + 1);
    const char *const arguments[] = {"user",     "add",
                                     account[0], "--email",
                                     email,      "--password-file",
                                     "-",        "--json",
                                     account[1], account[1] ? account[2] : NULL,
                                     NULL};
    struct cw_result result;
    cw_run(&(struct cw_command){.arguments = arguments,
                                .environment = (const char *const[]){"JWT_SECRET=", NULL},
                                .input = STAND_PASSWORD "\n",
                                .directory = directory},
           &result);
    ck_assert_msg(result.status == 0 && strstr(result.out, id), "user add %s: status %d\n%s%s",
                  account[0], result.status, result.out, result.err);
    cw_result_fini(&result);
}

/* SQLite leaves one file when the last program has closed it. */
static void make_template(const char *path)
{
    char made[300], made_path[320];
    char *directory = cw_directory_new();
    for (int i = 0; i < STAND_ACCOUNTS; i++)
        add_account(directory, i);
    snprintf(made_path, sizeof made_path, "%s/users.db-wal", directory);
    ck_assert_msg(access(made_path, F_OK) != 0, "%s is still there", made_path);
    snprintf(made_path, sizeof made_path, "%s/users.db", directory);
    snprintf(made, sizeof made, "%s.new", path);
    unlink(made);
    copy_file(made_path, made);
    ck_assert_int_eq(rename(made, path), 0);
    cw_directory_remove(&directory);
}

/* One library knows nothing of the other's hashes. */
static const char *kind(void)
{
    const char *libraries = getenv("LD_LIBRARY_PATH");
    return libraries && strstr(libraries, "/quick_argon2") ? "quick" : "real";
}

/* Those of earlier builds. */
static void remove_templates(void)
{
    char pattern[300];
    glob_t found = {0};
    snprintf(pattern, sizeof pattern, TEMPLATES "-%s-*", kind());
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
    globfree(&found);
}

/* Many test programs may be the first at once. */
void stand_accounts_copy(const char *directory)
{
    char template[300], path[320];
    struct stat program;
    ck_assert_int_eq(stat(CW_BINARY, &program), 0);
    snprintf(template, sizeof template, TEMPLATES "-%s-%lld.%09ld", kind(),
             (long long)program.st_mtim.tv_sec, program.st_mtim.tv_nsec);
    int lock = open(TEMPLATES ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_msg(lock >= 0 && flock(lock, LOCK_EX) == 0, TEMPLATES ".lock: %s", strerror(errno));
    if (access(template, F_OK) != 0) {
        remove_templates();
        make_template(template);
    }
    snprintf(path, sizeof path, "%s/users.db", directory);
    copy_file(template, path);
    close(lock);
}
