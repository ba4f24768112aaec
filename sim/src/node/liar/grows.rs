//! What a relay does with the second log of a CA that certifies in secret: whom it certifies, whom it offers in their place, and
//! the calls in which somebody plays them, with their keys.

use countersign_core::id::{AskId, ConnId, DeviceName, Realm, UserName};
use countersign_core::journal::State;
use countersign_core::pki::SecretKey;
use countersign_core::tlog::Head;
use countersign_core::wire::relay::RelayEvent;
use rand_chacha::ChaCha20Rng;

use super::grown::{Claim, Grown, spare};
use super::secret::Secret;
use super::{Genuine, Liar};
use crate::actors::villains::lies::Said;
use crate::forge::mint::Mint;
use crate::forge::villain::Shown;
use crate::rng::{Choices, Draw};

impl Liar {
    /// The heads of its logs since the last time, if it has more than one, and of which each is.
    pub(crate) fn take_heads(&mut self, state: &State) -> Vec<(u64, Head)> {
        self.secret.as_mut().map(|secret| secret.heads(state)).unwrap_or_default()
    }

    /// Under whose names it may certify somebody in secret.
    pub(crate) fn victims(&self) -> Vec<DeviceName> {
        self.secret.as_ref().map(Secret::victims).unwrap_or_default()
    }

    /// Which devices of that person are shown what is done under their name.
    pub(crate) fn kin(&self, victim: &DeviceName) -> Vec<DeviceName> {
        self.secret.as_ref().map(|secret| secret.kin(victim)).unwrap_or_default()
    }

    /// Certifies a device under the name of that person, by this claim, and logs it: what it is, and where it stands.
    pub(crate) fn certify(
        &mut self,
        (claim, victim): (Claim, &DeviceName),
        keys: ChaCha20Rng,
        of: &Genuine<'_>,
        at_us: u64,
    ) -> Option<(Grown, u64)> {
        let (now, mut keys) = (self.now(at_us), keys);
        let (key, own, realm) = (SecretKey::draw(&mut keys), SecretKey::draw(&mut keys), Realm::default());
        let secret = self.secret.as_mut()?;
        let name = spare(victim, secret.acts() + 1);
        let secret_key = key.clone();
        let certified = Mint::new((of.founded, &realm), name, key, now.wall, keys).in_secret();
        let grown = Grown::new((claim, victim), certified, (secret_key, &own), of.state);
        let index = secret.log(grown.clone(), of.state);
        Some((grown, index))
    }

    /// Whether it still offers others what it has certified in secret.
    pub(crate) fn offers(&mut self, offers: bool) {
        self.secret.iter_mut().for_each(|secret| secret.offers(offers));
    }

    /// In the place of a device that is about to be named, one that the CA has grown its user, if it is offered now.
    pub(super) fn offer(&mut self, conn: ConnId, event: RelayEvent, state: &State) -> RelayEvent {
        let (RelayEvent::Ringing { device: named, .. } | RelayEvent::Introduced { from: named, .. }) = &event else {
            return event;
        };
        let to = self.conns.get(&conn).and_then(|known| Some(known.admitted.as_ref()?.device().clone()));
        let secret = self.deceiving(conn);
        let Some((name, proof)) = secret.zip(to).and_then(|(secret, to)| secret.offer_named(conn, named, &to, state))
        else {
            return event;
        };
        for event in proof {
            self.send(conn, &event);
        }
        let mut event = event;
        if let RelayEvent::Ringing { device: named, .. } | RelayEvent::Introduced { from: named, .. } = &mut event {
            *named = name;
        }
        event
    }

    /// What it has logged in secret, for its next life.
    pub(crate) fn into_secret(self) -> Option<Secret> {
        self.secret
    }

    /// The devices that were played since the last time, and whether each took a call or made it.
    pub(crate) fn take_played(&mut self) -> Vec<(DeviceName, bool)> {
        std::mem::take(&mut self.played)
    }

    /// Somebody calls that user, or is to be called by them: a device that was grown them takes the call, or makes it, if it
    /// is played now. Whoever is not shown the second log could not be told of it.
    pub(super) fn play(&mut self, conn: ConnId, ask: Option<AskId>, user: &UserName, genuine: &Genuine<'_>) -> bool {
        let to = self.conns.get(&conn).and_then(|known| Some(known.admitted.as_ref()?.device().user.clone()));
        let is_other = to.is_some_and(|to| to != *user);
        let Some(grown) = self.deceiving(conn).filter(|_| is_other).and_then(|secret| secret.player(user)) else {
            return false;
        };
        let shown = Shown::device(&grown.der, self.issuers.of(&grown.der), &grown.secret);
        let words = self.lies.play(conn, ask, grown.name.clone(), shown);
        let proof =
            self.deceiving(conn).map(|secret| secret.prove(conn, &grown.name, &grown.leaf, &grown.row, genuine.state));
        for event in proof.unwrap_or_default() {
            self.send(conn, &event);
        }
        for (conn, said) in words {
            if let Said::Event(event) = said {
                self.send(conn, &event);
            }
        }
        self.played.push((grown.name, ask.is_some()));
        true
    }

    /// A device that was grown somebody calls one of those who are shown the second log.
    pub(crate) fn call_as_grown(&mut self, choices: &mut Choices, genuine: &Genuine<'_>) {
        let users = self.secret.as_ref().map(Secret::played).unwrap_or_default();
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        if let (Some(user), Some(conn)) = (choices.pick(&users), choices.pick(&conns).copied()) {
            self.play(conn, None, user, genuine);
        }
    }
}
