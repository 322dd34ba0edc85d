#include "config.h"

const char *second(void) { return PROJECT; }
