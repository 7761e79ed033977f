/* Identity without maps, which have no file format. */
#define WITHOUT_MAPS
#include "Identity.c"
