// What remora uses of OpenSSL 3. Macros that Swift cannot see get a one-line
// static inline function here, named remora_ and then the macro's own name.
#pragma once
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

static inline long remora_SSL_CTX_set_min_proto_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}
static inline long remora_SSL_set_tlsext_host_name(SSL *stream, const char *name) {
    return SSL_set_tlsext_host_name(stream, name);
}
/// The errno that an error of the queue stands for; 0 where it is one of OpenSSL's own.
static inline int remora_ERR_SYSTEM_ERROR(unsigned long error) {
    return ERR_SYSTEM_ERROR(error) ? ERR_GET_REASON(error) : 0;
}

#include "codes.h"
#include "streams.h"
