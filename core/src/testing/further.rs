//! People with several devices, by the records that the journal would have of them, for tests that are not about how one
//! comes by a device.

use rustls_pki_types::CertificateDer;
use serde_bytes::ByteBuf;

use super::{START, Town, authority, device_name, env};
use crate::device::{Following, Identity};
use crate::id::{Fingerprint, Serial};
use crate::invite::TokenHash;
use crate::journal::Record;
use crate::limits::DEVICE_LIFETIME;
use crate::pki::{Grant, SecretKey};
use crate::server::Server;
use crate::tlog::Endorsement;
use crate::tls::Credentials;

impl Town {
    /// A town whose people have these devices, all attending in this order. The first of each is the laptop.
    pub(crate) fn of_many(people: &[(&str, &[&str])]) -> Self {
        let mut town = Self::new();
        let mut identities = Vec::new();
        for (user, further) in people {
            let laptop = town.enrol(user);
            let others: Vec<_> = further.iter().map(|device| town.further(&laptop, device)).collect();
            identities.push(laptop);
            identities.extend(others);
        }
        for identity in identities {
            town.join(identity, true);
        }
        town
    }

    /// A further device, by the word of one that is there. The server is started anew over what its journal has then, so
    /// nobody may be connected.
    pub(crate) fn further(&mut self, by: &Identity, device: &str) -> Identity {
        let (realm, authority) = (by.trust.realm().clone(), authority(&self.founded));
        let name = device_name(by.name.user.as_str(), device);
        let (key, serial) = (SecretKey::draw(&mut self.rng), Serial::draw(&mut self.rng));
        let token = TokenHash(Fingerprint::of(name.to_string().as_bytes()).0);
        let (user, expires) = (Some(name.user.clone()), START.plus(DEVICE_LIFETIME));
        let grant = Grant {
            token,
            name: name.clone(),
            key: key.spki(),
            serial,
            not_before: START,
            not_after: expires,
            at: START,
        };
        let own = by.credentials.key.as_ed25519().unwrap();
        let endorsement = Endorsement::give(by.name.device.clone(), &own, &realm, &name, grant.key.id());
        self.journal.push(Record::InviteCreated { token, user, expires, at: START }.encode());
        self.journal.push(Record::CertificateEndorsed { grant, endorsement }.encode());
        let granted = self.replayed().granted(serial).expect("the fold grants it");
        let leaf = CertificateDer::from(authority.issue(&granted).unwrap().der().to_vec());
        self.journal.push(Record::CertificateIssued { serial, der: ByteBuf::from(leaf.to_vec()) }.encode());
        let credentials = Credentials { leaf, issuing: authority.issuing().clone(), key: key.into() };
        self.server = Server::start(env(), authority, self.replayed(), self.now, &mut self.rng).unwrap();
        self.settle();
        Identity { name, credentials, trust: by.trust.clone(), log: Following::default(), lists: by.lists.clone() }
    }
}
