// What the generated bindings want of a C library.
#pragma once
#include <stddef.h>
void *realloc(void *from, size_t size);
void free(void *memory);
_Noreturn void abort(void);
