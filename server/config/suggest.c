#include "config/suggest.h"

#define NAME_MAX_SIZE 64

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance with swapped neighbours as one mistake; three rows of its table at a time.
 * Levenshtein's distance with swapped neighbours as one mistake; three rows of its table at a time. */
size_t suggest_distance(struct str a, struct str b)
{
    size_t rows[3][NAME_MAX_SIZE + 1];
    size_t *row = rows[0], *last = rows[1], *before = rows[2];
    if (a.len > NAME_MAX_SIZE || b.len > NAME_MAX_SIZE)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *free_row = before;
        before = last;
        last = row;
        row = free_row;
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            row[j] =
                least(last[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]), least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    return row[b.len];
}

/* A third of the letters may be wrong: beyond that a guess confuses more than it helps. */
bool suggest_is_near(size_t distance, struct str word)
{
    return distance <= (word.len < 6 ? 1 : word.len / 3);
}
