// Replaces an xtensor that is too old.
#define XTENSOR_VERSION_MAJOR 0
#define XTENSOR_VERSION_MINOR 24
