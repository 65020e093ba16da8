/* LD_PRELOAD: counts what the calling thread allocates between count_begins and count_ends. */
#include <errno.h>
#include <stddef.h>

static __thread int counts;
static __thread unsigned long allocated, freed;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

void count_begins(void) {
    counts = 1;
}

void count_ends(unsigned long *all, unsigned long *gone) {
    counts = 0;
    *all = allocated;
    *gone = freed;
}

void *malloc(size_t size) {
    allocated += (unsigned long)counts;
    return __libc_malloc(size);
}

void *calloc(size_t many, size_t size) {
    allocated += (unsigned long)counts;
    return __libc_calloc(many, size);
}

void *realloc(void *old, size_t size) {
    allocated += (unsigned long)counts;
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    allocated += (unsigned long)counts;
    return __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size) {
    allocated += (unsigned long)counts;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    allocated += (unsigned long)counts;
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

void free(void *old) {
    if (old) freed += (unsigned long)counts;
    __libc_free(old);
}
