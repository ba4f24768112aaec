//! Decides how a test has a realm with a past: what its CA did at times of the test's choice, by core's own hands.
//!
//! Every act is a record that the fold has to take, and every certificate is what [`Authority::issue`] gives out for it, as
//! in a server. So years pass at once, and what is judged is still what a server would have signed.

use std::time::Duration;

use countersign_core::id::{DeviceName, Fingerprint, Realm, Serial};
use countersign_core::invite::Token;
use countersign_core::journal::{Outcome, Record, State};
use countersign_core::limits::INVITE_LIFETIME;
use countersign_core::pki::{Authority, Csr, Founded, IssuedList, SecretKey, found_issuing, found_realm};
use countersign_core::time::Wall;
use countersign_core::tlog::ReasonCode;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// A realm, its CA and its journal, at a second that the test has chosen.
#[derive(Debug)]
pub struct Past {
    /// The realm as it was founded.
    pub founded: Founded,
    /// The second that it is.
    pub now: Wall,
    authority: Authority,
    issuing: Vec<(SecretKey, Vec<u8>)>,
    state: State,
    records: Vec<Vec<u8>>,
    rng: ChaCha20Rng,
}

/// A device's certificate, as its device would have it.
#[derive(Clone, Debug)]
pub struct Certified {
    /// Whose it is.
    pub name: DeviceName,
    /// Its number.
    pub serial: Serial,
    /// The certificate in DER.
    pub leaf: Vec<u8>,
    /// That of the issuing CA which signed it.
    pub issuing: Vec<u8>,
}

impl Past {
    /// Founds a realm. The same second gives the same keys.
    pub fn founded(realm: &Realm, now: Wall) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(now.0);
        let founded = found_realm(realm, now, &mut rng);
        let authority = Authority::new(realm.clone(), founded.files(), now).expect("what was founded belongs together");
        let issuing = vec![(founded.issuing_key.clone(), founded.issuing.clone())];
        let (state, records) = (State::new(1), Vec::new());
        let mut past = Self { founded, now, authority, issuing, state, records, rng };
        let root = Fingerprint::of(&past.founded.root);
        assert_eq!(past.write(&Record::RealmFounded { realm: realm.clone(), root, at: now }), Outcome::Founded);
        past.certifies();
        past
    }

    /// So many days pass.
    pub fn later(&mut self, days: u64) {
        self.now = self.now.plus(Duration::from_secs(days * 24 * 60 * 60));
    }

    /// Certifies the key of a request as a new device's.
    pub fn certify(&mut self, name: &DeviceName, csr: Csr) -> Certified {
        let checked = csr.check_made_elsewhere(name.clone(), self.authority.realm()).expect("a good request");
        let (token, user) = (Token::draw(&mut self.rng).hash(), Some(name.user.clone()));
        let (expires, at) = (self.now.plus(INVITE_LIFETIME), self.now);
        assert_eq!(self.write(&Record::InviteCreated { token, user, expires, at }), Outcome::Invited);
        let grant = self.authority.propose(&checked, token, self.now, &mut self.rng);
        let serial = grant.serial;
        self.issued(&Record::CertificateGranted(grant), serial)
    }

    /// The same for a key that is drawn here.
    pub fn enrol(&mut self, name: &DeviceName) -> (SecretKey, Certified) {
        let key = SecretKey::draw(&mut self.rng);
        let csr = Csr::make(&key, name, self.authority.realm());
        (key, self.certify(name, csr))
    }

    /// Another certificate for the same name and key.
    pub fn renew(&mut self, before: &Certified) -> Certified {
        let (validity, serial) = (self.authority.renewal(self.now), Serial::draw(&mut self.rng));
        let (not_before, not_after) = (validity.not_before, validity.not_after);
        let renewed = Record::CertificateRenewed { of: before.serial, serial, not_before, not_after, at: self.now };
        self.issued(&renewed, serial)
    }

    /// Takes a device back, even a user's last.
    pub fn revoke(&mut self, name: &DeviceName, reason: u8) {
        let reason = ReasonCode::new(reason).expect("a reason of RFC 5280");
        let revoked = Record::DeviceRevoked { name: name.clone(), reason, force: true, at: self.now };
        assert_eq!(self.write(&revoked), Outcome::DeviceRevoked(name.clone()));
    }

    /// Another issuing CA takes over.
    pub fn rotate(&mut self) {
        let made = found_issuing(self.authority.trust(), &self.founded.root_key, self.now, &mut self.rng);
        let (key, der) = made.expect("the root certifies another");
        let successor = self.authority.successor(&der, key.clone(), self.now).expect("it may take over");
        self.authority.rotate(successor);
        self.issuing.push((key, der));
        self.certifies();
    }

    /// The certificate of the relay, made anew.
    pub fn relay(&mut self) -> Vec<u8> {
        let key = SecretKey::draw(&mut self.rng);
        self.authority.issue_relay(&key, self.now, &mut self.rng).expect("the relay is certified")
    }

    /// The revocation lists, signed anew: that of the CA which signs comes first.
    pub fn lists(&mut self) -> Vec<IssuedList> {
        let lists = self.authority.lists(&self.state, 0, self.now).expect("the lists can be signed");
        for list in &lists {
            let der = list.list.der().to_vec().into();
            assert_eq!(self.write(&Record::CrlSigned { der }), Outcome::CrlSigned(list.list.facts().number));
        }
        lists
    }

    /// The issuing CAs with their keys, the first one first.
    pub fn issuing(&self) -> &[(SecretKey, Vec<u8>)] {
        &self.issuing
    }

    /// The journal.
    pub fn records(&self) -> &[Vec<u8>] {
        &self.records
    }

    /// What was granted by this record, signed.
    fn issued(&mut self, granted: &Record, serial: Serial) -> Certified {
        assert_eq!(self.write(granted), Outcome::Granted(serial));
        let granted = self.state.granted(serial).expect("the fold has granted it");
        let issued = self.authority.issue(&granted).expect("it can be signed, and the lint has nothing against it");
        let der = issued.der().to_vec();
        let outcome = self.write(&Record::CertificateIssued { serial, der: der.clone().into() });
        assert_eq!(outcome, Outcome::Issued(serial));
        let (name, issuing) = (granted.grant().name.clone(), self.authority.issuing().to_vec());
        Certified { name, serial, leaf: der, issuing }
    }

    /// Writes down who signs from now on.
    fn certifies(&mut self) {
        let der = self.authority.issuing().to_vec().into();
        assert_eq!(self.write(&Record::IssuingCertified { der, at: self.now }), Outcome::IssuingLogged);
    }

    fn write(&mut self, record: &Record) -> Outcome {
        let (n, bytes) = (self.state.position().n + 1, record.encode());
        let outcome = self.state.apply(n, &bytes).expect("a record of ours can be read");
        self.records.push(bytes);
        outcome
    }
}
