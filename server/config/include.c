/*
 * Files that a file includes, looked at before libconfig reads them: it does not say why it cannot open
 * one, and with a folder in place of one its scanner ends the process.
 */
#include "config/config_private.h"

#include <errno.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>

/* As deep as libconfig goes; what lies deeper it refuses itself. */
enum { DEPTH_MAX = 10 };

static bool is_whole_path(const char *folder, const char *included)
{
#if LIBCONFIG_VER_MAJOR > 1 || LIBCONFIG_VER_MINOR >= 7
    size_t size = strlen(folder);
    return included[0] == '/' || (strncmp(included, folder, size) == 0 && included[size] == '/');
#else
    (void)folder, (void)included; /* it puts the folder before every one of them */
    return false;
#endif
}

const char *config_include_place(struct config *config, const char *folder, const char *included)
{
    char path[4096];
    snprintf(path, sizeof path, is_whole_path(folder, included) ? "%.0s%s" : "%s/%s", folder,
             included);
    return config_place(config, path);
}

struct walk {
    struct config *config;
    const char *folder;
    struct scan_findings *findings;
    struct config_report *report;
};

static bool scan_text(const struct walk *walk, struct str text, const char *place, size_t scope,
                      int depth);

static bool scan_included(const struct walk *walk, const struct scan_include *include, int depth)
{
    const char *place = config_include_place(walk->config, walk->folder, include->path);
    size_t size;
    char *text = config_file_text(place, &size);
    if (!text) {
        const struct config_source source = {CONFIG_FILE, include->file, include->line};
        int why = errno;
        config_error(walk->report, &source, NAMELESS, "includes %s, which cannot be read: %s%s",
                     place, strerror(why), config_read_fix(place, why));
        return false;
    }
    bool fine = scan_text(walk, (struct str){text, size}, place, include->scope, depth);
    secret_wipe(text, size);
    free(text);
    return fine;
}

/* What some editors put before a text; libconfig says "syntax error" of it. */
static bool has_mark(const struct walk *walk, struct str text, const char *place)
{
    const struct config_source source = {CONFIG_FILE, place, 1};
    bool is_utf16 = str_starts(text, STR("\xff\xfe")) || str_starts(text, STR("\xfe\xff"));
    if (is_utf16)
        config_error(walk->report, &source, NAMELESS,
                     "the file is UTF-16; save it as UTF-8 without a byte order mark");
    else if (str_starts(text, STR("\xef\xbb\xbf")))
        config_error(walk->report, &source, NAMELESS,
                     "the file begins with a byte order mark; save it as UTF-8 without one");
    else
        return false;
    return true;
}

static bool scan_text(const struct walk *walk, struct str text, const char *place, size_t scope,
                      int depth)
{
    size_t first = walk->findings->include_count;
    if (has_mark(walk, text, place))
        return false;
    config_scan(text, place, scope, walk->findings);
    size_t end = walk->findings->include_count;
    bool fine = true;
    for (size_t i = first; i < end && depth < DEPTH_MAX; i++) {
        const struct scan_include include = walk->findings->includes[i]; /* the list may move */
        fine = scan_included(walk, &include, depth + 1) && fine;
    }
    return fine;
}

bool config_scan_all(struct config *config, struct str text, const char *path, const char *folder,
                     struct scan_findings *findings, struct config_report *report)
{
    const struct walk walk = {config, folder, findings, report};
    return scan_text(&walk, text, config_place(config, path), config_scan_outermost(findings), 0);
}

void config_scan_fini(struct scan_findings *findings)
{
    for (size_t i = 0; i < findings->include_count; i++)
        free(findings->includes[i].path);
    for (size_t i = 0; i < findings->name_count; i++)
        free(findings->names[i].name);
    for (size_t i = 0; i < findings->scope_count; i++)
        free(findings->scopes[i]);
    free(findings->names);
    free(findings->scopes);
    free(findings->includes);
    free(findings->items);
    *findings = (struct scan_findings){0};
}
