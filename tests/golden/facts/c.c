#include <stdio.h>
#include "store.h"

#define LIMIT 100
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* One parcel. */
typedef struct parcel {
    char id[16];
    const char *name;
    struct parcel *next;
    int (*weigh)(struct parcel *self);
} Parcel;

enum level { LOW = 1, HIGH };

union value {
    int number;
    double real;
};

typedef int (*Compare)(const void *, const void *);
typedef unsigned long Size;

extern int counter;
static Parcel *first = NULL;
static const int table[] = { LOW, HIGH, LIMIT };

int compare(const Parcel *a, const Parcel *b);

/**
 * Finds a parcel.
 */
static Parcel *find(const char *id, enum level level)
{
    Parcel *parcel;
    int unused = 0;
    for (parcel = first; parcel != NULL; parcel = parcel->next) {
        if (same(parcel->id, id) && parcel->weigh(parcel) > MAX(LIMIT, level))
            return parcel;
    }
    qsort(first, counter, sizeof(Parcel), compare);
    return first;
}

// The start.
int main(int argc, char **argv) {
    Parcel *found = find(argv[1], HIGH);
    printf("%s\n", found->name);
    return table[0];
}

int API entry(void) {
    return main(0, 0);
}
