// What remora uses of OpenSSL 3. Macros that Swift cannot see get a one-line
// static inline function here, named remora_ and then the macro's own name.
#pragma once
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "streams.h"
