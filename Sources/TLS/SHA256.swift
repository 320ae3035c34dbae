// The digest by which two machines can tell that their files are the same, as sha256sum(1) has it.

import COpenSSL

package enum SHA256 {
    /// 64 hexadecimal digits; nil where OpenSSL has no memory or no such digest.
    package static func hexadecimal(of bytes: [UInt8]) -> String? {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let succeeded = unsafe bytes.withUnsafeBytes { input in
            unsafe EVP_Digest(input.baseAddress, input.count, &digest, &length, EVP_sha256(), nil)
        }
        guard succeeded == 1, length == 32 else { return nil }
        let digits = Array("0123456789abcdef")
        return String(digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
