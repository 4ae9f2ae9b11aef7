/* Other names for the functions of lib/libc.c, so that they can live beside the host's. */
#define memcpy  lodge_memcpy
#define memmove lodge_memmove
#define memset  lodge_memset
#define memcmp  lodge_memcmp
#define strlen  lodge_strlen
#define strcmp  lodge_strcmp
#define strncmp lodge_strncmp
#define strchr  lodge_strchr
