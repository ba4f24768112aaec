//! Breaks what people are told about their own devices, and what the disk keeps of it.

use std::net::{IpAddr, Ipv6Addr};

use countersign_core::device::approve::Approval;
use countersign_core::device::{Asked, Command, Event};
use countersign_core::id::ConnId;
use countersign_core::journal::Record;
use countersign_core::server::Source;
use countersign_core::wire::Code;

use super::Saboteur;
use crate::canary::Sabotage;
use crate::disk::Disk;
use crate::story::Program;

impl Saboteur {
    /// Somebody wishes something of their device.
    pub fn wished(&mut self, program: Program, command: &Command) {
        self.writes(command);
        if let Command::Withdraw(device, ..) = command {
            self.withdrawing.insert(program, device.clone());
        }
    }

    /// Somebody writes down the words of a recovery code: what their shell sends to the relay besides.
    pub fn writes_down(&self, words: &str) -> Option<Vec<u8>> {
        self.is(Sabotage::CodeOnWire).then(|| format!("debug: the code is {words}").into_bytes())
    }

    /// Somebody sets a password: what their shell sends to the relay besides.
    pub fn sets(&mut self, text: &str) -> Option<Vec<u8>> {
        if self.is(Sabotage::PasswordInLog) {
            self.overheard = Some(text.to_owned());
        }
        self.is(Sabotage::PasswordOnWire).then(|| format!("debug: the password is {text:?}").into_bytes())
    }

    /// Whether whoever guesses at passwords is told the right one.
    pub fn tells_passwords(&self) -> bool {
        self.is(Sabotage::TellPassword)
    }

    /// From where a connection seems to come to the relay.
    pub fn shows_address(&self, conn: ConnId, source: Source) -> Source {
        match self.plan {
            Some(Sabotage::HideAddresses) => Source::default(),
            Some(Sabotage::FreshAddresses) => {
                let network = (0x2001_0db8_u128 << 32) | u128::from(conn.0);
                Source::of(IpAddr::V6(Ipv6Addr::from_bits(network << 64)))
            }
            _ => source,
        }
    }

    /// Whether people who have lost everything come by whatever paper they find.
    pub fn finds_papers(&self) -> bool {
        self.is(Sabotage::StolenCode)
    }

    /// What a user is shown instead of what their device tells them about their devices.
    pub(super) fn told_of_own(&mut self, program: Program, event: Event) -> Event {
        match (self.plan, event) {
            (Some(Sabotage::FalseWithdrawal), Event::Asked(Asked::Refused(Code::LAST_DEVICE))) => {
                let device = self.withdrawing.get(&program).cloned();
                let done = device.map(|device| Asked::Approval(Approval::Withdrawn(device, 1)));
                Event::Asked(done.unwrap_or(Asked::Refused(Code::LAST_DEVICE)))
            }
            (_, event) => event,
        }
    }
}

/// The disk forgets the newest device that its owner has taken back, and whatever came after.
pub(super) fn forget_withdrawal(disk: &mut Disk) {
    forget_newest(disk, |record| matches!(record, Record::DeviceWithdrawn { .. }));
}

/// The disk forgets the newest recovery key, and whatever came after.
pub(super) fn forget_code(disk: &mut Disk) {
    forget_newest(disk, |record| matches!(record, Record::RecoveryArmed { .. }));
}

/// The disk forgets the newest password that was set, and whatever came after.
pub(super) fn forget_password(disk: &mut Disk) {
    forget_newest(disk, |record| matches!(record, Record::PasswordSet { .. }));
}

pub(super) fn forget_newest(disk: &mut Disk, is_meant: impl Fn(&Record) -> bool) {
    let is_one = |record: &[u8]| Record::decode(record).is_ok_and(|(_, record)| is_meant(&record));
    let records: Vec<bool> = disk.records().map(is_one).collect();
    if let Some(place) = records.iter().rposition(|is_one| *is_one) {
        disk.forget_beyond(place);
    }
}
