#include "config.h"

int data(void) { return DATA; }
