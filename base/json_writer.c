/* The writer of json.h. */
#include "cachewarden/json.h"

#include "text.h"

#include <float.h>
#include <stdio.h>

static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Whether all of eight bytes are plain. Taking 1 from a byte that is 0 borrows its high bit, taking 0x20 from a control
 * does; what has that bit already is no ASCII. */
static bool are_plain(const char bytes[8])
{
    const uint64_t each = UINT64_MAX / 255;
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    uint64_t quote = word ^ (each * '"'), escape = word ^ (each * '\\'), del = word ^ (each * 0x7f);
    uint64_t odd = word | (word - each * 0x20) | (quote - each) | (escape - each) | (del - each);
    return (odd & (each * 0x80)) == 0;
}

/* The longest prefix that stands for itself: ASCII but for controls, '"' and '\'. */
static size_t plain_prefix(struct str s)
{
    size_t i = 0;

    while (i + 8 <= s.len && are_plain(s.ptr + i))
        i += 8;
    while (i < s.len && is_plain(s.ptr[i]))
        i++;
    return i;
}

void json_escape(struct strbuf *out, struct str value)
{
    while (value.len > 0) {
        size_t plain = plain_prefix(value);
        strbuf_add(out, str_sub(value, 0, plain));
        value = str_sub(value, plain, value.len);
        if (value.len == 0)
            return;

        char escape[TEXT_ESCAPE_SIZE];
        size_t length, taken;
        length = text_json_escape(escape, value.ptr, value.len, &taken);
        strbuf_add(out, (struct str){escape, length});
        value = str_sub(value, taken, value.len);
    }
}

void json_writer_init(struct json_writer *writer, struct strbuf *out)
{
    writer->out = out;
    writer->need_comma = false;
}

static void before_value(struct json_writer *writer)
{
    if (writer->need_comma)
        strbuf_add_char(writer->out, ',');
    writer->need_comma = true;
}

static void open_with(struct json_writer *writer, char bracket)
{
    before_value(writer);
    strbuf_add_char(writer->out, bracket);
    writer->need_comma = false;
}

static void close_with(struct json_writer *writer, char bracket)
{
    strbuf_add_char(writer->out, bracket);
    writer->need_comma = true;
}

void json_open_object(struct json_writer *writer)
{
    open_with(writer, '{');
}

void json_close_object(struct json_writer *writer)
{
    close_with(writer, '}');
}

void json_open_array(struct json_writer *writer)
{
    open_with(writer, '[');
}

void json_close_array(struct json_writer *writer)
{
    close_with(writer, ']');
}

static void put_quoted(struct json_writer *writer, struct str value)
{
    strbuf_add_char(writer->out, '"');
    json_escape(writer->out, value);
    strbuf_add_char(writer->out, '"');
}

void json_name(struct json_writer *writer, const char *name)
{
    before_value(writer);
    put_quoted(writer, str_from(name));
    strbuf_add_char(writer->out, ':');
    writer->need_comma = false;
}

void json_write_string(struct json_writer *writer, struct str value)
{
    before_value(writer);
    put_quoted(writer, value);
}

void json_write_integer(struct json_writer *writer, int64_t value)
{
    before_value(writer);
    strbuf_add_int64(writer->out, value);
}

/* Digits by integer arithmetic: printf's "%.3f" would take the locale's decimal point. */
static void put_decimal(struct strbuf *out, double magnitude, bool negative, int decimals)
{
    uint64_t unit = 1;

    for (int i = 0; i < decimals; i++)
        unit *= 10;
    double exact = magnitude * (double)unit;
    uint64_t scaled = (uint64_t)exact;
    /* Not by adding 0.5 first: close to 2^53 the sum itself would be rounded. */
    if (exact - (double)scaled >= 0.5)
        scaled++;

    if (negative && scaled > 0)
        strbuf_add_char(out, '-');
    strbuf_add_int64(out, (int64_t)(scaled / unit));
    if (decimals > 0) {
        char digits[16];
        text_put_digits(digits, scaled % unit, decimals);
        strbuf_add_char(out, '.');
        strbuf_add(out, (struct str){digits, (size_t)decimals});
    }
}

void json_write_real(struct json_writer *writer, double value, int decimals)
{
    /* NaN fails both comparisons. JSON has no word for it, nor for the infinities. */
    if (!(value >= -DBL_MAX && value <= DBL_MAX)) {
        json_write_null(writer);
        return;
    }
    before_value(writer);
    decimals = decimals < 0 ? 0 : decimals > JSON_MAX_DECIMALS ? JSON_MAX_DECIMALS : decimals;

    /* Past 2^53 / 10^9 a double has not got that many decimals to show: whole digits do. */
    double magnitude = value < 0 ? -value : value;
    if (magnitude > 9e6)
        strbuf_addf(writer->out, "%.0f", value);
    else
        put_decimal(writer->out, magnitude, value < 0, decimals);
}

void json_write_bool(struct json_writer *writer, bool value)
{
    before_value(writer);
    strbuf_add(writer->out, value ? STR("true") : STR("false"));
}

void json_write_null(struct json_writer *writer)
{
    before_value(writer);
    strbuf_add(writer->out, STR("null"));
}

void json_add_string(struct json_writer *writer, const char *name, struct str value)
{
    json_name(writer, name);
    json_write_string(writer, value);
}

void json_add_integer(struct json_writer *writer, const char *name, int64_t value)
{
    json_name(writer, name);
    json_write_integer(writer, value);
}

void json_add_bool(struct json_writer *writer, const char *name, bool value)
{
    json_name(writer, name);
    json_write_bool(writer, value);
}
