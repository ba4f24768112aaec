//! Decides what each event looks like on a page: its class, its place, its words.

use countersign_core::id::ConnId;

use super::collector::Collector;
use super::message::cut;
use super::row::{Class, Column, Place, Row};
use super::stream::Way;
use crate::node::Node;
use crate::story::{FIRST_DIRECT, Seen, is_direct, words};
use crate::world::streets::Host;

/// How many characters a value in its own words has at most.
const VALUE_CHARS_MAX: usize = 600;

impl Collector {
    /// What there is to show of an event, on top of a row that has its step, time and kind.
    #[allow(clippy::wildcard_enum_match_arm, reason = "an event that needs no place of its own is told by its words")]
    #[allow(clippy::too_many_lines, reason = "one arm for each kind of event, each a line or three")]
    pub(super) fn rows_of(&mut self, seen: &Seen<'_>, row: &Row) -> Vec<Row> {
        let at =
            |column, class, label: String| vec![Row { class, place: Some(Place::At(column)), label, ..row.clone() }];
        let told = || words::words(seen).map(|(_, what)| self.in_names(&what)).unwrap_or_default();
        let valued = |column, class, label: String, value: &dyn std::fmt::Debug| {
            let detail = cut(&format!("{value:?}"), VALUE_CHARS_MAX);
            vec![Row { class, place: Some(Place::At(column)), label, detail, ..row.clone() }]
        };
        let relay = self.relay();
        match seen {
            Seen::Delivered { conn, to, bytes, flipped } => {
                let mut rows = self.wires.arrived(*conn, *to, bytes, row);
                if *flipped {
                    rows.extend(self.by_words(seen, row));
                }
                rows
            }
            Seen::Written { .. } => Vec::new(),
            Seen::Hosted(program, host) => {
                let label = oddities(host);
                if label.is_empty() { Vec::new() } else { at(self.column(*program), Class::Link, label) }
            }
            Seen::Appending(_, records) => {
                at(relay, Class::Disk, format!("wants {} records written down", records.len()))
            }
            Seen::Phase(_) => vec![Row { class: Class::Phase, label: told(), ..row.clone() }],
            Seen::Wished(who, command) => {
                let label = told();
                if label.is_empty() {
                    Vec::new()
                } else {
                    valued(self.column(who.program), Class::Person, label, command)
                }
            }
            Seen::Said(who, _, text) => valued(self.column(who.program), Class::Person, told(), text),
            Seen::Told(who, event) => valued(self.column(who.program), Class::Told, told(), event),
            Seen::Noted(note) => {
                valued(relay, Class::Relay, told(), note).into_iter().filter(|row| !row.label.is_empty()).collect()
            }
            Seen::EnrolEnded(who, ..) | Seen::Waits(who, _) => at(self.column(who.program), Class::Told, told()),
            Seen::Started(who, _) => at(self.column(who.program), Class::Person, told()),
            Seen::Killed(who) => at(self.column(who.program), Class::Fault, told()),
            Seen::Answered(person, _) => {
                let whom = self.names.get(*person).map_or("a stranger", String::as_str);
                at(relay, Class::Relay, format!("{}, for {whom}", told()))
            }
            Seen::ShutDown(_) => at(relay, Class::Relay, told()),
            Seen::Durable(..) | Seen::Loaded(..) | Seen::Replayed(..) | Seen::Snapshot(..) => {
                at(relay, Class::Disk, told())
            }
            Seen::Folded(n, digest) => valued(relay, Class::Disk, format!("has folded up to record {n}"), digest),
            Seen::Crashed(..) => at(relay, Class::Fault, told()),
            Seen::Dialled(program) => at(self.column(*program), Class::Link, "dials the relay".to_owned()),
            Seen::Abandoned(program) => at(self.column(*program), Class::Link, "gives up dialling".to_owned()),
            Seen::Unreachable(program) => at(self.column(*program), Class::Link, "can't reach the relay".to_owned()),
            Seen::DialledPeer(program, _, address) => {
                at(self.column(*program), Class::Link, format!("dials {address}"))
            }
            Seen::Missed(program, _) => at(self.column(*program), Class::Link, "reaches nobody there".to_owned()),
            Seen::Opened(conn, program) => {
                let sent_us = self.dialled.remove(program).unwrap_or(row.at_us);
                let place = Place::Arrow { from: self.column(*program), to: relay, sent_us, way: Way::Unknown };
                vec![Row {
                    class: Class::Link,
                    place: Some(place),
                    label: format!("opens connection {}", short(*conn)),
                    ..row.clone()
                }]
            }
            Seen::Met { conn, dialler, astray, .. } => {
                let sent_us = dialler.and_then(|program| self.dialled_peer.get(&program)).copied();
                let (from, to) = self.wires.ends(*conn).unwrap_or((self.others(), self.others()));
                let place = Place::Arrow { from, to, sent_us: sent_us.unwrap_or(row.at_us), way: Way::Unknown };
                let label = format!("opens direct connection {}", short(*conn));
                let class = if *astray { Class::Fault } else { Class::Link };
                let label = if *astray || dialler.is_none() { told() } else { label };
                vec![Row { class, place: Some(place), label, ..row.clone() }]
            }
            Seen::Connected(conn, who) => {
                at(self.column(who.program), Class::Link, format!("is connected ({})", short(*conn)))
            }
            Seen::Reached(conn, program) => {
                at(self.column(*program), Class::Link, format!("is connected ({})", short(*conn)))
            }
            Seen::Listens(program, ..) => at(self.column(*program), Class::Link, told()),
            Seen::Unlistens(program, call) => {
                at(self.column(*program), Class::Link, format!("listens for call {call} no more"))
            }
            Seen::Ended(conn, to) => {
                let (place, label) =
                    (Some(self.wires.ended(*conn, *to)), format!("end of connection {}", short(*conn)));
                vec![Row { class: Class::Link, place, label, ..row.clone() }]
            }
            Seen::Shut(conn, by) => {
                at(self.wires.column(*conn, *by), Class::Link, format!("ends its side of {}", short(*conn)))
            }
            Seen::Dropped(conn, by) => {
                at(self.wires.column(*conn, *by), Class::Link, format!("drops connection {}", short(*conn)))
            }
            Seen::Woken { node, why, .. } => {
                let column = if let Node::Device(device) = node { *device } else { relay };
                at(column, Class::Timer, format!("is woken: {why}"))
            }
            _ => self.by_words(seen, row).into_iter().collect(),
        }
    }

    /// An event that is told by its words alone: what the network does is a fault, at the connection that it names.
    fn by_words(&self, seen: &Seen<'_>, row: &Row) -> Option<Row> {
        let (who, what) = words::words(seen)?;
        let conn = self.named_conn(&what);
        let (class, place) = match who.as_str() {
            "network" => (Class::Fault, conn.map(|(one, other)| Place::Between(one, other))),
            "relay" | "operator" => (Class::Relay, Some(Place::At(self.relay()))),
            "disk" => (Class::Fault, Some(Place::At(self.relay()))),
            "run" => (Class::Phase, None),
            name => {
                let named = |word| self.names.iter().position(|known| known == word);
                let column = self.in_names(name).split(' ').find_map(named);
                (Class::Person, Some(Place::At(column.unwrap_or(self.others()))))
            }
        };
        Some(Row { class, place, label: self.in_names(&what), ..row.clone() })
    }

    fn named_conn(&self, words: &str) -> Option<(Column, Column)> {
        let (_, rest) = words.split_once("connection ")?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        self.wires.ends(ConnId(digits.parse().ok()?))
    }

    /// The same words with people's names for their devices' numbers, and short ones for numbers that are counted from
    /// a high one on: of direct connections, and of calls that came in.
    pub(super) fn in_names(&self, words: &str) -> String {
        let mut told = String::new();
        let mut rest = words;
        while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
            let (before, from) = rest.split_at(start);
            let (digits, after) =
                from.split_at(from.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(from.len()));
            let number = digits.parse().unwrap_or(0);
            let name = usize::try_from(number).ok().and_then(|number| self.names.get(number));
            let high = is_direct(ConnId(number)).then(|| number - FIRST_DIRECT.0);
            rest = after;
            if let (Some(name), Some(before)) = (name, before.strip_suffix("device ")) {
                told.extend([before, name]);
            } else if let (Some(name), Some(before), Some(after)) =
                (name, before.strip_suffix("Device("), after.strip_prefix(')'))
            {
                told.extend([before, name]);
                rest = after;
            } else {
                let kind = [("connection ", "d"), ("call ", "i")].iter().find(|(kind, _)| before.ends_with(kind));
                let number = high.zip(kind).map(|(number, (_, letter))| format!("{letter}{number}"));
                told.extend([before, number.as_deref().unwrap_or(digits)]);
            }
        }
        told + rest
    }
}

/// What is not as it should be around a device.
fn oddities(host: &Host) -> String {
    let odd = [
        (host.tunnel_only, "wishes for the tunnel alone"),
        (host.filtered, "is behind a filter"),
        (host.closed, "can't listen"),
        (host.lies, "has addresses at which others answer"),
        (host.narrow, "dials nobody"),
    ];
    odd.iter().filter(|(is_so, _)| *is_so).map(|(_, words)| *words).collect::<Vec<_>>().join(", ")
}

/// The number of a connection; the direct ones are counted from d1.
pub(super) fn short(conn: ConnId) -> String {
    if is_direct(conn) { format!("d{}", conn.0 - FIRST_DIRECT.0) } else { conn.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_names_where_they_stand_for_somebody() {
        let collector = Collector::new(vec!["alice".to_owned(), "bob".to_owned()]);
        let high = FIRST_DIRECT.0 + 3;
        for (words, told) in [
            ("device 1 is not online", "bob is not online".to_owned()),
            ("Device(0) was woken for Redial", "alice was woken for Redial".to_owned()),
            ("device 7 says 1 to device 0", "device 7 says 1 to alice".to_owned()),
            (&format!("connection {high}, call {high}, {high}"), format!("connection d3, call i3, {high}")),
            ("call 2 (connection 12)", "call 2 (connection 12)".to_owned()),
        ] {
            assert_eq!(collector.in_names(words), told);
        }
    }
}
