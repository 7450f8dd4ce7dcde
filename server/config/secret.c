#include "config/config_private.h"

#include "cachewarden/owner.h"
#include "cachewarden/random.h"
#include "cachewarden/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_BYTES 32 /* RFC 7518 section 3.2: as many as the hash has */
#define SECRET_HEX   (2 * SECRET_BYTES)

struct secret_file {
    char *path;
    char *folder;
    char *draft; /* a name of our own that is renamed when it is whole */
};

static void fini(struct secret_file *file)
{
    free(file->path);
    free(file->folder);
    free(file->draft);
}

static enum err init(struct secret_file *file, const char *database)
{
    uint64_t number;
    random_bytes(&number, sizeof number);
    const char *slash = strrchr(database, '/');
    int folder = slash ? (int)(slash - database) + 1 : 0;
    *file = (struct secret_file){0};
    if (asprintf(&file->path, "%s.secret", database) < 0 ||
        asprintf(&file->folder, "%.*s", folder ? folder : 1, folder ? database : ".") < 0 ||
        asprintf(&file->draft, "%s.secret.%016llx", database, (unsigned long long)number) < 0)
        return ERR_NO_MEMORY;
    return ERR_OK;
}

static enum err complain(struct error *error, const char *what, const char *path)
{
    return error_set(error, ERR_UPSTREAM_DOWN, "auth.secret: cannot %s %s: %s", what, path,
                     strerror(errno));
}

static bool write_whole(int fd, const char *text, size_t size)
{
    return write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
}

/* So that the name survives a power cut as well as the bytes. */
static void sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

/*
 * Writes a whole draft and links it to the final name, which fails when there is one already: of two
 * processes that start at once one wins, and no one ever reads half a secret.
 */
static enum err make(const struct secret_file *file, struct error *error)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[SECRET_BYTES];
    char text[SECRET_HEX + 1];
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[SECRET_HEX] = '\n';

    int fd = open(file->draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0)
        owner_inherit(fd, file->draft);
    bool written = fd >= 0 && write_whole(fd, text, sizeof text);
    secret_wipe(bytes, sizeof bytes);
    secret_wipe(text, sizeof text);
    enum err err = ERR_OK;
    if (!written)
        err = complain(error, "write", file->draft);
    else if (link(file->draft, file->path) != 0 && errno != EEXIST)
        err = complain(error, "make", file->path);
    if (fd >= 0) {
        close(fd);
        unlink(file->draft);
    }
    sync_folder(file->folder);
    return err;
}

static enum err read_back(const struct secret_file *file, char **secret_out,
                          struct config_report *report, struct error *error)
{
    static const struct setting row = {.name = "auth.secret", .kind = KIND_SECRET};
    const struct config_name name = {"", row.name};
    struct config_report problems = {0};
    char *secret = NULL; /* the row's offset is 0: this is its field */
    value_read_secret(&row, &secret, file->path, NULL, name, &problems);
    for (size_t i = 0; i < problems.count; i++)
        if (problems.items[i].severity == CONFIG_WARNING)
            config_warning(report, NULL, NAMELESS, "%s", problems.items[i].text);
    enum err err = ERR_OK;
    if (problems.errors > 0)
        err = error_set(error, ERR_UPSTREAM_DOWN, "%s",
                        problems.count ? problems.items[0].text : "out of memory");
    else if (strlen(secret) < TOKEN_SECRET_MIN_SIZE)
        err = error_set(error, ERR_BAD_INPUT,
                        "auth.secret: %s holds fewer than %d bytes; remove it and a new one is "
                        "made (everybody must sign in again)",
                        file->path, TOKEN_SECRET_MIN_SIZE);
    config_report_fini(&problems);
    if (err != ERR_OK)
        value_fini(&row, &secret);
    *secret_out = secret;
    return err;
}

enum err config_secret_read(const char *database, char **secret_out, struct config_report *report,
                            struct error *error)
{
    struct secret_file file;
    *secret_out = NULL;
    enum err err = init(&file, database);
    if (err == ERR_OK && access(file.path, F_OK) != 0)
        err = errno == ENOENT ? ERR_NOT_FOUND : complain(error, "read", file.path);
    if (err == ERR_OK)
        err = read_back(&file, secret_out, report, error);
    fini(&file);
    return err;
}

bool config_secret_exists(const char *database)
{
    struct secret_file file;
    bool is_there =
        init(&file, database) == ERR_OK && (access(file.path, F_OK) == 0 || errno != ENOENT);
    fini(&file);
    return is_there;
}

enum err config_secret_open(const char *database, char **secret_out, struct config_report *report,
                            struct error *error)
{
    struct secret_file file;
    *secret_out = NULL;
    enum err err = init(&file, database);
    if (err == ERR_OK && access(file.path, F_OK) != 0)
        err = make(&file, error);
    if (err == ERR_OK)
        err = read_back(&file, secret_out, report, error);
    fini(&file);
    return err;
}
