//! What an end wants is done: bytes for the tunnel are mailed, its shell is asked, its sockets take what waits.

use countersign_core::id::ConnId;
use countersign_core::limits::TUNNEL_WINDOW_BYTES;
use countersign_core::link::Step;
use countersign_core::peer::{DirectInput, DirectOutput, Peer, PeerEvent};
use countersign_core::relay::tunnel::forward_cost;
use rand_chacha::ChaCha20Rng;
use sim::crypto::lend;

use super::ways::{Ask, End, Mail, Pair, Socket};

impl Pair {
    pub(super) fn with<R>(&mut self, end: usize, call: impl FnOnce(&mut Peer, &mut ChaCha20Rng) -> R) -> R {
        let End { peer, tls, rng, .. } = &mut self.ends[end];
        let _lent = lend(tls);
        call(peer, rng)
    }

    pub(super) fn direct(&mut self, end: usize, input: DirectInput<'_>) {
        let now = self.now;
        self.with(end, |peer, rng| peer.direct_input(input, now, rng));
    }

    /// Does what an end wants, until it wants nothing more.
    pub(super) fn settle(&mut self, end: usize) {
        loop {
            let mut busy = false;
            while let Some(bytes) = self.with(end, |peer, _| peer.poll_forward()) {
                busy = true;
                let own = &mut self.ends[end];
                own.spent += forward_cost(bytes.len());
                assert!(own.spent <= TUNNEL_WINDOW_BYTES, "more was sent than there was credit for");
                self.mail(end, Mail::Bytes(bytes));
            }
            while let Some(credit) = self.with(end, |peer, _| peer.poll_credit()) {
                busy = true;
                self.mail(end, Mail::Credit(credit));
            }
            while let Some(output) = self.with(end, |peer, _| peer.poll_direct()) {
                busy = true;
                self.direct_output(end, output);
            }
            while let Some(event) = self.with(end, |peer, _| peer.poll_event()) {
                busy = true;
                let own = &mut self.ends[end];
                assert_eq!(own.ended, None, "{event:?} after the end");
                match event {
                    PeerEvent::Line { n, text } => own.heard.push((n, text)),
                    PeerEvent::Closed(reason) => own.ended = Some(reason),
                    PeerEvent::Split(split) => panic!("both have one log: {split:?}"),
                    PeerEvent::Other(theirs) => panic!("both have one log: {theirs:?}"),
                    PeerEvent::Open(_) | PeerEvent::Direct | PeerEvent::Tunnelled(_) => {}
                }
            }
            busy |= self.write(end);
            let own = &mut self.ends[end];
            if own.ended.is_some() && own.has_relay && own.peer.is_drained() {
                own.has_relay = false;
                own.mail.clear();
                self.ends[1 - end].mail.push_back(Mail::Over);
            }
            if !busy {
                return;
            }
        }
    }

    fn mail(&mut self, from: usize, mail: Mail) {
        if self.ends[from].has_relay && self.ends[1 - from].has_relay {
            self.ends[1 - from].mail.push_back(mail);
        }
    }

    fn direct_output(&mut self, end: usize, output: DirectOutput) {
        match output {
            DirectOutput::FindAddresses => self.ends[end].asked.push_back(Ask::Addresses),
            DirectOutput::Listen(_) => self.ends[end].asked.push_back(Ask::Listen),
            DirectOutput::Unlisten => self.listening = false,
            DirectOutput::Dial(conn, _) => self.ends[end].asked.push_back(Ask::Dial(conn)),
            DirectOutput::Leave(_, link) => self.ends[end].socket.left = Some(link),
            DirectOutput::Drop(conn) => {
                if self.ends[end].socket.conn == Some(conn) {
                    self.drop_socket(end);
                }
            }
        }
    }

    pub(super) fn drop_socket(&mut self, end: usize) {
        self.ends[end].socket = Socket::default();
        self.finish_socket(end);
    }

    /// An end's side of the direct connection is finished: the other end learns of it.
    fn finish_socket(&mut self, end: usize) {
        if self.carries {
            self.ends[1 - end].socket.finished = true;
        }
    }

    /// The sockets take what waits for them.
    fn write(&mut self, end: usize) -> bool {
        let mut steps: Vec<(ConnId, Step)> = self.with(end, |peer, _| peer.steps());
        let End { socket, tls, .. } = &mut self.ends[end];
        if let (Some(conn), Some(link)) = (socket.conn, &mut socket.left) {
            let _lent = lend(tls);
            steps.extend(link.step().map(|step| (conn, step)));
        }
        let busy = !steps.is_empty();
        for (conn, step) in steps {
            match step {
                Step::Write => {
                    let own = &mut self.ends[end];
                    let bytes = if let Some(link) = &mut own.socket.left {
                        let bytes = link.outbound().to_vec();
                        link.sent(bytes.len());
                        bytes
                    } else {
                        let bytes = own.peer.outbound(conn).to_vec();
                        self.direct(end, DirectInput::Sent(conn, bytes.len()));
                        bytes
                    };
                    if self.carries && self.ends[1 - end].socket.conn.is_some() {
                        self.ends[1 - end].socket.inbox.extend(bytes);
                    }
                }
                Step::Shut => self.finish_socket(end),
            }
        }
        busy
    }
}
