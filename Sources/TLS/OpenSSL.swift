// The OpenSSL that this process is linked with.

import COpenSSL

/// The library behind everything encrypted.
package enum OpenSSL {
    /// Its own name and version, such as "OpenSSL 3.0.17 1 Jul 2025": of the library that was loaded, not of the headers.
    package static var version: String {
        unsafe String(cString: OpenSSL_version(OPENSSL_VERSION))
    }
}
