//! The MLS working group's vectors of suite 1 (`vectors/mls`): what a member is sent, and the secrets that it comes to.
//!
//! They run through `mls-rs` over our suite, so each key schedule, tree, signature and HPKE box in them is computed here. A
//! member that only listens draws nothing, and nothing is lent to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use mls_rs::group::ReceivedMessage;
use mls_rs::identity::basic::BasicIdentityProvider;
use mls_rs::mls_rs_codec::MlsEncode;
use mls_rs::psk::ExternalPskId;
use mls_rs::storage_provider::in_memory::InMemoryKeyPackageStorage;
use mls_rs::{Client, KeyPackage, MlsMessage};
use mls_rs_core::key_package::{KeyPackageData, KeyPackageStorage};
use mls_rs_core::time::MlsTime;
use serde_json::Value;

use super::*;
use crate::testing::{from_hex, vectors};

/// When a case was made stands nowhere. The members' packages hold as long as the listener's own, so it listens an hour before
/// that one's end; where its own holds for ever, theirs hold at this time.
fn time_of(package: &KeyPackage) -> MlsTime {
    match package.expiration().unwrap().seconds_since_epoch() {
        u64::MAX => MlsTime::from(1_720_000_000),
        end => MlsTime::from(end - 3_600),
    }
}

fn cases(name: &str) -> Vec<Value> {
    let file: Value = serde_json::from_slice(&vectors::file(&format!("mls/passive-client-{name}.json"))).unwrap();
    file.as_array().unwrap().clone()
}

fn bytes(value: &Value) -> Vec<u8> {
    from_hex(value.as_str().unwrap())
}

/// Follows one case to its end: how many epochs it saw.
fn follow(case: &Value) -> usize {
    let crypto = Crypto::new(Lent::default());
    let suite = crypto.suite();
    let message = MlsMessage::from_bytes(&bytes(&case["key_package"])).unwrap();
    let reference = message.key_package_reference(&suite).unwrap().unwrap();
    let package = message.into_key_package().unwrap();
    let (init, leaf) = (bytes(&case["init_priv"]), bytes(&case["encryption_priv"]));
    let data = KeyPackageData::new(package.mls_encode_to_vec().unwrap(), init.into(), leaf.into(), u64::MAX);
    let mut packages = InMemoryKeyPackageStorage::new();
    KeyPackageStorage::insert(&mut packages, reference.to_vec(), data).unwrap();

    let mut builder = Client::builder()
        .crypto_provider(crypto)
        .identity_provider(BasicIdentityProvider::new())
        .key_package_repo(packages);
    for psk in case["external_psks"].as_array().unwrap() {
        builder = builder.psk(ExternalPskId::new(bytes(&psk["psk_id"])), bytes(&psk["psk"]).into());
    }
    let signer = bytes(&case["signature_priv"]).into();
    let client = builder.signing_identity(package.signing_identity().clone(), signer, SUITE).build();

    let now = time_of(&package);
    let welcome = MlsMessage::from_bytes(&bytes(&case["welcome"])).unwrap();
    let tree =
        case["ratchet_tree"].as_str().map(|tree| mls_rs::group::ExportedTree::from_bytes(&from_hex(tree)).unwrap());
    let (mut group, _) = client.join_group(tree, &welcome, Some(now)).unwrap();
    assert_eq!(group.epoch_authenticator().unwrap().to_vec(), bytes(&case["initial_epoch_authenticator"]));

    let epochs = case["epochs"].as_array().unwrap();
    for epoch in epochs {
        for message in epoch["proposals"].as_array().unwrap().iter().chain([&epoch["commit"]]) {
            let message = MlsMessage::from_bytes(&bytes(message)).unwrap();
            let _: ReceivedMessage = group.process_incoming_message_with_time(message, now).unwrap();
        }
        assert_eq!(group.epoch_authenticator().unwrap().to_vec(), bytes(&epoch["epoch_authenticator"]));
    }
    epochs.len()
}

#[test]
fn a_member_of_the_working_groups_vectors_joins_and_comes_to_the_same_secrets() {
    let count = |name: &str| {
        let cases = cases(name);
        let epochs: usize = cases.iter().map(follow).sum();
        (cases.len(), epochs)
    };
    assert_eq!(count("welcome"), (8, 0));
    assert_eq!(count("handling-commit"), (13, 26));
    assert_eq!(count("random"), (1, 200));
}
