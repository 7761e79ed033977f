// The archives of the image libraries are code for programs: they reach the C library's stdout and stderr by addresses
// that a shared object can't give. The build renames the two in their objects to these variables.
#ifndef ONNXC_IMAGES_STREAMS_H
#define ONNXC_IMAGES_STREAMS_H

namespace onnxc_images {

// Before any of the libraries is called.
void prepareStreams();

} // namespace onnxc_images

#endif
