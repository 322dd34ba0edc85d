#include "config.h"

const char *first(void) { return PROJECT; }
