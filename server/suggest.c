#include "suggest.h"

#define NAME_MAX_SIZE 64

/* Levenshtein's distance, one row of its table at a time. */
size_t suggest_distance(struct str a, struct str b)
{
    size_t row[NAME_MAX_SIZE + 1];
    if (a.len > NAME_MAX_SIZE || b.len > NAME_MAX_SIZE)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b.len];
}

/* A third of the letters may be wrong: beyond that a guess confuses more than it helps. */
bool suggest_is_near(size_t distance, struct str word)
{
    return distance <= (word.len < 6 ? 1 : word.len / 3);
}
