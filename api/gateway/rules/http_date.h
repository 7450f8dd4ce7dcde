/* Points in time in header fields (RFC 9110, section 5.6.7). Pure. */
#ifndef API_GATEWAY_RULES_HTTP_DATE_H
#define API_GATEWAY_RULES_HTTP_DATE_H

#include "gateway/rules/fields.h"

#include <stdint.h>

/*
 * Seconds since 1970. All three forms are read, the names of days, months and GMT in any case:
 *
 *     Sun, 06 Nov 1994 08:49:37 GMT
 *     Sunday, 06-Nov-94 08:49:37 GMT    a year more than 50 years after now_s is one of the century before
 *     Sun Nov  6 08:49:37 1994
 *
 * Nothing else is. Whether the day of the week is the right one is not looked at.
 */
bool http_date_parse(struct str text, int64_t now_s, int64_t *seconds_out);

/* Of a field that is there once, or several times with the same date. false: it is not there, or none. */
bool fields_date(const struct http_fields *fields, struct str name, int64_t now_s,
                 int64_t *seconds_out);

#endif
