//! Decides which link is played with, who is on its other side, and whether that one may ever be believed.

use std::sync::{Arc, LazyLock};

use countersign_core::id::DeviceName;
use countersign_core::limits::{OUTBOX_BYTES_MAX, PEER_OUTBOX_BYTES_MAX};
use countersign_core::link::Link;
use countersign_core::tls::{Credentials, Dial, Doors};
use countersign_core::wire::Channel;
use rustls_pki_types::CertificateDer;

use super::other::{Other, Shown};
use crate::cast::{Town, cast};
use crate::script::Script;

/// An outbox that is soon full.
const SMALL_OUTBOX: usize = 48 * 1024;

/// Where the link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The relay's doors.
    Relay,
    /// A device's way to the relay.
    Device,
    /// A newcomer's way to the relay.
    Newcomer,
    /// Alice's door, for Bob.
    Callee,
    /// Alice's way to Bob.
    Caller,
}

/// Who is on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// The one who should be: the relay, or Bob.
    Right,
    /// Mallory, who is a member.
    Mallory,
    /// The one who should be, of the other town.
    Foreigner,
    /// Mallory, who shows the certificate of the one who should be.
    Thief,
    /// Nobody in particular: without a certificate. On the side that is connected to, that is Mallory.
    Nobody,
}

/// What is said to lead from the leaf to a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chain {
    Issuing,
    IssuingAndRoot,
    Nothing,
    Foreign,
}

/// The beginning of a script.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    place: Place,
    who: Who,
    chain: Chain,
    /// Which protocols are offered or known.
    protocols: &'static [Channel],
    small: bool,
    asks: bool,
}

/// Whom a link may believe to be on its other side.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Belief {
    /// The handshake must not come to its end.
    InNobody,
    /// It may: with this device, or with one that has no name, a newcomer or the relay.
    Of(Option<DeviceName>),
}

/// What may come of a scene.
#[derive(Debug)]
pub(super) struct Promise {
    /// Whom the link may believe to be on its other side.
    pub(super) believes: Belief,
    /// For which channel.
    pub(super) channel: Option<Channel>,
    /// How much may wait for the socket.
    pub(super) outbox_bytes_max: usize,
    /// Whether the other side connects, and so has proved itself before the link knows it.
    pub(super) is_server: bool,
}

/// Every door and way there is.
pub(super) struct Places {
    relay: Arc<Doors>,
    callee: Arc<Doors>,
    device: Dial,
    newcomer: Dial,
    caller: Dial,
}

/// The places, made once in a process.
pub(super) fn places() -> &'static Places {
    static PLACES: LazyLock<Places> = LazyLock::new(|| {
        let cast = cast();
        let (env, trust) = (&cast.env, &cast.trust);
        let (alice, bob) = (&cast.home.member(0).credentials, &cast.home.member(1).name);
        Places {
            relay: Arc::new(Doors::of_relay(env, &cast.home.relay, trust)),
            callee: Arc::new(Doors::of_peer(env, alice, trust, bob.clone())),
            device: Dial::relay(env, alice, trust),
            newcomer: Dial::enrol(env, &cast.realm, trust.root().fingerprint()),
            caller: Dial::peer(env, alice, trust, bob),
        }
    });
    &PLACES
}

impl Scene {
    pub(super) fn read(script: &mut Script<'_>) -> Self {
        const ONE: [&[Channel]; 4] = [&[Channel::Relay], &[Channel::Enrol], &[Channel::Peer], &[]];
        let place = script.choose(&[Place::Relay, Place::Device, Place::Newcomer, Place::Callee, Place::Caller]);
        let who = script.choose(&[Who::Right, Who::Mallory, Who::Foreigner, Who::Thief, Who::Nobody]);
        let chain = script.choose(&[Chain::Issuing, Chain::IssuingAndRoot, Chain::Nothing, Chain::Foreign]);
        let protocols = match script.byte() % 6 {
            0 => place.channel(),
            5 => &[Channel::Relay, Channel::Enrol],
            n => ONE.get(usize::from(n) - 1).copied().unwrap_or_default(),
        };
        let small = script.byte() % 2 == 1;
        let asks = script.byte().is_multiple_of(2);
        Self { place, who, chain, protocols, small, asks }
    }

    /// The link; the generator is lent.
    pub(super) fn link(self, places: &Places) -> Link {
        let link = match self.place {
            Place::Relay => Link::accept(places.relay.clone()),
            Place::Callee => Link::accept(places.callee.clone()),
            Place::Device => Link::connect(&places.device),
            Place::Newcomer => Link::connect(&places.newcomer),
            Place::Caller => Link::connect(&places.caller),
        };
        if self.outbox() == OUTBOX_BYTES_MAX { link } else { link.with_outbox(self.outbox()) }
    }

    /// The other side.
    pub(super) fn other(self) -> Other {
        let protocols: Vec<&[u8]> = self.protocols.iter().map(|channel| channel.alpn()).collect();
        if self.is_server() {
            Other::client(&protocols, (self.who != Who::Nobody).then(|| self.shown()))
        } else {
            Other::server(&protocols, self.shown(), self.asks)
        }
    }

    pub(super) fn promise(self) -> Promise {
        Promise {
            believes: self.believes(),
            channel: self.protocols.first().copied(),
            outbox_bytes_max: self.outbox(),
            is_server: self.is_server(),
        }
    }

    fn is_server(self) -> bool {
        matches!(self.place, Place::Relay | Place::Callee)
    }

    fn outbox(self) -> usize {
        match self.place {
            _ if self.small => SMALL_OUTBOX,
            Place::Callee | Place::Caller => PEER_OUTBOX_BYTES_MAX,
            Place::Relay | Place::Device | Place::Newcomer => OUTBOX_BYTES_MAX,
        }
    }

    /// Whom the link may believe this to be.
    fn believes(self) -> Belief {
        let bob = || Belief::Of(Some(cast().home.member(1).name.clone()));
        let leads_home = matches!(self.chain, Chain::Issuing | Chain::IssuingAndRoot);
        match (self.place, self.protocols) {
            // Newcomers show nothing.
            (Place::Relay, [Channel::Enrol]) => Belief::Of(None),
            (Place::Relay, [Channel::Relay]) | (Place::Callee | Place::Caller, [Channel::Peer])
                if leads_home && self.who == Who::Right =>
            {
                bob()
            }
            (Place::Relay, [Channel::Relay]) if leads_home && self.who == Who::Mallory => {
                Belief::Of(Some(cast().home.member(2).name.clone()))
            }
            // What a server knows besides doesn't matter: the one who dials offers one protocol.
            (Place::Device, known) if self.who == Who::Right && leads_home && known.contains(&Channel::Relay) => {
                Belief::Of(None)
            }
            (Place::Newcomer, known) if self.who == Who::Right && known.contains(&Channel::Enrol) => {
                // The root, which a newcomer knows by its hash alone, has to be shown.
                if self.chain == Chain::IssuingAndRoot { Belief::Of(None) } else { Belief::InNobody }
            }
            (Place::Relay | Place::Device | Place::Newcomer | Place::Callee | Place::Caller, _) => Belief::InNobody,
        }
    }

    fn shown(self) -> Shown {
        let cast = cast();
        let right = |town: &'static Town| -> &'static Credentials {
            match self.place {
                Place::Device | Place::Newcomer => &town.relay,
                Place::Relay | Place::Callee | Place::Caller => &town.member(1).credentials,
            }
        };
        let mallory = &cast.home.member(2).credentials;
        let (leaf, key) = match self.who {
            Who::Right => (right(&cast.home), right(&cast.home)),
            Who::Mallory | Who::Nobody => (mallory, mallory),
            Who::Foreigner => (right(&cast.abroad), right(&cast.abroad)),
            Who::Thief => (right(&cast.home), mallory),
        };
        let der = |der: &[u8]| CertificateDer::from(der.to_vec());
        let (issuing, root) = (der(&cast.home.founded.issuing), der(&cast.home.founded.root));
        let rest = match self.chain {
            Chain::Issuing => vec![issuing],
            Chain::IssuingAndRoot => vec![issuing, root],
            Chain::Nothing => Vec::new(),
            Chain::Foreign => vec![der(&cast.abroad.founded.issuing)],
        };
        Shown::new([vec![leaf.leaf.clone()], rest].concat(), key)
    }
}

impl Place {
    /// The protocols with which this place is asked for as it should be.
    fn channel(self) -> &'static [Channel] {
        match self {
            Self::Relay | Self::Device => &[Channel::Relay],
            Self::Newcomer => &[Channel::Enrol],
            Self::Callee | Self::Caller => &[Channel::Peer],
        }
    }
}
