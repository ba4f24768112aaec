//! Decides how a run comes to its people: each has a key of its own that the server's CA certifies, as `server ca sign` does.
//!
//! That is the cheapest honest way in: the certificates are the CA's own and the handshakes are real, and only the invites and
//! the enrolment's own handshakes are saved. What enrolling costs is measured by `net/benches/enrolment.rs`.

use std::path::Path;
use std::thread;

use countersign_core::id::{DeviceLabel, DeviceName, Realm, UserName};
use countersign_core::invite::ServerLink;
use countersign_core::pki::{Csr, DeviceKey, SecretKey};
use countersign_core::tls::{Credentials, Dial, Root, TlsEnv, Trust};

use crate::clock::Clock;
use crate::entropy::OsEntropy;
use crate::exit::Failure;
use crate::server::admin::ask::{ask, mixed_up};
use crate::server::admin::protocol::{Reply, Request};
use crate::store::keys::certificates_in;
use crate::store::request::to_pem;

/// How many ask the operator's desk at one time, fewer than it has room for.
const ASKERS: usize = 8;

/// Somebody with one device.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// Their device's name.
    pub(super) name: DeviceName,
    /// Their device's key and certificates.
    pub(super) credentials: Credentials,
    /// What it goes by.
    pub(super) trust: Trust,
    /// How it connects.
    pub(super) dial: Dial,
}

/// Has so many people certified by the server that runs on `folder`.
pub(super) fn enrol(folder: &Path, count: usize, env: &TlsEnv) -> Result<Vec<Person>, Failure> {
    let share = |asker: usize| (asker..count).step_by(ASKERS).map(|n| Ok((n, one(folder, n, env)?))).collect();
    let mut all: Vec<(usize, Person)> = thread::scope(|scope| {
        let share = &share;
        let askers: Vec<_> = (0..ASKERS).map(|asker| scope.spawn(move || share(asker))).collect();
        let joined = askers.into_iter().map(|asker| {
            asker.join().unwrap_or_else(|_| Err(Failure::failed("a thread that enrols people has failed")))
        });
        joined.collect::<Result<Vec<Vec<_>>, Failure>>()
    })?
    .into_iter()
    .flatten()
    .collect();
    all.sort_by_key(|(n, _)| *n);
    Ok(all.into_iter().map(|(_, person)| person).collect())
}

/// The name of the n-th. Digits alone, so that no two look alike.
pub(super) fn name(n: usize) -> DeviceName {
    let user = UserName::parse(&format!("u-{n:05}")).expect("a name of ours");
    DeviceName { user, device: DeviceLabel::parse("laptop").expect("a name of ours") }
}

fn one(folder: &Path, n: usize, env: &TlsEnv) -> Result<Person, Failure> {
    let (name, key, now) = (name(n), SecretKey::draw(&mut OsEntropy), Clock::start().now().wall);
    let csr = to_pem(Csr::make(&key, &name, &Realm::default()).der());
    let request = Request::Sign { csr, user: name.user.to_string(), device: name.device.to_string() };
    let Reply::Signed { link, certificates } = ask(folder, &request)? else { return Err(mixed_up()) };
    let wrong = |why: &dyn std::fmt::Display| Failure::refused(format_args!("what the server signed is wrong: {why}"));
    let realm = ServerLink::parse(&link).map_err(|why| wrong(&why))?.realm;
    let ders = certificates_in(folder, certificates.concat().as_bytes()).map_err(|why| wrong(&why))?;
    let [leaf, issuing, root]: [Vec<u8>; 3] =
        ders.try_into().map_err(|_| wrong(&"there are not three certificates"))?;
    let issuing = issuing.into();
    let root = Root::parse(&root, now).map_err(|why| wrong(&why))?;
    let trust = Trust::new(realm, root).knowing(&issuing, now);
    let credentials = Credentials { leaf: leaf.into(), issuing, key: DeviceKey::from(key) };
    let dial = Dial::relay(env, &credentials, &trust);
    Ok(Person { name, credentials, trust, dial })
}
