//! Decides whether an owner has reason to complain: from where they come, what they have tried themselves, and what they are told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use countersign_core::device::enrol::EnrolResult;
use countersign_core::device::{Asked, Event};
use countersign_core::id::{ConnId, UserName};
use countersign_core::limits::{
    GUESS_PAUSE_MAX, GUESS_PAUSE_SAME_MAX, KNOWN_SOURCES_MAX, KNOWN_TRIES_MAX, PASSWORD_TRIES_MAX, PASSWORD_TRIES_SPAN,
    STRETCHES_PENDING_MAX, STRETCHES_RESERVED,
};
use countersign_core::wire::Code;

use crate::config::SimConfig;
use crate::story::Program;

/// Where a device connects from: the number of the device whose address it is.
type Home = usize;

/// What is known of owners.
#[derive(Debug)]
pub(super) struct Owners {
    /// Whether the server says what it thinks, rather than what somebody in its place makes up.
    is_honest: bool,
    homes: Vec<Home>,
    /// Who has a password, for all that they were told.
    have: BTreeSet<UserName>,
    /// Which device is at the other end.
    devices: BTreeMap<ConnId, Program>,
    /// Who comes by a password, at whose name; and since when on which connection.
    coming: BTreeMap<Program, UserName>,
    opened: BTreeMap<ConnId, u64>,
    /// When they came lately, by where they come from.
    came: BTreeMap<Home, VecDeque<u64>>,
    /// How often somebody has ever tried a name from there.
    tried: BTreeMap<(UserName, Home), u32>,
    /// From where devices of somebody were admitted since the server started, the villains' places as none, and how many tries
    /// were made from there since.
    known: BTreeMap<UserName, Vec<(Option<Home>, u32)>>,
    /// When the password of somebody was looked at last.
    looked_us: BTreeMap<UserName, u64>,
}

impl Owners {
    pub(super) fn new(config: &SimConfig) -> Self {
        Self {
            is_honest: !config.has_liar(),
            homes: (0..config.all_devices()).map(|device| config.home(device)).collect(),
            have: BTreeSet::new(),
            devices: BTreeMap::new(),
            coming: BTreeMap::new(),
            opened: BTreeMap::new(),
            came: BTreeMap::new(),
            tried: BTreeMap::new(),
            known: BTreeMap::new(),
            looked_us: BTreeMap::new(),
        }
    }

    fn home(&self, device: usize) -> Home {
        self.homes.get(device).copied().unwrap_or(device)
    }

    /// Somebody will ask for a certificate by a password: from where.
    pub(super) fn signs_up(&mut self, program: Program, user: &UserName) -> Home {
        let home = self.home(program.device);
        self.coming.insert(program, user.clone());
        *self.tried.entry((user.clone(), home)).or_default() += 1;
        for (_, tries) in self.known.get_mut(user).into_iter().flatten().filter(|(from, _)| *from == Some(home)) {
            *tries += 1;
        }
        home
    }

    pub(super) fn opened(&mut self, conn: ConnId, program: Program, at_us: u64) {
        self.devices.insert(conn, program);
        if self.coming.contains_key(&program) {
            self.opened.insert(conn, at_us);
            let home = self.home(program.device);
            self.came.entry(home).or_default().push_back(at_us);
        }
    }

    /// Somebody's device is admitted: from there they come themselves.
    pub(super) fn admitted(&mut self, conn: ConnId, user: &UserName) {
        if !self.have.contains(user) {
            return;
        }
        let home = self.devices.get(&conn).map(|program| self.home(program.device));
        let known = self.known.entry(user.clone()).or_default();
        known.retain(|(from, _)| *from != home);
        if known.len() >= KNOWN_SOURCES_MAX {
            known.remove(0);
        }
        known.push((home, 0));
    }

    pub(super) fn told(&mut self, user: &UserName, event: &Event) {
        if let Event::Asked(Asked::PasswordSet) = event {
            self.have.insert(user.clone());
        }
    }

    /// Somebody's password is looked at, whoever has asked.
    pub(super) fn looked_at(&mut self, user: &UserName, at_us: u64) {
        self.looked_us.insert(user.clone(), at_us);
    }

    /// The server forgets from where people come.
    pub(super) fn crashed(&mut self) {
        self.known.clear();
        self.looked_us.clear();
    }

    /// Somebody is refused a certificate, while so many passwords wait for the worker.
    pub(super) fn refused(&mut self, conn: ConnId, code: Code, pending: usize, at_us: u64) -> Result<(), String> {
        let Some((program, since_us)) = self.devices.get(&conn).zip(self.opened.get(&conn)) else { return Ok(()) };
        let (Some(user), home) = (self.coming.get(program), self.home(program.device)) else { return Ok(()) };
        let known = self.known.get(user).into_iter().flatten();
        let is_known = known.into_iter().any(|(from, tries)| *from == Some(home) && *tries <= KNOWN_TRIES_MAX);
        if !is_known {
            return Ok(());
        }
        let span_us = u64::try_from(PASSWORD_TRIES_SPAN.as_micros()).unwrap_or(u64::MAX) / 99 * 100;
        let lately = self.came.get(&home).into_iter().flatten().filter(|came_us| **came_us + span_us > at_us).count();
        let is_looked_at = self.looked_us.get(user).is_some_and(|looked_us| looked_us >= since_us);
        if code == Code::TRIES_TOO_MANY && lately <= usize::try_from(PASSWORD_TRIES_MAX).unwrap_or(0) {
            return Err(format!(
                "{user}, who comes from where their devices are and has tried {lately} times, is told to wait"
            ));
        }
        if code == Code::BUSY && !is_looked_at && pending < STRETCHES_PENDING_MAX - STRETCHES_RESERVED {
            return Err(format!(
                "{user}, who comes from where their devices are, is not looked at, and {pending} others are"
            ));
        }
        Ok(())
    }

    /// What came of somebody's asking: for how long they are told to wait.
    pub(super) fn ended(&mut self, program: Program, result: &EnrolResult) -> Result<(), String> {
        if let EnrolResult::Enrolled(identity) = result {
            let user = &identity.name.user;
            let by_password = self.coming.get(&program) == Some(user);
            if by_password {
                self.have.insert(user.clone());
            }
        }
        let (Some(user), EnrolResult::Refused(Code::TRIES_TOO_MANY, wait_s)) = (self.coming.get(&program), result)
        else {
            return Ok(());
        };
        let tries = self.tried.get(&(user.clone(), self.home(program.device))).copied().unwrap_or(0);
        let longest = if tries > 1 { GUESS_PAUSE_SAME_MAX } else { GUESS_PAUSE_MAX };
        if self.is_honest && u64::from(*wait_s) > longest.as_secs() + 1 {
            return Err(format!("{user}, who has tried {tries} times from there, is told to wait for {wait_s} s"));
        }
        Ok(())
    }
}
