/*
 * The files of the configuration: the one that is named or the default one, then conf.d beside it.
 *
 * That there is no file is known only when everything on the way to it can be looked at. All else is an
 * error: who goes on with defaults in place of settings that could not be read works on the wrong data.
 */
#include "config/config_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A generous file of settings is a few kilobytes; more is a mistake such as a log file. */
#define FILE_SIZE_MAX (1 << 20)
#define FOLDER_NAME   "conf.d"

/* ---- what is there ---- */

static bool is_link_to_nothing(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISLNK(info.st_mode) && stat(path, &info) != 0 &&
           errno == ENOENT;
}

/* The folder of `path` with a final slash, "" for the working directory, then `name`. */
static char *beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    char *made = NULL;
    int folder = slash ? (int)(slash - path) + 1 : 0;
    return asprintf(&made, "%.*s%s", folder, path, name) < 0 ? NULL : made;
}

/* There is nothing of that name, and that is known. */
static bool is_absent(const char *path)
{
    struct stat info;
    if (lstat(path, &info) == 0 || errno != ENOENT)
        return false;
    char *folder = beside(path, "");
    if (!folder)
        return false;
    for (size_t end = strlen(folder); end > 1 && folder[end - 1] == '/'; end--)
        folder[end - 1] = '\0'; /* lstat would follow a link that has a slash behind it */
    bool is_lost = is_link_to_nothing(folder);
    free(folder);
    return !is_lost;
}

const char *config_read_fix(const char *path, int why)
{
    switch (why) {
    case EACCES:
    case EPERM:
        return "; run this as root or as the account of the service, or let this account read it";
    case EISDIR:
        return "; put a file in its place";
    case ENOTDIR:
        return "; put a folder in its place";
    case ENOENT:
        return is_link_to_nothing(path) ? "; it is a link to nothing, correct or remove it" : "";
    default:
        return "";
    }
}

static void report_unreadable(const char *path, int why, struct config_report *report)
{
    const struct config_source source = {.layer = CONFIG_FILE, .place = path};
    config_error(report, &source, NAMELESS, "cannot be read: %s%s", strerror(why),
                 config_read_fix(path, why));
}

/* ---- one file ---- */

char *config_file_text(const char *path, size_t *size_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd >= 0 ? malloc(FILE_SIZE_MAX + 1) : NULL;
    ssize_t got = -1;
    *size_out = 0;
    if (text)
        while ((got = read(fd, text + *size_out, FILE_SIZE_MAX - *size_out)) > 0)
            *size_out += (size_t)got;
    int saved = errno;
    if (got == 0)
        text[*size_out] = '\0';
    else
        free(text), text = NULL;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return text;
}

static bool load_file(struct config *config, const char *path, bool direct,
                      struct config_report *report)
{
    size_t size;
    char *text = config_file_text(path, &size);
    if (!text) {
        report_unreadable(path, errno, report);
        return false;
    }
    const struct config_source source = {.layer = CONFIG_FILE, .place = path};
    if (!texts_add(&config->files, str_from(path)))
        config_error(report, &source, NAMELESS, "cannot be read: out of memory");
    if (size == FILE_SIZE_MAX)
        config_error(report, &source, NAMELESS, "is too large to be a configuration file");
    else
        config_read_text(config, (struct str){text, size}, path, direct, report);
    secret_wipe(text, size);
    free(text);
    return true;
}

/* ---- conf.d ---- */

/* Editors and package managers leave other names behind. */
static int is_settings_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && str_ends(str_from(entry->d_name), STR(".conf"));
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* In the order of their names, so that the last one to speak of a setting has the word. */
static void load_folder(struct config *config, const char *folder, bool direct,
                        struct config_report *report)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_settings_file, compare_names);
    if (count < 0) {
        int why = errno;
        if (!is_absent(folder))
            report_unreadable(folder, why, report);
        return;
    }
    for (int i = 0; i < count; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s", folder, entries[i]->d_name) >= 0)
            (void)load_file(config, path, direct, report);
        else
            config_error(report, NULL, NAMELESS, "out of memory");
        free(path);
        free(entries[i]);
    }
    free(entries);
}

/* ---- modes ---- */

bool config_is_open_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_mode & S_IROTH;
}

/* ---- all of them ---- */

void config_load_files(struct config *config, const struct config_input *input,
                       struct config_report *report)
{
    const char *path = input->file, *fallback = input->default_file;
    if (!fallback)
        fallback = CONFIG_DEFAULT_FILE;
    if (!path && input->no_default_file)
        return;
    bool is_expected = path || !is_absent(fallback);
    char *folder = beside(path ? path : fallback, FOLDER_NAME);
    if (is_expected) {
        config->file = strdup(path ? path : fallback);
        if (!load_file(config, path ? path : fallback, input->direct, report)) {
            free(folder);
            return;
        }
    }
    if (folder)
        load_folder(config, folder, input->direct, report);
    else
        config_error(report, NULL, NAMELESS, "out of memory");
    free(folder);
}
