//! The relay against a model of three sets, connections, presences and calls: whatever members do in whatever order,
//! each is told what the model says, in that order, and nobody else is told anything.

mod model;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use countersign_core::effect::Effects;
use countersign_core::id::{ConnId, DeviceName, TunnelId};
use countersign_core::limits::TUNNELS_PER_DEVICE_MAX;
use countersign_core::pki::Issuers;
use countersign_core::relay::{Admitted, Books, Relay};
use countersign_core::time::Now;
use countersign_core::tlog::Keeper;
use countersign_core::tls::Proven;
use countersign_core::wire::relay::{RelayEvent, RelayRequest};
use countersign_core::wire::{Code, Extensions};
use proptest::prelude::*;
use proptest::sample::Index;

use super::cast::{START, cast};
use super::{Done, cases, done};
use model::{ASK, COMERS, Call, Model, Told, USERS, name, user};

#[derive(Clone, Debug)]
enum Act {
    Connect(usize),
    Leave(Index),
    Attend(Index),
    Ping(Index),
    Who(Index, Option<usize>),
    /// Calls a person, or somebody whom nobody knows, so many times in a row.
    Call(Index, usize, usize),
    Accept(Index, Index),
    /// As [`Act::Accept`] and [`Act::HangUp`], by the one who is called: what others say of a call is mostly a fault.
    Take(Index),
    Leaves(Index, Code),
    HangUp(Index, Index, Code),
    Forward(Index, Index, u8),
    Wait(Duration),
}

fn act() -> impl Strategy<Value = Act> {
    let one = any::<Index>;
    let codes =
        prop::sample::select(vec![Code::HUNG_UP, Code::DECLINED, Code::IN_A_CALL, Code::GLARE, Code::SHUTTING_DOWN]);
    let times = prop_oneof![9 => Just(1), 1 => 2..=TUNNELS_PER_DEVICE_MAX + 1];
    prop_oneof![
        4 => (0..COMERS).prop_map(Act::Connect),
        1 => one().prop_map(Act::Leave),
        6 => one().prop_map(Act::Attend),
        1 => one().prop_map(Act::Ping),
        2 => (one(), prop::option::of(0..USERS)).prop_map(|(conn, after)| Act::Who(conn, after)),
        8 => (one(), 0..=USERS, times).prop_map(|(conn, to, times)| Act::Call(conn, to, times)),
        1 => (one(), one()).prop_map(|(conn, call)| Act::Accept(conn, call)),
        2 => (one(), one(), codes.clone()).prop_map(|(conn, call, code)| Act::HangUp(conn, call, code)),
        4 => one().prop_map(Act::Take),
        3 => (one(), codes).prop_map(|(call, code)| Act::Leaves(call, code)),
        3 => (one(), one(), any::<u8>()).prop_map(|(conn, call, byte)| Act::Forward(conn, call, byte)),
        1 => (1..40_u64).prop_map(|seconds| Act::Wait(Duration::from_secs(seconds))),
    ]
}

/// The relay and its model, side by side.
struct Pair {
    relay: Relay,
    out: Effects,
    admitted: BTreeMap<ConnId, Admitted>,
    last_conn: u64,
    keeper: Keeper,
    model: Model,
}

impl Pair {
    fn new() -> Self {
        let (relay, out) = (Relay::default(), Effects::default());
        let authority = &cast().authority;
        let keeper = Keeper::new(authority.log_signer(1), authority.log().clone());
        Self { relay, out, admitted: BTreeMap::new(), last_conn: 0, keeper, model: Model::default() }
    }

    fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        match *act {
            Act::Connect(member) => {
                static PROVEN: LazyLock<[Proven<DeviceName>; COMERS + 1]> = LazyLock::new(|| cast().proven());
                self.last_conn += 1;
                let conn = ConnId(self.last_conn);
                let admitted = Admitted::admit(conn, PROVEN[member].clone(), &cast().state).unwrap();
                self.relay.admitted(&admitted, &mut self.out);
                self.admitted.insert(conn, admitted);
                let expected = self.model.connect(conn, member);
                self.compare(expected)
            }
            Act::Leave(conn) => self.conn(conn).map_or(Ok(()), |conn| self.leave(conn)),
            Act::Attend(conn) => {
                let attend = RelayRequest::Attend { extensions: Extensions::default() };
                self.ask(conn, attend, |model, conn| Ok(model.attend(conn)))
            }
            Act::Ping(conn) => {
                self.ask(conn, RelayRequest::Ping, |_, conn| Ok(vec![Done::Told(conn, RelayEvent::Pong)]))
            }
            Act::Who(conn, after) => {
                let who = RelayRequest::Who { ask: ASK, after: after.map(user) };
                self.ask(conn, who, |model, conn| Ok(model.who(conn, after)))
            }
            Act::Call(conn, to, times) => (0..times).try_for_each(|_| {
                let call = RelayRequest::Introduce { ask: ASK, to: user(to), extensions: Extensions::default() };
                self.ask(conn, call, |model, conn| Ok(model.call(conn, to)))
            }),
            Act::Accept(conn, call) => {
                let tunnel = self.call(call);
                self.ask(conn, RelayRequest::Accept { tunnel }, |model, conn| model.accept(conn, tunnel))
            }
            Act::HangUp(conn, call, code) => {
                let tunnel = self.call(call);
                let hang_up = RelayRequest::HangUp { tunnel, code };
                self.ask(conn, hang_up, |model, conn| Ok(model.hang_up(conn, tunnel, code)))
            }
            Act::Take(call) => {
                let tunnel = self.call(call);
                let Some(callee) = self.model.rings_at(tunnel) else { return Ok(()) };
                self.ask_on(callee, RelayRequest::Accept { tunnel }, |model, conn| model.accept(conn, tunnel))
            }
            Act::Leaves(call, code) => {
                let tunnel = self.call(call);
                let Some(callee) = self.model.rings_at(tunnel) else { return Ok(()) };
                let hang_up = RelayRequest::HangUp { tunnel, code };
                self.ask_on(callee, hang_up, |model, conn| Ok(model.hang_up(conn, tunnel, code)))
            }
            Act::Forward(conn, call, byte) => {
                let tunnel = self.call(call);
                let forward = RelayRequest::Forward { tunnel, bytes: vec![byte].into() };
                self.ask(conn, forward, |model, conn| model.forward(conn, tunnel, byte))
            }
            Act::Wait(time) => {
                let expected = self.model.wait(time);
                let now = self.now();
                self.relay.tick(now, &mut self.out);
                self.compare(expected)
            }
        }
    }

    /// Whoever comes and goes has come.
    fn all_attend(&mut self) -> Result<(), TestCaseError> {
        (0..COMERS).try_for_each(|member| {
            self.act(&Act::Connect(member))?;
            let attend = RelayRequest::Attend { extensions: Extensions::default() };
            self.ask_on(ConnId(self.last_conn), attend, |model, conn| Ok(model.attend(conn)))
        })
    }

    /// One of the connections, if there is one.
    fn conn(&self, index: Index) -> Option<ConnId> {
        let conns: Vec<ConnId> = self.admitted.keys().copied().collect();
        (!conns.is_empty()).then(|| *index.get(&conns))
    }

    /// One of the calls, or one that is not there.
    fn call(&self, index: Index) -> TunnelId {
        let calls: Vec<TunnelId> = self.model.calls.keys().copied().chain([TunnelId(1000)]).collect();
        *index.get(&calls)
    }

    fn now(&self) -> Now {
        Now { mono: self.model.now(), wall: START }
    }

    fn ask(
        &mut self,
        conn: Index,
        request: RelayRequest,
        expected: impl FnOnce(&mut Model, ConnId) -> Told,
    ) -> Result<(), TestCaseError> {
        self.conn(conn).map_or(Ok(()), |conn| self.ask_on(conn, request, expected))
    }

    fn ask_on(
        &mut self,
        conn: ConnId,
        request: RelayRequest,
        expected: impl FnOnce(&mut Model, ConnId) -> Told,
    ) -> Result<(), TestCaseError> {
        let now = self.now();
        let issuers = Issuers::new(Vec::new().into());
        let books = &mut Books { state: &cast().state, keeper: &mut self.keeper, issuers: &issuers };
        let told = self.relay.request(&self.admitted[&conn], request, books, now, &mut self.out);
        match expected(&mut self.model, conn) {
            Ok(expected) => {
                prop_assert_eq!(told, Ok(()));
                self.compare(expected)
            }
            Err(fault) => {
                prop_assert_eq!(told, Err(fault));
                self.compare(Vec::new())?;
                // Whoever breaks the protocol is put out.
                self.leave(conn)
            }
        }
    }

    fn leave(&mut self, conn: ConnId) -> Result<(), TestCaseError> {
        self.relay.gone(&self.admitted[&conn], &mut self.out);
        self.admitted.remove(&conn);
        let expected = self.model.leave(conn);
        self.compare(expected)
    }

    /// Each member is told this, in this order; how two members' news mix is nobody's to see.
    fn compare(&mut self, mut expected: Vec<Done>) -> Result<(), TestCaseError> {
        let whose = |done: &Done| match done {
            Done::Told(conn, _) | Done::Part(conn, _) => *conn,
        };
        let mut told = done(&mut self.out);
        told.sort_by_key(whose);
        expected.sort_by_key(whose);
        prop_assert_eq!(&told, &expected, "told on the left, the model on the right");
        for member in 0..=COMERS {
            prop_assert_eq!(self.relay.is_present(&name(member)), self.model.here.contains_key(&member));
        }
        let rings = |(id, call): (&TunnelId, &Call)| Some((call.rings?, *id));
        prop_assert_eq!(self.relay.next_deadline(), self.model.calls.iter().filter_map(rings).min());
        // A connection that is to go is gone at once.
        let parts = told.iter().filter_map(|done| if let Done::Part(conn, _) = done { Some(*conn) } else { None });
        parts.collect::<Vec<_>>().into_iter().try_for_each(|conn| self.leave(conn))
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn each_member_is_told_what_the_model_says_and_nothing_else(
        begun in prop::bool::weighted(0.7),
        acts in prop::collection::vec(act(), 0..80),
    ) {
        let mut pair = Pair::new();
        if begun {
            pair.all_attend()?;
        }
        for act in &acts {
            pair.act(act)?;
        }
    }
}
