#include "postgres_files.h"

#include "postgres_server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* What initdb made, by a name that changes when it has to be made anew. */
#define TEMPLATES        CW_BINARY "-postgres"
#define TEMPLATE_EDITION 3 /* of the options and commands below */

/*
 * POSTGRES_PASSWORD as the server keeps it, with one iteration in place of 4096: a client repeats them at
 * each connection, and a sanitizer watches each. The exchange is the same.
 */
#define VERIFIER                                                                             \
    "SCRAM-SHA-256$1:c2FsdC1vZi10aGUtdGVzdA==$nTdx/lOnWBx7JlMgV3BWUrENzZ70F98v3SOEW2/UR9M=:" \
    "/Lj03Nw7BYFqNcuREb77QSYN0IDaLu7GT0/HlHka6gU="
static char template[320];

void postgres_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("postgres_server: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

/* ---- programs ---- */

/* Debian keeps them out of PATH, a folder a version; the newest. Elsewhere PATH will do. */
void postgres_find_program(char *out, size_t size, const char *name)
{
    char pattern[128];
    glob_t found = {0};
    long best = 0;
    snprintf(pattern, sizeof pattern, "/usr/lib/postgresql/*/bin/%s", name);
    snprintf(out, size, "%s", name);
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) {
            long version = strtol(found.gl_pathv[i] + strlen("/usr/lib/postgresql/"), NULL, 10);
            if (version > best) {
                best = version;
                snprintf(out, size, "%s", found.gl_pathv[i]);
            }
        }
    globfree(&found);
}

struct postgres_identity postgres_find_identity(void)
{
    if (geteuid() != 0)
        return (struct postgres_identity){.is_other = false};
    const struct passwd *nobody = getpwnam("nobody");
    if (!nobody)
        postgres_die("there is no user nobody");
    return (struct postgres_identity){true, nobody->pw_uid, nobody->pw_gid};
}

/* Only async-signal-safe calls in the child: other threads of the test may hold any lock at fork. */
pid_t postgres_launch(char *const *argv, const char *directory, struct postgres_identity identity)
{
    pid_t pid = fork();
    if (pid < 0)
        postgres_die("fork: %s", strerror(errno));
    if (pid > 0)
        return pid;
    if (chdir(directory) != 0)
        _exit(126);
    int log = open("log", O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || null < 0)
        _exit(126);
    if (identity.is_other &&
        (setgroups(0, NULL) != 0 || setgid(identity.gid) != 0 || setuid(identity.uid) != 0))
        _exit(126);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(argv[0], argv);
    _exit(127);
}

void postgres_print_log(const char *directory)
{
    char path[128], line[512];
    snprintf(path, sizeof path, "%s/log", directory);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        fputs(line, stderr);
    if (file)
        fclose(file);
}

void postgres_run(const char *const *argv, const char *directory, struct postgres_identity identity)
{
    int status = 0;
    pid_t pid = postgres_launch((char *const *)(uintptr_t)argv, directory, identity);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        postgres_die("%s is not installed", argv[0]);
    if (status != 0) {
        postgres_print_log(directory);
        postgres_die("%s failed (see above)", argv[0]);
    }
}

/* ---- directories ---- */

/* A cluster is a thousand files, which take most of a second to make and remove on a disk. In memory there
 * has to be room for those of several tests. */
static const char *parent_directory(void)
{
    struct statvfs memory;
    bool has_room = statvfs("/dev/shm", &memory) == 0 &&
                    (uint64_t)memory.f_bavail * memory.f_frsize >= UINT64_C(1) << 30;
    return has_room && access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
}

void postgres_make_directory(char *out, size_t size, struct postgres_identity identity)
{
    snprintf(out, size, "%s/cw-postgres-XXXXXX", parent_directory());
    if (!mkdtemp(out))
        postgres_die("mkdtemp: %s", strerror(errno));
    if (identity.is_other && chown(out, identity.uid, identity.gid) != 0)
        postgres_die("chown %s: %s", out, strerror(errno));
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

void postgres_remove_directory(const char *directory)
{
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static const char caretaker[] =
    "read -r word\n"
    "[ \"$word\" = done ] && exit 0\n"
    "memory=$(sed -n '7s/.* //p' \"$1/data/postmaster.pid\" 2>/dev/null)\n"
    "for link in $(find /proc -maxdepth 2 -name cwd -lname \"$1*\"); do\n"
    "  process=${link%/cwd}\n"
    "  kill -KILL \"${process#/proc/}\"\n"
    "done\n"
    "[ -z \"$memory\" ] || ipcrm -m \"$memory\"\n"
    "rm -rf \"$1\"\n";

int postgres_start_caretaker(char *directory)
{
    char *argv[] = {(char *)(uintptr_t) "sh",
                    (char *)(uintptr_t) "-c",
                    (char *)(uintptr_t)caretaker,
                    (char *)(uintptr_t) "sh",
                    directory,
                    NULL};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        postgres_die("pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        postgres_die("fork: %s", strerror(errno));
    if (pid == 0) {
        /* Twice, so that nobody has to wait for it. */
        if (setsid() < 0 || fork() != 0)
            _exit(0);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(ends[0], STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execv("/bin/sh", argv);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    close(ends[0]);
    return ends[1];
}

void postgres_dismiss_caretaker(int lifeline)
{
    static const char word[] = "done\n";
    if (write(lifeline, word, sizeof word - 1) < 0)
        postgres_die("the caretaker has gone: %s", strerror(errno));
    close(lifeline);
}

static void write_file(char *path_out, size_t size, const char *directory, const char *name,
                       const char *text)
{
    snprintf(path_out, size, "%s/%s", directory, name);
    int fd = open(path_out, O_CREAT | O_WRONLY | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || dprintf(fd, "%s\n", text) < 0 || close(fd) != 0)
        postgres_die("%s: %s", path_out, strerror(errno));
}

static void run_initdb(const char *directory, const char *initdb, struct postgres_identity identity)
{
    char password[128], option[160];
    write_file(password, sizeof password, directory, "password", VERIFIER);
    snprintf(option, sizeof option, "--pwfile=%s", password);
    static const char user[] = "--username=" POSTGRES_SUPERUSER;
    postgres_run((const char *const[]){initdb, "--pgdata=data", user, "--auth=scram-sha-256",
                                       option, "--encoding=UTF8", "--locale=C.UTF-8",
                                       "--wal-segsize=1", "--no-sync", NULL},
                 directory, identity);
}

/*
 * The role and the database that tests work with. The database is template1 by another name: what is not
 * there need not be copied for each server.
 */
static void run_first_commands(const char *directory, struct postgres_identity identity)
{
    static const char commands[] =
        "CREATE ROLE " POSTGRES_USER " LOGIN PASSWORD '" VERIFIER "'\n"
        "UPDATE pg_database SET datistemplate = false WHERE datname = 'template1'\n"
        "ALTER DATABASE template1 RENAME TO " POSTGRES_DATABASE "\n"
        "ALTER DATABASE " POSTGRES_DATABASE " OWNER TO " POSTGRES_USER "\n";
    char path[128], postgres[128], script[512];
    write_file(path, sizeof path, directory, "commands", commands);
    postgres_find_program(postgres, sizeof postgres, "postgres");
    snprintf(script, sizeof script, "exec %s --single -F -D data postgres <commands", postgres);
    postgres_run((const char *const[]){"sh", "-c", script, NULL}, directory, identity);
    /* The test's own hands need no password. */
    postgres_run((const char *const[]){"sed", "-i", "1ilocal all " POSTGRES_SUPERUSER " trust",
                                       "data/pg_hba.conf", NULL},
                 directory, identity);
}

/* Where whoever runs PostgreSQL may write, and from there to where it stays. */
static void make_template(const char *initdb)
{
    char directory[64], data[80], made[340];
    struct postgres_identity identity = postgres_find_identity();
    postgres_make_directory(directory, sizeof directory, identity);
    int lifeline = postgres_start_caretaker(directory);
    run_initdb(directory, initdb, identity);
    run_first_commands(directory, identity);
    snprintf(made, sizeof made, "%s.new", template);
    postgres_remove_directory(made);
    snprintf(data, sizeof data, "%s/data", directory);
    postgres_copy(data, made);
    if (rename(made, template) != 0)
        postgres_die("%s: %s", made, strerror(errno));
    postgres_remove_directory(directory);
    postgres_dismiss_caretaker(lifeline);
}

static struct {
    const char *to;
    size_t from_size; /* of the name of the root */
} copying;

static void copy_bytes(const char *from, int out, off_t size)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0 || sendfile(out, in, NULL, (size_t)size) != size)
        postgres_die("copying %s: %s", from, strerror(errno));
    close(in);
}

static int copy_entry(const char *from, const struct stat *info, int kind, struct FTW *walk)
{
    char to[512];
    (void)walk;
    snprintf(to, sizeof to, "%s%s", copying.to, from + copying.from_size);
    if (kind == FTW_D) {
        if (mkdir(to, info->st_mode & 07777) != 0 || chown(to, info->st_uid, info->st_gid) != 0)
            postgres_die("%s: %s", to, strerror(errno));
        return 0;
    }
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, info->st_mode & 07777);
    if (kind != FTW_F || out < 0 || fchown(out, info->st_uid, info->st_gid) != 0)
        postgres_die("%s: %s", to, strerror(errno));
    if (info->st_size > 0)
        copy_bytes(from, out, info->st_size);
    close(out);
    return 0;
}

/* As we are, because the way to the build folder may be closed to nobody; who owns it stays. No cp: with all
 * it looks after it takes half a second for the thousand files. */
void postgres_copy(const char *from, const char *to)
{
    copying.to = to;
    copying.from_size = strlen(from);
    if (nftw(from, copy_entry, 16, FTW_PHYS) != 0)
        postgres_die("copying %s: %s", from, strerror(errno));
}

/* Many test programs may be the first at once. */
const char *postgres_template(void)
{
    char initdb[128];
    struct stat status = {0};
    if (template[0] != '\0')
        return template;
    postgres_find_program(initdb, sizeof initdb, "initdb");
    stat(initdb, &status);
    snprintf(template, sizeof template, TEMPLATES "-%d-%u-%lld", TEMPLATE_EDITION,
             (unsigned)geteuid(), (long long)status.st_mtim.tv_sec);
    int lock = open(TEMPLATES ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) != 0)
        postgres_die(TEMPLATES ".lock: %s", strerror(errno));
    if (access(template, F_OK) != 0)
        make_template(initdb);
    close(lock);
    return template;
}
