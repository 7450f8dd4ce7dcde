/* Statuses and their words. */
#include "http/status.h"

static const struct {
    int status;
    const char *phrase;
} phrases[STATUS_COUNT] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

/* Those that other servers answer with. */
static const struct {
    int status;
    const char *phrase;
} foreign_phrases[] = {
    {102, "Processing"},
    {103, "Early Hints"},
    {203, "Non-Authoritative Information"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {402, "Payment Required"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {410, "Gone"},
    {411, "Length Required"},
    {416, "Range Not Satisfiable"},
    {418, "I'm a teapot"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {451, "Unavailable For Legal Reasons"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

const char *status_phrase(int status)
{
    size_t index = status_index(status);

    if (index < STATUS_COUNT)
        return phrases[index].phrase;
    for (size_t i = 0; i < sizeof foreign_phrases / sizeof *foreign_phrases; i++)
        if (foreign_phrases[i].status == status)
            return foreign_phrases[i].phrase;
    return "Unknown";
}

size_t status_index(int status)
{
    size_t index = 0;

    while (index < STATUS_COUNT && phrases[index].status != status)
        index++;
    return index;
}

int status_at(size_t index)
{
    return phrases[index].status;
}
