// The compressions of TIFF files that models read: those of the format's specification, its supplements and older programs.
// libtiff's own table, which this one stands for when a model is linked, names more of its extensions. They would bring into the
// model code under other licences (JBIG), in C++ (LERC), that runs when it is loaded (LZMA), or of half a megabyte (Zstandard).
#include <tiffio.h>

extern "C" {

// libtiff's own functions, which it does not declare to its users.
int TIFFInitDumpMode(TIFF *, int);
int TIFFInitLZW(TIFF *, int);
int TIFFInitPackBits(TIFF *, int);
int TIFFInitThunderScan(TIFF *, int);
int TIFFInitNeXT(TIFF *, int);
int TIFFInitJPEG(TIFF *, int);
int TIFFInitOJPEG(TIFF *, int);
int TIFFInitCCITTRLE(TIFF *, int);
int TIFFInitCCITTRLEW(TIFF *, int);
int TIFFInitCCITTFax3(TIFF *, int);
int TIFFInitCCITTFax4(TIFF *, int);
int TIFFInitZIP(TIFF *, int);

extern const TIFFCodec _TIFFBuiltinCODECS[];
const TIFFCodec _TIFFBuiltinCODECS[] = {
    {const_cast<char *>("None"), COMPRESSION_NONE, TIFFInitDumpMode},
    {const_cast<char *>("LZW"), COMPRESSION_LZW, TIFFInitLZW},
    {const_cast<char *>("PackBits"), COMPRESSION_PACKBITS, TIFFInitPackBits},
    {const_cast<char *>("ThunderScan"), COMPRESSION_THUNDERSCAN, TIFFInitThunderScan},
    {const_cast<char *>("NeXT"), COMPRESSION_NEXT, TIFFInitNeXT},
    {const_cast<char *>("JPEG"), COMPRESSION_JPEG, TIFFInitJPEG},
    {const_cast<char *>("Old-style JPEG"), COMPRESSION_OJPEG, TIFFInitOJPEG},
    {const_cast<char *>("CCITT RLE"), COMPRESSION_CCITTRLE, TIFFInitCCITTRLE},
    {const_cast<char *>("CCITT RLE/W"), COMPRESSION_CCITTRLEW, TIFFInitCCITTRLEW},
    {const_cast<char *>("CCITT Group 3"), COMPRESSION_CCITTFAX3, TIFFInitCCITTFax3},
    {const_cast<char *>("CCITT Group 4"), COMPRESSION_CCITTFAX4, TIFFInitCCITTFax4},
    {const_cast<char *>("Deflate"), COMPRESSION_DEFLATE, TIFFInitZIP},
    {const_cast<char *>("AdobeDeflate"), COMPRESSION_ADOBE_DEFLATE, TIFFInitZIP},
    {nullptr, 0, nullptr},
};

// Defined here so that libtiff's table has no reason to be linked.
int TIFFIsCODECConfigured(uint16_t scheme) {
  for (const TIFFCodec *codec = _TIFFBuiltinCODECS; codec->name; ++codec)
    if (codec->scheme == scheme)
      return 1;
  return 0;
}
}
