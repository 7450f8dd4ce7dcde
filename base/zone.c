#include "cachewarden/zone.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { NAME_MAX_SIZE = 64 };

static bool is_utc = true; /* set by zone_use, before there are other threads */

/* Segments of letters, digits, "_", "+" and "-": no path that leaves the folder. */
static bool is_name(struct str name)
{
    struct str rest = name, part;

    while (str_split(&rest, '/', &part)) {
        for (size_t i = 0; i < part.len; i++) {
            char c = part.ptr[i], lower = (char)(c | 0x20);
            if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') &&
                (c == '\0' || !strchr("_+-", c)))
                return false;
        }
        if (part.len == 0)
            return false;
    }
    return name.len <= NAME_MAX_SIZE;
}

static const char *folder(void)
{
    const char *set = getenv("TZDIR"); /* as the C library does */

    return set && *set ? set : "/usr/share/zoneinfo";
}

/* The C library takes what it cannot read for UTC, and says nothing. */
static bool has_file(struct str name)
{
    char path[512], magic[4];
    int length = snprintf(path, sizeof path, "%s/%.*s", folder(), STR_ARG(name));

    if (length < 0 || (size_t)length >= sizeof path)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool is_zone = read(fd, magic, sizeof magic) == sizeof magic && memcmp(magic, "TZif", 4) == 0;
    close(fd);
    return is_zone;
}

enum err zone_check(struct str name, struct error *error)
{
    if (str_eq(name, STR("UTC")))
        return ERR_OK;
    if (!is_name(name))
        return error_set(error, ERR_BAD_INPUT,
                         "\"%.*s\" is no name of a time zone; write one such as \"Europe/Berlin\"",
                         (int)(name.len < NAME_MAX_SIZE ? name.len : NAME_MAX_SIZE),
                         name.ptr ? name.ptr : "");
    if (!has_file(name))
        return error_set(error, ERR_BAD_INPUT,
                         "this system knows no time zone \"%.*s\": its names are the files below "
                         "%.64s (package tzdata)",
                         STR_ARG(name), folder());
    return ERR_OK;
}

enum err zone_use(struct str name, struct error *error)
{
    char text[NAME_MAX_SIZE + 2];
    enum err err = zone_check(name, error);

    if (err != ERR_OK)
        return err;
    is_utc = str_eq(name, STR("UTC"));
    if (is_utc)
        return ERR_OK;
    snprintf(text, sizeof text, ":%.*s", STR_ARG(name));
    if (setenv("TZ", text, 1) != 0)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the time zone");
    tzset();
    return ERR_OK;
}

int64_t zone_offset_s(int64_t wall_s)
{
    time_t at = wall_s;
    struct tm local;

    return !is_utc && localtime_r(&at, &local) ? local.tm_gmtoff : 0;
}
