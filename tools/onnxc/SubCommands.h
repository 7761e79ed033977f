#ifndef ONNXC_TOOLS_ONNXC_SUBCOMMANDS_H
#define ONNXC_TOOLS_ONNXC_SUBCOMMANDS_H

namespace onnxc {

/// `onnxc run`, `onnxc inspect`; argv[0] is the sub-command's name. Return the exit status.
int runMain(int argc, char **argv);
int inspectMain(int argc, char **argv);

} // namespace onnxc

#endif
