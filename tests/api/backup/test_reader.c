/* What is no archive of ours, or not whole, is refused with a reason: by its seal, and under a good one. */
#include "archives.h"
#include "backup/manifest.h"
#include "suite.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>

static struct archive_key *key;

static void set_up(void)
{
    key = archives_key(ARCHIVES_SECRET);
}

static void tear_down(void)
{
    archive_key_free(&key);
}

static void expect_refused(int fd, const char *reason, const char *what)
{
    struct error error;
    enum err err = archives_read(fd, key, &error);

    ck_assert_msg(err == ERR_UNPROCESSABLE, "%s: %s", what, err_name(err));
    ck_assert_msg(strstr(error.caller, reason) != NULL, "%s: %s", what, error.caller);
}

/* ---- damage ---- */

/* Every length and every bit of a small archive, far more than a thousand of each. */
START_TEST(no_truncation_and_no_flipped_bit_is_taken)
{
    int whole = archives_file(), damaged = archives_file();
    struct archive_file file;
    char bytes[4096];
    struct error error;

    archives_write(whole, key, &file);
    ck_assert_int_lt(file.size, sizeof bytes);
    ck_assert_int_gt(file.size, 500);
    ck_assert_int_eq(pread(whole, bytes, sizeof bytes, 0), file.size);
    for (int64_t length = 0; length < file.size; length++) {
        ck_assert_int_eq(ftruncate(damaged, 0), 0);
        ck_assert_int_eq(pwrite(damaged, bytes, (size_t)length, 0), length);
        ck_assert_msg(archives_read(damaged, key, &error) == ERR_UNPROCESSABLE, "%d bytes",
                      (int)length);
    }
    ck_assert_int_eq(pwrite(damaged, bytes, (size_t)file.size, 0), file.size);
    ck_assert_int_eq(archives_read(damaged, key, &error), ERR_OK);
    for (int64_t bit = 0; bit < 8 * file.size; bit++) {
        char flipped = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        ck_assert_int_eq(pwrite(damaged, &flipped, 1, bit / 8), 1);
        ck_assert_msg(archives_read(damaged, key, &error) == ERR_UNPROCESSABLE, "bit %d", (int)bit);
        ck_assert_int_eq(pwrite(damaged, &bytes[bit / 8], 1, bit / 8), 1);
    }
    ck_assert_int_eq(pwrite(damaged, "x", 1, file.size), 1);
    expect_refused(damaged, "does not end as a backup does", "a byte behind the end");
    close(whole);
    close(damaged);
}
END_TEST

START_TEST(another_secret_is_told)
{
    struct archive_key *other = archives_key("the secret of another installation");
    int fd = archives_file();
    struct archive_file file;

    archives_write(fd, other, &file);
    expect_refused(fd, "another auth.secret", "a foreign archive");
    archive_key_free(&other);
    close(fd);
}
END_TEST

/* The seal and the manifest: both are of the secret of that day. */
START_TEST(a_previous_secret_proves_it)
{
    struct archive_key *old = archives_key("the secret of last year");
    const struct secrets next = {.current = STR(ARCHIVES_SECRET),
                                 .previous = {STR("the secret of last year")},
                                 .previous_count = 1};
    int fd = archives_file(), fresh = archives_file();
    struct archive_file file;
    struct error error;

    archives_write(fd, old, &file);
    ck_assert_int_eq(archive_key_set_secrets(old, &next, NULL), ERR_OK);
    ck_assert_int_eq(archives_read(fd, old, &error), ERR_OK);
    archives_write(fresh, old, &file);
    ck_assert_int_eq(archives_read(fresh, key, &error), ERR_OK);
    archive_key_free(&old);
    close(fresh);
    close(fd);
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    int ends[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct error error;

    expect_refused(null, "not a regular file", "/dev/null");
    close(null);
    ck_assert_int_eq(pipe(ends), 0);
    expect_refused(ends[0], "not a regular file", "a pipe");
    close(ends[0]);
    close(ends[1]);
    ck_assert_int_eq(archives_read(-1, key, &error), ERR_UPSTREAM_DOWN);
}
END_TEST

/* ---- under a good seal ---- */

static la_ssize_t put(struct archive *archive, void *arg, const void *bytes, size_t size)
{
    (void)archive;
    return write(*(int *)arg, bytes, size);
}

static struct archive *begin_tar(int *fd)
{
    struct archive *tar = archive_write_new();

    *fd = archives_file();
    ck_assert_int_eq(archive_write_set_format_pax(tar), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_add_filter_zstd(tar), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_set_bytes_in_last_block(tar, 1), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_open2(tar, fd, NULL, put, NULL, NULL), ARCHIVE_OK);
    return tar;
}

static void seal(int fd)
{
    unsigned char end[ARCHIVE_SEAL_SIZE], digest[DIGEST_SHA256_SIZE];
    static char bytes[1024 * 1024];
    ssize_t size;

    archive_seal_begin(key, end);
    ck_assert_int_ge(lseek(fd, 0, SEEK_END), 0);
    ck_assert_int_eq(write(fd, end, ARCHIVE_SEAL_HEAD), ARCHIVE_SEAL_HEAD);
    size = pread(fd, bytes, sizeof bytes, 0);
    ck_assert(size > 0 && (size_t)size < sizeof bytes);
    ck_assert_int_eq(digest_sha256((struct str){bytes, (size_t)size}, digest), ERR_OK);
    ck_assert_int_eq(
        archive_key_sign(key, (struct str){(const char *)digest, sizeof digest}, end, NULL),
        ERR_OK);
    ck_assert_int_eq(write(fd, end, ARCHIVE_MAC_SIZE), ARCHIVE_MAC_SIZE);
}

static int end_tar(struct archive *tar, const int *fd)
{
    ck_assert_int_eq(archive_write_close(tar), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_free(tar), ARCHIVE_OK);
    seal(*fd);
    return *fd;
}

static struct archive_entry *entry_of(const char *name, mode_t type, int64_t size)
{
    struct archive_entry *entry = archive_entry_new();

    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, 0600);
    archive_entry_set_size(entry, size);
    return entry;
}

static void add_entry(struct archive *tar, struct archive_entry *entry, struct str bytes)
{
    ck_assert_int_eq(archive_write_header(tar, entry), ARCHIVE_OK);
    if (bytes.len > 0)
        ck_assert_int_eq(archive_write_data(tar, bytes.ptr, bytes.len), (la_ssize_t)bytes.len);
    ck_assert_int_eq(archive_write_finish_entry(tar), ARCHIVE_OK);
    archive_entry_free(entry);
}

static void add_file(struct archive *tar, const char *name, struct str bytes)
{
    add_entry(tar, entry_of(name, AE_IFREG, (int64_t)bytes.len), bytes);
}

#define FIRST "users/accounts-000001.jsonl"

static const struct {
    const char *name;
    mode_t type;
    const char *reason;
} members[] = {
    {"../../etc/cron.d/x", AE_IFREG, "does not belong there"},
    {"/etc/cron.d/x", AE_IFREG, "does not belong there"},
    {"users/../../x", AE_IFREG, "does not belong there"},
    {"users/accounts-000002.jsonl", AE_IFREG, "does not belong there"},
    {"users/accounts-1.jsonl", AE_IFREG, "does not belong there"},
    {"manifest.hmac", AE_IFREG, "does not belong there"},
    {"entries/data-000001.jsonl", AE_IFREG, "does not belong there"},
    {"cache/entries-000001.jsonl", AE_IFREG, "does not belong there"}, /* of format 2 alone */
    {FIRST, AE_IFLNK, "no plain file"},
    {FIRST, AE_IFDIR, "no plain file"},
    {FIRST, AE_IFCHR, "no plain file"},
    {FIRST, AE_IFBLK, "no plain file"},
    {FIRST, AE_IFIFO, "no plain file"},
};

START_TEST(a_strange_member_is_refused)
{
    int fd;
    struct archive *tar = begin_tar(&fd);
    bool is_file = members[_i].type == AE_IFREG;
    struct archive_entry *entry = entry_of(members[_i].name, members[_i].type, is_file ? 3 : 0);

    if (members[_i].type == AE_IFLNK)
        archive_entry_set_symlink(entry, "/etc/passwd");
    add_entry(tar, entry, is_file ? STR("{}\n") : STR_NONE);
    expect_refused(end_tar(tar, &fd), members[_i].reason, members[_i].name);
    close(fd);
}
END_TEST

START_TEST(a_hard_link_a_sparse_file_and_attributes_are_refused)
{
    for (int which = 0; which < 3; which++) {
        int fd;
        struct archive *tar = begin_tar(&fd);
        struct archive_entry *entry = entry_of(FIRST, AE_IFREG, which == 0 ? 0 : 3);
        if (which == 0)
            archive_entry_set_hardlink(entry, "/etc/passwd");
        else if (which == 1)
            archive_entry_sparse_add_entry(entry, 1, 2);
        else
            archive_entry_xattr_add_entry(entry, "user.x", "y", 1);
        add_entry(tar, entry, which == 0 ? STR_NONE : STR("{}\n"));
        expect_refused(end_tar(tar, &fd), "no plain file", "a link, a hole, an attribute");
        close(fd);
    }
}
END_TEST

/* A gigabyte of nothing in a few bytes: what it says of its size is enough. */
START_TEST(a_bomb_is_not_unpacked)
{
    static const char zeros[64 * 1024];
    int fd;
    struct archive *tar = begin_tar(&fd);
    struct archive_entry *entry = entry_of(FIRST, AE_IFREG, INT64_C(1) << 30);

    ck_assert_int_eq(archive_write_header(tar, entry), ARCHIVE_OK);
    for (size_t i = 0; i < (1 << 30) / sizeof zeros; i++)
        ck_assert_int_eq(archive_write_data(tar, zeros, sizeof zeros), sizeof zeros);
    ck_assert_int_eq(archive_write_finish_entry(tar), ARCHIVE_OK);
    archive_entry_free(entry);
    expect_refused(end_tar(tar, &fd), "empty, or too long", "a bomb");
    close(fd);
}
END_TEST

START_TEST(sizes_and_lines_are_looked_at)
{
    static char large[ARCHIVE_MEMBER_SIZE_MAX + 1];
    const struct {
        struct str bytes;
        const char *reason;
    } cases[] = {
        {STR_NONE, "empty, or too long"},
        {{large, sizeof large}, "empty, or too long"},
        {STR("{}"), "does not end with a line"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd;
        struct archive *tar = begin_tar(&fd);
        add_file(tar, FIRST, cases[i].bytes);
        expect_refused(end_tar(tar, &fd), cases[i].reason, "a size");
        close(fd);
    }
}
END_TEST

/* ---- the manifest ---- */

/* A manifest of one member "{}\n", changed, and its HMAC. */
struct ending {
    const char *reason;
    bool no_manifest, no_hmac, wrong_hmac, wrong_digest, wrong_size, wrong_rows, no_member,
        one_more;
};

static const struct ending endings[] = {
    {"no manifest", .no_manifest = true},
    {"no HMAC", .no_hmac = true},
    {"not the one that was written", .wrong_hmac = true},
    {"not those of its manifest", .wrong_digest = true},
    {"not those of its manifest", .wrong_size = true},
    {"not those of its manifest", .wrong_rows = true},
    {"not those of its manifest", .no_member = true},
    {"behind the last", .one_more = true},
};

static void add_manifest(struct archive *tar, const struct ending *ending)
{
    unsigned char mac[ARCHIVE_MAC_SIZE];
    struct archive_member member = {
        .kind = ARCHIVE_ACCOUNTS, .number = 1, .size = ending->wrong_size ? 4 : 3};
    struct archive_manifest manifest = {.format = ARCHIVE_FORMAT_PLAIN,
                                        .about = archives_about(),
                                        .rows = {ending->wrong_rows ? 2 : 1},
                                        .members = &member,
                                        .member_count = ending->no_member ? 0 : 1};
    struct strbuf text, hex;

    ck_assert_int_eq(digest_sha256(STR("{}\n"), member.sha256), ERR_OK);
    member.sha256[0] ^= ending->wrong_digest ? 1 : 0;
    strbuf_init(&text, NULL, 1024);
    manifest_write(&manifest, &text);
    ck_assert_int_eq(archive_key_sign(key, strbuf_str(&text), mac, NULL), ERR_OK);
    mac[31] ^= ending->wrong_hmac ? 1 : 0;
    strbuf_init(&hex, NULL, 80);
    for (size_t i = 0; i < sizeof mac; i++)
        strbuf_addf(&hex, "%02x", mac[i]);
    strbuf_add_char(&hex, '\n');
    add_file(tar, ARCHIVE_MANIFEST, strbuf_str(&text));
    add_file(tar, ending->no_hmac ? FIRST : ARCHIVE_HMAC, strbuf_str(&hex));
    strbuf_fini(&text);
    strbuf_fini(&hex);
}

START_TEST(a_wrong_ending_is_refused)
{
    const struct ending *ending = &endings[_i];
    int fd;
    struct archive *tar = begin_tar(&fd);

    add_file(tar, FIRST, STR("{}\n"));
    if (!ending->no_manifest)
        add_manifest(tar, ending);
    if (ending->one_more)
        add_file(tar, "users/accounts-000002.jsonl", STR("{}\n"));
    expect_refused(end_tar(tar, &fd), ending->reason, ending->reason);
    close(fd);
}
END_TEST

/* The control: the same with nothing wrong is good, so each of those was refused for what was changed. */
START_TEST(a_right_ending_is_taken)
{
    static const struct ending nothing_wrong = {.reason = ""};
    int fd;
    struct archive *tar = begin_tar(&fd);
    struct error error;

    add_file(tar, FIRST, STR("{}\n"));
    add_manifest(tar, &nothing_wrong);
    ck_assert_msg(archives_read(end_tar(tar, &fd), key, &error) == ERR_OK, "%s", error.caller);
    close(fd);
}
END_TEST

START_TEST(what_is_no_tar_in_zstd_is_refused)
{
    static const char *const texts[] = {"hello", "PK\3\4", "\x28\xb5\x2f\xfd", "\x1f\x8b\x08"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int fd = archives_file();
        ck_assert_int_eq(write(fd, texts[i], strlen(texts[i])), (ssize_t)strlen(texts[i]));
        seal(fd);
        expect_refused(fd, "no tar in zstd", texts[i]);
        close(fd);
    }
}
END_TEST

/* ---- an archive of before ---- */

/* Made when format 1 was new. Every later program has to read it. */
START_TEST(format_1_stays_readable)
{
    int fd = open(CW_SOURCE_DIR "/tests/api/backup/format1.tar.zst", O_RDONLY | O_CLOEXEC);
    struct backup_reader *reader;
    struct error error;

    ck_assert_int_ge(fd, 0);
    ck_assert_msg(backup_reader_open(fd, key, &reader, &error) == ERR_OK, "%s", error.caller);
    ck_assert_msg(backup_reader_drain(reader, &error) == ERR_OK, "%s", error.caller);
    ck_assert_int_eq(backup_reader_manifest(reader)->format, 1);
    ck_assert_int_eq(backup_reader_manifest(reader)->counts.users, 2);
    backup_reader_free(&reader);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/reader");
    TCase *tcase = tcase_create("reader");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, no_truncation_and_no_flipped_bit_is_taken);
    tcase_add_test(tcase, another_secret_is_told);
    tcase_add_test(tcase, a_previous_secret_proves_it);
    tcase_add_test(tcase, what_is_no_file_is_refused);
    tcase_add_loop_test(tcase, a_strange_member_is_refused, 0, sizeof members / sizeof members[0]);
    tcase_add_test(tcase, a_hard_link_a_sparse_file_and_attributes_are_refused);
    tcase_add_test(tcase, a_bomb_is_not_unpacked);
    tcase_add_test(tcase, sizes_and_lines_are_looked_at);
    tcase_add_loop_test(tcase, a_wrong_ending_is_refused, 0, sizeof endings / sizeof endings[0]);
    tcase_add_test(tcase, a_right_ending_is_taken);
    tcase_add_test(tcase, what_is_no_tar_in_zstd_is_refused);
    tcase_add_test(tcase, format_1_stays_readable);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
