// What TLS streams need beyond OpenSSL's own functions: macros that Swift cannot see, and the two system calls
// under a stream, which answer -errno.
#pragma once
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const uint64_t remora_SSL_OP_NO_RENEGOTIATION = SSL_OP_NO_RENEGOTIATION;
static const uint64_t remora_SSL_OP_NO_COMPRESSION = SSL_OP_NO_COMPRESSION;
static const uint64_t remora_SSL_OP_NO_TICKET = SSL_OP_NO_TICKET;
static const uint64_t remora_SSL_OP_CIPHER_SERVER_PREFERENCE = SSL_OP_CIPHER_SERVER_PREFERENCE;
static const uint64_t remora_SSL_OP_PRIORITIZE_CHACHA = SSL_OP_PRIORITIZE_CHACHA;

// Certificates

static inline int remora_sk_GENERAL_NAME_num(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }

/// The bytes of an alternative name that is a DNS name, a URI, an e-mail address or an IP address; else NULL.
static inline const unsigned char *remora_sk_GENERAL_NAME_value(
    const GENERAL_NAMES *names, int index, int *kind, int *length) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    const ASN1_STRING *text;
    *kind = name->type;
    switch (name->type) {
    case GEN_EMAIL: text = name->d.rfc822Name; break;
    case GEN_DNS: text = name->d.dNSName; break;
    case GEN_URI: text = name->d.uniformResourceIdentifier; break;
    case GEN_IPADD: text = name->d.iPAddress; break;
    default: return NULL;
    }
    *length = ASN1_STRING_length(text);
    return ASN1_STRING_get0_data(text);
}

static inline STACK_OF(X509) *remora_sk_X509_new(void) { return sk_X509_new_null(); }
static inline int remora_sk_X509_push(STACK_OF(X509) *chain, X509 *certificate) {
    return sk_X509_push(chain, certificate);
}
static inline int remora_sk_X509_num(const STACK_OF(X509) *chain) { return sk_X509_num(chain); }
static inline X509 *remora_sk_X509_value(const STACK_OF(X509) *chain, int index) { return sk_X509_value(chain, index); }
static inline void remora_sk_X509_free(STACK_OF(X509) *chain) { sk_X509_pop_free(chain, X509_free); }

static inline STACK_OF(X509_NAME) *remora_sk_X509_NAME_new(void) { return sk_X509_NAME_new_null(); }
static inline int remora_sk_X509_NAME_push(STACK_OF(X509_NAME) *names, X509_NAME *name) {
    return sk_X509_NAME_push(names, name);
}
static inline void remora_sk_X509_NAME_free(STACK_OF(X509_NAME) *names) {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
}

/// Seconds since 1970; -1 for a time that is none.
static inline int64_t remora_ASN1_TIME_seconds(const ASN1_TIME *time) {
    struct tm parts;
    return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : -1;
}

// Names

static inline int remora_accept_name(SSL *stream, int *alert, void *unused) {
    (void)stream, (void)alert, (void)unused;
    return SSL_TLSEXT_ERR_OK;
}
/// Lets a server say that it has heard the name that a client asks for, as RFC 6066 §3 wants it.
static inline void remora_SSL_CTX_accept_names(SSL_CTX *context) {
    SSL_CTX_set_tlsext_servername_callback(context, remora_accept_name);
}

// Tickets

/// Keys the MAC of a session ticket: HMAC with SHA-256.
static inline int remora_EVP_MAC_set_key(EVP_MAC_CTX *mac, const unsigned char *key, size_t length) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key, length),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, parameters);
}

// Sockets

static inline int64_t remora_stream_receive(int fd, void *into, size_t capacity) {
    long count = syscall(SYS_recvfrom, fd, into, capacity, 0, (void *)0, (void *)0);
    return count < 0 ? -(int64_t)errno : count;
}

/// `more`: further bytes or the end follow at once, so that they may share a segment.
static inline int64_t remora_stream_send(int fd, const void *bytes, size_t count, int more) {
    int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
    long sent = syscall(SYS_sendto, fd, bytes, count, flags, (void *)0, (socklen_t)0);
    return sent < 0 ? -(int64_t)errno : sent;
}
