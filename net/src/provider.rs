//! Decides which crypto the programs use: aws-lc-rs, with the hybrid post-quantum key exchange preferred (design 7).

use std::sync::Arc;

use countersign_core::tls::TlsEnv;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};

/// The environment for TLS. Of the key exchanges there are those two that our own programs offer: a stranger who could
/// choose a dearer one would cost more than the budget for strangers counts.
pub(crate) fn tls_env() -> TlsEnv {
    let mut provider = default_provider();
    provider.kx_groups = vec![kx_group::X25519MLKEM768, kx_group::X25519];
    // Of equal worth; but the other one hashes by SHA-384, for which processors have no instruction, and a handshake hashes a
    // lot: a seventh of what it costs the server. Conversations (suite 1) have AES-128, too.
    provider.cipher_suites = vec![
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    TlsEnv::new(Arc::new(provider))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_exchanges_are_those_of_our_own_programs_the_hybrid_one_first() {
        let names: Vec<_> = tls_env().provider.kx_groups.iter().map(|group| group.name()).collect();
        assert_eq!(names, [rustls::NamedGroup::X25519MLKEM768, rustls::NamedGroup::X25519]);
        let suites: Vec<_> = tls_env().provider.cipher_suites.iter().map(rustls::SupportedCipherSuite::suite).collect();
        assert_eq!(suites.first(), Some(&rustls::CipherSuite::TLS13_AES_128_GCM_SHA256));
        assert_eq!(suites.len(), 3, "whoever offers another one is understood as well");
    }
}
