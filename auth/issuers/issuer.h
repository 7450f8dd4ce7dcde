/* One issuer as configured: its own copy of the texts, shared by counting, read-only. */
#ifndef AUTH_ISSUERS_ISSUER_H
#define AUTH_ISSUERS_ISSUER_H

#include "cachewarden/arena.h"
#include "cachewarden/issuer.h"

/* Copies the texts into the arena. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err issuer_spec_copy(struct arena *arena, const struct issuer_spec *spec,
                                        struct issuer_spec *copy_out);

/* Keys of the one are good for the other: same name, source and algorithms. */
bool issuer_spec_same_keys(const struct issuer_spec *a, const struct issuer_spec *b);

#endif
