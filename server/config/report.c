#include "config/config_private.h"

#include "cachewarden/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void add_text(struct config_report *report, enum config_severity severity, char *text)
{
    struct config_problem *items = realloc(report->items, (report->count + 1) * sizeof *items);
    /* A problem that finds no memory for its words still counts. */
    *(severity == CONFIG_ERROR ? &report->errors : &report->warnings) += 1;
    if (items)
        report->items = items;
    if (items && text)
        items[report->count++] = (struct config_problem){severity, text};
    else
        free(text);
}

CW_PRINTF(5, 0)
static void add(struct config_report *report, enum config_severity severity,
                const struct config_source *source, struct config_name name, const char *format,
                va_list args)
{
    struct strbuf text;
    strbuf_init(&text, NULL, 128);
    if (source && source->layer == CONFIG_FILE && source->line > 0)
        strbuf_addf(&text, "%s:%u: ", source->place, source->line);
    else if (source && source->place)
        strbuf_addf(&text, "%s: ", source->place);
    if (name.name)
        strbuf_addf(&text, "%s%s ", name.prefix, name.name);

    char what[512];
    vsnprintf(what, sizeof what, format, args);
    strbuf_addf(&text, "%s", what);
    /* Names and values come from outside: one problem stays one line. */
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            text.ptr[i] = '?';
    add_text(report, severity, text.failed ? NULL : strndup(text.ptr, text.len));
    strbuf_fini(&text);
}

void config_error(struct config_report *report, const struct config_source *source,
                  struct config_name name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(report, CONFIG_ERROR, source, name, format, args);
    va_end(args);
}

void config_warning(struct config_report *report, const struct config_source *source,
                    struct config_name name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(report, CONFIG_WARNING, source, name, format, args);
    va_end(args);
}

void config_report_fini(struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        free(report->items[i].text);
    free(report->items);
    *report = (struct config_report){0};
}

void config_report_print(const struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        log_say("%s: %s\n", report->items[i].severity == CONFIG_ERROR ? "error" : "warning",
                report->items[i].text);
}
