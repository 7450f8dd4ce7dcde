#include "config/scan_private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Walks the text as libconfig's scanner does (strings, three kinds of comments, names, numbers) and
 * notes what libconfig takes in silence: integers that do not fit; those with a 0 before them, which one
 * version takes for octal and another does not; and NUL bytes, at which it stops. And which files are
 * included.
 */

static void note(struct scanner *scanner, struct str what, bool has_zero)
{
    struct scan_findings *findings = scanner->findings;
    struct scan_finding *items = realloc(findings->items, (findings->count + 1) * sizeof *items);
    if (!items)
        return;
    findings->items = items;
    struct scan_finding *item = &items[findings->count++];
    *item =
        (struct scan_finding){.file = scanner->file, .line = scanner->line, .has_zero = has_zero};
    snprintf(item->text, sizeof item->text, "%.*s", STR_ARG(what));
}

static bool has(const struct scanner *scanner, const char *text)
{
    return (size_t)(scanner->end - scanner->at) >= strlen(text) &&
           memcmp(scanner->at, text, strlen(text)) == 0;
}

static void step(struct scanner *scanner)
{
    if (*scanner->at == '\0')
        note(scanner, STR_NONE, false);
    if (*scanner->at++ == '\n')
        scanner->line++;
}

static void skip_past(struct scanner *scanner, const char *text)
{
    while (scanner->at < scanner->end && !has(scanner, text))
        step(scanner);
    for (size_t i = 0; i < strlen(text) && scanner->at < scanner->end; i++)
        step(scanner);
}

static void skip_string(struct scanner *scanner)
{
    scanner->at++;
    while (scanner->at < scanner->end && *scanner->at != '"') {
        if (has(scanner, "\\x00"))
            note(scanner, STR_NONE, false);
        if (*scanner->at == '\\' && scanner->at + 1 < scanner->end)
            step(scanner);
        step(scanner);
    }
    if (scanner->at < scanner->end)
        scanner->at++;
}

/* Whether the digits, base 10 or 16, are at most `limit`. */
static bool fits(struct str digits, unsigned base, uint64_t limit)
{
    uint64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        unsigned digit = isdigit((unsigned char)c)
                             ? (unsigned)(c - '0')
                             : (unsigned)(tolower((unsigned char)c) - 'a') + 10;
        if (value > (limit - digit) / base)
            return false;
        value = value * base + digit;
    }
    return true;
}

static void take_number(struct scanner *scanner)
{
    const char *start = scanner->at;
    bool negative = *start == '-';
    if (*start == '-' || *start == '+')
        scanner->at++;
    unsigned base = has(scanner, "0x") || has(scanner, "0X") ? 16 : 10;
    if (base == 16)
        scanner->at += 2;
    struct str digits = {scanner->at, 0};
    while (scanner->at < scanner->end && (base == 16 ? isxdigit((unsigned char)*scanner->at)
                                                     : isdigit((unsigned char)*scanner->at)))
        scanner->at++;
    digits.len = (size_t)(scanner->at - digits.ptr);
    if (base == 10 && scanner->at < scanner->end && strchr(".eE", *scanner->at)) {
        while (scanner->at < scanner->end && *scanner->at &&
               strchr("0123456789.eE+-", *scanner->at))
            scanner->at++;
        return; /* a float; no setting takes one */
    }
    uint64_t limit = INT32_MAX;
    for (; scanner->at < scanner->end && *scanner->at == 'L'; scanner->at++)
        limit = INT64_MAX;
    bool has_zero = base == 10 && digits.len > 1 && digits.ptr[0] == '0';
    if (has_zero || !fits(digits, base, limit + (negative && base == 10)))
        note(scanner, (struct str){start, (size_t)(scanner->at - start)}, has_zero);
}

/* What stands in quotes behind it; libconfig knows two escapes there. */
static void take_include(struct scanner *scanner)
{
    struct scan_findings *findings = scanner->findings;
    struct strbuf path;
    strbuf_init(&path, NULL, 64);
    while (scanner->at < scanner->end && (*scanner->at == ' ' || *scanner->at == '\t'))
        scanner->at++;
    if (scanner->at == scanner->end || *scanner->at != '"')
        return; /* libconfig says that this is none */
    for (scanner->at++; scanner->at < scanner->end && *scanner->at != '"'; step(scanner)) {
        if (*scanner->at == '\\' && scanner->at + 1 < scanner->end)
            scanner->at++;
        strbuf_add_char(&path, *scanner->at);
    }
    struct scan_include *includes =
        realloc(findings->includes, (findings->include_count + 1) * sizeof *includes);
    if (includes) {
        struct str text = strbuf_str(&path);
        findings->includes = includes;
        includes[findings->include_count] = (struct scan_include){
            scanner->file, scanner->line, strndup(text.ptr ? text.ptr : "", text.len),
            scanner->levels[scanner->depth].scope};
        findings->include_count += includes[findings->include_count].path != NULL;
    }
    strbuf_fini(&path);
}

static void take_name(struct scanner *scanner)
{
    const char *start = scanner->at;
    while (scanner->at < scanner->end &&
           (isalnum((unsigned char)*scanner->at) || (*scanner->at && strchr("-_*", *scanner->at))))
        scanner->at++;
    scan_name(scanner, (struct str){start, (size_t)(scanner->at - start)});
}

void config_scan(struct str text, const char *file, size_t scope, struct scan_findings *findings)
{
    struct scanner scanner = {.at = text.ptr,
                              .end = text.ptr + text.len,
                              .line = 1,
                              .file = file,
                              .findings = findings,
                              .levels = {{.scope = scope}}};
    while (scanner.at < scanner.end) {
        char c = *scanner.at;
        if (c == '"')
            skip_string(&scanner);
        else if (c == '#' || has(&scanner, "//"))
            skip_past(&scanner, "\n");
        else if (has(&scanner, "/*"))
            skip_past(&scanner, "*/");
        else if (has(&scanner, "@include"))
            scanner.at += strlen("@include"), take_include(&scanner);
        else if (isdigit((unsigned char)c) || c == '-' || c == '+')
            take_number(&scanner);
        else if (isalpha((unsigned char)c) || c == '*')
            take_name(&scanner);
        else
            scan_sign(&scanner, c), step(&scanner);
    }
}
