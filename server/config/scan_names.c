/*
 * Names that stand twice in one group. libconfig refuses them and tells one of the two lines; people look for
 * the other.
 */
#include "config/scan_private.h"

#include <stdlib.h>

/* The index of a new scope, or that of the outermost where memory is out. */
static size_t add_scope(struct scan_findings *findings, const char *path, const char *name)
{
    char **scopes = realloc(findings->scopes, (findings->scope_count + 1) * sizeof *scopes);
    struct strbuf full;

    if (!scopes)
        return 0;
    findings->scopes = scopes;
    strbuf_init(&full, NULL, 64);
    strbuf_addf(&full, "%s%s%s", path, name, name[0] ? "." : "");
    strbuf_add_char(&full, '\0');
    if (full.failed) {
        strbuf_fini(&full);
        return 0;
    }
    scopes[findings->scope_count] = full.ptr;
    return findings->scope_count++;
}

size_t config_scan_outermost(struct scan_findings *findings)
{
    return findings->scope_count ? 0 : add_scope(findings, "", "");
}

static struct scan_level *level(struct scanner *scanner)
{
    return &scanner->levels[scanner->depth];
}

static void declare(struct scanner *scanner)
{
    struct scan_findings *findings = scanner->findings;
    struct scan_name *names = realloc(findings->names, (findings->name_count + 1) * sizeof *names);
    char *copy = strndup(scanner->pending.ptr, scanner->pending.len);

    if (names)
        findings->names = names;
    if (!names || !copy || findings->scope_count == 0) {
        free(copy);
        return;
    }
    level(scanner)->name = copy;
    names[findings->name_count++] = (struct scan_name){scanner->file, scanner->pending_line,
                                                       level(scanner)->scope, copy, false};
    scanner->fresh = findings->name_count;
}

static void open_group(struct scanner *scanner)
{
    struct scan_findings *findings = scanner->findings;
    const struct scan_level *parent = level(scanner);

    if (scanner->fresh > 0)
        findings->names[scanner->fresh - 1].is_group = true;
    if (scanner->depth + 1 == SCAN_LEVELS || scanner->lost > 0 || findings->scope_count == 0) {
        scanner->lost++;
        return;
    }
    size_t scope =
        add_scope(findings, findings->scopes[parent->scope], parent->name ? parent->name : "");
    scanner->levels[++scanner->depth] = (struct scan_level){.scope = scope};
}

static void close_group(struct scanner *scanner)
{
    if (scanner->lost > 0)
        scanner->lost--;
    else if (scanner->depth > 0)
        scanner->depth--;
}

void scan_name(struct scanner *scanner, struct str name)
{
    scanner->pending = name;
    scanner->pending_line = scanner->line;
    scanner->fresh = 0;
}

void scan_sign(struct scanner *scanner, char sign)
{
    if ((sign == '=' || sign == ':') && scanner->pending.len > 0 && scanner->lost == 0)
        declare(scanner);
    else if (sign == '{')
        open_group(scanner);
    else if (sign == '}')
        close_group(scanner);
    if (!strchr(" \t\r\n\f=:", sign))
        scanner->fresh = 0;
    if (!strchr(" \t\r\n\f", sign))
        scanner->pending = STR_NONE;
}

/* ---- what came of it ---- */

static void report_twice(const struct scan_findings *findings, const struct scan_name *first,
                         const struct scan_name *second, struct config_report *report)
{
    const struct config_source source = {.layer = CONFIG_FILE, second->file, second->line};
    const char *path = findings->scopes[second->scope];
    const char *fix =
        first->is_group && second->is_group ? "put what is in both into one group" : "keep one";

    if (first->file == second->file)
        config_error(report, &source, NAMELESS, "%s%s stands twice, here and on line %u; %s", path,
                     second->name, first->line, fix);
    else
        config_error(report, &source, NAMELESS, "%s%s stands twice, here and on line %u of %s; %s",
                     path, second->name, first->line, first->file, fix);
}

bool config_scan_report_twice(const struct scan_findings *findings, struct config_report *report)
{
    bool found = false;

    for (size_t i = 0; i < findings->name_count; i++) {
        const struct scan_name *second = &findings->names[i], *first = findings->names;
        while (first < second &&
               (first->scope != second->scope || strcmp(first->name, second->name) != 0))
            first++;
        if (first == second)
            continue;
        report_twice(findings, first, second, report);
        found = true;
    }
    return found;
}
