#include "config.h"

const char *third(void) { return PROJECT; }
