/* Archives that only those read who know the passphrase. */
#include "archives.h"
#include "backup/encrypted.h"
#include "suite.h"

#include <fcntl.h>

#define PASSPHRASE "sixteen bytes or more"

enum {
    SEALED = ENCRYPTED_CHUNK + CIPHER_TAG_SIZE,
    PLAIN = 2 * ENCRYPTED_CHUNK + 1000, /* three chunks */
    FILE_SIZE = ENCRYPTED_HEAD + PLAIN + 3 * CIPHER_TAG_SIZE,
};

static unsigned char plain[PLAIN];

static enum err put(void *with, struct str bytes)
{
    return write(*(int *)with, bytes.ptr, bytes.len) == (ssize_t)bytes.len ? ERR_OK
                                                                           : ERR_UPSTREAM_DOWN;
}

/* A file of `size` plain bytes, that come in pieces. */
static int encrypted_file(size_t size)
{
    int fd = archives_file();
    struct encrypted_writer *writer;

    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (unsigned char)(i * i / 7);
    ck_assert_int_eq(encrypted_writer_new(STR(PASSPHRASE), put, &fd, &writer), ERR_OK);
    for (size_t at = 0; at < size; at += 777)
        ck_assert_int_eq(
            encrypted_writer_add(
                writer, (struct str){(const char *)plain + at, size - at < 777 ? size - at : 777}),
            ERR_OK);
    ck_assert_int_eq(encrypted_writer_end(writer), ERR_OK);
    encrypted_writer_free(&writer);
    return fd;
}

/* Reads all of it: its length, or -1. */
static int64_t read_all(int fd)
{
    struct encrypted_reader *reader;
    static char bytes[PLAIN];
    int64_t have = 0;
    bool is_false = false;
    ssize_t got;

    enum err err = encrypted_reader_new(fd, lseek(fd, 0, SEEK_END), STR(PASSPHRASE), &reader);
    ck_assert_msg(err == ERR_OK || err == ERR_UNAUTHENTICATED, "%s", err_name(err));
    if (err != ERR_OK)
        return -1;
    while ((got = encrypted_reader_read(reader, bytes + have, 1000, have, &is_false)) > 0)
        have += got;
    ck_assert(got < 0 || have == encrypted_reader_size(reader));
    ck_assert(is_false == (got < 0));
    ck_assert_int_eq(memcmp(bytes, plain, (size_t)have), 0);
    encrypted_reader_free(&reader);
    return got < 0 ? -1 : have;
}

static void expect_broken(int fd, const char *what)
{
    ck_assert_msg(read_all(fd) == -1, "%s", what);
}

START_TEST(reads_what_was_written_at_any_length)
{
    static const size_t sizes[] = {
        1, ENCRYPTED_CHUNK - 1, ENCRYPTED_CHUNK, ENCRYPTED_CHUNK + 1, 2 * ENCRYPTED_CHUNK, PLAIN};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int fd = encrypted_file(sizes[i]);
        ck_assert_int_eq(read_all(fd), (int64_t)sizes[i]);
        close(fd);
    }
}
END_TEST

START_TEST(chunks_cannot_be_moved_or_left_out)
{
    static char bytes[FILE_SIZE];
    int fd = encrypted_file(PLAIN);

    ck_assert_int_eq(lseek(fd, 0, SEEK_END), FILE_SIZE);
    ck_assert_int_eq(pread(fd, bytes, sizeof bytes, 0), FILE_SIZE);
    ck_assert_int_eq(pwrite(fd, bytes + ENCRYPTED_HEAD + SEALED, SEALED, ENCRYPTED_HEAD), SEALED);
    expect_broken(fd, "the second in the place of the first");
    ck_assert_int_eq(pwrite(fd, bytes, sizeof bytes, 0), FILE_SIZE);
    ck_assert_int_eq(read_all(fd), PLAIN);
    ck_assert_int_eq(ftruncate(fd, ENCRYPTED_HEAD + 2 * SEALED), 0);
    expect_broken(fd, "without the last");
    ck_assert_int_eq(ftruncate(fd, ENCRYPTED_HEAD + 5), 0);
    expect_broken(fd, "cut short");
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    expect_broken(fd, "empty");
    close(fd);
}
END_TEST

/* A disk that fails is no wrong passphrase. */
START_TEST(what_cannot_be_read_is_not_blamed_on_the_passphrase)
{
    int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* pread says EISDIR */
    struct encrypted_reader *reader;

    ck_assert_int_eq(encrypted_reader_new(folder, FILE_SIZE, STR(PASSPHRASE), &reader),
                     ERR_UPSTREAM_DOWN);
    close(folder);

    int fd = encrypted_file(PLAIN);
    bool is_false = true;
    char byte;
    ck_assert_int_eq(encrypted_reader_new(fd, FILE_SIZE, STR(PASSPHRASE), &reader), ERR_OK);
    close(fd);
    ck_assert_int_eq(encrypted_reader_read(reader, &byte, 1, 0, &is_false), -1);
    ck_assert(!is_false);
    encrypted_reader_free(&reader);
}
END_TEST

START_TEST(an_archive_needs_the_passphrase_and_the_secret)
{
    struct archive_key *key = archives_key(ARCHIVES_SECRET), *bare = archives_key(ARCHIVES_SECRET),
                       *other = archives_key(ARCHIVES_SECRET),
                       *foreign = archives_key("the secret of another installation");
    int fd = archives_file();
    struct archive_file file;
    struct error error;
    static char bytes[8192];

    ck_assert_int_eq(archive_key_set_passphrase(key, STR(PASSPHRASE), &error), ERR_OK);
    ck_assert_int_eq(archive_key_set_passphrase(foreign, STR(PASSPHRASE), &error), ERR_OK);
    ck_assert_int_eq(archive_key_set_passphrase(other, STR("another passphrase"), &error), ERR_OK);
    archives_write(fd, key, &file);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), file.size);
    ck_assert_msg(archives_read(fd, key, &error) == ERR_OK, "%s", error.caller);
    ck_assert_int_eq(archives_read(fd, bare, &error), ERR_UNPROCESSABLE);
    ck_assert_ptr_nonnull(strstr(error.caller, "backup.passphrase is not set"));
    ck_assert_int_eq(archives_read(fd, other, &error), ERR_UNPROCESSABLE);
    ck_assert_ptr_nonnull(strstr(error.caller, "another backup.passphrase"));
    ck_assert_int_eq(archives_read(fd, foreign, &error), ERR_UNPROCESSABLE);
    ck_assert_ptr_nonnull(strstr(error.caller, "another auth.secret"));

    /* Head, salt, the middle, the tag at the end. */
    ck_assert_int_eq(pread(fd, bytes, sizeof bytes, 0), file.size);
    const int64_t places[] = {0, ENCRYPTED_MAGIC, ENCRYPTED_HEAD, file.size / 2, file.size - 1};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char flipped = (char)(bytes[places[i]] ^ 1);
        ck_assert_int_eq(pwrite(fd, &flipped, 1, places[i]), 1);
        ck_assert_int_eq(archives_read(fd, key, &error), ERR_UNPROCESSABLE);
        ck_assert_int_eq(pwrite(fd, &bytes[places[i]], 1, places[i]), 1);
    }
    ck_assert_int_eq(ftruncate(fd, file.size - 1), 0);
    ck_assert_int_eq(archives_read(fd, key, &error), ERR_UNPROCESSABLE);
    ck_assert_ptr_null(memmem(bytes, (size_t)file.size, "accounts", 8));

    /* Who has a passphrase now reads what was made without one. */
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    archives_write(fd, bare, &file);
    ck_assert_int_eq(archives_read(fd, key, &error), ERR_OK);
    close(fd);
    archive_key_free(&key);
    archive_key_free(&bare);
    archive_key_free(&other);
    archive_key_free(&foreign);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/encrypted");
    TCase *tcase = tcase_create("encrypted");

    tcase_add_test(tcase, reads_what_was_written_at_any_length);
    tcase_add_test(tcase, chunks_cannot_be_moved_or_left_out);
    tcase_add_test(tcase, what_cannot_be_read_is_not_blamed_on_the_passphrase);
    tcase_add_test(tcase, an_archive_needs_the_passphrase_and_the_secret);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
