/* A model that no CPU can run. */
#define NO_FIT
#include "Variants.c"
