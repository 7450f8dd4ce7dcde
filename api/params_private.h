/* What params.c (the query and the path), params_body.c and params_kinds.c share. */
#ifndef API_PARAMS_PRIVATE_H
#define API_PARAMS_PRIVATE_H

#include "cachewarden/namespace.h"
#include "cachewarden/params.h"

/* ---- params_kinds.c: what a value of each kind must look like ---- */

/* Whether a decoded value is one; its number through *integer_out where the kind has one. */
bool param_fits(const struct param_spec *spec, struct str text, int64_t *integer_out);
/* Whether it is a namespace that the parameter may name. */
bool param_takes_namespace(const struct param_spec *spec, struct str text,
                           struct namespace *space_out);
/* ERR_BAD_INPUT, with what it must look like. */
enum err param_refuse(struct call *call, const struct param_spec *spec);
/* Text that stands in paths as well as in queries: PARAM_LABEL, PARAM_MODEL. */
bool param_is_path_text(const struct param_spec *spec);

/* ---- params_body.c ---- */

/* One name or value of a form: percent-decoded, '+' is a blank (WHATWG URL,
 * application/x-www-form-urlencoded). False for a bad escape, a NUL, what is no UTF-8, and without memory. */
bool form_decode(struct arena *arena, struct str raw, struct str *text_out);

#endif
