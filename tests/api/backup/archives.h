/* Small archives in memory (memfd), and what may be wrong with one. */
#ifndef CACHEWARDEN_TESTS_ARCHIVES_H
#define CACHEWARDEN_TESTS_ARCHIVES_H

#include "backup/reader.h"
#include "backup/writer.h"

#include <check.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARCHIVES_SECRET "a secret of archives that is long enough"
#define ARCHIVES_ID     "20260131T235959Z-0123abcd"

static inline struct archive_key *archives_key(const char *secret)
{
    struct archive_key *key;

    ck_assert_int_eq(archive_key_new(&(struct secrets){.current = str_from(secret)}, &key, NULL),
                     ERR_OK);
    return key;
}

static inline struct archive_about archives_about_id(const char *id)
{
    struct archive_about about = {
        .id = str_from(id),
        .program = STR("0.1.0"),
        .users_driver = STR("sqlite"),
        .schema = 7,
        .install_id = STR("0123456789abcdef"),
        .redis_version = STR("7.0.15"),
    };

    ck_assert(archive_id_read(about.id, &about.created_at_s));
    return about;
}

static inline struct archive_about archives_about(void)
{
    return archives_about_id(ARCHIVES_ID);
}

static inline int archives_file(void)
{
    int fd = memfd_create("archive", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    return fd;
}

/* Two members of accounts, one of API keys, one of control data. */
static inline void archives_write_id(int fd, const struct archive_key *key, const char *id,
                                     struct archive_file *file_out)
{
    const struct archive_about about = archives_about_id(id);
    struct backup_writer *writer;
    struct error error;

    ck_assert_int_eq(backup_writer_open(fd, key, &about, &writer, &error), ERR_OK);
    ck_assert_int_eq(backup_writer_add(writer, ARCHIVE_ACCOUNTS,
                                       STR("{\"id\":1,\"name\":\"ann\"}\n{\"id\":2}\n"), 2, &error),
                     ERR_OK);
    ck_assert_int_eq(backup_writer_add(writer, ARCHIVE_ACCOUNTS, STR("{\"id\":3}\n"), 1, &error),
                     ERR_OK);
    ck_assert_int_eq(backup_writer_add(writer, ARCHIVE_GROUPS, STR_NONE, 0, &error), ERR_OK);
    ck_assert_int_eq(
        backup_writer_add(writer, ARCHIVE_API_KEYS, STR("{\"id\":\"k\"}\n"), 1, &error), ERR_OK);
    ck_assert_int_eq(backup_writer_add(writer, ARCHIVE_CONTROL,
                                       STR("{\"key\":\"cw:{u:1}\",\"fields\":{\"clears\":3}}\n"), 1,
                                       &error),
                     ERR_OK);
    ck_assert_int_eq(
        backup_writer_finish(writer,
                             &(struct archive_counts){.users = 2, .api_keys = 1, .control_keys = 1},
                             file_out, &error),
        ERR_OK);
    backup_writer_free(&writer);
}

static inline void archives_write(int fd, const struct archive_key *key,
                                  struct archive_file *file_out)
{
    archives_write_id(fd, key, ARCHIVES_ID, file_out);
}

/* How reading all of it ends; the reason in *error. */
static inline enum err archives_read(int fd, const struct archive_key *key, struct error *error)
{
    struct backup_reader *reader;

    error_clear(error);
    enum err err = backup_reader_open(fd, key, &reader, error);
    if (err == ERR_OK)
        err = backup_reader_drain(reader, error);
    backup_reader_free(&reader);
    return err;
}

#endif
