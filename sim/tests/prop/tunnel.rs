//! The relay's tunnels: what goes in at one end comes out at the other, once, in order and nowhere else, and no more is
//! on its way than the credit allows, whoever gives how much of it when.

use std::collections::VecDeque;

use countersign_core::effect::Effects;
use countersign_core::fault::Fault;
use countersign_core::id::{ConnId, TunnelId};
use countersign_core::limits::{FORWARD_BYTES_MAX, FORWARD_OVERHEAD_BYTES, TUNNEL_WINDOW_BYTES};
use countersign_core::relay::tunnel::{Tunnels, forward_cost};
use countersign_core::time::Instant;
use countersign_core::wire::Code;
use countersign_core::wire::relay::RelayEvent;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{Done, cases, done};

/// The one in the middle has a tunnel with each of the others.
const ENDS: [[ConnId; 2]; 2] = [[ConnId(2), ConnId(1)], [ConnId(2), ConnId(3)]];
const STRANGER: ConnId = ConnId(4);

#[derive(Clone, Debug)]
enum Act {
    /// Sends up to so many bytes, as far as the credit goes that this end knows of.
    Send(Index, usize),
    /// Sends one byte more than there is credit for.
    Overdraw(Index),
    /// The receiver reads up to so many bytes and gives their credit back.
    Read(Index, u32),
    /// The receiver gives more back than it has had.
    Overgive(Index, u32),
    /// The sender hears of the credit that it was given first.
    Hear(Index),
    /// Somebody else says that it is theirs.
    Meddle(Index),
    /// One end hangs up.
    HangUp(Index),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (any::<Index>(), 1..=FORWARD_BYTES_MAX).prop_map(|(way, n)| Act::Send(way, n)),
        2 => any::<Index>().prop_map(Act::Overdraw),
        4 => (any::<Index>(), 1..=TUNNEL_WINDOW_BYTES).prop_map(|(way, n)| Act::Read(way, n)),
        1 => (any::<Index>(), 1..=1000_u32).prop_map(|(way, n)| Act::Overgive(way, n)),
        4 => any::<Index>().prop_map(Act::Hear),
        1 => any::<Index>().prop_map(Act::Meddle),
        1 => any::<Index>().prop_map(Act::HangUp),
    ]
}

/// One direction of one tunnel, as its two ends know it.
#[derive(Debug)]
struct Way {
    tunnel: usize,
    from: ConnId,
    to: ConnId,
    /// How many bytes were sent, and have come out.
    sent: usize,
    arrived: usize,
    /// What the sender may still spend, as far as it has heard.
    credit: u32,
    /// Credit on its way to the sender.
    given: VecDeque<u32>,
    /// What has come out and was not given back.
    held: u32,
}

struct Model {
    tunnels: Tunnels,
    out: Effects,
    ids: [TunnelId; 2],
    up: [bool; 2],
    ways: Vec<Way>,
}

/// The byte that stands at this place of a way.
fn byte(way: usize, place: usize) -> u8 {
    u8::try_from((place * 7 + place / 256 + way * 50) % 251).unwrap()
}

impl Model {
    fn new() -> Self {
        let (mut tunnels, mut out) = (Tunnels::default(), Effects::default());
        let ids = ENDS.map(|[caller, callee]| {
            let id = tunnels.introduce(caller, &[callee], Instant(0)).unwrap()[&callee];
            tunnels.accept(callee, id, &mut out).unwrap();
            id
        });
        done(&mut out);
        let way = |tunnel: usize, from, to| Way {
            tunnel,
            from,
            to,
            sent: 0,
            arrived: 0,
            credit: TUNNEL_WINDOW_BYTES,
            given: VecDeque::new(),
            held: 0,
        };
        let ways = (0..2).flat_map(|n| [way(n, ENDS[n][0], ENDS[n][1]), way(n, ENDS[n][1], ENDS[n][0])]).collect();
        Self { tunnels, out, ids, up: [true; 2], ways }
    }

    /// Sends so many bytes, whatever the credit: what the relay says, and whether it passed them on as they were.
    fn forward(&mut self, way: usize, from: ConnId, n: usize) -> Result<(), Fault> {
        let Way { tunnel, sent, .. } = self.ways[way];
        let bytes: Vec<u8> = (sent..sent + n).map(|place| byte(way, place)).collect();
        self.tunnels.forward(from, self.ids[tunnel], bytes.into(), &mut self.out)
    }

    fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        let index = match act {
            Act::Send(index, _)
            | Act::Overdraw(index)
            | Act::Read(index, _)
            | Act::Overgive(index, _)
            | Act::Hear(index)
            | Act::Meddle(index)
            | Act::HangUp(index) => index,
        };
        let way = index.index(self.ways.len());
        let Way { tunnel, from, to, credit, held, .. } = self.ways[way];
        let (id, up) = (self.ids[tunnel], self.up[tunnel]);
        let in_flight: u32 = self.ways[way].given.iter().sum();
        // What the relay still lets through.
        let window = credit + in_flight;
        match act {
            Act::Send(_, n) => {
                let affordable = usize::try_from(credit.saturating_sub(FORWARD_OVERHEAD_BYTES)).unwrap();
                let n = affordable.min(*n);
                if n > 0 && up {
                    prop_assert_eq!(self.forward(way, from, n), Ok(()));
                    self.ways[way].sent += n;
                    self.ways[way].credit -= forward_cost(n);
                    return self.arrived(way, n);
                }
            }
            Act::Overdraw(_) => {
                let n = usize::try_from((window + 1).saturating_sub(FORWARD_OVERHEAD_BYTES)).unwrap().max(1);
                if n <= FORWARD_BYTES_MAX && up {
                    prop_assert_eq!(self.forward(way, from, n), Err(Fault::Credit));
                }
            }
            Act::Read(_, n) => {
                let n = held.min(*n);
                if n > 0 && up {
                    prop_assert_eq!(self.tunnels.credit(to, id, n, &mut self.out), Ok(()));
                    let told = Done::Told(from, RelayEvent::Credited { tunnel: id, bytes: n });
                    prop_assert_eq!(done(&mut self.out), [told]);
                    self.ways[way].held -= n;
                    self.ways[way].given.push_back(n);
                }
            }
            Act::Overgive(_, n) => {
                if up {
                    let refused = self.tunnels.credit(to, id, held + n, &mut self.out);
                    prop_assert_eq!(refused, Err(Fault::Credit));
                }
            }
            Act::Hear(_) => {
                if let Some(n) = self.ways[way].given.pop_front() {
                    self.ways[way].credit += n;
                }
            }
            Act::Meddle(_) => {
                // The third one has a tunnel, too, but not this one; the stranger has none.
                let third = ENDS[1 - tunnel][1];
                for meddler in [third, STRANGER] {
                    let expected = if up { Err(Fault::Unexpected) } else { Ok(()) };
                    prop_assert_eq!(self.forward(way, meddler, 1), expected);
                    prop_assert_eq!(self.tunnels.credit(meddler, id, 1, &mut self.out), expected);
                    self.tunnels.hang_up(meddler, id, Code::HUNG_UP, &mut self.out);
                }
            }
            Act::HangUp(_) => {
                self.tunnels.hang_up(from, id, Code::HUNG_UP, &mut self.out);
                let ended = Done::Told(to, RelayEvent::Ended { tunnel: id, code: Code::HUNG_UP });
                prop_assert_eq!(done(&mut self.out), if up { vec![ended] } else { Vec::new() });
                self.up[tunnel] = false;
                prop_assert_eq!(self.forward(way, from, 1), Ok(()), "the two crossed on the way");
            }
        }
        prop_assert_eq!(done(&mut self.out), [], "nobody else hears of it");
        Ok(())
    }

    /// What was sent has come out, at the right end.
    fn arrived(&mut self, way: usize, n: usize) -> Result<(), TestCaseError> {
        let told = done(&mut self.out);
        let id = self.ids[self.ways[way].tunnel];
        let [Done::Told(conn, RelayEvent::Forwarded { tunnel, bytes })] = told.as_slice() else {
            return Err(TestCaseError::fail(format!("{n} bytes went in, and this came out: {told:?}")));
        };
        let known = &mut self.ways[way];
        prop_assert_eq!((*conn, *tunnel, bytes.len()), (known.to, id, n));
        let expected = (known.arrived..).map(|place| byte(way, place));
        prop_assert!(bytes.iter().copied().eq(expected.take(n)), "other bytes, or not in order");
        known.arrived += n;
        known.held += forward_cost(n);
        let on_its_way = known.held + known.given.iter().sum::<u32>();
        prop_assert!(known.held <= TUNNEL_WINDOW_BYTES, "{} bytes wait for a slow reader", known.held);
        prop_assert!(known.credit + on_its_way == TUNNEL_WINDOW_BYTES, "credit was made or lost");
        Ok(())
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn what_goes_in_comes_out_once_in_order_and_within_its_credit(acts in prop::collection::vec(act(), 0..60)) {
        let mut model = Model::new();
        for act in &acts {
            model.act(act)?;
        }
    }
}
