//! Decides which crypto the programs use: aws-lc-rs, with the hybrid post-quantum key exchange preferred (design 7).

use std::sync::Arc;

use countersign_core::tls::TlsEnv;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};

/// The environment for TLS. Of the key exchanges there are those two that our own programs offer: a stranger who could
/// choose a dearer one would cost more than the budget for strangers counts.
pub(crate) fn tls_env() -> TlsEnv {
    let mut provider = default_provider();
    provider.kx_groups = vec![kx_group::X25519MLKEM768, kx_group::X25519];
    TlsEnv::new(Arc::new(provider))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_exchanges_are_those_of_our_own_programs_the_hybrid_one_first() {
        let names: Vec<_> = tls_env().provider.kx_groups.iter().map(|group| group.name()).collect();
        assert_eq!(names, [rustls::NamedGroup::X25519MLKEM768, rustls::NamedGroup::X25519]);
    }
}
