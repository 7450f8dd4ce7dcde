/* What is written is what others open, and what we read again; and what no disk takes is told. */
#include "archives.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct archive_key *key;

static void set_up(void)
{
    key = archives_key(ARCHIVES_SECRET);
}

static void tear_down(void)
{
    archive_key_free(&key);
}

static void expect_member(struct backup_reader *reader, enum archive_kind wanted, struct str lines)
{
    enum archive_kind kind;
    struct str bytes;
    bool is_over;
    struct error error;

    ck_assert_int_eq(backup_reader_next(reader, &kind, &bytes, &is_over, &error), ERR_OK);
    ck_assert(!is_over);
    ck_assert_int_eq(kind, wanted);
    ck_assert_msg(str_eq(bytes, lines), "%.*s", STR_ARG(bytes));
}

START_TEST(reads_back_what_was_written)
{
    int fd = archives_file();
    struct archive_file file;
    struct backup_reader *reader;
    enum archive_kind kind;
    struct str bytes;
    struct error error;

    archives_write(fd, key, &file);
    ck_assert_int_eq(backup_reader_open(fd, key, &reader, &error), ERR_OK);
    expect_member(reader, ARCHIVE_ACCOUNTS, STR("{\"id\":1,\"name\":\"ann\"}\n{\"id\":2}\n"));
    expect_member(reader, ARCHIVE_ACCOUNTS, STR("{\"id\":3}\n"));
    expect_member(reader, ARCHIVE_API_KEYS, STR("{\"id\":\"k\"}\n"));
    expect_member(reader, ARCHIVE_CONTROL,
                  STR("{\"key\":\"cw:{u:1}\",\"fields\":{\"clears\":3}}\n"));
    for (int again = 0; again < 2; again++) {
        bool is_over = false;
        ck_assert_int_eq(backup_reader_next(reader, &kind, &bytes, &is_over, &error), ERR_OK);
        ck_assert(is_over);
    }

    const struct archive_manifest *manifest = backup_reader_manifest(reader);
    ck_assert(str_eq(manifest->about.id, STR(ARCHIVES_ID)));
    ck_assert(str_eq(manifest->about.redis_version, STR("7.0.15")));
    ck_assert_int_eq(manifest->about.schema, 7);
    ck_assert_int_eq(manifest->counts.users, 2);
    ck_assert_int_eq(manifest->rows[ARCHIVE_ACCOUNTS], 3);
    ck_assert_uint_eq(manifest->member_count, 4);
    ck_assert_int_eq(backup_reader_file(reader)->size, file.size);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), file.size);
    ck_assert_mem_eq(backup_reader_file(reader)->sha256, file.sha256, sizeof file.sha256);
    backup_reader_free(&reader);
    close(fd);
}
END_TEST

START_TEST(holds_members_of_the_greatest_size_and_none)
{
    const struct archive_about about = archives_about();
    static char lines[ARCHIVE_MEMBER_SIZE_MAX];
    struct backup_writer *writer;
    struct archive_file file;
    struct error error;

    for (int is_full = 0; is_full < 2; is_full++) {
        int fd = archives_file();
        ck_assert_int_eq(backup_writer_open(fd, key, &about, &writer, &error), ERR_OK);
        for (size_t i = 0; i < sizeof lines; i++)
            lines[i] = i % 64 == 63 ? '\n' : (char)('a' + (i * i) % 26);
        if (is_full)
            ck_assert_int_eq(backup_writer_add(writer, ARCHIVE_CONTROL,
                                               (struct str){lines, sizeof lines}, sizeof lines / 64,
                                               &error),
                             ERR_OK);
        ck_assert_int_eq(
            backup_writer_finish(writer, &(struct archive_counts){.users = 0}, &file, &error),
            ERR_OK);
        backup_writer_free(&writer);
        ck_assert_msg(archives_read(fd, key, &error) == ERR_OK, "%s", error.caller);
        close(fd);
    }
}
END_TEST

/* One that was left early is none, whatever it wrote. */
START_TEST(an_unfinished_one_is_refused)
{
    const struct archive_about about = archives_about();
    int fd = archives_file();
    struct backup_writer *writer;
    struct error error;

    ck_assert_int_eq(backup_writer_open(fd, key, &about, &writer, &error), ERR_OK);
    ck_assert_int_eq(backup_writer_add(writer, ARCHIVE_ACCOUNTS, STR("{}\n"), 1, &error), ERR_OK);
    backup_writer_free(&writer);
    ck_assert_int_eq(archives_read(fd, key, &error), ERR_UNPROCESSABLE);
    close(fd);
}
END_TEST

/* Checks nothing by itself: under a limit of file sizes check's own file of messages would be cut. */
static enum err write_one(int fd, const struct archive_about *about, struct archive_file *file_out,
                          struct error *error)
{
    struct backup_writer *writer;
    enum err err = backup_writer_open(fd, key, about, &writer, error);

    if (err == ERR_OK)
        err = backup_writer_add(writer, ARCHIVE_ACCOUNTS, STR("{}\n"), 1, error);
    if (err == ERR_OK)
        err = backup_writer_finish(writer, &(struct archive_counts){.users = 1}, file_out, error);
    backup_writer_free(&writer);
    return err;
}

/* Files may not grow beyond a limit, in the place of a disk that is full: at each of many lengths. */
START_TEST(a_full_disk_is_told)
{
    char path[] = "/tmp/cachewarden-full-XXXXXX";
    const struct archive_about about = archives_about();
    struct archive_file file, cut;
    struct rlimit old;
    struct error error;
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    unlink(path);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert_int_eq(write_one(fd, &about, &file, &error), ERR_OK);
    for (int64_t limit = file.size - 1; limit >= 0; limit -= 43) {
        ck_assert_int_eq(ftruncate(fd, 0), 0);
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)limit, old.rlim_max});
        enum err err = write_one(fd, &about, &cut, &error);
        setrlimit(RLIMIT_FSIZE, &old);
        ck_assert_msg(err == ERR_UPSTREAM_DOWN, "%d bytes: %s", (int)limit, err_name(err));
        ck_assert_ptr_nonnull(strstr(error.caller, strerror(EFBIG)));
        ck_assert_int_ne(archives_read(fd, key, &error), ERR_OK);
    }
    close(fd);
    fd = open("/dev/full", O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(write_one(fd, &about, &cut, &error), ERR_UPSTREAM_DOWN);
    ck_assert_ptr_nonnull(
        strstr(error.caller, "backup.directory: No space left on device. Make room"));
    close(fd);
}
END_TEST

/* What a program says, which has to end well. */
static void expect_said(const char *const *argv, const char *wanted)
{
    char said[2048];
    size_t length = 0;
    int ends[2], status;

    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], said + length, sizeof said - 1 - length)) > 0;)
        length += (size_t)got;
    said[length] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0, "%s: %d", argv[0], status);
    ck_assert_str_eq(said, wanted);
}

/* A backup must not need us to be opened. */
START_TEST(tar_and_zstd_open_it)
{
    char path[] = "/tmp/cachewarden-archive-XXXXXX";
    struct archive_file file;
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    archives_write(fd, key, &file);
    close(fd);
    expect_said((const char *const[]){"tar", "--zstd", "-tf", path, NULL},
                "users/accounts-000001.jsonl\nusers/accounts-000002.jsonl\n"
                "users/api_keys-000001.jsonl\ncontrol/data-000001.jsonl\n"
                "manifest.json\nmanifest.hmac\n");
    expect_said(
        (const char *const[]){"tar", "--zstd", "-xOf", path, "users/accounts-000002.jsonl", NULL},
        "{\"id\":3}\n");
    expect_said((const char *const[]){"zstd", "-qt", path, NULL}, "");
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/writer");
    TCase *tcase = tcase_create("writer");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, reads_back_what_was_written);
    tcase_add_test(tcase, holds_members_of_the_greatest_size_and_none);
    tcase_add_test(tcase, an_unfinished_one_is_refused);
    tcase_add_test(tcase, a_full_disk_is_told);
    tcase_add_test(tcase, tar_and_zstd_open_it);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
