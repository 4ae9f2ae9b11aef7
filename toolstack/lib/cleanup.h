/* Variables that give back what they hold when they go out of scope. Initialise each where it is declared. */
#ifndef LODGE_TOOLSTACK_CLEANUP_H
#define LODGE_TOOLSTACK_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close_descriptor(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_close_stream(FILE **stream)
{
	if (*stream)
		fclose(*stream);
}

#define cleanup_free   __attribute__((__cleanup__(cleanup_free_pointer)))
#define cleanup_close  __attribute__((__cleanup__(cleanup_close_descriptor)))
#define cleanup_fclose __attribute__((__cleanup__(cleanup_close_stream)))

#endif
