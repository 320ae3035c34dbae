// Message authentication codes: setting one up takes parameters by name, which are awkward from Swift.
#pragma once
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/// HMAC with SHA-256 under a key, of which it keeps a copy; NULL where OpenSSL would not.
static inline EVP_MAC_CTX *remora_hmac_sha256_new(const unsigned char *key, size_t length) {
    EVP_MAC *method = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    if (method == NULL) { return NULL; }
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(method);
    EVP_MAC_free(method);
    if (context == NULL) { return NULL; }
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    if (EVP_MAC_init(context, key, length, parameters) != 1) {
        EVP_MAC_CTX_free(context);
        return NULL;
    }
    return context;
}
