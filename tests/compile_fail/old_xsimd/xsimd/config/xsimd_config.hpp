// Replaces an xsimd that is too old.
#define XSIMD_VERSION_MAJOR 12
