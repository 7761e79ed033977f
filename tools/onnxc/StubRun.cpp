#include "SubCommands.h"
int onnxc::runMain(int, char**) { return 1; }
int onnxc::inspectMain(int, char**) { return 1; }
