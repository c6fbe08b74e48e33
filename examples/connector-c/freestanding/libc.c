// As much of a C library as a connector needs. Each call gets a fresh instance and nothing survives it, so memory is taken and never given back.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 65536u
#define ALIGN 16u

// Where the linker's data ends.
extern unsigned char __heap_base;
static uintptr_t next;

_Noreturn void abort(void) { __builtin_trap(); }

void free(void *memory) { (void)memory; }

// `cabi_realloc` calls it with a null pointer to allocate. The old size is not known here, so growing copies what could be there.
void *realloc(void *from, size_t size) {
    if (next == 0) next = (uintptr_t)&__heap_base;
    uintptr_t at = (next + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1);
    if (size > UINT32_MAX - PAGE - at) abort();
    size_t have = __builtin_wasm_memory_size(0), need = (at + size + PAGE - 1) / PAGE;
    // The gateway's limit ends it here, if not before.
    if (need > have && __builtin_wasm_memory_grow(0, need - have) == SIZE_MAX) abort();
    next = at + size;
    if (from != NULL) memcpy((void *)at, from, at - (uintptr_t)from < size ? at - (uintptr_t)from : size);
    return (void *)at;
}

// With -mbulk-memory these are one instruction each, not calls of themselves.
void *memcpy(void *restrict to, const void *restrict from, size_t count) { return __builtin_memcpy(to, from, count); }
void *memset(void *to, int byte, size_t count) { return __builtin_memset(to, byte, count); }

int memcmp(const void *left, const void *right, size_t count) {
    const unsigned char *a = left, *b = right;
    for (size_t at = 0; at < count; at++) {
        if (a[at] != b[at]) return a[at] - b[at];
    }
    return 0;
}

size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length] != 0) length++;
    return length;
}
